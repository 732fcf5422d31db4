"""The dialect ``browser``: JSON text frames over WebSocket. Described in docs/protocols/browser.md.

The decoder takes the text of whole messages, which the edge has taken out of their frames. The encoder
makes whole frames, so that one ``bytes`` serves all browser sessions.

    entering ──enter accepted──▶ active
       └──refused: again──┘
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import msgspec

from tertulia.dialects.contract import (
    AccountAnswer,
    AccountOutcome,
    ModerationFault,
    Refusal,
    Restraint,
    RoomFault,
    Welcome,
)
from tertulia.dialects.shared import SharedEncoder
from tertulia.domain import commands
from tertulia.domain.commands import Command, Fault, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Closed,
    Joined,
    Kicked,
    Left,
    Moderated,
    Muted,
    Outsiders,
    Owned,
    Present,
    PrivateEvent,
    PublicEvent,
    Redacted,
    Registered,
    Said,
    SlowMode,
    Tagged,
    Topic,
    Unmuted,
    WentAway,
    Whispered,
    Withdrawn,
    opaque,
)
from tertulia.domain.moderation import (
    MOST_MUTE_SECONDS,
    MOST_SLOW_SECONDS,
    MOST_WORDS,
    OWNERS,
    Moderation,
    Standing,
)
from tertulia.domain.operator_commands import Action
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomInfo, RoomPlace, fold_room
from tertulia.domain.text import LINE_END, clean, clean_lines, too_long, with_line_feeds

MAX_FRAME = 16_384
"""Bytes in a message from the client."""
MAX_SOUGHT = 256
"""Characters in a text to search for."""

HEARTBEAT_SECONDS = 12
"""Between two pings of the service. A dead connection is noticed with the second: in 25 s at most."""

_Tag = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Name = Annotated[str, msgspec.Meta(max_length=256)]
_IdToken = Annotated[str, msgspec.Meta(min_length=1, max_length=12_288)]


class _Place(msgspec.Struct, frozen=True):
    epoch: _Name
    offset: _Tag


class _Resume(msgspec.Struct, frozen=True):
    token: _Name
    epoch: _Name
    offset: _Tag


class _Enter(msgspec.Struct, frozen=True, tag="enter"):
    nickname: _Name
    password: str | None = None
    resume: _Resume | None = None
    id_token: _IdToken | None = None
    rooms: dict[_Name, _Place] = {}


class _Say(msgspec.Struct, frozen=True, tag="say"):
    text: str
    id: _Tag = 0
    room: _Name = ""


class _Whisper(msgspec.Struct, frozen=True, tag="whisper"):
    to: _Name
    text: str
    id: _Tag = 0


class _Received(msgspec.Struct, frozen=True, tag="received"):
    count: _Count


class _Leave(msgspec.Struct, frozen=True, tag="leave"):
    pass


class _Close(msgspec.Struct, frozen=True, tag="close"):
    pass


class _History(msgspec.Struct, frozen=True, tag="history"):
    before: _Tag
    index: _Tag = 0
    room: _Name = ""


class _Search(msgspec.Struct, frozen=True, tag="search"):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SOUGHT)]
    before: _Tag | None = None
    index: _Tag = 0
    room: _Name = ""


class _Register(msgspec.Struct, frozen=True, tag="register"):
    password: str
    invitation: _Name = ""


class _ChangePassword(msgspec.Struct, frozen=True, tag="change_password"):
    old: str
    new: str


class _LogOutEverywhere(msgspec.Struct, frozen=True, tag="log_out_everywhere"):
    pass


class _DeleteAccount(msgspec.Struct, frozen=True, tag="delete_account"):
    password: str


class _Ping(msgspec.Struct, frozen=True, tag="ping"):
    pass


class _Join(msgspec.Struct, frozen=True, tag="join"):
    room: _Name
    resume: _Place | None = None


class _Part(msgspec.Struct, frozen=True, tag="part"):
    room: _Name


class _Rooms(msgspec.Struct, frozen=True, tag="rooms"):
    pass


class _Said(msgspec.Struct, tag="said", tag_field="type", omit_defaults=True):
    nickname: str
    text: str
    session: str = ""
    id: int = 0
    account: bool = False


_Words = Annotated[str, msgspec.Meta(max_length=MOST_WORDS)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=MOST_MUTE_SECONDS)]
_ModeratorsAction = Literal[
    "mute", "unmute", "kick", "slow", "accounts_only", "topic", "redact",
    "appoint", "dismiss", "outsiders",
]  # fmt: skip
_OWN_NAMES = {Action.APPOINT: "appoint", Action.DISMISS: "dismiss"}
"""Of actions, where they are not called as operators call them."""
_ACTIONS = {_OWN_NAMES.get(it, it.value.replace("-", "_")): it for it in OWNERS}
_NAMES = {action: name for name, action in _ACTIONS.items()}
_ABOUT_SOMEBODY = frozenset(
    (Action.MUTE, Action.UNMUTE, Action.KICK, Action.APPOINT, Action.DISMISS)
)


class _Moderate(msgspec.Struct, frozen=True, tag="moderate"):
    action: _ModeratorsAction
    nickname: _Name = ""
    seconds: _Seconds = 0
    on: bool = False
    text: _Words = ""
    reason: _Words = ""
    offset: _Tag = 0
    index: _Tag = 0
    room: _Name = ""


class _Past(msgspec.Struct, omit_defaults=True):
    offset: int
    index: int
    at: int
    nickname: str
    session: str = ""
    id: int = 0
    account: bool = False
    text: str | msgspec.UnsetType = msgspec.UNSET
    redacted: bool = False


_Sent = (
    _Enter
    | _Say
    | _Whisper
    | _Received
    | _Leave
    | _Join
    | _Part
    | _Rooms
    | _Close
    | _Register
    | _ChangePassword
    | _LogOutEverywhere
    | _DeleteAccount
    | _History
    | _Search
    | _Moderate
)
_decode = msgspec.json.Decoder(_Sent | _Ping).decode
_encode = msgspec.json.Encoder().encode


class BrowserDecoder:
    """One connection's incoming half. ``feed`` takes one message at a time."""

    __slots__ = ("_entering", "_messages")

    def __init__(self) -> None:
        self._messages: deque[bytes] | None = None  # made when first needed: most clients are idle
        self._entering = True

    @property
    def buffered(self) -> int:
        return sum(map(len, self._messages)) if self._messages else 0

    def feed(self, data: bytes) -> None:
        if self._messages is None:
            self._messages = deque()
        self._messages.append(data)

    def next_command(self) -> Command | None:
        if not self._messages:
            self._messages = None
            return None
        try:
            frame = _decode(self._messages.popleft())
        except msgspec.ValidationError as error:
            return _wrong(str(error))
        except msgspec.DecodeError:
            return _wrong("this is not one JSON object")
        except RecursionError:
            return _wrong("this is nested too deeply")
        if isinstance(frame, _Ping):
            return commands.Ping()
        if isinstance(frame, _Enter) is not self._entering:
            return _wrong("enter first" if self._entering else "you have entered already")
        return _command(frame)

    def entered(self) -> None:
        self._entering = False

    def refused(self) -> None:
        """Change nothing: another nickname may come."""


