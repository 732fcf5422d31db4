"""What a live chat asks of whoever owns its sockets, and what it has to tell."""

from dataclasses import dataclass
from enum import Enum, auto

from tertulia.clients.device.exchange import Event
from tertulia.clients.device.peer import Member


class Parting(Enum):
    """Why somebody is not in the chat any more, or never was."""

    LEFT = auto()
    BROKE = auto()
    """Its connection ended without a word."""
    GARBLED = auto()
    """It sent what no device sends."""
    SILENT = auto()
    """It connected and did not say in time who it is."""
    UNREACHABLE = auto()
    FULL = auto()
    """The chat has as many members as it may have."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write to a connection."""

    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Dial:
    """Make a connection, then call ``connected`` or ``closed``."""

    link: int
    member: Member


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection once what was sent is written. ``closed`` need not be called."""

    link: int
    patient: bool = False
    """Whether the other one is to close first: it has said that it goes, and may still be reading."""


@dataclass(frozen=True, slots=True)
class Came:
    """Somebody is in the chat."""

    name: str
    group: bool


@dataclass(frozen=True, slots=True)
class Went:
    """Somebody is not in the chat any more, or did not get in. Name empty: nobody knows who it was."""

    name: str
    parting: Parting


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said something."""

    name: str
    event: Event
    """``peer.Spoken``, ``AddsSomebody``, ``File`` or ``NoFile``."""


@dataclass(frozen=True, slots=True)
class Over:
    """The chat has ended. ``came``: whether there ever was one."""

    came: bool


Effect = Send | Dial | Close | Came | Went | Said | Over
