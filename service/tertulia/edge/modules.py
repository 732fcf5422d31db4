"""Putting the page's modules together into one script: a first visit asks for one file, not for thirty.

What is imported while the script runs is another script, with all of its own imports that the first one does
not have: it is handed the others. No parser: modules import and export in a few ways only, and what is
written otherwise is refused. Comments, blanks and ends of lines that say nothing are left out, and private
names are short; a source map says for every line where it was written.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from posixpath import dirname, join, normpath
from string import ascii_letters
from typing import Final

_IMPORT: Final = re.compile(
    r'^import (?:\* as (?P<all>\w+)|\{(?P<names>[^}]*)\}) from "(?P<path>\.[^"]+)";$', re.M
)
_EXPORT: Final = re.compile(
    r"^export (?=(?:async )?(?:class|const|function\*?) (?P<name>[\w$]+))", re.M
)
_LOADED: Final = re.compile(r'\bimport\("(?P<path>\.[^"]+)"\)')
_OTHER: Final = re.compile(r"^(?:import|export)\b.*", re.M)
_COMMENTS: Final = re.compile(r"^[ \t]*(?:/\*[^*]*(?:\*(?!/)[^*]*)*\*/|//[^\n]*)[ \t]*$", re.M)
_SIGNS: Final = r"[=,;:{}()<>?&|*!\[\]]"
_SPARE: Final = re.compile(
    rf"""
    (?P<private> \#[A-Za-z]\w*)
    | (?P<kept> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`
        | /(?![*/=\ ]) (?:\\. | \[(?:\\.|[^\]\\\n])*\] | [^/\\\[\n])+ /[a-z]*)
    | ^[ ]+ | [ ]*//[ ].*$ | /\*.*?\*/[ ]? | (?<={_SIGNS})[ ]+ | [ ]+(?={_SIGNS}|$)
    """,
    re.M | re.X,
)
"""What says nothing: blanks and comments, but for those in texts and in regular expressions, which are kept.

Modules are formatted, so a division has blanks around it, and no regular expression begins with one.
"""
_PRIVATE: Final = re.compile(r"(?<=\.)#[A-Za-z]\w*")
"""In a text, within ``${}``."""
_INNER: Final = re.compile(r"\$\{[^}`]*`")
_LINE_IN_TEXT: Final = "\0"
_GOES_ON: Final = (";", ",", "{", "(", "}")
"""Behind these, the end of a line says nothing: statements end with a semicolon, as modules are formatted."""
_DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# A browser remembers that a file could not be loaded; by another fragment, it asks for it again.
_LOAD: Final = """\
const $parts = new Map();
let $loads = 0;
function $load(name, ...given) {
let loading = $parts.get(name);
if (loading === undefined) {
loading = import(`${name}#${$loads++}`).then((it) => it.part(...given));
$parts.set(name, loading);
loading.catch(() => $parts.delete(name));
}
return loading;
}"""


def joined_page(
    sources: Mapping[str, str],
    root: str,
    names: Mapping[str, str],
    named: Callable[[str, str], str],
) -> tuple["JoinedModules", dict[str, "JoinedModules"]]:
    """Join ``root``, and each part that is imported while it runs; these by the names they are asked for by.

    ``names``: by path, what modules that stay as they are are asked for by; ``named`` returns that of a part,
    from its path and its text. Raises ValueError as JoinedModules does.
    """
    first = _imported(sources, root)
    loaded = {
        target for path in first for target in _targets(_LOADED, sources, path)
    } - names.keys()
    parts = {path: JoinedModules(sources, path, names, first) for path in sorted(loaded)}
    calls = {
        path: ", ".join([f'$load("./{named(path, part.text)}"', *part.given]) + ")"
        for path, part in parts.items()
    }
    calls |= {path: f'import("./{name}")' for path, name in names.items()}
    whole = JoinedModules(sources, root, calls)
    return whole, {named(path, part.text): part for path, part in parts.items()}


class JoinedModules:
    """One script that does what a module does with all that it imports."""

    def __init__(
        self,
        sources: Mapping[str, str],
        root: str,
        calls: Mapping[str, str],
        others: Collection[str] | None = None,
    ) -> None:
        """Join ``root`` and what it imports; ``sources`` are by path.

        ``calls``: by path, what takes the place of an ``import("./x.js")``. ``others``: of a part, the
        modules that the script has that loads it. Raises ValueError, with the module and the line, for what
        is written in a way that is not known here.
        """
        self._sources = sources
        self._calls = calls
        self._is_part = others is not None
        self._others = others or ()
        self.given: list[str] = []
        """The modules that a part is handed, as they are called."""
        self._order: dict[str, str] = {}
        """The modules by path, each behind all that it imports; its exports, as a literal."""
        self._lines = [""]
        self._origins: list[list[tuple[int, int, int]]] = [[]]
        """For each line what stands there: from which column on, its module's number, its line there."""
        self._variables = {path: f"${_word(i)}" for i, path in enumerate(sorted(sources))}
        """What modules are called: the same in the first script and in its parts."""
        self._names: dict[str, str] = {}
        """Short names for private ones."""
        if any(call.startswith("$load(") for call in calls.values()):
            self._put(_LOAD, None)
        self._add(root, ())
        if self._is_part:
            self._lines.insert(0, f"export const part=({','.join(self.given)})=>{{")
            self._origins.insert(0, [])
            self._put(f"return {self._variables[root]};\n}};", None)
        self.text = "\n".join(self._lines) + "\n"

    def source_map(self) -> str:
        """Return a map of the lines to those of the sources, which it has in it."""
        mappings, module, line = [], 0, 0
        for origins in self._origins:
            segments, column = [], 0
            for origin in origins:
                steps = (origin[0] - column, origin[1] - module, origin[2] - line, 0)
                segments.append("".join(map(_digits, steps)))
                column, module, line = origin
            mappings.append(",".join(segments))
        paths = list(self._order)
        return json.dumps(
            {
                "version": 3,
                "sources": [f"modules/{path}" for path in paths],
                "sourcesContent": [self._sources[path] for path in paths],
                "names": [],
                "mappings": ";".join(mappings),
            }
        )

    def _add(self, path: str, importing: tuple[str, ...]) -> None:
        if path in self._order:
            return
        if path in self._others:
            if self._variables[path] not in self.given:
                self.given.append(self._variables[path])
            return
        if path in importing:
            raise ValueError(f"{path} imports itself, through {importing[-1]}")
        source = without_comments(self._sources[path])
        here = dirname(path)
        for found in _IMPORT.finditer(source):
            self._add(normpath(join(here, found["path"])), (*importing, path))
        exports: list[str] = []

        def imported(found: re.Match[str]) -> str:
            target = self._variables[normpath(join(here, found["path"]))]
            names = (
                found["all"]
                or "{" + re.sub(r"\s+as\s+", ": ", " ".join(found["names"].split())) + "}"
            )
            return f"const {names} = {target};" + "\n" * found[0].count("\n")

        def exported(found: re.Match[str]) -> str:
            exports.append(found["name"])
            return ""

        def loaded(found: re.Match[str]) -> str:
            target = normpath(join(here, found["path"]))
            if target not in self._calls:
                raise ValueError(f"{path} loads {target}, which only the first script may")
            return self._calls[target]

        text = _EXPORT.sub(exported, _LOADED.sub(loaded, _IMPORT.sub(imported, source)))
        if (other := _OTHER.search(text)) is not None:
            raise ValueError(f"{path} has {other[0]!r}, which can't be put together with others")
        if (inner := _INNER.search(text)) is not None:
            raise ValueError(f"{path} has a text within a text, {inner[0]!r}: give it a name first")
        number = len(self._order)
        self._order[path] = ",".join(exports)
        # What nobody imports stays as it is: it may wait for something at its top.
        is_wrapped = self._is_part or bool(importing)
        if is_wrapped:
            self._put(f"const {self._variables[path]}=(()=>{{", None)
        at = 0
        for line in _SPARE.sub(self._short, text).rstrip("\n").split("\n"):
            first, *others = line.split(_LINE_IN_TEXT)
            if line:
                self._put(first, (number, at))
            at += 1 + len(others)
            for piece in others:
                self._lines.append(piece)
                self._origins.append([])
        if is_wrapped:
            self._put(f"return {{{self._order[path]}}};\n}})();", None)

    def _put(self, text: str, origin: tuple[int, int] | None) -> None:
        for line in text.split("\n"):
            if not self._lines[-1].endswith(_GOES_ON):
                self._lines.append("")
                self._origins.append([])
            if origin is not None:
                self._origins[-1].append((len(self._lines[-1]), *origin))
            self._lines[-1] += line

    def _short(self, found: re.Match[str]) -> str:
        """Return what takes the place of a part of a module that may be spare."""
        if found["private"] is not None:
            return self._private(found)
        kept = found["kept"] or ""
        if kept.startswith("`"):
            kept = _PRIVATE.sub(self._private, kept)
        return kept.replace("\n", _LINE_IN_TEXT)

    def _private(self, found: re.Match[str]) -> str:
        # No class knows another one's: all may have the same few names.
        return self._names.setdefault(found[0], f"#{_word(len(self._names))}")


