"""A line of the log in rows of a width, of which none can pass for another line.

Whoever writes many blanks, or lines that look like somebody else's, chooses how a row begins behind the
margin; and there, no line begins. All that is told by colour is told by a word or a sign as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.style import Style
from rich.text import Text

from tertulia.clients.chat import words
from tertulia.clients.chat.frames import is_visible
from tertulia.clients.chat.preferences import Preferences
from tertulia.clients.chat.room_log import Fate, Kind, Line
from tertulia.clients.chat.spans import Made, TextPart, parts_of
from tertulia.domain.nicknames import SERVER, fold

MARK: Final = "new"
NAMES: Final = 4
"""Styles of nicknames; one has the same style everywhere."""
_TIME: Final = 6
_MARGIN: Final = 2
_LEAST: Final = 12
_FATES: Final = {
    Fate.KEPT: "is away and will get it on coming back",
    Fate.UNANSWERED: "sent; the connection broke before the answer came",
    Fate.UNDELIVERED: "not delivered",
}


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the screen, and whether a line ends with it."""

    text: Text
    is_end: bool = True


class Drawing:
    """Draws lines. ``styles`` are those of the log's parts, by name."""

    def __init__(
        self,
        console: Console,
        styles: Mapping[str, Style],
        preferences: Preferences,
        nickname: str,
    ) -> None:
        self._console = console
        self._styles = styles
        self._preferences = preferences
        self._nickname = nickname

    def rows_of(self, line: Line, before: Line | None, is_marked: bool, width: int) -> list[LogRow]:
        """Return the rows of a line, under its day where that is another one than of the line before."""
        rows = []
        if before is None or not words.is_same_day(before.at, line.at):
            rows.append(self._rule(words.day(line.at), "day", width))
        if is_marked:
            rows.append(self._rule(MARK, "mark", width))
        if line.kind is Kind.PASSAGE and not self._preferences.joins:
            return rows
        rows += self._wrapped(self._head_and_text(line), line, width)
        return rows

    def _rule(self, words_of: str, style: str, width: int) -> LogRow:
        text = Text(f" {words_of} ", end="")
        text.align("center", max(width, text.cell_len), "─")
        text.stylize(self._styles[style])
        return LogRow(text)

    def _wrapped(self, text: Text, line: Line, width: int) -> list[LogRow]:
        margin = _TIME if self._preferences.times else _MARGIN
        room = max(_LEAST, width - margin)
        time = words.clock_time(line.at).ljust(_TIME) if self._preferences.times else ""
        rows = []
        texts = text.split("\n", allow_blank=True)
        for number, part in enumerate(texts):
            wrapped = part.wrap(self._console, room, tab_size=4) or [Text("")]
            for index, it in enumerate(wrapped):
                it.rstrip_end(room)
                is_first = number == index == 0
                head = time if is_first else " " * margin
                row = Text.assemble((head, self._styles["time"]), it, end="")
                rows.append(LogRow(row, index == len(wrapped) - 1))
        return rows

    def _head_and_text(self, line: Line) -> Text:
        match line.kind:
            case Kind.NOTICE | Kind.BEGINNING:
                style = "grave" if line.is_grave else "notice"
                return Text(f"{'!' if line.is_grave else '—'} {line.text}", self._styles[style])
            case Kind.PASSAGE:
                return Text(f"— {words.passed(line.came, line.went)}", self._styles["notice"])
            case Kind.FAILED:
                return Text(f"! {line.detail}: {line.text}", self._styles["grave"])
        whole = Text()
        style = "own" if line.is_own else name_style(line.nickname)
        whole.append(line.nickname, self._styles["operator" if line.nickname == SERVER else style])
        if line.kind is Kind.WHISPERED:
            to = line.to if line.is_own else "you"
            whole.append(f" → {to}, in private", self._styles["private"])
        whole.append(": ")
        if line.is_redacted:
            whole.append(words.REDACTED, self._styles["notice"])
        elif not is_visible(line.text):
            whole.append(words.BLANK, self._styles["notice"])
        else:
            for part in parts_of(line.text, "" if line.is_own else self._nickname):
                whole.append(*self._part(part))
        if line.fate is not Fate.SENT:
            whole.append(f" ({_FATES[line.fate]})", self._styles["grave"])
        if line.is_past:
            whole.stylize_before(self._styles["past"])
        return whole

    def _part(self, part: TextPart) -> tuple[str, Style]:
        match part.made:
            case Made.LINK:
                # The text itself, in which there are no control characters: nothing else leads there.
                return part.text, self._styles["link"] + Style(
                    link=part.text, meta={"href": part.text}
                )
            case Made.CODE:
                return part.text, self._styles["code"]
            case Made.NAME:
                return part.text, self._styles["named"]
        return part.text, Style()


def name_style(nickname: str) -> str:
    """Return the name of the style that a nickname has, always the same."""
    return f"name-{sum(fold(nickname).encode()) % NAMES}"
