"""What a dialect is: a voice, shared by all its sessions, and a reader for each connection."""

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar, Protocol

from tertulia.domain.commands import Command, Fault
from tertulia.domain.events import PrivateEvent, PublicEvent


class Refusal(StrEnum):
    """Why a command was not carried out."""

    INVALID_NICKNAME = "invalid_nickname"
    NICKNAME_TAKEN = "nickname_taken"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    FORBIDDEN = "forbidden"
    """Only the administrator may, or the chat is configured to refuse it."""


class Reader(Protocol):
    """The incoming half of one connection: a state machine that is fed bytes and asked for commands.

    Pulling one command at a time lets whoever feeds it stop when the session has had its share; what
    is not yet pulled stays here as bytes.
    """

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not yet turned into commands."""
        ...

    def feed(self, data: bytes) -> None:
        """Take what came from the socket, in any split."""
        ...

    def next_command(self) -> Command | None:
        """Return the next whole command, or None where more bytes are needed.

        After an Enter it is not to be called before ``entered`` or ``refused``: until then nobody
        knows what the next bytes are.
        """
        ...

    def entered(self) -> None:
        """Learn that the nickname was accepted: what follows are the words of a member."""
        ...

    def refused(self) -> None:
        """Learn that the nickname was refused and another one may come."""
        ...


class Voice(Protocol):
    """The outgoing half: how events and answers read in this dialect.

    Stateless and hashable: all sessions that listen to equal voices get the same bytes, rendered once.
    """

    name: ClassVar[str]
    """The dialect's name, as in settings and metric labels."""
    default_port: ClassVar[int]
    echoes: ClassVar[bool]
    """Whether a sender reads its own public messages."""
    retries: ClassVar[bool]
    """Whether a refused nickname may be followed by another one on the same connection."""
    acknowledgement: ClassVar[bytes | None]
    """The line that clients send most, recognised by comparing bytes; None where there is none."""

    def reader(self) -> Reader:
        """Make the reader of a new connection."""
        ...

    def greeting(self) -> bytes:
        """What a new connection reads first."""
        ...

    def welcome(self, nickname: str, others: Iterable[str]) -> bytes:
        """The answer to an accepted nickname; ``others`` are in the room, oldest first.

        Who finds nobody there is the administrator. ``others`` can be read once, and only now."""
        ...

    def refusal(self, refusal: Refusal, subject: str) -> bytes:
        """The answer to a refused command; ``subject`` is the nickname it was about, or empty."""
        ...

    def fault(self, fault: Fault) -> bytes:
        """The answer to something that is no command."""
        ...

    def sent(self, private: bool, recipient: str, text: str) -> bytes:
        """The answer to a message that is kept: it reads as a promise."""
        ...

    def public(self, event: PublicEvent) -> bytes:
        """How everybody reads an event; empty where the dialect has no word for it."""
        ...

    def private(self, event: PrivateEvent) -> bytes:
        """How its recipient reads a private message or a report of one that failed."""
        ...

    def promoted(self) -> bytes:
        """What a session reads when it becomes the chat's administrator."""
        ...

    def farewell(self) -> bytes:
        """The last thing that a session reads when it leaves by its own command."""
        ...
