"""What a client can ask for, in words that all dialects share.

These are msgspec structs, as one is made for every line: a frozen dataclass takes six times as long.
"""

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """What was wrong with something that a client sent."""

    MALFORMED = "malformed"
    """Not a command of the dialect; the session goes on."""
    TOO_LONG = "too_long"
    """A line longer than the bound: refused as a whole, its rest skipped. Too many end the connection."""


class Resume(msgspec.Struct, frozen=True):
    """What a client that lost its connection sends: the proof of who it was, and how far it read."""

    token: str
    epoch: str
    offset: int


class Enter(msgspec.Struct, frozen=True):
    """Enter under a nickname, with the password where the nickname is an account's."""

    nickname: str
    password: str | None = None
    resume: Resume | None = None


class Say(msgspec.Struct, frozen=True):
    """Tell everybody in the room. ``tag`` is the client's number for the message; 0 where it gives none."""

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
    """Say that the client can read from now on: old clients are deaf for a moment after the welcome."""


class Leave(msgspec.Struct, frozen=True):
    """Leave, in order."""


class CloseChat(msgspec.Struct, frozen=True):
    """Close the whole chat; only its administrator may."""


class Faulty(msgspec.Struct, frozen=True):
    """Something that is no command. Its text is deliberately not kept."""

    fault: Fault
    explanation: str = ""
    """What was wrong, for the client, in dialects that say so; nothing that it sent."""


Command = Enter | Say | Whisper | Acknowledge | Ready | Leave | CloseChat | Faulty
