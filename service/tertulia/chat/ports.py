"""What the chat expects of a store, a connection and a clock, and what it promises the store in return.

``tests/contract`` holds every store to these docstrings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, Protocol

import msgspec

from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PrivateEvent, PublicEvent, Summoned, TaggedAlone
from tertulia.domain.moderation import Moderation, Rules
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomInfo
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

    @property
    def proceed(self) -> Callable[[], None]:
        """Ask for further commands: the session can take them again. It is called after each answer."""
        ...


class Outcome(Enum):
    """What the store answered to one op."""

    DONE = "d"
    TAKEN = "t"
    """Join: the nickname is held by another session."""
    UNKNOWN = "u"
    """Whisper: nobody in the chat has that nickname. Moderate: there is nobody, or nothing, such."""
    GONE = "g"
    """The session that asked does not hold its nickname any more; nothing was done."""
    KEPT = "k"
    """Whisper: the account is not here; the message waits for it."""
    FULL = "b"
    """Nothing was kept: too much waits for that account already. Or too many are muted."""
    FORBIDDEN = "f"
    """CloseChat: the session that asked is not the administrator; Moderate: it is no moderator, or it is
    about one; nothing was done."""
    MUTED = "m"
    """Say, whisper: a moderator has muted the session's nickname. Private messages to moderators pass."""
    SLOW = "s"
    """Say: the last message was said a moment ago, in slow mode."""
    ACCOUNTS_ONLY = "a"
    """Say: only accounts may speak now."""


KNOWN_REFUSED: Final = 256
"""Tags of a token of which the store knows whether they were refused."""

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
    number: int = 0
    """Where it is DONE: the join's number. Numbers only grow in a chat, also where the store loses data."""
    account: int = 0
    """Where it is DONE: since when the account is there that the session proved to be, in milliseconds since
    1970; 0 for a guest. An account that is deleted, and made again by somebody else, has another time."""
    about: str = ""
    """Who the session's client says to be, as in ``Enter``."""


class LeaveOp(Op, eq=False):
    """Give the nickname back and announce it; GONE where the session does not hold it."""

    nickname: str
    token: str = ""
    """The key of the token that ends with the leave, whatever its outcome; empty where the session may be
    resumed."""
    words: str = ""
    """What its client says to that."""

    @property
    def weight(self) -> int:  # type: ignore[override]  # they are in the event
        """What it adds to a batch."""
        return len(self.words.encode())


class SayOp(Op, eq=False):
    """Append a public message to the room's log."""

    kind = "public"
    nickname: str
    text: str
    tag: int = 0
    """The client's number for the message, remembered with the token; 0 where the client gives none."""
    token: str = ""
    is_account: bool = False
    """Whether the session has proved to be its nickname's account."""
    until: int = 0
    """Where it is MUTED or SLOW: until when, in milliseconds since 1970 by the store's clock; 0: for good."""
    outside: bool = False
    """Further rooms only: whether it is said by somebody of the chat who is not in the room. UNKNOWN where
    outsiders may not speak; mutes, slow mode and accounts-only hold for them as well."""
    is_notice: bool = False
    """As in ``Said``."""
    tags: str = ""
    """As in ``Said``; without a text it is ``Tagged``."""
    splits: tuple[int, ...] = ()
    """As in ``Said``."""


class RoomJoinOp(Op, eq=False):
    """Take a seat in a further room, and announce it there.

    ``session`` holds its nickname in the chat. DONE; GONE where a later holder of the nickname is there, by
    the number of its join in the chat, or FULL where too many are there: then nothing was done. An earlier
    holder's seat is taken over: it is announced as gone. The session's own seat: DONE as well, and its event
    is a ``Present``.
    """

    nickname: str
    dialect: str
    number: int
    """The number of the session's join in the chat: ``JoinOp.number``."""
    account: int = 0
    """The account that the session has proved to be, as ``JoinOp.account``. The first one in a new room owns
    the room; and only accounts own or moderate."""
    token: str = ""
    """The key under which this session can be resumed; empty where it can't."""
    resumed: bool = False
    """Whether the token was issued before: then this session goes on in the seat that was taken with it, if
    there still is one, and nobody is told. Without one it takes a seat as any other."""
    about: str = ""
    """As in ``JoinOp``."""