def _wrong(explanation: str) -> Faulty:
    # The JSON decoder names its own fields and types. It may quote a tag, which the client wrote.
    return Faulty(Fault.MALFORMED, explanation)


def _command(frame: _Sent) -> Command:
    match frame:
        case _Say(text=text, id=tag, room=room):
            room = fold_room(room) if room else ""  # as nearly all are: that saves a call
            return _bounded(text, tag, room) or commands.Say(clean_lines(text), tag, room)
        case _Whisper(to=recipient, text=text, id=tag):
            return _bounded(text, tag) or commands.Whisper(recipient, clean_lines(text), tag)
        case _Received(count=count):
            return commands.Acknowledge(count)
        case _History(before=before, index=index, room=room):
            return commands.LookBack(before, index, fold_room(room))
        case _Search(text=text, before=place, index=index, room=room):
            return commands.Search(text, place, index, fold_room(room))
        case _Join(room=room, resume=read):
            return commands.JoinRoom(fold_room(room), None if read is None else _place(read))
        case _Part(room=room):
            return commands.PartRoom(fold_room(room))
        case _Rooms():
            return commands.ListRooms()
        case _Leave():
            return commands.Leave()
        case _Close():
            return commands.CloseChat()
        case _Moderate():
            return _moderation(frame)
        case _Enter(nickname=nickname, password=password, resume=resume, id_token=id_token):
            going_on = None
            if resume is not None:
                going_on = commands.Resume(resume.token, resume.epoch, resume.offset)
            rooms = {fold_room(name): _place(read) for name, read in frame.rooms.items()}
            return commands.Enter(nickname, password or None, going_on, id_token, rooms=rooms)
        case _Register(password=password, invitation=invitation):
            return commands.Register(password, invitation)
        case _ChangePassword(old=old, new=new):
            return commands.ChangePassword(old, new)
        case _LogOutEverywhere():
            return commands.LogOutEverywhere()
        case _DeleteAccount(password=password):
            return commands.DeleteAccount(password)


