"""The frames of the dialect browser as its description has them: read strictly, nothing of the service's.

A client ignores unknown fields; a test does not, so that nothing is sent that is not described.
"""

from typing import Annotated, Any, Literal

import msgspec

Id = Annotated[int, msgspec.Meta(ge=1)]
Offset = Annotated[int, msgspec.Meta(ge=1)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1_500_000_000_000, le=10_000_000_000_000)]
Nickname = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._+-]{1,32}$")]
Epoch = Annotated[str, msgspec.Meta(min_length=1)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class JoinedEvent(_Strict, frozen=True, tag="joined"):
    nickname: Nickname


class LeftEvent(_Strict, frozen=True, tag="left"):
    nickname: Nickname


class SaidEvent(_Strict, frozen=True, tag="said"):
    nickname: Nickname
    text: str


class AdministratorEvent(_Strict, frozen=True, tag="administrator"):
    pass


class ClosedEvent(_Strict, frozen=True, tag="closed"):
    nickname: Nickname


Event = JoinedEvent | LeftEvent | SaidEvent | AdministratorEvent | ClosedEvent


class WelcomeFrame(_Strict, frozen=True, tag="welcome"):
    nickname: Nickname
    token: Annotated[str, msgspec.Meta(min_length=16)]
    resumed: bool
    done: Annotated[int, msgspec.Meta(ge=0)]
    members: Annotated[tuple[Nickname, ...], msgspec.Meta(min_length=1)]
    epoch: Epoch
    offset: Annotated[int, msgspec.Meta(ge=0)]
    missed: Literal["nothing", "some"]


class RefusedFrame(_Strict, frozen=True, tag="refused"):
    reason: Literal["invalid_nickname", "nickname_taken", "banned"]


class EventsFrame(_Strict, frozen=True, tag="events"):
    epoch: Epoch
    offset: Offset
    at: Milliseconds
    events: Annotated[tuple[Event, ...], msgspec.Meta(min_length=1)]


class WhisperedFrame(_Strict, frozen=True, tag="whispered", rename={"sender": "from"}):
    sender: Nickname
    text: str
    at: Milliseconds


class UndeliveredFrame(_Strict, frozen=True, tag="undelivered"):
    to: str
    text: str


class SentFrame(_Strict, frozen=True, tag="sent"):
    id: Id


class KeptFrame(_Strict, frozen=True, tag="kept"):
    id: Id


class FailedFrame(_Strict, frozen=True, tag="failed"):
    id: Id
    reason: Literal["unknown_recipient", "mailbox_full"]


class ForbiddenFrame(_Strict, frozen=True, tag="forbidden"):
    pass


class SlowedFrame(_Strict, frozen=True, tag="slowed"):
    pass


class MissedFrame(_Strict, frozen=True, tag="missed"):
    epoch: Epoch
    offset: Offset


class KickedFrame(_Strict, frozen=True, tag="kicked"):
    reason: str


class BannedFrame(_Strict, frozen=True, tag="banned"):
    reason: str


class ErrorFrame(_Strict, frozen=True, tag="error"):
    reason: Annotated[str, msgspec.Meta(min_length=1)]


Frame = (
    WelcomeFrame
    | RefusedFrame
    | EventsFrame
    | WhisperedFrame
    | UndeliveredFrame
    | SentFrame
    | KeptFrame
    | FailedFrame
    | ForbiddenFrame
    | SlowedFrame
    | MissedFrame
    | KickedFrame
    | BannedFrame
    | ErrorFrame
)

decode = msgspec.json.Decoder(Frame).decode
"""Read one frame of the service. Raises msgspec.DecodeError where it is not as described."""


def encode(**fields: Any) -> bytes:
    """Write one frame of a client; ``from_`` and the like lose their underscore."""
    return msgspec.json.encode({name.rstrip("_"): value for name, value in fields.items()})
