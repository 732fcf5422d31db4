"""What the chat expects of a store, a connection and a clock, and what it promises the store in return.

Every store is held to these docstrings by ``tests/contract``.
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
        """Call back when what was written in this turn has gone to the kernel."""
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
        """Wait until the client's system has everything that was written; False where it never will."""
        ...

    def close(self, reason: Disconnect) -> None:
        """Send what was written, then close. ``Room.lost`` is not called for it again.

        The service closes its half. Once the client has closed the other, a second call ends it.
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


# What every message asks for: Python 3.11 takes twenty times as long to look into an enum.
DONE, GONE, KEPT = Outcome.DONE, Outcome.GONE, Outcome.KEPT


class _Asked(msgspec.Struct, eq=False, kw_only=True):
    outcome: Outcome | None = None
    """None until the store has answered."""


class Op(_Asked, eq=False):
    """One change that a session wants made. Ops of a session take effect in the order of submission."""

    kind: ClassVar[Kind | None] = None
    """What kind of message it is, if it is one."""
    session: str
    """The session's name in the log."""
    key: str
    """The session's nickname, folded."""
    weight: ClassVar[int] = 0
    """Bytes for which it counts in a batch, beside its text: for what it costs the store."""


class JoinOp(Op, eq=False):
    """Take the nickname, or be told that it is taken; announce it."""

    nickname: str
    dialect: str
    address: str
    port: int
    token: str = ""
    """The key under which this session can be resumed; empty where it can't."""
    resumed: bool = False
    """Whether the token was issued before: then it takes over whatever session it names. TAKEN where it
    is not proof of this nickname any more: see ``Store.recall``."""
    proven: bool = False
    """Whether the account's password was given: then it takes its nickname over from anybody. What waited
    for it is to be collected, and what is whispered to it waits behind that until it is; see ``CollectOp``.
    An account's nickname is TAKEN for anybody else."""


class LeaveOp(Op, eq=False):
    """Give the nickname back and announce it; GONE where the session does not hold it."""

    nickname: str
    token: str = ""
    """The key of the token that ends with it, in any case; empty where the session may be resumed."""


class SayOp(Op, eq=False):
    """Append a public message to the room's log."""

    kind = "public"
    nickname: str
    text: str
    tag: int = 0
    """The client's number for it, remembered with the token; 0 where it gives none."""
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
    """Whether the recipient is not in the room, as far as this node knows: then look further."""


class ReportOp(Op, eq=False):
    """Return an acknowledged whisper that could not be written.

    An account's waits for it; another's is handed back to its sender. ``session`` and ``key`` are the
    sender's; GONE where the sender has left as well.
    """

    recipient: str
    text: str
    number: int
    """The whisper's place in this node's inbox."""


class CloseOp(Op, eq=False):
    """Close the chat: every session in it ends, all nicknames are free. FORBIDDEN but for the first."""

    nickname: str


class Entry(msgspec.Struct, frozen=True):
    """The events of one batch, at their place in the room's log."""

    position: Position
    """With the time when it was committed."""
    events: Sequence[PublicEvent]
    orders: Sequence[OperatorCommand] = ()
    """What operators ordered in it, which came before its events."""

    @property
    def is_talk(self) -> bool:
        """Whether nothing but public messages is in it: then it may be told with the next ones."""
        return not self.orders and list(map(type, self.events)).count(Said) == len(self.events)


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened before a place in the log."""

    entries: Sequence[Entry]
    is_complete: bool
    """Whether nothing is missing since the place that was asked for."""
    done: int
    """The highest tag that was remembered with the token."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a token says of who holds it."""

    key: str
    """His nickname, folded."""
    first: int
    """The offset of the entry with his first join: nothing before it is his to read."""
    is_account: bool = False
    """Whether it proves that he is that account."""


