"""What one connection sent and received, in the common words of all dialects.

A history belongs to one connection; who comes back has another history, which says from which one
it goes on if it does. All histories of one observation must be recorded on one clock, hence by one
process.
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
class InRoom(Record):
    """Something that belongs to one room of the chat."""

    room: str = field(default="", kw_only=True)
    """The further room, as it is compared; empty for the lobby, and what is the chat's is there."""


@dataclass(frozen=True, slots=True)
class Connected(Record):
    """The connection is open."""


@dataclass(frozen=True, slots=True)
class EnterSent(InRoom):
    """The client is about to ask for a nickname, or for a seat in a room. Stamped before the bytes go out."""

    nickname: str
    after: str = ""
    """The client id of the connection from which it asks to go on; empty for a newcomer."""


@dataclass(frozen=True, slots=True)
class Welcomed(InRoom):
    """The nickname, or the seat in a room, is the client's."""

    nickname: str
    others: tuple[str, ...] | None = None
    """Who the server says is there already; None where the dialect does not tell."""


@dataclass(frozen=True, slots=True)
class Resumed(Welcomed):
    """The nickname is the client's again; what it missed follows, its own coming and going included."""

    done: int = 0
    """The number of the last message that the server says it carried out."""
    whole: bool = True
    """Whether the server says that nothing is missing. If something is, the history leaves out all of it."""
    unread: bool = False
    """Whether nothing was read since the newcomer's welcome: then the entry of its join comes whole."""


@dataclass(frozen=True, slots=True)
class Refused(InRoom):
    """The nickname was not given."""

    nickname: str
    reason: str


@dataclass(frozen=True, slots=True)
class SentPublic(InRoom):
    """The client is about to tell everybody. Texts are unique in an observation.

    Who was resumed may send a message again, under the same number.
    """

    text: str
    number: int = 0
    """The client's own number for it, over all its connections; 0 where the dialect has none."""


@dataclass(frozen=True, slots=True)
class Acked(InRoom):
    """The server promised to keep this public message."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusedPublic(InRoom):
    """The server said that it passes this public message on to nobody."""

    text: str


@dataclass(frozen=True, slots=True)
class SentPrivate(Record):
    """The client is about to tell one user. Texts are unique in an observation."""

    recipient: str
    text: str
    number: int = 0
    """As a public message's: they are counted together."""


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
class ReceivedPublic(InRoom):
    """Somebody told everybody."""

    nickname: str
    text: str


@dataclass(frozen=True, slots=True)
class ReceivedPrivate(Record):
    """Somebody told this client."""

    nickname: str
    text: str


@dataclass(frozen=True, slots=True)
class SawJoined(InRoom):
    """Somebody else came."""

    nickname: str


@dataclass(frozen=True, slots=True)
class SawLeft(InRoom):
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


@dataclass(frozen=True, slots=True)
class Parted(InRoom):
    """The client left a further room: stamped before it asks to, or when it reads that it was put out."""

    by: Literal["client", "server"] = "client"


@dataclass(frozen=True, slots=True)
class GivenUp(Record):
    """The client reads no public event of this connection any more, though it may still be open.

    Whatever comes there comes again where the client goes on.
    """


R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class History:
    """One connection's records, in the order in which they happened."""

    client: str
    """Names the connection; unique in an observation."""
    echoes: bool = True
    """Whether the dialect shows a sender its own public messages."""
    reads_lobby: bool = True
    """Whether it is shown the lobby: a line client that entered for a further room is in both, and
    reads that one."""
    quits_once: bool = False
    """Whether the dialect tells once that somebody left the chat, in the lobby, and not in each further
    room as well: then the comings and goings in those are not recorded."""
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
