"""Dialects for tests: one plain line for everything, and a class for each way of a dialect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tertulia.dialects.contract import Refusal, Welcome
from tertulia.domain.commands import Command, Faulty
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


class PlainDecoder:
    """Commands are given to the room itself, so there is nothing to read."""

    buffered = 0

    def __init__(self) -> None:
        self.told: list[str] = []
        """What it was told of its session."""

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def next_command(self) -> Command | None:
        return None

    def entered(self) -> None:
        self.told.append("entered")

    def refused(self) -> None:
        self.told.append("refused")


@dataclass(frozen=True)
class PlainEncoder:
    """A sender reads its own messages; a refused nickname is the end; nothing is resumed."""

    name: ClassVar[str] = "plain"
    default_port: ClassVar[int] = 1
    echoes: ClassVar[bool] = True
    retries: ClassVar[bool] = False
    resumes: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    acknowledges_all: ClassVar[bool] = True
    acknowledgement: ClassVar[bytes | None] = None

    deaf_seconds: ClassVar[float] = 0.0

    def decoder(self) -> PlainDecoder:
        return PlainDecoder()

    def greeting(self) -> bytes:
        return b"hello\n"

    def welcome(self, welcome: Welcome) -> bytes:
        words = ["welcome", welcome.nickname, *welcome.others]
        if welcome.done:
            words.append(f"done={welcome.done}")
        if welcome.missed_some:
            words.append("missed")
        return _line(*words)

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0) -> bytes:
        return _line("refused", refusal, subject, _tagged(tag))

    def fault(self, faulty: Faulty) -> bytes:
        return _line("fault", faulty.fault)

    def sent(self, tag: int) -> bytes:
        return _line("sent", _tagged(tag))

    def kept(self, recipient: str, tag: int) -> bytes:
        return _line("kept", recipient, _tagged(tag))

    def public(self, event: PublicEvent) -> bytes:
        match event:
            case Said(nickname=nickname, text=text):
                return _line("said", nickname, text)
            case Joined(nickname=nickname):
                return _line("joined", nickname)
            case Present(nickname=nickname):
                return _line("present", nickname)
            case Left(nickname=nickname):
                return _line("left", nickname)
            case Closed():
                return _line("closed")

    def promoted(self) -> bytes:
        return _line("promoted")

    def batch(self, pieces: Sequence[bytes], position: Position) -> bytes:
        return b"".join(pieces)

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if isinstance(event, Whispered):
            return _line("whispered", event.sender, event.text)
        return _line("undelivered", event.recipient, event.text)

    def slowed(self) -> bytes:
        return _line("slowed")

    def missed(self, position: Position) -> bytes:
        return _line("missed", str(position.offset))

    def farewell(self, reason: Disconnect, words: str = "") -> bytes:
        if reason in _WORDLESS:
            return b""
        return _line("farewell" if reason is Disconnect.LEFT else reason.label, words)


@dataclass(frozen=True)
class SilentEncoder(PlainEncoder):
    """A sender does not read its own public messages."""

    name: ClassVar[str] = "silent"
    echoes: ClassVar[bool] = False


@dataclass(frozen=True)
class PatientEncoder(PlainEncoder):
    """A refused nickname may be followed by another one."""

    name: ClassVar[str] = "patient"
    retries: ClassVar[bool] = True


@dataclass(frozen=True)
class DeafEncoder(PlainEncoder):
    """Its clients can read nothing for a moment after the welcome."""

    name: ClassVar[str] = "deaf"
    deaf_seconds: ClassVar[float] = 2.0


@dataclass(frozen=True)
class FramedEncoder(PlainEncoder):
    """A session can be resumed; what belongs to one entry is in brackets, with its place."""

    name: ClassVar[str] = "framed"
    resumes: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = False

    def batch(self, pieces: Sequence[bytes], position: Position) -> bytes:
        inner = b", ".join(piece.strip() for piece in pieces)
        return b"%d [%s]\n" % (position.offset, inner) if inner else b""


_WORDLESS = (Disconnect.GONE, Disconnect.BROKEN, Disconnect.SLOW_READER)


def _line(*words: str) -> bytes:
    return " ".join(word for word in words if word).encode() + b"\n"


def _tagged(tag: int) -> str:
    return f"#{tag}" if tag else ""
