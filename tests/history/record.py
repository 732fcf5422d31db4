"""What one connection sent and received, in the common words of all dialects.

A history belongs to one connection; who comes back has another history. All histories of one
observation must be recorded on one clock, hence by one process.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened at one connection; ``at`` is in seconds of a monotonic clock."""

    at: float


@dataclass(frozen=True, slots=True)
class Connected(Record):
    """The connection is open."""


@dataclass(frozen=True, slots=True)
class EnterSent(Record):
    """The client is about to ask for a nickname. Stamped before the bytes go out."""

    nickname: str


@dataclass(frozen=True, slots=True)
class Welcomed(Record):
    """The nickname is the client's."""

    nickname: str
    others: tuple[str, ...] | None = None
    """Who the server says is there already; None where the dialect does not tell."""


@dataclass(frozen=True, slots=True)
class Refused(Record):
    """The nickname was not given."""

    nickname: str
    reason: str


@dataclass(frozen=True, slots=True)
class SentPublic(Record):
    """The client is about to tell everybody. Texts are unique in an observation."""

    text: str


@dataclass(frozen=True, slots=True)
class Acked(Record):
    """The server promised to keep this public message."""

    text: str


@dataclass(frozen=True, slots=True)
class SentPrivate(Record):
    """The client is about to tell one user. Texts are unique in an observation."""

    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class AckedPrivate(Record):
    """The server promised to deliver this private message, or to say that it could not."""

    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class RefusedPrivate(Record):
    """The server said that there is no such recipient."""

    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class ReceivedPublic(Record):
    """Somebody told everybody."""

    nickname: str
    text: str


@dataclass(frozen=True, slots=True)
class ReceivedPrivate(Record):
    """Somebody told this client."""

    nickname: str
    text: str


@dataclass(frozen=True, slots=True)
class SawJoined(Record):
    """Somebody else came."""

    nickname: str


@dataclass(frozen=True, slots=True)
class SawLeft(Record):
    """Somebody else went."""

    nickname: str


@dataclass(frozen=True, slots=True)
class Reported(Record):
    """The server's own notice, which quotes a private message that could not be delivered."""

    text: str


@dataclass(frozen=True, slots=True)
class Unexpected(Record):
    """The server wrote what the dialect does not allow here."""

    what: str


@dataclass(frozen=True, slots=True)
class NodeLost(Record):
    """The session's node was killed, or frozen for longer than its lease. Noted by the test.

    From here on the session holds nothing for certain, whatever its client still believes.
    """


@dataclass(frozen=True, slots=True)
class Disconnected(Record):
    """The connection ended: stamped before a client closes, or when it sees that it was closed."""

    by: Literal["client", "server"]


R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class History:
    """One connection's records, in the order in which they happened."""

    client: str
    """Names the connection; unique in an observation."""
    echoes: bool = True
    """Whether the dialect shows a sender its own public messages."""
    records: list[Record] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic

    def now(self) -> float:
        """Return the time to stamp a record with."""
        return self.clock()

    def add(self, record: Record) -> None:
        """Append what happened last."""
        self.records.append(record)

    def of(self, kind: type[R]) -> Iterator[R]:
        """Iterate over the records of one kind."""
        return (record for record in self.records if isinstance(record, kind))
