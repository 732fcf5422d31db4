"""What the chat expects of a store, a connection and a clock, and what it promises the store in return.

``tests/contract`` holds every store to these docstrings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Protocol

import msgspec

from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PrivateEvent, PublicEvent, Said, Summoned
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Kind


class Clock(Protocol):
    """What the chat needs of an event loop."""

    def time(self) -> float:
        """Return monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> object:
        """Call back after so many seconds."""
        ...

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call back when everything that was written in this turn has gone to the kernel."""
        ...


class Outbox(Protocol):
    """The way back to the client. Nothing here blocks, and nothing raises when the client is gone."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Take bytes to send; called for every recipient, so it must be the transport's own."""
        ...

    def is_flushed(self) -> bool:
        """Say whether the kernel has taken everything that was written."""
        ...

    def backlog(self) -> int:
        """Return how many written bytes the kernel has not taken."""
        ...

    async def is_delivered(self) -> bool:
        """Wait until the client's system has everything that was written; False if it never gets it."""
        ...

    def close(self, reason: Disconnect) -> None:
        """Send what was written, then close. ``Room.lost`` is not called again for this outbox.

        The service closes its half. Once the client has closed the other half, a second call ends it.
        """
        ...

    def proceed(self) -> None:
        """Ask for further commands: the session can take them again."""
        ...


class Outcome(Enum):
    """What the store answered to one op."""

    DONE = "d"
    TAKEN = "t"
    """Join: the nickname is held by another session."""
    UNKNOWN = "u"
    """Whisper: nobody in the chat has that nickname."""
    GONE = "g"
    """The session that asked does not hold its nickname any more; nothing was done."""
    KEPT = "k"
    """Whisper: the account is not here; the message waits for it."""
    FULL = "b"
    """Nothing was kept: too much waits for that account already."""
    FORBIDDEN = "f"
    """CloseChat: the session that asked is not the administrator; nothing was done."""


# Every message needs these, and Python 3.11 takes twenty times as long to look into an enum.
DONE, GONE, KEPT = Outcome.DONE, Outcome.GONE, Outcome.KEPT


class _Asked(msgspec.Struct, eq=False, kw_only=True):
    outcome: Outcome | None = None
    """None until the store has answered."""


class Op(_Asked, eq=False):
    """One change that a session asks for. Ops of a session take effect in the order of submission."""

    kind: ClassVar[Kind | None] = None
    """The kind of message, where the op is a message."""
    session: str
    """The session's name in the log."""
    key: str
    """The session's nickname, folded."""
    weight: ClassVar[int] = 0
    """Bytes that it counts for in a batch, beside its text: they stand for what it costs the store."""


class JoinOp(Op, eq=False):
    """Take the nickname and announce it, or learn that it is TAKEN."""

    nickname: str
    dialect: str
    address: str
    port: int
    token: str = ""
    """The key under which this session can be resumed; empty where it can't."""
    resumed: bool = False
    """Whether the token was issued before: then this session takes over the session that the token names.
    TAKEN where the token does not prove this nickname any more: see ``Store.recall``."""
    proven: bool = False
    """Whether the account's password was given: then this session takes the nickname over from anybody. The
    messages that waited for the account are to be collected. New whispers to it wait behind those until then;
    see ``CollectOp``. An account's nickname is TAKEN for anybody else."""


class LeaveOp(Op, eq=False):
    """Give the nickname back and announce it; GONE where the session does not hold it."""

    nickname: str
    token: str = ""
    """The key of the token that ends with the leave, whatever its outcome; empty where the session may be
    resumed."""


class SayOp(Op, eq=False):
    """Append a public message to the room's log."""

    kind = "public"
    nickname: str
    text: str
    tag: int = 0
    """The client's number for the message, remembered with the token; 0 where the client gives none."""
    token: str = ""


class WhisperOp(Op, eq=False):
    """Hand a private message to the recipient's node."""

    kind = "private"
    nickname: str
    recipient: str
    text: str
    tag: int = 0
    token: str = ""
    keep: bool = False
    """Whether the message is to wait for an account that is not logged in anywhere."""
    away: bool = False
    """Whether the recipient is not in the room, as far as this node knows: then the store looks further."""


class ReportOp(Op, eq=False):
    """Return an acknowledged whisper that could not be written.

    A whisper to an account waits for the account; any other goes back to its sender. ``session`` and ``key``
    are the sender's; GONE where the sender has left as well.
    """

    recipient: str
    text: str
    number: int
    """The whisper's place in this node's inbox."""


class CloseOp(Op, eq=False):
    """Close the chat: every session ends, all nicknames are free. FORBIDDEN except to the administrator."""

    nickname: str


class Entry(msgspec.Struct, frozen=True):
    """The events of one batch, at their place in the room's log."""

    position: Position
    """It includes the time when the entry was committed."""
    events: Sequence[PublicEvent]
    orders: Sequence[OperatorCommand] = ()
    """The operator commands in it, which came before its events."""

    @property
    def is_talk(self) -> bool:
        """Whether only public messages are in it: then it may be written together with the next entries."""
        return not self.orders and list(map(type, self.events)).count(Said) == len(self.events)


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened before a place in the log."""

    entries: Sequence[Entry]
    is_complete: bool
    """Whether no entry is missing since the place that was asked for."""
    done: int
    """The highest tag that was remembered with the token."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a token says about its holder."""

    key: str
    """The holder's nickname, folded."""
    first: int
    """The offset of the entry with the holder's first join: they may read nothing before it."""
    is_account: bool = False
    """Whether the token proves that the holder is that account."""


