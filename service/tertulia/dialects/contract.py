"""What a dialect is: an encoder, shared by all its sessions, and a decoder for each connection."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Literal, Protocol, Self

import msgspec

from tertulia.domain.commands import Command, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PrivateEvent, PublicEvent, Said, Tagged, TaggedAlone
from tertulia.domain.moderation import Standing
from tertulia.domain.operator_commands import Action
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomInfo

Wording = Literal["page", "classic"]
"""What a listener writes: the words of its dialect's page, or those that the author's old client needs."""


class Refusal(StrEnum):
    """Why a command was not carried out."""

    INVALID_NICKNAME = "invalid_nickname"
    NICKNAME_TAKEN = "nickname_taken"
    NOT_SIGNED_IN = "not_signed_in"
    """What was to prove who the client is proves nothing, or not any more."""
    BANNED = "banned"
    """An operator's ban covers the nickname, the account or the address."""
    UNKNOWN_RECIPIENT = "unknown_recipient"
    MAILBOX_FULL = "mailbox_full"
    """Too much waits for the recipient already."""
    NO_ACCOUNT = "no_account"
    """A password was given for a nickname that is free, and no account."""
    FORBIDDEN = "forbidden"
    """Only the administrator, or a moderator, may do it, or the chat is configured to refuse it."""


class Why(StrEnum):
    """Why somebody may not say something."""

    MUTED = "muted"
    """A moderator has muted the sender."""
    SLOW = "slow"
    """In slow mode, the sender's last message was a moment ago."""
    ACCOUNTS_ONLY = "accounts_only"
    """Only accounts may speak now."""
    FILTERED = "filtered"
    """It has words that the sender's listener refuses."""


class ModerationFault(StrEnum):
    """Why an act of moderation was not carried out."""

    FORBIDDEN = "forbidden"
    """It is for moderators only, or would be against one."""
    UNKNOWN_RECIPIENT = "unknown_recipient"
    """Nobody can have such a nickname, or nobody in the room has it."""
    NO_SUCH_MESSAGE = "no_such_message"
    NOT_MUTED = "not_muted"
    TOO_MANY_MUTED = "too_many_muted"
    NO_ACCOUNT = "no_account"
    """Only an account can be a moderator."""


class RoomFault(StrEnum):
    """Why somebody can't come into a further room, or may not do there what they wanted."""

    INVALID_ROOM = "invalid_room"
    """No room can have such a name."""
    ALREADY_THERE = "already_there"
    """The session is in it, or on its way in."""
    TOO_MANY_ROOMS = "too_many_rooms"
    """The session is in as many as it may be."""
    NO_ROOM_LEFT = "no_room_left"
    """The chat has as many as it may have, and this would be another one."""
    FULL = "full"
    """As many are in it as may be."""
    NOT_IN_ROOM = "not_in_room"
    """It is only for who is in it: to moderate it, to read further back, to search."""


@dataclass(frozen=True, slots=True)
class Restraint:
    """Why a message was not passed on, and until when that holds."""

    why: Why
    until: int = 0
    """Milliseconds since 1970 by the store's clock; 0 where no end is known."""
    reason: str = ""
    """A moderator's words."""


class AccountAction(StrEnum):
    """What somebody in the room wanted done with the account of their nickname."""

    REGISTER = "register"
    CHANGE_PASSWORD = "change_password"  # noqa: S105 (the name of what is done)
    LOG_OUT_EVERYWHERE = "log_out_everywhere"
    DELETE_ACCOUNT = "delete_account"
    EXPLAIN = "explain"


class AccountOutcome(StrEnum):
    """What came of it."""

    DONE = "done"
    TAKEN = "taken"
    """The nickname may not be made an account."""
    HAS_ACCOUNT = "has_account"
    NO_ACCOUNT = "no_account"
    """The client is in the room as a guest."""
    CLOSED = "closed"
    """Only operators make accounts."""
    INVITATION = "invitation"
    """The code is missing, or is none, or was used, or is too old."""
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 (the name of an outcome)
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TOO_OFTEN = "too_often"
    """The client's network has no turn left."""
    BUSY = "busy"
    """Too many passwords wait to be looked at."""


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """The answer to an account command."""

    action: AccountAction
    outcome: AccountOutcome
    nickname: str
    seconds: int = 0
    """After which the client may ask again, with TOO_OFTEN."""