def _place(read: _Place) -> RoomPlace:
    return RoomPlace(read.epoch, read.offset)


def _moderation(frame: _Moderate) -> Command:
    action, value, words = _ACTIONS[frame.action], 0, frame.reason
    match action:
        case Action.MUTE | Action.SLOW:
            value = frame.seconds
        case Action.ACCOUNTS_ONLY | Action.OUTSIDERS:
            value = int(frame.on)
        case Action.TOPIC:
            words = frame.text
        case Action.REDACT:
            value = frame.offset
    if action is Action.SLOW and value > MOST_SLOW_SECONDS:
        return _wrong(f"slow mode is of at most {MOST_SLOW_SECONDS} seconds")
    if len(words.encode(errors="replace")) > MOST_WORDS:
        return Faulty(Fault.TOO_LONG, f"text is longer than {MOST_WORDS} bytes")
    about = frame.nickname if action in _ABOUT_SOMEBODY else ""
    act = Moderation(action, about, value, frame.index, clean(words).strip())
    return commands.Moderate(act, fold_room(frame.room))


def _bounded(text: str, tag: int, room: str = "") -> Faulty | None:
    why = too_long(text)
    return None if why is None else Faulty(Fault.TOO_LONG, why, tag, room)


@dataclass(frozen=True, slots=True)
class BrowserEncoder(SharedEncoder):
    """The frames of ``browser``."""

    name: ClassVar[str] = "browser"
    default_port: ClassVar[int] = 8080
    echoes: ClassVar[bool] = True
    retries: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = False
    acknowledgement: ClassVar[bytes | None] = None

    deaf_seconds: ClassVar[float] = 0.0
    suggests: ClassVar[bool] = True
    rooms: ClassVar[bool] = True
    in_order: ClassVar[bool] = False

    history: int = 0
    room: str = ""
    place: bytes = b""
    """What a frame of that room has in front: it is made once, and not for each entry."""

    @property
    def looks_back(self) -> bool:
        return self.history > 0

    def in_room(self, room: str) -> "BrowserEncoder":
        return replace(self, room=room, place=b'"room":%s,' % _encode(room))

    def decoder(self) -> BrowserDecoder:
        return BrowserDecoder()

    def greeting(self) -> bytes:
        return b""

    def welcome(self, welcome: Welcome) -> bytes:
        members = list(welcome.others)
        members.insert(len(members) if welcome.place is None else welcome.place, welcome.nickname)
        here: dict[str, object] = {
            "resumed": welcome.resumed,
            "done": welcome.done,
            "members": members,
            "epoch": welcome.position.epoch,
            "offset": welcome.position.offset,
            "history": self.history,
            "missed": "some" if welcome.missed_some else "nothing",
            **({"refused": welcome.refused} if welcome.refused else {}),
            **_standing(welcome.standing),
        }
        if self.room:
            own = {"owner": welcome.standing.owner, "outsiders": welcome.standing.outsiders}
            return self._own("room", **here, **own)
        return _frame(
            type="welcome",
            nickname=welcome.nickname,
            session=opaque(welcome.session),
            account=welcome.is_account,
            token=welcome.token,
            registration=welcome.registration,
            heartbeat=HEARTBEAT_SECONDS,
            **here,
        )

    def not_joined(self, fault: RoomFault) -> bytes:
        if fault is RoomFault.NOT_IN_ROOM:
            return self._own("failed", reason=fault.value)
        return self._own("failed", action="join", reason=fault.value)

    def parted(self, reason: Disconnect, words: str = "", by: str = "") -> bytes:
        return self._own("parted", reason=reason.label, **({"words": words} if words else {}))

    def room_list(self, rooms: Sequence[RoomInfo]) -> bytes:
        told = [
            {"room": it.name, "members": it.members, "topic": it.topic, "lasting": it.is_lasting}
            for it in rooms
        ]
        return _frame(type="rooms", rooms=told)

    def _own(self, kind: str, **fields: object) -> bytes:
        """Make a frame that is of this room."""
        return _frame(type=kind, **({"room": self.room} if self.room else {}), **fields)

    def standing(self, standing: Standing) -> Sequence[bytes]:
        return ()

    def restrained(self, restraint: Restraint, tag: int) -> bytes:
        told: dict[str, object] = {"until": restraint.until} if restraint.until else {}
        if restraint.reason:
            told["words"] = restraint.reason
        return self._own("failed", id=tag, reason=restraint.why.value, **told)

    def not_moderated(self, action: Action, fault: ModerationFault, tag: int = 0) -> bytes:
        if fault is ModerationFault.FORBIDDEN:
            return self._own("forbidden", action=_NAMES[action])
        return self._own("failed", action=_NAMES[action], reason=fault.value)

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        match refusal:
            case (
                Refusal.INVALID_NICKNAME
                | Refusal.NICKNAME_TAKEN
                | Refusal.NOT_SIGNED_IN
                | Refusal.NO_ACCOUNT
                | Refusal.BANNED
            ):
                return _frame(type="refused", reason=refusal.value, **_ending(until))
            case Refusal.UNKNOWN_RECIPIENT | Refusal.MAILBOX_FULL:
                return self._own("failed", id=tag, reason=refusal.value)
            case Refusal.FORBIDDEN:
                return _frame(type="forbidden")

    def taken(self, suggestions: Sequence[str]) -> bytes:
        return _frame(type="refused", reason=Refusal.NICKNAME_TAKEN.value, suggestions=suggestions)

    def heard(self) -> bytes:
        return b""

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        told: dict[str, object] = {"action": answer.action.value, "outcome": answer.outcome.value}
        if answer.outcome is AccountOutcome.TOO_OFTEN:
            told["seconds"] = answer.seconds
        return [_frame(type="account", **told)]

    def fault(self, faulty: Faulty) -> bytes:
        own = {"id": faulty.tag} if faulty.tag else {}
        return self._own("error", reason=faulty.explanation, **own)

    def sent(self, tag: int) -> bytes:
        return _text(b'{"type":"sent",%s"id":%d}' % (self.place, tag))

    def kept(self, recipient: str, tag: int) -> bytes:
        return _frame(type="kept", id=tag)

    def public(self, event: PublicEvent) -> bytes:
        if isinstance(event, Said):  # most are: this is twice as quick as a pattern for it
            session = event.session.rpartition("~")[2]  # as ``opaque`` does, without a call
            text = event.text
            if LINE_END in text:
                text = with_line_feeds(text)
            return _encode(_Said(event.nickname, text, session, event.tag, event.is_account))
        match event:
            case Joined(nickname=nickname) | Present(nickname=nickname):
                return _encode({"type": "joined", "nickname": nickname})
            case Left(nickname=nickname):
                return _encode({"type": "left", "nickname": nickname})
            case Closed(nickname=nickname):
                return _encode({"type": "closed", "nickname": nickname})
            case WentAway() | Registered() | Tagged():
                return b""
            case _:
                return _encode(_moderated(event))

    def promoted(self) -> bytes:
        return b'{"type":"administrator"}'

    def mutes(self, mutes: Mapping[str, int]) -> bytes:
        return _encode({"type": "mutes", "mutes": mutes})

    def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
        if b"" in pieces:  # not every event is shown
            pieces = list(filter(None, pieces))
        if not pieces:
            return b""
        # The events are JSON already: they are inserted, not encoded again for each entry.
        head = b'{"type":"events",%s"epoch":%s,"offset":%d,"at":%d,%s"events":['
        begins = b'"first":%d,' % first if first else b""
        epoch = _encode(position.epoch)
        head %= (self.place, epoch, position.offset, round(position.at * 1000), begins)
        return _text(b"%s%s]}" % (head, b",".join(pieces)))

    def private(self, event: PrivateEvent, at: float) -> bytes:
        own: dict[str, object] = {"id": event.tag} if event.tag else {}
        own["text"] = with_line_feeds(event.text)
        if not isinstance(event, Whispered):
            return _frame(type="undelivered", to=event.recipient, **own)
        if event.sender_session:
            own["session"] = opaque(event.sender_session)
        return _frame(
            type="whispered",
            **{"from": event.sender},
            at=round(at * 1000),
            **own,
        )

    def past_message(self, message: PastMessage) -> bytes:
        position, said = message.position, message.said
        it = _Past(position.offset, message.index, round(position.at * 1000), said.nickname)
        it.session, it.account = opaque(said.session), said.is_account
        if message.is_redacted:
            it.redacted = True
        else:
            it.text, it.id = with_line_feeds(said.text), said.tag
        return _encode(it)

    def past(self, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
        return _text(b'{"type":"past",%s%s' % (self.place, _page(pieces, epoch, before, more=more)))

    def found(
        self, text: str, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool
    ) -> bytes:
        page = _page(pieces, epoch, before, more=more)
        return _text(b'{"type":"found",%s"text":%s,%s' % (self.place, _encode(text), page))

    def slowed(self) -> bytes:
        return _frame(type="slowed")

    def pong(self) -> bytes:
        return _PONG

    def missed(self, position: Position) -> bytes:
        return self._own("missed", epoch=position.epoch, offset=position.offset)

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        # The close frame that follows gives the reason; only an operator's words go before it.
        if reason in (Disconnect.KICKED, Disconnect.BANNED):
            return _frame(type=reason.label, reason=words, **_ending(until))
        return b""


def _ending(until: int) -> dict[str, int]:
    return {"until": until} if until else {}


def _moderated(event: Withdrawn | Moderated) -> dict[str, object]:
    by = event.nickname
    match event:
        case Withdrawn(nickname=nickname, session=session):
            said = {"type": "said", "nickname": nickname, "session": opaque(session)}
            return {**said, "redacted": True}
        case Muted(whom=whom, until=until, reason=reason):
            told = {"type": "muted", "nickname": whom, "by": by, "until": until}
            return {**told, "reason": reason}
        case Unmuted(whom=whom):
            return {"type": "unmuted", "nickname": whom, "by": by}
        case Kicked(whom=whom, reason=reason):
            return {"type": "kicked", "nickname": whom, "by": by, "reason": reason}
        case SlowMode(seconds=seconds):
            return {"type": "slow", "seconds": seconds, "by": by}
        case AccountsOnly(on=on):
            return {"type": "accounts_only", "on": on, "by": by}
        case Topic(text=text):
            return {"type": "topic", "text": text, "by": by}
        case Redacted(offset=offset, index=index):
            return {"type": "redacted", "offset": offset, "index": index, "by": by}
        case Appointed(whom=whom, on=on):
            return {"type": "moderator", "nickname": whom, "on": on, "by": by}
        case Owned(whom=whom):
            return {"type": "owner", "nickname": whom}
        case Outsiders(on=on):
            return {"type": "outsiders", "on": on, "by": by}


def _standing(standing: Standing) -> dict[str, object]:
    told: dict[str, object] = {
        "moderator": standing.is_moderator,
        "topic": standing.topic,
        "slow": standing.slow,
        "accounts_only": standing.accounts_only,
        "muted": standing.mute is not None,
    }
    if standing.mute is not None:
        told.update(muted_until=standing.mute.until, muted_why=standing.mute.reason)
    if standing.moderators:
        told["moderators"] = standing.moderators
    if standing.mutes is not None:
        told["mutes"] = standing.mutes
    return told


def _page(pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
    """Return the fields with which each frame of past messages ends."""
    place = b'"before":%d,"index":%d' % (before.offset, before.index)
    goes_on = b"true" if more else b"false"
    return b'"epoch":%s,%s,"messages":[%s],"more":%s}' % (
        _encode(epoch), place, b",".join(pieces), goes_on,
    )  # fmt: skip


def _frame(**fields: object) -> bytes:
    return _text(_encode(fields))


def _text(payload: bytes) -> bytes:
    # As websockets' own Frame writes it, in five calls: this is made for each entry.
    size = len(payload)
    if size < 126:
        return b"\x81%c%s" % (size, payload)
    if size < 65536:
        return b"\x81\x7e%c%c%s" % (size >> 8, size & 255, payload)
    return b"\x81\x7f%s%s" % (size.to_bytes(8), payload)


PING = _text(b'{"type":"ping"}')
"""What everybody in the room is sent from time to time: a page does not see WebSocket's own pings."""
_PONG = _text(b'{"type":"pong"}')
