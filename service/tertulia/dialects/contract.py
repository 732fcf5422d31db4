"""What a dialect is: an encoder, shared by all its sessions, and a decoder for each connection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from tertulia.domain.commands import Command, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PrivateEvent, PublicEvent
from tertulia.domain.position import Position

Wording = Literal["page", "classic"]
"""What a listener writes: the words of its dialect's page, or those that the author's old client needs."""


class Refusal(StrEnum):
    """Why a command was not carried out."""

    INVALID_NICKNAME = "invalid_nickname"
    NICKNAME_TAKEN = "nickname_taken"
    BANNED = "banned"
    """An operator's ban covers the nickname, the account or the address."""
    UNKNOWN_RECIPIENT = "unknown_recipient"
    MAILBOX_FULL = "mailbox_full"
    """Too much waits for the recipient already."""
    FORBIDDEN = "forbidden"
    """Only the administrator may do it, or the chat is configured to refuse it."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a client that has just entered is to read."""

    nickname: str
    others: Iterable[str]
    """The others in the room, oldest first. It can be read once, and only at once."""
    position: Position
    token: str
    """It proves to any node who this session is; empty where the dialect can't resume sessions."""
    done: int = 0
    """The highest tag of this client that was carried out, over all its sessions."""
    resumed: bool = False
    """Whether the client goes on where it was: the service remembers who it was and what it did."""
    missed_some: bool = False
    """Whether a part of what the client missed is not there any more."""


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
    """The outgoing half: how events and answers read in this dialect.

    Stateless and hashable: all sessions that listen to equal encoders get the same bytes, rendered once.
    """

    name: ClassVar[str]
    """The dialect's name, as in settings and metric labels."""
    default_port: ClassVar[int]
    echoes: ClassVar[bool]
    """Whether a sender reads its own public messages."""
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

    def welcome(self, welcome: Welcome) -> bytes:
        """The answer to an accepted nickname. A client that finds nobody there is the administrator."""
        ...

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0) -> bytes:
        """The answer to a refused command; ``subject`` is the nickname it was about, or empty."""
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

    def public(self, event: PublicEvent) -> bytes:
        """An event, as everybody reads it; empty where the dialect has no word for it."""
        ...

    def promoted(self) -> bytes:
        """What a session reads, among the events, when it becomes the chat's administrator."""
        ...

    def batch(self, pieces: Sequence[bytes], position: Position) -> bytes:
        """Put together what ``public`` and ``promoted`` gave for an entry; empty if all of that is empty."""
        ...

    def private(self, event: PrivateEvent, at: float) -> bytes:
        """A private message, or a report of one that failed, as its recipient reads it.

        ``at``: seconds since the Unix epoch when it was committed.
        """
        ...

    def slowed(self) -> bytes:
        """What a session reads, once, when it sends more than it may and is read more slowly."""
        ...

    def missed(self, position: Position) -> bytes:
        """What sessions read where the log, up to a place, was lost before their node had all of it."""
        ...

    def farewell(self, reason: Disconnect, words: str = "") -> bytes:
        """The last words that a session reads; empty where the dialect has none for this reason.

        ``words`` are an operator's; they may be empty. The closing of the chat is an event instead.
        """
        ...
