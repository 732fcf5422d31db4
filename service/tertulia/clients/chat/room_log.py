"""The log of a room, as a client keeps it: the latest lines, older ones put before them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

KEPT: Final = 10_000
"""Lines that are kept, and how many more of those that were put before the first one."""
_FOLDS_FOR: Final = 10_000
"""Milliseconds for which one more who comes or goes is added to the last line."""


class Kind(Enum):
    """What a line is."""

    SAID = auto()
    WHISPERED = auto()
    FAILED = auto()
    """One's own message that was not sent; ``detail`` says why."""
    NOTICE = auto()
    PASSAGE = auto()
    """Who came and who went."""
    BEGINNING = auto()
    """Nothing earlier is kept."""


MESSAGES: Final = (Kind.SAID, Kind.WHISPERED)


class Fate(Enum):
    """What became of a private message of one's own."""

    SENT = auto()
    KEPT = auto()
    """It waits for somebody who is away."""
    UNANSWERED = auto()
    """The connection broke before the answer came."""
    UNDELIVERED = auto()


@dataclass(frozen=True, slots=True, order=True)
class LogPlace:
    """Where a public message is in its room's log, within an epoch."""

    offset: int
    index: int


@dataclass(slots=True, eq=False)
class Line:
    """One line of the log."""

    kind: Kind
    at: int
    """Milliseconds since 1970."""
    text: str = ""
    nickname: str = ""
    to: str = ""
    """The recipient of a private message."""
    epoch: str = ""
    place: LogPlace | None = None
    is_own: bool = False
    is_from_here: bool = False
    """Whether it is one's own and was written in this client."""
    is_past: bool = False
    """Whether it was said before one came."""
    is_named: bool = False
    """Whether it names the reader."""
    is_redacted: bool = False
    is_grave: bool = False
    """Whether a notice is to be seen by all means."""
    fate: Fate = Fate.SENT
    id: int = 0
    detail: str = ""
    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)
    seq: int = 0


class RoomLog:
    """Lines by their numbers, which have no gaps."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self.first = 0
        """The number of the oldest line that is kept."""

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    @property
    def end(self) -> int:
        """The number that the next line will have."""
        return self.first + len(self._lines)

    @property
    def has_space_before(self) -> bool:
        """Whether older lines can still be put before the first one."""
        return len(self._lines) < 2 * KEPT

    def line(self, seq: int) -> Line | None:
        """Return a line by its number; None where it is not kept."""
        return self._lines[seq - self.first] if self.first <= seq < self.end else None

    def add(self, line: Line) -> Line:
        """Add a line at the end."""
        line.seq = self.end
        self._lines.append(line)
        if len(self._lines) > 2 * KEPT:
            self._lines.popleft()
            self.first += 1
        return line

    def precede(self, lines: Sequence[Line]) -> None:
        """Put older lines before the first one, oldest first."""
        for line in reversed(lines):
            self.first -= 1
            line.seq = self.first
            self._lines.appendleft(line)

    def passed(self, nickname: str, came: bool, at: int) -> tuple[Line, bool]:
        """Note that somebody came or went; return the line that says so, and whether it is new."""
        last = self._lines[-1] if self._lines else None
        is_new = last is None or last.kind is not Kind.PASSAGE or at - last.at > _FOLDS_FOR
        line = self.add(Line(Kind.PASSAGE, at)) if last is None or is_new else last
        (line.came if came else line.went).append(nickname)
        return line, is_new

    def find_last(self, condition: Callable[[Line], bool]) -> Line | None:
        """Return the latest line for which a condition holds."""
        return next(filter(condition, reversed(self._lines)), None)

    def clear(self) -> None:
        """Forget everything."""
        self.first = self.end
        self._lines.clear()
