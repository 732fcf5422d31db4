"""What a client can ask for, in every dialect's common words.

Structs of msgspec, as one is made for every line that comes: a frozen dataclass takes six times as long.
"""

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """What was wrong with something that a client sent."""

    MALFORMED = "malformed"
    """Not a command of the dialect; the session goes on."""
    TOO_LONG = "too_long"
    """A line past the bound: refused whole, its rest skipped; repeat offenders are disconnected."""


class Resume(msgspec.Struct, frozen=True):
    """What a client that lost its connection has: who it was, and up to where it read."""

    token: str
    epoch: str
    offset: int


class Enter(msgspec.Struct, frozen=True):
    """Come in under a nickname, with the password where it is an account's."""

    nickname: str
    password: str | None = None
    resume: Resume | None = None


class Say(msgspec.Struct, frozen=True):
    """Tell everybody in the chat. ``tag`` is the client's number for it; 0 where it gives none."""

    text: str
    tag: int = 0


class Whisper(msgspec.Struct, frozen=True):
    """Tell one user. The nickname is as the client wrote it and may be nobody's."""

    recipient: str
    text: str
    tag: int = 0


class Acknowledge(msgspec.Struct, frozen=True):
    """Confirm that so many messages were received."""

    count: int


class Ready(msgspec.Struct, frozen=True):
    """Say that the client can read from now on: old ones are deaf for a moment after the welcome."""


class Leave(msgspec.Struct, frozen=True):
    """Go, in order."""


class CloseChat(msgspec.Struct, frozen=True):
    """Close the whole chat; only its administrator may."""


class Faulty(msgspec.Struct, frozen=True):
    """Something that is no command. What it was is deliberately not kept."""

    fault: Fault
    explanation: str = ""
    """What was wrong, for the client, in dialects that say so; nothing that it sent."""


Command = Enter | Say | Whisper | Acknowledge | Ready | Leave | CloseChat | Faulty