def _imported(sources: Mapping[str, str], root: str) -> set[str]:
    """Return the paths of a module and of all that it imports."""
    found, ahead = set[str](), [root]
    while ahead:
        path = ahead.pop()
        if path not in found:
            found.add(path)
            ahead += _targets(_IMPORT, sources, path)
    return found


def _targets(pattern: re.Pattern[str], sources: Mapping[str, str], path: str) -> list[str]:
    text = without_comments(sources[path])
    return [normpath(join(dirname(path), match["path"])) for match in pattern.finditer(text)]


def without_comments(source: str) -> str:
    """Leave out the comments that have lines of their own; as many lines stay."""
    return _COMMENTS.sub(lambda found: "\n" * found[0].count("\n"), source)


def without_spare(source: str) -> str:
    """Leave out comments and blanks that say nothing, of a module that stays one; as many lines stay."""
    return _SPARE.sub(
        lambda found: found["private"] or found["kept"] or "", without_comments(source)
    )


def _word(number: int) -> str:
    """Return a word of letters, another one for each number."""
    rest, letter = divmod(number, len(ascii_letters))
    return ("" if rest == 0 else _word(rest - 1)) + ascii_letters[letter]


def _digits(number: int) -> str:
    """Write a number as source maps have it: five bits a digit, the sign last, the lowest first."""
    rest = abs(number) << 1 | (number < 0)
    digits = ""
    while True:
        rest, digit = rest >> 5, rest & 31
        digits += _DIGITS[digit | 32 if rest else digit]
        if not rest:
            return digits