class Delivery(msgspec.Struct, frozen=True):
    """A private event for one session of this node."""

    number: int
    """Its place in this node's inbox: ascending, without holes."""
    session: str
    event: PrivateEvent | Summoned | None
    """None where it is of a later version: it is skipped, and counts as done with."""
    at: float
    """Seconds since the Unix epoch when it was committed, by the store's clock."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the room: what the store needs to write him down again."""

    nickname: str
    session: str
    dialect: str


class Follower(Protocol):
    """The chat's side: what a store calls. Calls never overlap, and never fail."""

    def entry(self, entry: Entry) -> None:
        """Take the next entry of the log: each exactly once, in the log's order.

        Entries of ops of this node come here before, or at the latest just after, ``settled``. What is
        said in them is kept until something else is written, or ``flush``: what comes together is one write.
        """
        ...

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Take private events from this node's inbox: each once, in order. They may be kept likewise."""
        ...

    def settled(self, ops: Sequence[Op]) -> None:
        """Learn the outcomes of a batch, in the order of submission; each op is settled once.

        What was delivered is written, and the answers behind it: no answer waits for ``flush``.
        """
        ...

    def flush(self) -> None:
        """Write what was delivered: nothing more comes for now.

        It comes after ``entry`` and ``deliveries``: at once, or a moment later where others only talk.
        """
        ...

    def confirmed(self) -> int:
        """Return the number up to which every delivery is done with: the inbox is trimmed to there."""
        ...

    def renumbered(self) -> None:
        """Forget what is not confirmed: the store lost its data, and the inbox is numbered anew."""
        ...

    def seated(self, members: Iterable[Member]) -> None:
        """Take who is in the room, oldest first, at the store's position: in place of what was known.

        A local session that is not among them lost its nickname and must go.
        """
        ...

    def reordered(self, members: Iterable[Member]) -> None:
        """Take the order, oldest first, of those in the room who are known. Nobody comes or goes by that.

        The store lost data, and may have people again who are long gone: nobody is to hear of them. Who
        is in the room is told by entries.
        """
        ...

    def missed(self, position: Position) -> None:
        """Learn that what came before a place in the log is lost, and was not given to it.

        It was flushed before, and seated anew; the next entry comes after that place.
        """
        ...

    def banned(self, bans: Iterable[Ban]) -> None:
        """Take all bans, at the store's position or later, in place of what was known."""
        ...

    def present(self) -> Iterable[Member]:
        """Return who is in the room, oldest first, as this node knows: the store lost its data."""
        ...

    def sessions(self) -> Mapping[str, str]:
        """Return the sessions of this node that may hold a nickname, each with that one, folded.

        From before its join is submitted until its leave is. The store has all others of this node leave.
        """
        ...

    def fenced(self) -> None:
        """Close every session: this node was thought dead and they were announced as gone.

        Ops not yet settled come to nothing. The store goes on under a new node id.
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
        """Put an op in the queue. Never blocks; whoever submits bounds what is not settled."""
        ...

    def recall(self, token: str, done: Callable[[Remembered | None], None]) -> None:
        """Look up a token. Calls ``done`` later, when the store answers; None: it proves nothing.

        It proves what was proven when it was issued: to be the guest of that nickname, as long as that is
        no account, or the account with the password of then. It ends with a leave that names it, and when
        its nickname is kicked or banned.
        """
        ...

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        """Read the log between two places, both exclusive, and what is remembered with a token.

        Calls ``done`` later, when the store answers. Bounded: of much, the latest is read.
        """
        ...

    def health(self) -> Mapping[str, bool]:
        """Say which parts answer: ``redis`` for commands, ``bus`` for the probe of the subscription.

        And ``replica``, where one has to have what is written.
        """
        ...

    async def start(self, follower: Follower) -> None:
        """Register this node, seat the follower, and follow the log. Waits while the store is away."""
        ...

    async def settle(self) -> None:
        """Wait until nothing is submitted that is not settled, and the log is followed to there."""
        ...

    async def stop(self) -> None:
        """Deregister this node, which must have no sessions, and let go of the store."""
        ...
