"""The dialect ``browser``: JSON text frames over WebSocket. Described in docs/protocols/browser.md.

The decoder takes the text of whole messages, which the edge has taken out of their frames. The encoder
makes whole frames, so that one ``bytes`` serves all browser sessions.

    entering ──enter accepted──▶ active
       └──refused: again──┘
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import msgspec
from websockets.frames import Frame, Opcode

from tertulia.dialects.contract import Refusal, Welcome
from tertulia.domain import commands
from tertulia.domain.commands import Command, Fault, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PrivateEvent,
    PublicEvent,
    Said,
    Whispered,
)
from tertulia.domain.position import Position
from tertulia.domain.text import clean

MAX_FRAME = 16_384
"""Bytes in a message from the client."""
MAX_TEXT = 4096
"""Bytes in a text."""

_Tag = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Name = Annotated[str, msgspec.Meta(max_length=256)]


class _Resume(msgspec.Struct, frozen=True):
    token: _Name
    epoch: _Name
    offset: _Tag


class _Enter(msgspec.Struct, frozen=True, tag="enter"):
    nickname: _Name
    password: str | None = None
    resume: _Resume | None = None


class _Say(msgspec.Struct, frozen=True, tag="say"):
    text: str
    id: _Tag = 0


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


_decode = msgspec.json.Decoder(_Enter | _Say | _Whisper | _Received | _Leave | _Close).decode
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


def _command(frame: _Enter | _Say | _Whisper | _Received | _Leave | _Close) -> Command:
    match frame:
        case _Say(text=text, id=tag):
            return _bounded(text) or commands.Say(clean(text), tag)
        case _Whisper(to=recipient, text=text, id=tag):
            return _bounded(text) or commands.Whisper(recipient, clean(text), tag)
        case _Received(count=count):
            return commands.Acknowledge(count)
        case _Leave():
            return commands.Leave()
        case _Close():
            return commands.CloseChat()
        case _Enter(nickname=nickname, password=password, resume=resume):
            going_on = None
            if resume is not None:
                going_on = commands.Resume(resume.token, resume.epoch, resume.offset)
            return commands.Enter(nickname, password or None, going_on)


def _bounded(text: str) -> Faulty | None:
    if len(text) <= MAX_TEXT and len(text.encode(errors="replace")) <= MAX_TEXT:
        return None
    return Faulty(Fault.TOO_LONG, f"text is longer than {MAX_TEXT} bytes")


@dataclass(frozen=True, slots=True)
class BrowserEncoder:
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

    def decoder(self) -> BrowserDecoder:
        return BrowserDecoder()

    def greeting(self) -> bytes:
        return b""

    def welcome(self, welcome: Welcome) -> bytes:
        return _frame(
            type="welcome",
            nickname=welcome.nickname,
            token=welcome.token,
            resumed=welcome.resumed,
            done=welcome.done,
            members=[*welcome.others, welcome.nickname],
            epoch=welcome.position.epoch,
            offset=welcome.position.offset,
            missed="some" if welcome.missed_some else "nothing",
        )

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0) -> bytes:
        match refusal:
            case Refusal.INVALID_NICKNAME | Refusal.NICKNAME_TAKEN | Refusal.BANNED:
                return _frame(type="refused", reason=refusal.value)
            case Refusal.UNKNOWN_RECIPIENT | Refusal.MAILBOX_FULL:
                return _frame(type="failed", id=tag, reason=refusal.value)
            case Refusal.FORBIDDEN:
                return _frame(type="forbidden")

    def fault(self, faulty: Faulty) -> bytes:
        return _frame(type="error", reason=faulty.explanation)

    def sent(self, tag: int) -> bytes:
        return _frame(type="sent", id=tag)

    def kept(self, recipient: str, tag: int) -> bytes:
        return _frame(type="kept", id=tag)

    def public(self, event: PublicEvent) -> bytes:
        match event:
            case Said(nickname=nickname, text=text):
                return _encode({"type": "said", "nickname": nickname, "text": text})
            case Joined(nickname=nickname) | Present(nickname=nickname):
                return _encode({"type": "joined", "nickname": nickname})
            case Left(nickname=nickname):
                return _encode({"type": "left", "nickname": nickname})
            case Closed(nickname=nickname):
                return _encode({"type": "closed", "nickname": nickname})

    def promoted(self) -> bytes:
        return b'{"type":"administrator"}'

    def batch(self, pieces: Sequence[bytes], position: Position) -> bytes:
        if not pieces:
            return b""
        # The events are JSON already: they are inserted, not encoded again for each entry.
        head = b'{"type":"events","epoch":%s,"offset":%d,"at":%d,"events":['
        head %= (_encode(position.epoch), position.offset, round(position.at * 1000))
        return _text(b"%s%s]}" % (head, b",".join(pieces)))

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if isinstance(event, Whispered):
            return _frame(
                type="whispered", **{"from": event.sender}, text=event.text, at=round(at * 1000)
            )
        return _frame(type="undelivered", to=event.recipient, text=event.text)

    def slowed(self) -> bytes:
        return _frame(type="slowed")

    def missed(self, position: Position) -> bytes:
        return _frame(type="missed", epoch=position.epoch, offset=position.offset)

    def farewell(self, reason: Disconnect, words: str = "") -> bytes:
        # The close frame that follows gives the reason; only an operator's words go before it.
        if reason in (Disconnect.KICKED, Disconnect.BANNED):
            return _frame(type=reason.label, reason=words)
        return b""


def _frame(**fields: object) -> bytes:
    return _text(_encode(fields))


def _text(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=False)
