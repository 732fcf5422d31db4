"""The frames of the dialect browser as its description has them: read strictly, nothing of the service's.

A client ignores unknown fields; a test does not, so that nothing is sent that is not described.
"""

from typing import Annotated, Any, Literal

import msgspec

Id = Annotated[int, msgspec.Meta(ge=1)]
Offset = Annotated[int, msgspec.Meta(ge=1)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1_500_000_000_000, le=10_000_000_000_000)]
Ending = Annotated[int, msgspec.Meta(ge=0, le=10_000_000_000_000)]
"""Milliseconds; 0 where there is no end."""
Nickname = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._+-]{1,32}$")]
Owner = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._+-]{0,32}$")]
"""Empty: nobody."""
PastNickname = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9._+-]{1,32}|\*)$")]
"""``*``: somebody who was erased since."""
SessionName = Annotated[str, msgspec.Meta(pattern=r"^[^~]+$")]
Epoch = Annotated[str, msgspec.Meta(min_length=1)]
RoomName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._+-]{0,31}$")]
InRoom = RoomName | None
"""None: of the lobby, or of no room."""


NO_TEXT = "(no text at all)"
"""Of a message that was redacted: nobody in a test says this."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class JoinedEvent(_Strict, frozen=True, tag="joined"):
    nickname: Nickname


class LeftEvent(_Strict, frozen=True, tag="left"):
    nickname: Nickname


class SaidEvent(_Strict, frozen=True, tag="said", omit_defaults=True):
    nickname: Nickname
    text: str = NO_TEXT
    """Left out where it was redacted."""
    session: SessionName = ""
    id: Id | None = None
    account: Literal[True] | None = None
    redacted: Literal[True] | None = None


class MutedEvent(_Strict, frozen=True, tag="muted"):
    nickname: Nickname
    by: Nickname
    until: Ending
    reason: str


class UnmutedEvent(_Strict, frozen=True, tag="unmuted"):
    nickname: Nickname
    by: Nickname


class KickedEvent(_Strict, frozen=True, tag="kicked"):
    nickname: Nickname
    by: Nickname
    reason: str


class SlowEvent(_Strict, frozen=True, tag="slow"):
    seconds: Annotated[int, msgspec.Meta(ge=0)]
    by: Nickname


class AccountsOnlyEvent(_Strict, frozen=True, tag="accounts_only"):
    on: bool
    by: Nickname


class TopicEvent(_Strict, frozen=True, tag="topic"):
    text: str
    by: Nickname


class RedactedEvent(_Strict, frozen=True, tag="redacted"):
    offset: Offset
    index: Annotated[int, msgspec.Meta(ge=0)]
    by: Nickname


class ModeratorEvent(_Strict, frozen=True, tag="moderator"):
    nickname: Nickname
    on: bool
    by: Nickname


class OwnerEvent(_Strict, frozen=True, tag="owner"):
    nickname: Nickname


class OutsidersEvent(_Strict, frozen=True, tag="outsiders"):
    on: bool
    by: Nickname


class MutesEvent(_Strict, frozen=True, tag="mutes"):
    mutes: dict[Nickname, Ending]


class AdministratorEvent(_Strict, frozen=True, tag="administrator"):
    pass


class ClosedEvent(_Strict, frozen=True, tag="closed"):
    nickname: Nickname


def is_like(event: "Event", wanted: "Event") -> bool:
    """Say whether an event is the one that is wanted, of whose message only nickname and text are known."""
    if isinstance(event, SaidEvent) and isinstance(wanted, SaidEvent) and not wanted.session:
        return (event.nickname, event.text) == (wanted.nickname, wanted.text)
    return event == wanted


Event = (
    JoinedEvent
    | MutesEvent
    | LeftEvent
    | SaidEvent
    | AdministratorEvent
    | ClosedEvent
    | MutedEvent
    | UnmutedEvent
    | KickedEvent
    | SlowEvent
    | AccountsOnlyEvent
    | TopicEvent
    | RedactedEvent
    | ModeratorEvent
    | OwnerEvent
    | OutsidersEvent
)


MODERATED = (
    MutedEvent,
    UnmutedEvent,
    KickedEvent,
    SlowEvent,
    AccountsOnlyEvent,
    TopicEvent,
    RedactedEvent,
    ModeratorEvent,
    OwnerEvent,
    OutsidersEvent,
)


class WelcomeFrame(_Strict, frozen=True, tag="welcome"):
    nickname: Nickname
    token: Annotated[str, msgspec.Meta(min_length=16)]
    resumed: bool
    done: Annotated[int, msgspec.Meta(ge=0)]
    members: Annotated[tuple[Nickname, ...], msgspec.Meta(min_length=1)]
    epoch: Epoch
    offset: Annotated[int, msgspec.Meta(ge=0)]
    session: SessionName
    account: bool
    history: Annotated[int, msgspec.Meta(ge=0, le=500)]
    missed: Literal["nothing", "some"]
    registration: Literal["open", "invited", "closed"]
    heartbeat: Annotated[int, msgspec.Meta(ge=1, le=25)]
    moderator: bool
    topic: str
    slow: Annotated[int, msgspec.Meta(ge=0)]
    accounts_only: bool
    muted: bool
    muted_until: Ending | None = None
    muted_why: str | None = None
    moderators: tuple[Nickname, ...] = ()
    mutes: dict[Nickname, Ending] | None = None
    refused: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1)] | None = None


class RoomFrame(_Strict, frozen=True, tag="room"):
    """The welcome of a further room."""

    room: RoomName
    resumed: bool
    done: Annotated[int, msgspec.Meta(ge=0)]
    members: Annotated[tuple[Nickname, ...], msgspec.Meta(min_length=1)]
    epoch: Epoch
    offset: Annotated[int, msgspec.Meta(ge=0)]
    history: Annotated[int, msgspec.Meta(ge=0, le=500)]
    missed: Literal["nothing", "some"]
    moderator: bool
    topic: str
    slow: Annotated[int, msgspec.Meta(ge=0)]
    accounts_only: bool
    muted: bool
    owner: Owner
    outsiders: bool
    muted_until: Ending | None = None
    muted_why: str | None = None
    moderators: tuple[Nickname, ...] = ()
    mutes: dict[Nickname, Ending] | None = None
    refused: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1)] | None = None


class PartedFrame(_Strict, frozen=True, tag="parted"):
    room: str
    """As the client wrote it, which may be no room's name."""
    reason: Literal["left", "kicked", "displaced"]
    words: str = ""