class Delivery(msgspec.Struct, frozen=True):
    """A private event for one session of this node."""

    number: int
    """Its place in this node's inbox: ascending, without holes."""
    session: str
    event: PrivateEvent | Summoned | None
    """None where a later version wrote the event: it is skipped, and counts as done with."""
    at: float
    """Seconds since the Unix epoch when it was committed, by the store's clock."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the room: what the store needs to write them down again."""

    nickname: str
    session: str
    dialect: str


class Follower(Protocol):
    """The chat's side: what a store calls. Calls never overlap, and never fail."""

    def entry(self, entry: Entry) -> None:
        """Take the next entry of the log: each exactly once, in the log's order.

        Entries of ops of this node come here before, or at the latest just after, ``settled``. The messages
        in them are kept until something else is written, or until ``flush``: what comes together is one
        write.
        """
        ...

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Take private events from this node's inbox: each once, in order. They may be kept as well."""
        ...

    def settled(self, ops: Sequence[Op]) -> None:
        """Learn the outcomes of a batch, in the order of submission; each op is settled once.

        What was delivered is written, and then the answers: no answer waits for ``flush``.
        """
        ...

    def flush(self) -> None:
        """Write what was delivered: nothing more comes for now.

        The store calls it after ``entry`` and ``deliveries``: at once, or a moment later where there are
        only messages of other nodes' clients.
        """
        ...

    def confirmed(self) -> int:
        """Return the number up to which every delivery is done with: the inbox is trimmed to there."""
        ...

    def renumbered(self) -> None:
        """Forget what is not confirmed: the store lost its data, and the inbox is numbered anew."""
        ...

    def seated(self, members: Iterable[Member]) -> None:
        """Take the roster of the room at the store's position, oldest first, in place of the known one.

        A local session that is not among them lost its nickname and must go.
        """
        ...

    def reordered(self, members: Iterable[Member]) -> None:
        """Take the order, oldest first, of the known members of the room. Nobody comes or goes by it.

        The store lost data, and may again have people who are long gone: they are not announced. The entries
        say who is in the room.
        """
        ...

    def missed(self, position: Position) -> None:
        """Learn that entries before a place in the log are lost, and were not given to this follower.

        What was delivered before is written first. ``seated`` was called already; the next entry comes after
        that place.
        """
        ...

    def banned(self, bans: Iterable[Ban]) -> None:
        """Replace the known bans by these: all bans, at the store's position or later."""
        ...

    def present(self) -> Iterable[Member]:
        """Return who is in the room, oldest first, as far as this node knows: the store lost its data."""
        ...

    def sessions(self) -> Mapping[str, str]:
        """Return the sessions of this node that may hold a nickname, each with that nickname, folded.

        A session is among them from before its join is submitted until its leave is submitted. The store
        has all other sessions of this node leave.
        """
        ...

    def fenced(self) -> None:
        """Close every session: this node was thought dead and they were announced as gone.

        Ops that are not settled yet have no effect. The store goes on under a new node id.
        """
        ...


class Store(Protocol):
    """One chat's shared state. A node has one for each of its chats.

    Durability: an op is settled DONE only when it is in the store, and is then kept across the death
    of any node. Atomicity: a batch of ops takes effect as a whole, in order, exactly once, also when
    the store's reply is lost. Fencing: after ``Follower.fenced`` nothing submitted before takes effect.
    Availability: while the store is away, ops wait; nothing is settled and nothing fails.
    """

    @property
    def node(self) -> str:
        """This node's id in the chat; another one after fencing."""
        ...

    def __len__(self) -> int:
        """Return how many ops wait for the next batch."""
        ...

    def submit(self, op: Op) -> None:
        """Put an op in the queue. Never blocks; the caller bounds how many ops are not settled."""
        ...

    def recall(self, token: str, done: Callable[[Remembered | None], None]) -> None:
        """Look up a token. Calls ``done`` later, when the store answers; None: it proves nothing.

        A token proves what was proven when it was issued: that its holder is the guest of that nickname, as
        long as no account has it, or the account, as long as its password is the one of then. A token ends
        with a leave that names it, and when its nickname is kicked or banned.
        """
        ...

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        """Read the log between two places, both exclusive, and what is remembered with a token.

        Calls ``done`` later, when the store answers. Bounded: where there is too much, the latest is read.
        """
        ...

    def health(self) -> Mapping[str, bool]:
        """Say which parts answer: ``redis`` for commands, ``bus`` for the probe of the subscription.

        ``replica`` is there too, where a replica has to have what is written.
        """
        ...

    async def start(self, follower: Follower) -> None:
        """Register this node, seat the follower, and follow the log. Waits while the store is away."""
        ...

    async def settle(self) -> None:
        """Wait until every submitted op is settled, and the log is followed to there."""
        ...

    async def stop(self) -> None:
        """Deregister this node, which must have no sessions, and release the store."""
        ...