Registration = Literal["open", "invited", "closed"]
"""Who may make an account: anybody, who has an invitation, or nobody but operators."""


class Nicknames:
    """Some nicknames that stand one after the other in a room, and how they read.

    Each newcomer reads a list of all. The part of those who stay is the same one each time, so how it reads
    is made once and kept as long as the part is.
    """

    __slots__ = ("_texts", "nicknames")

    def __init__(self, nicknames: Iterable[str]) -> None:
        self.nicknames = tuple(nicknames)
        self._texts: dict[Hashable, Sequence[str]] = {}

    def texts(self, way: Hashable, make: Callable[[Sequence[str]], Sequence[str]]) -> Sequence[str]:
        """Return what ``make`` makes of them; of one way it is asked once."""
        found = self._texts.get(way)
        if found is None:
            found = self._texts[way] = make(self.nicknames)
        return found


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a client that has just entered the chat, or a further room, is to read.

    ``session``, ``token``, ``is_account`` and ``registration`` say nothing where it is of a further room.
    """

    nickname: str
    others: Iterable[str]
    """The others in the room, oldest first. It can be read once, and only at once."""
    position: Position
    session: str
    """The session's name in the log."""
    token: str
    """It proves to any node who this session is; empty where the dialect can't resume sessions."""
    done: int = 0
    """The highest tag of this client that was answered, over all its sessions."""
    refused: Sequence[int] = ()
    """Those of its last tags that were refused."""
    resumed: bool = False
    """Whether the client goes on where it was: the service remembers who it was and what it did."""
    missed_some: bool = False
    """Whether a part of what the client missed is not there any more."""
    is_account: bool = False
    """Whether the client has proved to be its nickname's account."""
    registration: Registration = "closed"
    standing: Standing = field(default_factory=Standing)
    place: int | None = None
    """How many of the others are before it in the order; None: all of them."""
    people: Callable[[], Sequence[Nicknames]] = tuple
    """Returns everybody in the room, the client as well, oldest first. It can be asked only at once.

    Who goes on where it was is told nobody this way."""


# A list of ten thousand is made at once: as a dataclass that takes twenty times as long.
class Known(msgspec.Struct, frozen=True):
    """Somebody in a room, as others may know them."""

    nickname: str
    dialect: str
    is_account: bool = False
    """Whether the nickname is an account, which nobody else can have."""
    away: str = ""
    """Why they are away, in their own words; empty: they are here."""
    is_moderator: bool = False
    """Whether they moderate the room."""
    about: str = ""
    """Who they say to be, as in ``Enter``."""

    @property
    def user(self) -> str:
        """Their user name; empty where they gave none."""
        return self.about.partition(" ")[0]

    @property
    def realname(self) -> str:
        """Their real name, which nobody has looked at; empty where they gave none."""
        return self.about.partition(" ")[2]


class Knowledge(Protocol):
    """What a node can tell one of its sessions at once; see the command ``Ask``.

    A room is a folded name, or empty: the lobby. Of a room in which the session is not, nothing is told.
    """

    def people(self, room: str) -> Sequence[Known] | None:
        """Return who is in a room, oldest first; None where that is not told."""
        ...

    def person(self, nickname: str) -> Known | None:
        """Return who in the chat has a nickname, compared without case."""
        ...

    def rooms_with(self, nickname: str) -> Sequence[str]:
        """Return in which further rooms of the session somebody is as well."""
        ...

    def standing(self, room: str) -> Standing | None:
        """Return what holds in a room for the session; None where that is not told."""
        ...

    def mutes(self, room: str) -> Mapping[str, int]:
        """Return who may not speak in a room, until when (milliseconds since 1970; 0: no end).

        Only moderators are told; nobody, to others.
        """
        ...

    def count(self) -> int:
        """Return how many people are in the chat."""
        ...

    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        ...


class Decoder(Protocol):
    """The incoming half of one connection: a state machine that is fed bytes and asked for commands.

    The caller takes one command at a time, so it can stop when the session has had its share. What is
    not taken yet stays here as bytes.
    """

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not yet turned into commands."""
        ...

    def feed(self, data: bytes) -> None:
        """Take what came from the socket, in any split; with a framed transport, one message."""
        ...

    def next_command(self) -> Command | None:
        """Return the next whole command, or None where more bytes are needed.

        After an Enter it must not be called before ``entered`` or ``refused``: until then nobody knows
        what the next bytes mean.
        """
        ...

    def entered(self) -> None:
        """Learn that the nickname was accepted: from now on a member's commands follow."""
        ...

    def refused(self) -> None:
        """Learn that the nickname was refused and another one may come."""
        ...


