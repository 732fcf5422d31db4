"""The line that a person types on a terminal, and how it looks: keys in, lines and drawing out."""

import codecs
import re
import unicodedata
from collections import deque
from collections.abc import Callable
from enum import Enum

MAX_TYPED = 8192
"""Characters of a line; more keys do nothing."""
_REMEMBERED = 200
_LONGEST_ESCAPE = 16
_CUT = "‹"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~]|[^\[O\0-\x1f])")
_ESCAPE_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")


class Key(Enum):
    """What a person can tell a program but by a line."""

    END = "end"
    """There will be no more lines."""
    REDRAW = "redraw"


Typed = str | Key


class LineEditor:
    """One line, edited with the usual keys; the lines before it come back with the arrows.

    ``masked`` says how a line may be shown, character for character: a password's are to be stars,
    and a line that is not shown as it is, is not remembered.
    """

    def __init__(self, masked: Callable[[str], str] = str) -> None:
        self.masked = masked
        self._text = ""
        self._cursor = 0
        self._remembered: deque[str] = deque(maxlen=_REMEMBERED)
        self._recalled = 0
        """How many lines back the shown one was typed; 0: it is new."""
        self._new = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._pending = ""

    @property
    def text(self) -> str:
        """What is typed so far."""
        return self._text

    def feed(self, data: bytes) -> list[Typed]:
        """Take what the keyboard sent, in any split; return the lines that were finished."""
        typed: list[Typed] = []
        keys, at = self._pending + self._decoder.decode(data), 0
        while (key := _key(keys, at)) is not None:
            at += len(key)
            done = self._take(key)
            if done is not None:
                typed.append(done)
        self._pending = keys[at:]
        return typed

    def draw(self, prompt: str, columns: int) -> str:
        """Return what draws prompt and line, from wherever the cursor is on their row."""
        shown = self.masked(self._text)
        room = max(columns - 1 - _width(prompt), 8)
        start, width = self._cursor, 0
        while start and width + _columns(shown[start - 1]) < room:
            start -= 1
            width += _columns(shown[start])
        end = self._cursor
        while end < len(shown) and width + _columns(shown[end]) <= room:
            width += _columns(shown[end])
            end += 1
        cut = _CUT if start else ""
        visible = cut + shown[start + len(cut) : end]
        back = _width(shown[self._cursor : end])
        return f"\r{prompt}{visible}\x1b[K" + (f"\x1b[{back}D" if back else "")

    def _take(self, key: str) -> Typed | None:
        if key in "\r\n":
            return self._finish()
        if key == "\x04" and not self._text:
            return Key.END
        if key == "\x0c":
            return Key.REDRAW
        edit = _KEYS.get(key)
        if edit is not None:
            edit(self)
        elif key.isprintable() and len(self._text) < MAX_TYPED:
            self._text = self._text[: self._cursor] + key + self._text[self._cursor :]
            self._cursor += 1
        return None

    def _finish(self) -> str:
        line = self._text
        if line.strip() and self.masked(line) == line and [line] != list(self._remembered)[-1:]:
            self._remembered.append(line)
        self._set("")
        self._recalled = 0
        return line

    def _set(self, text: str) -> None:
        self._text, self._cursor = text, len(text)

    def _move(self, to: int) -> None:
        self._cursor = min(max(to, 0), len(self._text))

    def _cut(self, start: int, end: int) -> None:
        start = max(start, 0)
        self._text = self._text[:start] + self._text[end:]
        self._cursor = start

    def _cut_word(self) -> None:
        before = self._text[: self._cursor].rstrip()
        self._cut(before.rfind(" ") + 1, self._cursor)

    def _recall(self, step: int) -> None:
        back = self._recalled + step
        if not 0 <= back <= len(self._remembered):
            return
        if self._recalled == 0:
            self._new = self._text
        self._recalled = back
        self._set(self._remembered[-back] if back else self._new)


_Edit = Callable[[LineEditor], None]
_KEYS: dict[str, _Edit] = {
    "\x7f": lambda it: it._cut(it._cursor - 1, it._cursor),
    "\x08": lambda it: it._cut(it._cursor - 1, it._cursor),
    "\x04": lambda it: it._cut(it._cursor, it._cursor + 1),
    "\x1b[3~": lambda it: it._cut(it._cursor, it._cursor + 1),
    "\x15": lambda it: it._cut(0, it._cursor),
    "\x0b": lambda it: it._cut(it._cursor, len(it._text)),
    "\x17": LineEditor._cut_word,
    "\x01": lambda it: it._move(0),
    "\x1b[H": lambda it: it._move(0),
    "\x1bOH": lambda it: it._move(0),
    "\x05": lambda it: it._move(len(it._text)),
    "\x1b[F": lambda it: it._move(len(it._text)),
    "\x1bOF": lambda it: it._move(len(it._text)),
    "\x02": lambda it: it._move(it._cursor - 1),
    "\x1b[D": lambda it: it._move(it._cursor - 1),
    "\x1bOD": lambda it: it._move(it._cursor - 1),
    "\x06": lambda it: it._move(it._cursor + 1),
    "\x1b[C": lambda it: it._move(it._cursor + 1),
    "\x1bOC": lambda it: it._move(it._cursor + 1),
    "\x10": lambda it: it._recall(+1),
    "\x1b[A": lambda it: it._recall(+1),
    "\x1bOA": lambda it: it._recall(+1),
    "\x0e": lambda it: it._recall(-1),
    "\x1b[B": lambda it: it._recall(-1),
    "\x1bOB": lambda it: it._recall(-1),
}


def _key(keys: str, at: int) -> str | None:
    """Return the key that begins there; None where there is none, or not all of it yet."""
    if at == len(keys):
        return None
    if keys[at] != "\x1b":
        return keys[at]
    most = at + _LONGEST_ESCAPE
    found = _ESCAPE.match(keys, at, most)
    if found is None:
        # Cut short by what can't be part of it, Enter say, it is a key by itself.
        found = _ESCAPE_BEGUN.match(keys, at, most)
        assert found is not None
        if found.end() == len(keys) < most:
            return None
    return found[0]


def _width(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
