"""The frames of ``browser`` as a client reads them, and its texts. Described in docs/protocols/browser.md."""

import unicodedata
from typing import Any, Final

import msgspec

from tertulia.domain.text import clean

MOST_BYTES: Final = 4096
"""Of UTF-8 in a text."""
MOST_LINES: Final = 50
"""In a text."""

_LINE_ENDS = dict.fromkeys((0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029), "\n")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Mn", "Me", "Mc", "Zs", "Zl", "Zp"))
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing."""


class _Tagged(msgspec.Struct, tag_field="type"):
    """Something with a ``type``. What it has beyond the fields here is ignored."""


# --- Events -------------------------------------------------------------------------------------------


class SaidEvent(_Tagged, tag="said"):
    nickname: str
    text: str
    session: str = ""
    id: int = 0
    account: bool = False


class JoinedEvent(_Tagged, tag="joined"):
    nickname: str


class LeftEvent(_Tagged, tag="left"):
    nickname: str


class MutedEvent(_Tagged, tag="muted"):
    nickname: str
    by: str
    until: int = 0
    reason: str = ""


class UnmutedEvent(_Tagged, tag="unmuted"):
    nickname: str
    by: str


class KickedEvent(_Tagged, tag="kicked"):
    nickname: str
    by: str
    reason: str = ""


class SlowEvent(_Tagged, tag="slow"):
    seconds: int
    by: str


class AccountsOnlyEvent(_Tagged, tag="accounts_only"):
    on: bool
    by: str


class TopicEvent(_Tagged, tag="topic"):
    text: str
    by: str


class RedactedEvent(_Tagged, tag="redacted"):
    offset: int
    index: int
    by: str


class ModeratorEvent(_Tagged, tag="moderator"):
    nickname: str
    on: bool
    by: str


class OwnerEvent(_Tagged, tag="owner"):
    nickname: str


class OutsidersEvent(_Tagged, tag="outsiders"):
    on: bool
    by: str


class MutesEvent(_Tagged, tag="mutes"):
    mutes: dict[str, int]


class AdministratorEvent(_Tagged, tag="administrator"):
    pass


class ClosedEvent(_Tagged, tag="closed"):
    nickname: str


ModerationEvent = (
    MutedEvent
    | UnmutedEvent
    | KickedEvent
    | SlowEvent
    | AccountsOnlyEvent
    | TopicEvent
    | ModeratorEvent
    | OwnerEvent
    | OutsidersEvent
)
AnyEvent = (
    SaidEvent
    | JoinedEvent
    | LeftEvent
    | RedactedEvent
    | MutesEvent
    | AdministratorEvent
    | ClosedEvent
    | ModerationEvent
)

# --- Frames -------------------------------------------------------------------------------------------


class PastSaid(msgspec.Struct, kw_only=True):
    """A message that was said before."""

    offset: int
    index: int
    at: int
    nickname: str
    text: str = ""
    session: str = ""
    id: int = 0
    account: bool = False
    redacted: bool = False


class ListedRoom(msgspec.Struct, kw_only=True):
    """A further room, in the list of those that there are."""

    room: str
    members: int = 0
    topic: str = ""
    lasting: bool = False


class Seated(_Tagged, kw_only=True):
    """What a welcome says of its room."""

    epoch: str
    offset: int
    members: list[str]
    resumed: bool = False
    done: int = 0
    refused: list[int] = []
    history: int = 0
    missed: str = "nothing"
    moderator: bool = False
    moderators: list[str] = []
    mutes: dict[str, int] | None = None
    topic: str = ""
    slow: int = 0
    accounts_only: bool = False
    muted: bool = False
    muted_until: int = 0
    muted_why: str = ""
    owner: str = ""
    outsiders: bool = False


class WelcomeFrame(Seated, kw_only=True, tag="welcome"):
    nickname: str
    token: str
    session: str = ""
    account: bool = False
    heartbeat: float = 0


class RoomFrame(Seated, kw_only=True, tag="room"):
    room: str


class RefusedFrame(_Tagged, tag="refused"):
    reason: str
    until: int = 0
    suggestions: list[str] = []


class EventsFrame(_Tagged, tag="events"):
    epoch: str
    offset: int
    at: int
    events: list[dict[str, Any]]
    first: int = 0
    room: str = ""

    def known(self) -> "list[AnyEvent | None]":
        """Return the events; None for what is none that this client knows."""
        return [_event(it) for it in self.events]


class MissedFrame(_Tagged, tag="missed"):
    epoch: str
    offset: int
    room: str = ""


class WhisperedFrame(_Tagged, tag="whispered"):
    text: str
    at: int
    sender: str = msgspec.field(name="from")
    session: str = ""
    id: int = 0


class UndeliveredFrame(_Tagged, tag="undelivered"):
    to: str
    text: str
    id: int = 0


class PastFrame(_Tagged, tag="past"):
    epoch: str
    before: int
    index: int
    messages: list[PastSaid]
    more: bool
    room: str = ""


class FoundFrame(_Tagged, tag="found"):
    text: str
    epoch: str
    before: int
    index: int
    messages: list[PastSaid]
    more: bool
    room: str = ""


class SentFrame(_Tagged, tag="sent"):
    id: int
    room: str = ""


class KeptFrame(_Tagged, tag="kept"):
    id: int
    room: str = ""


class FailedFrame(_Tagged, tag="failed"):
    reason: str
    id: int = 0
    action: str = ""
    until: int = 0
    words: str = ""
    room: str = ""


class ForbiddenFrame(_Tagged, tag="forbidden"):
    action: str = ""
    room: str = ""


class PartedFrame(_Tagged, tag="parted"):
    room: str
    reason: str
    words: str = ""


class RoomsFrame(_Tagged, tag="rooms"):
    rooms: list[ListedRoom]


class AccountFrame(_Tagged, tag="account"):
    action: str
    outcome: str
    seconds: int = 0


class KickedFrame(_Tagged, tag="kicked"):
    reason: str = ""


class BannedFrame(_Tagged, tag="banned"):
    reason: str = ""
    until: int = 0


class SlowedFrame(_Tagged, tag="slowed"):
    pass


class ErrorFrame(_Tagged, tag="error"):
    reason: str
    id: int = 0
    room: str = ""


AnyFrame = (
    WelcomeFrame
    | RoomFrame
    | RefusedFrame
    | EventsFrame
    | MissedFrame
    | WhisperedFrame
    | UndeliveredFrame
    | PastFrame
    | FoundFrame
    | SentFrame
    | KeptFrame
    | FailedFrame
    | ForbiddenFrame
    | PartedFrame
    | RoomsFrame
    | AccountFrame
    | KickedFrame
    | BannedFrame
    | SlowedFrame
    | ErrorFrame
)


def read(frame: str | bytes) -> AnyFrame | None:
    """Read a frame of the service; None where it is none that this client knows.

    No text in it has a control character, but LF between lines: whatever is shown of it can do nothing to
    a terminal.
    """
    try:
        found: AnyFrame = msgspec.convert(_harmless(msgspec.json.decode(frame)), AnyFrame)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found


def _event(raw: dict[str, Any]) -> AnyEvent | None:
    try:
        event: AnyEvent = msgspec.convert(raw, AnyEvent)
    except msgspec.MsgspecError:
        return None
    return event


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_harmless(it) for it in value]
    if isinstance(value, dict):
        return {harmless(key): _harmless(it) for key, it in value.items()}
    return value


def harmless(text: str) -> str:
    """Remove from a text what a terminal could obey. LF stays, between lines."""
    if text.isprintable() and text.isascii():
        return text
    return "\n".join(map(clean, text.split("\n"))).replace("\t", "    ")


def as_kept(text: str) -> str:
    """Make of what was typed or pasted the text that the service will keep: lines end with LF."""
    lines = text.replace("\r\n", "\n").translate(_LINE_ENDS).split("\n")
    return unicodedata.normalize("NFC", "\n".join(map(clean, lines)))


def is_visible(text: str) -> bool:
    """Say whether a text shows anything: blanks, joiners, fillers and marks on nothing do not."""
    return any(unicodedata.category(it) not in _UNSEEN and it not in _FILLERS for it in text)


def weight(text: str) -> int:
    """Return how many bytes of UTF-8 a text takes."""
    return len(text.encode())