class Encoder(Protocol):
    """The outgoing half that many read: how events read in this dialect.

    Stateless and hashable: all sessions that listen to equal encoders get the same bytes, rendered once.
    """

    name: ClassVar[str]
    """The dialect's name, as in settings and metric labels."""
    default_port: ClassVar[int]

    @property
    def echoes(self) -> bool:
        """Whether a sender reads its own public messages as all do; else what ``Replies.echo`` gives."""
        ...

    retries: ClassVar[bool]
    """Whether a refused nickname may be followed by another one on the same connection."""
    resumes: ClassVar[bool]
    """Whether a session can be resumed with a token, and then reads what it missed."""
    keeps: ClassVar[bool]
    """Whether a message for an account that is not here is kept, and its sender reads that it is."""
    acknowledges_all: ClassVar[bool]
    """Whether a client that acknowledges does so for every message, or for private ones only."""
    acknowledgement: ClassVar[bytes | None]
    """The line that clients send most: it is recognised by comparing bytes. None where there is none."""
    rooms: ClassVar[bool]
    """Whether a client is shown the lobby and any further rooms; else one of all, named on entering."""
    in_order: ClassVar[bool]
    """Whether a client takes the answers to be in the order of its commands, whichever room they are for."""

    @property
    def tells_away(self) -> bool:
        """Whether its readers learn of who comes into a further room that he is away already."""
        ...

    @property
    def room(self) -> str:
        """The further room whose words these are; empty: the lobby's, and what is of no room."""
        ...

    def in_room(self, room: str) -> Self:
        """Return how the same listener's sessions read a further room; of equal ones keep one.

        ``room`` is what the client wrote, folded; where it is no room's name, only ``fault``, ``refusal``
        and ``not_joined`` are asked for.
        """
        ...

    @property
    def history(self) -> int:
        """How many of the last messages newcomers read; 0: none."""
        ...

    @property
    def looks_back(self) -> bool:
        """Whether a client may look further back, and search."""
        ...

    @property
    def suggests(self) -> bool:
        """Whether the refusal of a nickname that is taken can name others."""
        ...

    @property
    def deaf_seconds(self) -> float:
        """For how many seconds a client can read nothing after the welcome, at most: ``Ready`` ends it."""
        ...

    def decoder(self) -> Decoder:
        """Make the decoder of a new connection."""
        ...

    def greeting(self) -> bytes:
        """What a new connection reads first."""
        ...

    def replies(self, decoder: Decoder) -> "Replies":
        """Return what one client is told alone, whose decoder this is."""
        ...

    def pieces(
        self, events: Sequence[PublicEvent], position: Position, first: int = 0
    ) -> list[bytes]:
        """Render events of an entry, as everybody reads them; empty where the dialect has no word for one.

        ``first``: how many messages of the entry came before them.
        """
        ...

    def promoted(self) -> bytes:
        """What a session reads, among the events, when it becomes the chat's administrator."""
        ...

    def mutes(self, mutes: Mapping[str, int]) -> bytes:
        """What a session reads, among the events, when it becomes a moderator: who may not speak, until when.

        By nickname; the ends in milliseconds since 1970, 0: none.
        """
        ...

    def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
        """Put together what ``pieces``, ``promoted`` and ``mutes`` gave for an entry; empty if all of it is.

        ``first``: how many messages of the entry came before these pieces.
        """
        ...

    def past_message(self, message: PastMessage) -> bytes:
        """A message that was said before its reader came; empty where the dialect has no word for it."""
        ...

    def past(self, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
        """Put together what ``past_message`` gave, the oldest first.

        ``before``: the place down to which these are all. ``more``: whether the log may go on before it.
        """
        ...

    def found(
        self, text: str, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool
    ) -> bytes:
        """Put together the messages in which a text was found, as ``past``; only where one can search."""
        ...

    def missed(self, position: Position) -> bytes:
        """What sessions read where the log, up to a place, was lost before their node had all of it."""
        ...


class Replies(Protocol):
    """The outgoing half that one client reads: its welcome, its answers, its private messages.

    Where they are the same words for all clients, the encoder is the replies of each of them.
    """

    @property
    def encoder(self) -> Encoder:
        """What the client listens to. A dialect in which clients choose may return another one later on."""
        ...

    @property
    def room(self) -> str:
        """The further room whose words these are; empty: the lobby's, and what is of no room."""
        ...

    def in_room(self, room: str) -> Self:
        """Return what the client is told of a further room; see ``Encoder.in_room``."""
        ...

    def welcome(self, welcome: Welcome) -> bytes:
        """The answer to an accepted nickname. A client that finds nobody in the lobby is the administrator.

        Of a further room: what somebody reads who has come into it; where one room is shown, it is the
        answer to the nickname.
        """
        ...

    def not_joined(self, fault: RoomFault) -> bytes:
        """The answer to who can't come into this room; empty where one room is shown, which then ends."""
        ...

    def parted(self, reason: Disconnect, words: str = "", by: str = "") -> bytes:
        """What a session reads, last of this room, when it is not in it any more.

        ``words`` are those of who removed it, or its own where it left; ``by``: a moderator's nickname, empty
        for an operator. Empty where one room is shown: the session ends, and reads its farewell.
        """
        ...

    def room_list(self, rooms: Sequence[RoomInfo]) -> bytes:
        """The answer to ``ListRooms``; empty where there is no such command."""
        ...

    def standing(self, standing: Standing) -> Sequence[bytes]:
        """Notices for a newcomer of what holds in the room, one each; none where the welcome says it."""
        ...

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        """The answer to a refused command; ``subject`` is the recipient it was about, or empty.

        ``until``: when what it is refused for is over, in milliseconds since 1970; 0 where that is not known.
        """
        ...

    def restrained(self, restraint: Restraint, tag: int) -> bytes:
        """The answer to a message that was not passed on: a notice that says why and until when."""
        ...

    def not_moderated(self, action: Action, fault: ModerationFault, tag: int = 0) -> bytes:
        """The answer to an act of moderation that was refused; empty where clients can't moderate."""
        ...

    def moderated(self, action: Action, tag: int) -> bytes:
        """The answer to an act of moderation that everybody reads of; mostly empty."""
        ...

    def taken(self, suggestions: Sequence[str]) -> bytes:
        """The answer to a nickname that somebody has, with some that are free; only where ``suggests``."""
        ...

    def heard(self) -> bytes:
        """The answer to an account command at once; empty where only its ``account`` answers."""
        ...

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        """What came of an account command: each piece is a notice."""
        ...

    def fault(self, faulty: Faulty) -> bytes:
        """The answer to something that is no command."""
        ...

    def sent(self, tag: int) -> bytes:
        """The answer to a message that is kept: it reads as a promise."""
        ...

    def kept(self, recipient: str, tag: int) -> bytes:
        """The answer to a message that waits for an account to come; only where ``keeps``."""
        ...

    def private(self, event: PrivateEvent, at: float) -> bytes:
        """A private message, or a report of one that failed, as its recipient reads it.

        ``at``: seconds since the Unix epoch when it was committed.
        """
        ...

    def slowed(self) -> bytes:
        """What a session reads, once, when it sends more than it may and is read more slowly."""
        ...

    def pong(self) -> bytes:
        """The answer to ``Ping``; empty where the dialect has no such command."""
        ...

    def tagged(self, event: TaggedAlone, at: float) -> bytes:
        """What somebody else said to it alone that is tags and no text; or empty."""
        ...

    def echo(self, event: Said | Tagged, position: Position, index: int) -> bytes:
        """What a sender reads in the place of its own message, where the encoder does not echo; or empty."""
        ...

    def proved(self, nickname: str, *, is_account: bool) -> bytes:
        """The answer to ``ProveAccount``: whether the client is that nickname's account."""
        ...

    def shown(self, welcome: Welcome) -> bytes:
        """What a session reads that wants to be shown the lobby again."""
        ...

    def hidden(self, words: str = "") -> bytes:
        """What a session reads that wants to be shown the lobby no more."""
        ...

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        """The last words that a session reads; empty where the dialect has none for this reason.

        ``words`` are an operator's; they may be empty. ``until`` is the end of a ban, in milliseconds since
        1970; 0 where it does not end. The closing of the chat is an event instead.
        """
        ...
