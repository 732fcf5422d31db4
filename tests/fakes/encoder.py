"""Dialects for tests: one plain line for everything, and a class for each way of a dialect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tertulia.dialects.contract import (
    AccountAnswer,
    ModerationFault,
    Refusal,
    Restraint,
    RoomFault,
    Welcome,
)
from tertulia.dialects.shared import SharedEncoder
from tertulia.domain.commands import Command, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PrivateEvent,
    PublicEvent,
    Registered,
    Said,
    Tagged,
    TaggedAlone,
    WentAway,
    Whispered,
    Withdrawn,
)
from tertulia.domain.moderation import Standing
from tertulia.domain.operator_commands import Action
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomInfo


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
class PlainEncoder(SharedEncoder):
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
    history: int = 0
    room: str = ""
    suggests: ClassVar[bool] = False
    rooms: ClassVar[bool] = False
    in_order: ClassVar[bool] = True

    @property
    def looks_back(self) -> bool:
        return self.history > 0

    def in_room(self, room: str) -> Self:
        return replace(self, room=room)

    def _own(self, *words: str) -> bytes:
        """Make a line of this room: it begins with the room's name where several are shown."""
        return _line(f"#{self.room}" if self.room and self.rooms else "", *words)

    def not_joined(self, fault: RoomFault) -> bytes:
        return self._own("not joined", fault) if self.rooms else b""

    def parted(self, reason: Disconnect, words: str = "", by: str = "") -> bytes:
        return self._own("parted", reason.label, words) if self.rooms else b""

    def room_list(self, rooms: Sequence[RoomInfo]) -> bytes:
        return _line("rooms", *(f"{it.name}={it.members}" for it in rooms))

    def decoder(self) -> PlainDecoder:
        return PlainDecoder()

    def greeting(self) -> bytes:
        return b"hello\n"

    def welcome(self, welcome: Welcome) -> bytes:
        words = ["welcome", welcome.nickname, *welcome.others]
        if welcome.done:
            words.append(f"done={welcome.done}")
        if welcome.refused:
            words.append("refused=" + ",".join(map(str, welcome.refused)))
        if welcome.missed_some:
            words.append("missed")
        return self._own(*words)

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        return self._own("refused", refusal, subject, _tagged(tag), _ending(until))

    def standing(self, standing: Standing) -> Sequence[bytes]:
        told = [_line("topic", standing.topic)] if standing.topic else []
        return [*told, _line("muted", standing.mute.reason)] if standing.mute else told

    def restrained(self, restraint: Restraint, tag: int) -> bytes:
        return self._own(restraint.why, restraint.reason, _tagged(tag), _ending(restraint.until))

    def not_moderated(self, action: Action, fault: ModerationFault, tag: int = 0) -> bytes:
        return self._own("not", action, fault)

    def taken(self, suggestions: Sequence[str]) -> bytes:
        return _line("taken", *suggestions)

    def heard(self) -> bytes:
        return b"heard\n"

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        return [_line("account", answer.action, answer.outcome)]

    def fault(self, faulty: Faulty) -> bytes:
        return self._own("fault", faulty.fault)

    def sent(self, tag: int) -> bytes:
        return self._own("sent", _tagged(tag))

    def kept(self, recipient: str, tag: int) -> bytes:
        return _line("kept", recipient, _tagged(tag))

    def tagged(self, event: TaggedAlone, at: float) -> bytes:
        return _line("tagged", event.sender, event.tags)

    def public(self, event: PublicEvent) -> bytes:
        match event:
            case Said(nickname=nickname, text=text):
                return _line("said", nickname, text)
            case Tagged(nickname=nickname, tags=tags):
                return _line("tagged", nickname, tags)
            case Joined(nickname=nickname, about=about):
                return _line("joined", nickname, about)
            case Present(nickname=nickname, about=about):
                return _line("present", nickname, about)
            case Left(nickname=nickname, text=text):
                return _line("left", nickname, text)
            case Closed():
                return _line("closed")
            case Withdrawn(nickname=nickname):
                return _line("withdrawn", nickname)
            case WentAway(nickname=nickname, text=text):
                return _line("away", nickname, text)
            case Registered(nickname=nickname, on=on):
                return _line("account" if on else "guest", nickname)
            case _:
                return _line(type(event).__name__.lower(), getattr(event, "whom", ""))

    def mutes(self, mutes: Mapping[str, int]) -> bytes:
        return b"".join(b"muted %s\n" % it.encode() for it in mutes)

    def promoted(self) -> bytes:
        return _line("promoted")

    def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
        return b"".join(pieces)

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if isinstance(event, Whispered):
            return _line("whispered", event.sender, event.text)
        return _line("undelivered", event.recipient, event.text, _tagged(event.tag))

    def past_message(self, message: PastMessage) -> bytes:
        place = f"{message.position.offset}.{message.index}"
        text = "redacted" if message.is_redacted else message.said.text
        return _line("past", place, message.said.nickname, text)

    def past(self, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
        told = b"".join(pieces)
        return told + self._own("before", f"{before.offset}.{before.index}", "more" if more else "")

    def found(
        self, text: str, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool
    ) -> bytes:
        return self._own("found", text) + self.past(pieces, epoch, before, more=more)

    def slowed(self) -> bytes:
        return _line("slowed")

    def pong(self) -> bytes:
        return b"pong\n"

    def missed(self, position: Position) -> bytes:
        return self._own("missed", str(position.offset))

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        if reason in _WORDLESS:
            return b""
        return _line(
            "farewell" if reason is Disconnect.LEFT else reason.label, words, _ending(until)
        )


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
    in_order: ClassVar[bool] = False
    resumes: ClassVar[bool] = True
    rooms: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = False

    def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
        inner = b", ".join(piece.strip() for piece in pieces)
        behind = b" behind %d" % first if first else b""
        where = b"#%s " % self.room.encode() if self.room else b""
        return b"%s%d%s [%s]\n" % (where, position.offset, behind, inner) if inner else b""


class ChoosingDecoder(PlainDecoder):
    """Its client chooses whether it is told who comes and goes."""

    quiet = False


@dataclass(frozen=True)
class ChoosingEncoder(PlainEncoder):
    """A client chooses what it reads, and reads its own messages in its own way, with their places."""

    name: ClassVar[str] = "choosing"
    echoes: ClassVar[bool] = False
    rooms: ClassVar[bool] = True
    retries: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = False
    tells_away: ClassVar[bool] = True
    quiet: bool = False

    def decoder(self) -> ChoosingDecoder:
        return ChoosingDecoder()

    def replies(self, decoder: object) -> "ChoosingReplies":  # type: ignore[override] # not itself
        assert isinstance(decoder, ChoosingDecoder)
        return ChoosingReplies(room=self.room, chooser=decoder)

    def pieces(
        self, events: Sequence[PublicEvent], position: Position, first: int = 0
    ) -> list[bytes]:
        pieces = []
        for event in events:
            if isinstance(event, Said):
                pieces.append(self._own("said", f"{position.offset}.{first}", event.text))
                first += 1
            else:
                pieces.append(b"" if self.quiet else self.public(event))
        return pieces


@dataclass(frozen=True)
class ChoosingReplies(PlainEncoder):
    """What one such client is told alone."""

    rooms: ClassVar[bool] = True
    chooser: ChoosingDecoder | None = None

    @property
    def encoder(self) -> ChoosingEncoder:  # type: ignore[override] # another one
        assert self.chooser is not None
        return ChoosingEncoder(room=self.room, quiet=self.chooser.quiet)

    def echo(self, event: Said | Tagged, position: Position, index: int) -> bytes:
        if isinstance(event, Tagged):
            return _line("own", event.tags, _tagged(event.tag))
        return self._own("own", f"{position.offset}.{index}", event.text, _tagged(event.tag))

    def proved(self, nickname: str, *, is_account: bool) -> bytes:
        return _line("proved" if is_account else "not proved", nickname)

    def shown(self, welcome: Welcome) -> bytes:
        return _line("shown", *welcome.others)

    def hidden(self, words: str = "") -> bytes:
        return _line("hidden", words)


_WORDLESS = (Disconnect.GONE, Disconnect.BROKEN, Disconnect.SLOW_READER)


def _line(*words: str) -> bytes:
    return " ".join(word for word in words if word).encode() + b"\n"


def _ending(until: int) -> str:
    return f"until={until}" if until else ""


def _tagged(tag: int) -> str:
    return f"#{tag}" if tag else ""
