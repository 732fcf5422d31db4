"""What has changed of what a client knows. Rooms are told by their names, the lobby's is empty."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineAdded:
    """A line is at the end of a room's log."""

    room: str
    seq: int


@dataclass(frozen=True, slots=True)
class LinesPreceded:
    """So many older lines stand before those of a room's log."""

    room: str
    count: int


@dataclass(frozen=True, slots=True)
class LineChanged:
    """A line is another one than it was."""

    room: str
    seq: int


@dataclass(frozen=True, slots=True)
class LogCleared:
    """A room's log is empty."""

    room: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Somebody came into a room, or left it."""

    room: str
    nickname: str
    came: bool


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """Who is in a room, what is in force or unread there."""

    room: str


@dataclass(frozen=True, slots=True)
class RoomsChanged:
    """Which rooms one is in, or which there are."""


@dataclass(frozen=True, slots=True)
class SummonedBy:
    """Somebody wrote to the reader, or mentioned the reader, in this line."""

    room: str
    seq: int


@dataclass(frozen=True, slots=True)
class SearchChanged:
    """What was found in a room."""

    room: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """How it stands with the connection, or with what is being sent."""


@dataclass(frozen=True, slots=True)
class AccountAnswered:
    """What came of something that was asked about one's account."""

    action: str
    outcome: str
    seconds: int


Change = (
    LineAdded
    | LinesPreceded
    | LineChanged
    | LogCleared
    | Passed
    | RoomChanged
    | RoomsChanged
    | SummonedBy
    | SearchChanged
    | StatusChanged
    | AccountAnswered
)