class RoomLeaveOp(Op, eq=False):
    """Give a seat in a further room back and announce it; GONE where the session does not have it.

    What is remembered with the seat's token stays for an hour, unless ``token`` names it.
    """

    nickname: str
    token: str = ""
    """The key of the token that ends with the leave; empty where the session may be resumed."""
    is_gone: bool = False
    """Whether the session leaves the chat with it."""
    words: str = ""
    """As in ``LeaveOp``."""

    @property
    def weight(self) -> int:  # type: ignore[override]  # as in LeaveOp
        """What it adds to a batch."""
        return len(self.words.encode())


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
    is_account: bool = False
    """Whether the session has proved to be its nickname's account."""
    is_notice: bool = False
    """As in ``Whispered``; of a message that is kept for an account, nobody knows any more."""
    until: int = 0
    """Where it is MUTED: until when, as in ``SayOp``."""
    tags: str = ""
    """As in ``Said``; without a text it is ``TaggedAlone``."""
    splits: tuple[int, ...] = ()
    """As in ``Said``."""

    @property
    def weight(self) -> int:  # type: ignore[override]  # a message that may have to be kept takes Redis more
        """What it adds to a batch."""
        return 1024 if self.away else 0


class RefusedOp(Op, eq=False):
    """Remember with the token that a message was refused before it came to the store."""

    tag: int
    token: str


class ReportOp(Op, eq=False):
    """Return an acknowledged whisper that could not be written.

    A whisper to an account waits for the account; any other goes back to its sender. ``session`` and ``key``
    are the sender's; GONE where the sender has left as well.
    """

    recipient: str
    text: str
    number: int
    """The whisper's place in this node's inbox."""
    tag: int = 0
    """The sender's number for the whisper."""


class PassOnOp(Op, eq=False):
    """Hand a letter of this node's inbox to the node of the session that took its reader's seat over.

    GONE where that session does not hold the nickname any more.
    """

    event: PrivateEvent
    at: float
    """When it was committed, as ``Delivery`` has it."""
    number: int
    """The letter's place in this node's inbox."""


class CloseOp(Op, eq=False):
    """Close the chat: every session ends, all nicknames are free. FORBIDDEN except to the administrator."""

    nickname: str


class ModerateOp(Op, eq=False):
    """Do what a moderator asks for, and tell everybody, and the audit log.

    FORBIDDEN except to a moderator, and where a moderator is to be muted or kicked. UNKNOWN where there is
    nobody, or no message, that it could be about. FULL where too many are muted.
    """

    nickname: str
    act: Moderation
    holder: str = ""
    """The session that holds the nickname that it is about, as far as this node knows."""
    account: int = 0
    """In a further room: the account that the session has proved to be, as ``JoinOp.account``. There it is
    this one that has to be the owner's or a moderator's; and an appointment says which account is meant."""
    tag: int = 0
    """The client's number for it, which the store does not see."""


MOST_AWAY: Final = 390
"""Bytes in the words with which somebody is away."""


class PresenceOp(Op, eq=False):
    """Say what is another way with somebody in the chat; what is so already is not told again."""

    weight = 512
    nickname: str
    away: str | None = None
    """Why he is away, ``MOST_AWAY`` bytes at most; empty: he is back. None: as before."""
    account: bool | None = None
    """Whether the session has proved to be its nickname's account. None: as before."""


class Entry(msgspec.Struct, frozen=True):
    """The events of one batch, at their place in the room's log."""

    position: Position
    """It includes the time when the entry was committed."""
    events: Sequence[PublicEvent]
    operator_commands: Sequence[OperatorCommand] = ()
    """The operator commands in it, which came before its events."""
    is_talk: bool = False
    """Whether it is known that only public messages are in it: then it may be written together with the next
    entries. Whoever reads it says so, as each node asks several times."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened before a place in the log."""

    entries: Sequence[Entry]
    is_complete: bool
    """Whether no entry is missing since the place that was asked for."""
    done: int
    """The highest tag that was remembered with the token."""
    refused: Sequence[int] = ()
    """Which of the last ``KNOWN_REFUSED`` tags up to ``done`` were refused, ascending."""


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
    event: PrivateEvent | TaggedAlone | Summoned | None
    """None where a later version wrote the event: it is skipped, and counts as done with."""
    at: float
    """Seconds since the Unix epoch when it was committed, by the store's clock."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the room: what the store needs to write them down again."""

    nickname: str
    session: str
    dialect: str
    number: int = 0
    """In a further room: the number of the session's join in the chat, as in ``RoomJoinOp``, ``Joined``."""
    is_account: bool = False
    """Whether the session proved to be the nickname's account; in a further room, when it came there."""
    away: str = ""
    """Why he is away, as in ``WentAway``; empty: he is here."""
    about: str = ""
    """Who he says to be, as in ``Joined``."""


class LogFollower(Protocol):
    """The chat's side of one log: what a store calls. Calls never overlap, and never fail."""

    def entry(self, entry: Entry) -> None:
        """Take the next entry of the log: each exactly once, in the log's order.

        Entries of ops of this node come here before, or at the latest just after, ``settled``. The messages
        in them are kept until something else is written, or until ``flush``: what comes together is one
        write.
        """
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

    @property
    def history(self) -> int:
        """How many of the last messages newcomers may read."""
        ...

    def past(self, entries: Iterable[Entry], epoch: str, *, is_whole: bool) -> None:
        """Take what the log holds up to the place where the follower was first seated, the oldest first.

        These are enough entries to have ``history`` messages, within a bound, and all are of the epoch.
        ``is_whole``: the epoch's log has none before them.
        """
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

    def moderated(self, rules: Rules) -> None:
        """Replace what is known of the room's moderation: as it is at the store's position or later."""
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

    def tokens(self) -> Iterable[str]:
        """Return the keys of the tokens with which this node's sessions in the room can be resumed."""
        ...