class ListedRoom(_Strict, frozen=True):
    room: RoomName
    members: Annotated[int, msgspec.Meta(ge=0)]
    topic: str
    lasting: bool


class RoomsFrame(_Strict, frozen=True, tag="rooms"):
    rooms: Annotated[tuple[ListedRoom, ...], msgspec.Meta(max_length=500)]


class RefusedFrame(_Strict, frozen=True, tag="refused"):
    reason: Literal["invalid_nickname", "nickname_taken", "no_account", "not_signed_in", "banned"]
    until: Milliseconds | None = None
    suggestions: tuple[Nickname, ...] = ()


class EventsFrame(_Strict, frozen=True, tag="events", omit_defaults=True):
    epoch: Epoch
    offset: Offset
    at: Milliseconds
    events: Annotated[tuple[Event, ...], msgspec.Meta(min_length=1)]
    first: Annotated[int, msgspec.Meta(ge=1)] | None = None
    room: InRoom = None


class WhisperedFrame(
    _Strict, frozen=True, tag="whispered", rename={"sender": "from"}, omit_defaults=True
):
    sender: Nickname
    text: str
    at: Milliseconds
    session: SessionName | None = None
    id: Id | None = None


class UndeliveredFrame(_Strict, frozen=True, tag="undelivered", omit_defaults=True):
    to: str
    text: str
    id: Id | None = None


