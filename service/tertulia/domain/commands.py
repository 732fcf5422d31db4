"""What a client can ask for, in every dialect's common words."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What was wrong with something that a client sent."""

    MALFORMED = "malformed"
    """Not a command of the dialect; the session goes on."""
    TOO_LONG = "too_long"
    """A line past the bound: refused whole, its rest skipped; repeat offenders are disconnected."""


@dataclass(frozen=True, slots=True)
class Resume:
    """What a client that lost its connection has: who it was, and up to where it read."""

    token: str
    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Enter:
    """Come in under a nickname, with the password where it is an account's."""

    nickname: str
    password: str | None = None
    resume: Resume | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Tell everybody in the chat. ``tag`` is the client's number for it; 0 where it gives none."""

    text: str
    tag: int = 0


@dataclass(frozen=True, slots=True)
class Whisper:
    """Tell one user. The nickname is as the client wrote it and may be nobody's."""

    recipient: str
    text: str
    tag: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Confirm that so many messages were received."""

    count: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Go, in order."""


@dataclass(frozen=True, slots=True)
class CloseChat:
    """Close the whole chat; only its administrator may."""


@dataclass(frozen=True, slots=True)
class Faulty:
    """Something that is no command. What it was is deliberately not kept."""

    fault: Fault
    explanation: str = ""
    """What was wrong, for the client, in dialects that say so; nothing that it sent."""


Command = Enter | Say | Whisper | Acknowledge | Leave | CloseChat | Faulty