class Follower(LogFollower, Protocol):
    """The chat's side of its lobby's log and of this node's inbox."""

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Take private events from this node's inbox: each once, in order. They may be kept as well."""
        ...

    @property
    def holders(self) -> Mapping[str, Member]:
        """Who holds which nickname, folded, by the log up to the last entry that came here."""
        ...

    def confirmed(self) -> int:
        """Return the number up to which every delivery is done with: the inbox is trimmed to there."""
        ...

    def renumbered(self) -> None:
        """Forget what is not confirmed: the store lost its data, and the inbox is numbered anew."""
        ...

    def banned(self, bans: Iterable[Ban]) -> None:
        """Replace the known bans by these: all bans, at the store's position or later."""
        ...

    def fenced(self) -> None:
        """Close every session: this node was thought dead and they were announced as gone.

        Ops that are not settled yet have no effect. The store goes on under a new node id.
        """
        ...


class RoomFollower(LogFollower, Protocol):
    """The chat's side of a further room's log.

    Calls begin when the room is followed: ``moderated``, ``seated``, ``past``. Then it is as with the lobby,
    but that other logs' followers are called in between. ``sessions`` are those with a seat in the room.
    When the chat's ``Follower.fenced`` is called, the store has let go of all rooms, and calls none of these
    any more.
    """

    def refused(self) -> None:
        """Learn that the room can't be opened: there are too many, or it is not there and not to be made.

        Nothing was done, no op will be settled, and the store knows nothing of the room any more.
        """
        ...


class RoomStore(Protocol):
    """One further room's shared state, as of ``Rooms.open``. The promises are ``Store``'s, for this room.

    Its log has an epoch and offsets of its own. While the store is away for this room alone, only this room
    waits.
    """

    def submit(self, op: Op) -> None:
        """Put an op in the queue: RoomJoinOp, RoomLeaveOp, SayOp, RefusedOp, ModerateOp.

        Never blocks. Ops wait until the room is followed, so an op's own entry comes to the follower.
        """
        ...

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        """Read this room's log between two places, and what is remembered with a token here: see ``Store``.

        Where ``after`` is of another log, it is read from the first join with the token on.
        """
        ...

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read this room's log backwards from a place: see ``Store``."""
        ...

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read this room's log on from a place: see ``Store``."""
        ...

    def close(self) -> None:
        """Let go: nobody of this node is in the room any more.

        What was submitted before is still done. The follower is not called again: no op is settled, no
        ``done`` is called. The room may be opened again at any time, with any follower.
        """
        ...


class Rooms(Protocol):
    """The further rooms of a chat."""

    def open(self, room: str, follower: RoomFollower, *, make: bool = True) -> RoomStore:
        """Follow a room, by its folded name without ``#``. Never blocks; it must not be open on this node.

        ``make``: make the room where there is none; else ``refused`` is called.
        """
        ...

    def list(self, done: Callable[[Sequence[RoomInfo]], None]) -> None:
        """Look up the rooms with most members, 500 at most, those with most first.

        Calls ``done`` later, when the store answers. Members are counted as of some seconds ago.
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

    @property
    def rooms(self) -> Rooms:
        """The chat's further rooms: usable once started."""
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

    def since(self, keys: Sequence[str], done: Callable[[Sequence[int]], None]) -> None:
        """Look up since when the accounts of folded nicknames are there, as ``JoinOp.account``.

        Calls ``done`` later, when the store answers.
        """
        ...

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        """Read the log between two places, both exclusive, and what is remembered with a token.

        Calls ``done`` later, when the store answers. Bounded: where there is too much, the latest is read.
        """
        ...

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read the log backwards from a place, exclusive: an entry at a time, until ``take`` returns False.

        ``done`` is called at the end, with True where the log has nothing earlier, or is of another epoch.
        Nobody else waits for it: it takes a share of the time, in short steps, for one caller at a time.
        Nothing is read from before the chat was closed last, but for the rest of that entry. A place without
        an offset is a moment, ``at``: then it is what was committed before it.
        """
        ...

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read the log on from a place, exclusive, as ``look_back`` does backwards.

        From a moment: what was committed at it, or later.
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
        """Wait until every submitted op is settled, in further rooms as well; logs are followed to there."""
        ...

    async def stop(self) -> None:
        """Deregister this node, which must have no sessions, and release the store."""
        ...