class PastMessage(_Strict, frozen=True, omit_defaults=True):
    offset: Offset
    index: Annotated[int, msgspec.Meta(ge=0)]
    at: Milliseconds
    nickname: PastNickname
    session: SessionName = ""
    id: Id | None = None
    account: Literal[True] | None = None
    text: str | None = None
    redacted: Literal[True] | None = None


class PastFrame(_Strict, frozen=True, tag="past"):
    epoch: Epoch
    before: Offset
    index: Annotated[int, msgspec.Meta(ge=0)]
    messages: tuple[PastMessage, ...]
    more: bool
    room: InRoom = None


class FoundFrame(_Strict, frozen=True, tag="found"):
    text: Annotated[str, msgspec.Meta(min_length=1)]
    epoch: Epoch
    before: Offset
    index: Annotated[int, msgspec.Meta(ge=0)]
    messages: tuple[PastMessage, ...]
    more: bool
    room: InRoom = None


class SentFrame(_Strict, frozen=True, tag="sent"):
    id: Id
    room: InRoom = None


class KeptFrame(_Strict, frozen=True, tag="kept"):
    id: Id


class FailedFrame(_Strict, frozen=True, tag="failed"):
    """A message was not passed on, with its ``id``; or a ``join`` or an act of moderation: its ``action``."""

    id: Id | None = None
    reason: Literal[
        "no_reason",  # which is never sent
        "unknown_recipient",
        "mailbox_full",
        "muted",
        "slow",
        "accounts_only",
        "filtered",
        "no_such_message",
        "not_muted",
        "too_many_muted",
        "no_account",
        "invalid_room",
        "already_there",
        "too_many_rooms",
        "no_room_left",
        "full",
        "not_in_room",
    ] = "no_reason"
    until: Milliseconds | None = None
    words: str = ""
    action: str = ""
    room: str | None = None
    """As the client wrote it."""


class ForbiddenFrame(_Strict, frozen=True, tag="forbidden"):
    action: str = ""
    room: InRoom = None


class AccountFrame(_Strict, frozen=True, tag="account"):
    action: Literal["register", "change_password", "log_out_everywhere", "delete_account"]
    outcome: Literal[
        "done",
        "taken",
        "has_account",
        "no_account",
        "closed",
        "invitation",
        "wrong_password",
        "too_short",
        "too_long",
        "too_often",
        "busy",
    ]
    seconds: Annotated[int, msgspec.Meta(ge=1)] | None = None


class SlowedFrame(_Strict, frozen=True, tag="slowed"):
    pass


class PingFrame(_Strict, frozen=True, tag="ping"):
    pass


class PongFrame(_Strict, frozen=True, tag="pong"):
    pass


class MissedFrame(_Strict, frozen=True, tag="missed"):
    epoch: Epoch
    offset: Offset
    room: InRoom = None


class KickedFrame(_Strict, frozen=True, tag="kicked"):
    reason: str


class BannedFrame(_Strict, frozen=True, tag="banned"):
    reason: str
    until: Milliseconds | None = None


class ErrorFrame(_Strict, frozen=True, tag="error"):
    reason: Annotated[str, msgspec.Meta(min_length=1)]
    id: Id | None = None
    room: str | None = None


Frame = (
    WelcomeFrame
    | RefusedFrame
    | EventsFrame
    | WhisperedFrame
    | UndeliveredFrame
    | PastFrame
    | FoundFrame
    | SentFrame
    | KeptFrame
    | FailedFrame
    | ForbiddenFrame
    | AccountFrame
    | SlowedFrame
    | PingFrame
    | PongFrame
    | MissedFrame
    | KickedFrame
    | BannedFrame
    | ErrorFrame
    | RoomFrame
    | PartedFrame
    | RoomsFrame
)

decode = msgspec.json.Decoder(Frame).decode
"""Read one frame of the service. Raises msgspec.DecodeError where it is not as described."""


def encode(**fields: Any) -> bytes:
    """Write one frame of a client; ``from_`` and the like lose their underscore."""
    return msgspec.json.encode({name.rstrip("_"): value for name, value in fields.items()})
