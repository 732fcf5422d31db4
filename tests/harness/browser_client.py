"""A client of the dialect browser that records the same history as one of chatte.

The history of a connection that was resumed begins with its welcome: what is replayed before the
present is in ``events`` only, and such histories are not for the checker.
"""

import itertools
import ssl
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from harness import browser_frames as frames
from harness.chatte_client import WITHIN, ChatteClient
from history.record import (
    Acked,
    AckedPrivate,
    Connected,
    History,
    ReceivedPrivate,
    ReceivedPublic,
    Refused,
    RefusedPrivate,
    Reported,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Welcomed,
)

FrameT = TypeVar("FrameT", bound=frames.Frame)


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a client has read, and how it proves who it is."""

    token: str
    epoch: str
    offset: int


class Happened(NamedTuple):
    """An event, and the place in the log at which it came."""

    epoch: str
    offset: int
    event: frames.Event


class Outgoing(NamedTuple):
    """A message that was sent and not yet answered."""

    id: int
    record: SentPublic | SentPrivate
    frame: bytes


class BrowserClient(ChatteClient):
    """One WebSocket. ``lines`` are its text frames as they came, ``frames`` the same, understood."""

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=acknowledges)
        self.frames: list[frames.Frame | None] = []
        """Every frame, parallel to ``lines``; None for one that is not as described."""
        self.events: list[Happened] = []
        """Every event, of the past as well."""
        self.welcome: frames.WelcomeFrame | None = None
        self.is_administrator = False
        self.position: Position | None = None
        """What it needs to resume."""
        self.outgoing: list[Outgoing] = []
        """What is not yet answered, by id."""
        self.answers: list[frames.Frame] = []
        self.close_code: int | None = None
        self.close_reason = ""
        self.ids = itertools.count(1)
        self._asked_again = False
        self._tries = 0
        self._handshaken = False
        self._socket = ClientProtocol(parse_uri("ws://127.0.0.1/ws"))

    @classmethod
    async def connect(
        cls,
        port: int,
        name: str = "",
        *,
        acknowledges: bool = True,
        source: str | None = None,
        receive_buffer: int | None = None,
        header: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect to a node of this machine, and shake hands."""
        client = await super().connect(
            port,
            name,
            acknowledges=acknowledges,
            source=source,
            receive_buffer=receive_buffer,
            header=header,
            tls=tls,
        )
        client._socket.send_request(client._socket.connect())
        client._flush()
        await client.wait_for(
            lambda: client._handshaken or client.closed, WITHIN, "the WebSocket handshake"
        )
        assert client._handshaken, client.describe()
        return client

    # What a client does

    async def resume(
        self, nickname: str, position: Position, *, within: float = WITHIN
    ) -> frames.WelcomeFrame:
        """Enter as who lost its connection at a position. Raises AssertionError where refused."""
        self.ask_again(nickname, position)
        await self.wait_for(
            lambda: self.welcomed or self.refused or self.closed, within, f"{nickname} to be back"
        )
        assert self.welcome is not None, self.describe()
        return self.welcome

    def ask(self, nickname: str) -> None:
        """Ask for a nickname, and don't wait; after a refusal, for another one."""
        if self.refused:
            # In the words of a history, which knows no second try, it has come anew.
            self.refused = False
            self._tries += 1
            self.history = History(f"{self.history.client}/{self._tries}")
            self.history.add(Connected(self.history.now()))
        super().ask(nickname)

    def ask_again(self, nickname: str, position: Position) -> None:
        """Ask to go on as who lost its connection, and don't wait."""
        self._asked_again = True
        self.refused = False
        self.position = position
        self.nickname = nickname
        self.put(type="enter", nickname=nickname, resume=asdict(position))

    def put(self, **fields: Any) -> None:
        """Write a frame, unrecorded."""
        self.send_text(frames.encode(**fields))

    def send(self, data: bytes) -> None:
        """Write a line as the frame that means the same: only for the nickname."""
        self.send_text(frames.encode(type="enter", nickname=data.decode().removesuffix("\n")))

    def send_text(self, data: bytes) -> None:
        """Write text of any kind as a message."""
        if self._socket.state is State.OPEN and not self.closed and not self._own_end:
            self._socket.send_text(data)
            self._flush()

    def say(self, text: str | None = None) -> str:
        text = self.unique() if text is None else text
        number = next(self.ids)
        record = SentPublic(self.history.now(), text)
        self._send_message(number, record, frames.encode(type="say", id=number, text=text))
        return text

    def whisper(self, recipient: str, text: str | None = None) -> str:
        text = self.unique("psst") if text is None else text
        number = next(self.ids)
        record = SentPrivate(self.history.now(), recipient, text)
        frame = frames.encode(type="whisper", id=number, to=recipient, text=text)
        self._send_message(number, record, frame)
        return text

    def send_again(self, outgoing: Outgoing) -> None:
        """Send what another connection of this client sent and was not carried out."""
        self.outgoing.append(outgoing)
        self.send_text(outgoing.frame)

    def leave(self) -> None:
        """Ask to go."""
        self.put(type="leave")

    def stop(self) -> None:
        """Ask to close the whole chat."""
        self.put(type="close")

    def close(self) -> None:
        """Close as a browser does whose page is left."""
        if self._socket.state is State.OPEN:
            self._socket.send_close(1001)
            self._flush()
        super().close()

    def _send_message(self, number: int, record: SentPublic | SentPrivate, frame: bytes) -> None:
        self.history.add(record)
        self.outgoing.append(Outgoing(number, record, frame))
        self.send_text(frame)

    # What a test waits for

    @property
    def unanswered(self) -> int:
        return len(self.outgoing)

    async def answered(self, within: float = WITHIN) -> None:
        await self.wait_for(lambda: not self.outgoing, within, "all answers")

    async def expect_frame(
        self,
        kind: type[FrameT],
        test: Callable[[FrameT], bool] = lambda _: True,
        within: float = WITHIN,
    ) -> FrameT:
        """Return the next frame of a kind that satisfies a test; those before it are passed over."""
        found: FrameT | None = None

        def look() -> bool:
            nonlocal found
            while self._cursor < len(self.frames):
                frame = self.frames[self._cursor]
                self._cursor += 1
                if isinstance(frame, kind) and test(frame):
                    found = frame
                    return True
            return False

        await self.wait_for(look, within, f"a {kind.__name__}")
        assert found is not None
        return found

    async def expect_event(self, event: frames.Event, within: float = WITHIN) -> None:
        """Wait until an event has come, if it has not."""
        await self.wait_for(
            lambda: any(it.event == event for it in self.events), within, f"the event {event}"
        )

    # What comes

    def data_received(self, data: bytes) -> None:
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Response):
                self._handshaken = self._socket.state is State.OPEN
            elif isinstance(event, Frame):
                self._take(event)
        if self._socket.close_rcvd is not None:
            self.close_code = int(self._socket.close_rcvd.code)
            self.close_reason = self._socket.close_rcvd.reason
        if not self._own_end:
            self._flush()
        self._arrived.set()

    def _flush(self) -> None:
        for data in self._socket.data_to_send():
            if data and not self._transport.is_closing():
                self._transport.write(data)

    def _take(self, event: Frame) -> None:
        if event.opcode is not Opcode.TEXT:
            if event.opcode not in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
                self._unexpected(f"a frame of opcode {event.opcode}")
            return
        raw = bytes(event.data)
        line = raw.decode(errors="surrogateescape")
        self.lines.append(line)
        try:
            frame = frames.decode(raw)
        except msgspec.DecodeError as error:
            self.frames.append(None)
            self._unexpected(f"{line}: {error}")
            return
        self.frames.append(frame)
        self._understand(frame, line)

    def _understand(self, frame: frames.Frame, line: str) -> None:
        now = self.history.now()
        match frame:
            case frames.WelcomeFrame():
                self._was_let_in(frame, line)
            case frames.RefusedFrame(reason=reason) if not self.welcomed:
                self.refused = True
                self.history.add(Refused(now, self.nickname, reason))
            case frames.ErrorFrame():
                self.answers.append(frame)
            case _ if not self.welcomed:
                self._unexpected(line)
            case frames.EventsFrame():
                self._take_events(frame, line)
            case frames.WhisperedFrame(sender=sender, text=text):
                self.history.add(ReceivedPrivate(now, sender, text))
                if self.acknowledges:
                    self.put(type="received", count=1)
            case frames.UndeliveredFrame(text=text):
                self.history.add(Reported(now, text))
            case frames.SentFrame(id=number) | frames.KeptFrame(id=number):
                self.answers.append(frame)
                self._was_kept(number, line)
            case frames.FailedFrame(id=number):
                self.answers.append(frame)
                self._has_failed(number, line)
            case frames.ForbiddenFrame():
                self.answers.append(frame)
            case frames.SlowedFrame():
                pass
            case frames.MissedFrame(epoch=epoch, offset=offset):
                assert self.welcome is not None
                self.position = Position(self.welcome.token, epoch, offset)
            case _:
                self._unexpected(line)

    def _was_let_in(self, frame: frames.WelcomeFrame, line: str) -> None:
        if self.welcomed or frame.members[-1] != self.nickname:
            self._unexpected(line)
            return
        self.welcomed = True
        self.welcome = frame
        self.is_administrator = frame.members[0] == self.nickname
        if not frame.resumed:
            self.position = Position(frame.token, frame.epoch, frame.offset)
        elif not self._asked_again:
            self._unexpected(line)
        self.history.add(Welcomed(self.history.now(), self.nickname, frame.members[:-1]))

    def _take_events(self, frame: frames.EventsFrame, line: str) -> None:
        assert self.welcome is not None
        last = self.position
        if last and last.epoch == frame.epoch and frame.offset < last.offset:
            self._unexpected(f"{line} after {last.offset}")
        self.position = Position(self.welcome.token, frame.epoch, frame.offset)
        # Of the entry in which it came back, a part was before that: a history tells none of it.
        is_past = self.welcome.resumed and frame.offset <= self.welcome.offset
        for event in frame.events:
            self.events.append(Happened(frame.epoch, frame.offset, event))
            if not is_past:
                self._take_event(event, line)

    def _take_event(self, event: frames.Event, line: str) -> None:
        now = self.history.now()
        own = getattr(event, "nickname", "").lower() == self.nickname.lower()
        match event:
            case frames.SaidEvent(nickname=nickname, text=text):
                self.history.add(ReceivedPublic(now, nickname, text))
                if own:
                    self._own_copies.add(text)
            case frames.JoinedEvent(nickname=nickname) if not own:
                self.history.add(SawJoined(now, nickname))
            case frames.LeftEvent(nickname=nickname) if not own:
                self.history.add(SawLeft(now, nickname))
            case frames.AdministratorEvent() if not self.is_administrator:
                self.is_administrator = True
            case frames.ClosedEvent():
                pass
            case _:
                self._unexpected(line)

    def _was_kept(self, number: int, line: str) -> None:
        record = self._answer(number, line)
        now = self.history.now()
        if isinstance(record, SentPrivate):
            self.history.add(AckedPrivate(now, record.recipient, record.text))
        elif isinstance(record, SentPublic):
            self.history.add(Acked(now, record.text))
            if record.text not in self._own_copies:
                self._unexpected(f"{line} before the own copy of {record.text!r}")

    def _has_failed(self, number: int, line: str) -> None:
        record = self._answer(number, line)
        if isinstance(record, SentPrivate):
            now = self.history.now()
            self.history.add(RefusedPrivate(now, record.recipient, record.text))
        elif record is not None:
            self._unexpected(f"{line} to a public message")

    def _answer(self, number: int, line: str) -> SentPublic | SentPrivate | None:
        """Take the oldest message that is not answered: answers come in the messages' order."""
        if not self.outgoing or self.outgoing[0].id != number:
            self._unexpected(f"{line} while {[it.id for it in self.outgoing[:3]]} are first")
            return None
        return self.outgoing.pop(0).record
