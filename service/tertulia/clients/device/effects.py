"""What a live chat asks of the owner of its sockets, and what it has to report."""

from dataclasses import dataclass
from enum import Enum, auto

from tertulia.clients.device.exchange import PeerEvent


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
    UNPLACED = auto()
    """The service does not say where it is, or could not be asked."""
    ELSEWHERE = auto()
    """It dialled from another address than the service has of it."""
    CROWD = auto()
    """More connections came than may."""
    FULL = auto()
    """The chat has as many members as it may have."""
    TOO_MUCH = auto()
    """It said more than one may in a chat."""
    OFTEN = auto()
    """It came and went more often than one may."""
    DEAF = auto()
    """It does not read what I say."""


@dataclass(frozen=True, slots=True)
class PeerPlace:
    """Where a device is, as the service says: it listens there, and dials from that host."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class NoPlace:
    """The service said of no place. The text is for the person."""

    why: str


@dataclass(frozen=True, slots=True)
class Send:
    """Write to a connection."""

    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Locate:
    """Ask the service where a device is, then call ``located``."""

    name: str
    port: int = 0
    """Where it listens, as far as the service has said so already; 0: that is to be asked, too."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Make a connection, then call ``connected`` or ``closed``."""

    link: int
    place: PeerPlace


@dataclass(frozen=True, slots=True)
class Pause:
    """Read nothing more of a connection for now."""

    link: int


@dataclass(frozen=True, slots=True)
class ReadOn:
    """Read on."""

    link: int


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
    again: bool = False
    """Whether it was in it already, over another connection, which is closed now."""


@dataclass(frozen=True, slots=True)
class Went:
    """Somebody is not in the chat any more, or could not be dialled."""

    name: str
    parting: Parting
    why: str = ""
    """For the person, where the parting does not say all."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Somebody who dialled was not taken in."""

    host: str
    """Where it dialled from."""
    name: str
    """Who it said it is, or would have been taken for; empty: neither."""
    parting: Parting
    why: str = ""
    """Where the service says that such a one is; or why it does not."""
    is_last: bool = False
    """Whether no more of them are told in this chat."""


@dataclass(frozen=True, slots=True)
class SharesAddress:
    """Somebody else dialled from the address of the one that I talk to, and either may be the other."""

    name: str
    host: str


@dataclass(frozen=True, slots=True)
class Slowed:
    """Somebody says more at once than is shown at once. Reported once of each."""

    name: str


@dataclass(frozen=True, slots=True)
class PartnerSaid:
    """Somebody said something."""

    name: str
    event: PeerEvent
    """``peer.Spoken``, ``AddsSomebody``, ``File`` or ``NoFile``."""


@dataclass(frozen=True, slots=True)
class Over:
    """The chat has ended. ``came``: whether there ever was one."""

    came: bool


ForSockets = Send | Locate | Dial | Pause | ReadOn | Close
Told = Came | Went | TurnedAway | SharesAddress | Slowed | PartnerSaid | Over
Effect = ForSockets | Told
