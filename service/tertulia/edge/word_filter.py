"""The words that a listener refuses: patterns from a file, and whether a text has one of them.

RE2 takes time in proportion to the text, whatever the pattern. How much for each sign, the patterns'
size decides, so that has a bound as well.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import re2
import structlog

from tertulia.domain.text import with_line_feeds

MAX_STEPS: Final = 20_000
"""RE2's steps of all patterns together: about two thousand words, which it takes 20 ms to compile."""
MAX_REPEATING_STEPS: Final = 500
"""The same, of patterns that repeat something, or are long: thirty or so. All may be under way at once."""
MAX_PLAIN_STEPS: Final = 100
"""Of one pattern that repeats nothing."""
MAX_FOLDED: Final = 8192
"""Bytes. No language's text grows to twice its size; signs that stand for sentences make eleven of it."""
_REPEATING_MEMORY: Final = 1 << 17
"""Bytes. With more, RE2 remembers each combination of what is under way, to be quicker the next time: the
worst text has another one at each sign, and takes thrice as long. 500 steps and usual texts have room."""

_WORDS: Final = re.compile(r"(?:\\b)?[^\\.\[\](){}*+?|^$]+(?:\\b)?")
"""A pattern that is only words: always one for RE2, and each sign costs the same however many there are."""
_REPEATS: Final = re.compile(r"[*+{]")
_INVISIBLE: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
"""What is not seen, so that it would only part a word."""
_TOO_MUCH: Final = (
    "the patterns up to here take more time than there is: remove some, or have less of them in {}, * and +; "
    "plain words are cheap"
)
_DEAF_BOUNDARY: Final = re.compile(r"\\b[^\x00-\x7f]|[^\x00-\x7f]\\b")
_NO_BOUNDARY: Final = (
    r"\b knows the letters of ASCII only: beside others, write (^|[\s[:punct:]]) before the word and "
    r"([\s[:punct:]]|$) behind it"
)
_SYNTAX: Final = "write it as RE2 reads it, https://github.com/google/re2/wiki/Syntax"

_log = structlog.get_logger(__name__)

Refuses = Callable[[str], bool]
"""Whether a text has a word that is refused."""


class FilterError(Exception):
    """A file of patterns can't be used; the text says where and why, and what to do."""


def load(path: Path) -> Refuses:
    """Read patterns: one a line; blank lines and those that begin with # are not. Raises FilterError."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise FilterError(
            f"{path}: cannot be read ({error.strerror}): give a file that the node may read"
        ) from None
    except UnicodeDecodeError:
        raise FilterError(f"{path}: this is not UTF-8: save it as such") from None
    plain, repeating, steps = [], [], 0
    for number, line in enumerate(lines, 1):
        pattern = fold(line).strip()
        if not pattern or pattern.startswith("#"):
            continue
        if _DEAF_BOUNDARY.search(pattern):
            raise FilterError(f"{path}, line {number}: {_NO_BOUNDARY}")
        if len(pattern) <= MAX_PLAIN_STEPS and _WORDS.fullmatch(pattern):
            plain.append(pattern)
            continue
        place = f"{path}, line {number}"
        compiled = _compiled(pattern, place)
        if compiled.search(b""):
            raise FilterError(
                f"{place}: it is found in an empty text, and so in every message: have it ask for a sign"
            )
        if not _REPEATS.search(pattern) and compiled.programsize <= MAX_PLAIN_STEPS:
            plain.append(pattern)
            continue
        repeating.append(pattern)
        steps += compiled.programsize
        if steps > MAX_REPEATING_STEPS:
            raise FilterError(f"{place}: {_TOO_MUCH}")
    re2.purge()  # it would keep the last 128
    sought = [_together(plain, path), _together(repeating, path, _REPEATING_MEMORY)]
    searches = [it.search for it in sought if it is not None]

    def refuses(text: str) -> bool:
        raw = fold(text).encode()
        return len(raw) > MAX_FOLDED or any(search(raw) is not None for search in searches)

    return refuses


def fold(text: str) -> str:
    """Return a text as it is looked at: signs that mean the same are one (NFKC), invisible ones are gone."""
    if text.isascii():
        return text
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", with_line_feeds(text)))


def _together(patterns: Sequence[str], path: Path, memory: int = 0) -> re2._Regexp | None:
    """Make one of some patterns; None where there are none."""
    if not patterns:
        return None
    made = _compiled("|".join(f"(?:{pattern})" for pattern in patterns), str(path), memory)
    if made.programsize > MAX_STEPS:
        raise FilterError(f"{path}: {_TOO_MUCH}")
    return made


def _compiled(pattern: str, place: str, memory: int = 0) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = memory or options.max_mem
    options.case_sensitive = False
    options.never_capture = True
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        said = error.args[0].decode(errors="replace")
        why = "".join(character if character.isprintable() else "?" for character in said)
        what = _TOO_MUCH if "too large" in why else f"{why}: {_SYNTAX}"
        raise FilterError(f"{place}: {what}") from None


class WordFilter:
    """The filter of a listener, by the newest file that could be used."""

    def __init__(self, listener: str, path: Path) -> None:
        """Read the file. Raises FilterError."""
        self._listener = listener
        self._path = path
        self._refuses = load(path)

    def refuses(self, text: str) -> bool:
        """Say whether a text has a word that is refused."""
        return self._refuses(text)

    def reload(self) -> None:
        """Read the file again, or say why not and go on with the old patterns."""
        try:
            self._refuses = load(self._path)
        except FilterError as error:
            _log.error("filter not taken", listener=self._listener, error=str(error))
        else:
            _log.info("filter taken", listener=self._listener)
