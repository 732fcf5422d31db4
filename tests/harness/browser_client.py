"""A client of the dialect browser that records the same history as one of chatte.

The history of a connection that was resumed has what it missed as well, behind its welcome. Where a
part of that is not there any more, the history has nothing of it; it is in ``events`` only. The same is
true of each further room.
"""

import itertools
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
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
    EnterSent,
    GivenUp,
    History,
    Parted,
    ReceivedPrivate,
    ReceivedPublic,
    Refused,
    RefusedPrivate,
    RefusedPublic,
    Reported,
    Resumed,
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


class Place(NamedTuple):
    """Up to where a client has read in a further room."""

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

    @property
    def room(self) -> str:
        """Where it was to be said; empty for the lobby, and for a private one."""
        return self.record.room if isinstance(self.record, SentPublic) else ""


@dataclass(slots=True, eq=False)
class Seat:
    """A client's seat in one room: of the lobby's, or that in a further one."""

    room: str
    asked_again: bool = False
    """Whether it asked to go on where it had read before."""
    has_read: bool = False
    """Whether it has read events since it came, on this connection or before."""
    welcome: frames.WelcomeFrame | frames.RoomFrame | None = None
    refusal: str = ""
    """Why it did not come in."""
    place: Place | None = None
    events: list[Happened] = field(default_factory=list)
    """Every event, of the past as well."""
    parted: frames.PartedFrame | None = None

    @property
    def is_answered(self) -> bool:
        """Whether it is known if the client is in."""
        return self.welcome is not None or bool(self.refusal)

    @property
    def members(self) -> list[str]:
        """Who is in the room, as far as the client has read."""
        assert self.welcome is not None
        found = list(self.welcome.members)
        for it in self.events:
            if it.epoch == self.welcome.epoch and it.offset < self.welcome.offset:
                continue  # history, before the welcome
            if isinstance(it.event, frames.JoinedEvent) and it.event.nickname not in found:
                found.append(it.event.nickname)
            elif isinstance(it.event, frames.LeftEvent) and it.event.nickname in found:
                found.remove(it.event.nickname)
        return found


class BrowserClient(ChatteClient):
    """One WebSocket. ``lines`` are its text frames as they came, ``frames`` the same, understood."""

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=acknowledges)
        self.frames: list[frames.Frame | None] = []
        """Every frame, parallel to ``lines``; None for one that is not as described."""
        self.lobby = Seat("")
        self.rooms: dict[str, Seat] = {}
        """The further rooms that it is in, or has asked for."""
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
        self._tries = 0
        self._handshaken = False
        self._is_given_up = False
        """Whether it goes on elsewhere: then it has read up to where it had read, whatever comes here."""
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

    @property
    def events(self) -> list[Happened]:
        """Every event of the lobby, of the past as well."""
        return self.lobby.events

    @property
    def places(self) -> dict[str, Place]:
        """What it needs to go on in its further rooms."""
        return {name: seat.place for name, seat in self.rooms.items() if seat.place is not None}

    # What a client does

    async def resume(
        self,
        nickname: str,
        position: Position,
        places: Mapping[str, Place] | None = None,
        *,
        within: float = WITHIN,
    ) -> frames.WelcomeFrame:
        """Enter as who lost its connection at a position. Raises AssertionError where refused."""
        self.ask_again(nickname, position, places=places)
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

    def ask_again(
        self,
        nickname: str,
        position: Position,
        after: "BrowserClient | None" = None,
        places: Mapping[str, Place] | None = None,
    ) -> None:
        """Ask to go on as who lost its connection, in all of its rooms, and don't wait.

        ``after`` is that connection, where its history is to be one with this one's; else ``places`` says
        which rooms those were.
        """
        self.refused = False
        self.position = position
        self.nickname = nickname
        self.lobby.asked_again = True
        self.lobby.place = Place(position.epoch, position.offset)
        self.lobby.has_read = after is None or after.lobby.has_read
        name = after.history.client if after else ""
        self.history.add(EnterSent(self.history.now(), nickname, name))
        places = (after.places if after else {}) if places is None else places
        for room, place in places.items():
            has_read = after is None or after.rooms[room].has_read
            self.rooms[room] = Seat(room, asked_again=True, has_read=has_read, place=place)
            self.history.add(EnterSent(self.history.now(), nickname, name, room=room))
        rooms = {room: place._asdict() for room, place in places.items()}
        more = {"rooms": rooms} if rooms else {}
        self.put(type="enter", nickname=nickname, resume=asdict(position), **more)

    async def join_room(self, room: str, *, within: float = WITHIN) -> Seat:
        """Come into a further room. Raises AssertionError where it may not."""
        seat = self.ask_room(room)
        await self.room_answered(seat, within)
        assert seat.welcome is not None, f"{seat.refusal}: {self.describe()}"
        return seat

    def ask_room(self, room: str) -> Seat:
        """Ask to come into a further room, and don't wait."""
        seat = self.rooms[room] = Seat(room)
        self.history.add(EnterSent(self.history.now(), self.nickname, room=room))
        self.put(type="join", room=room)
        return seat

    async def room_answered(self, seat: Seat, within: float = WITHIN) -> None:
        """Wait until it is known whether it is in a further room."""
        await self.wait_for(
            lambda: seat.is_answered or self.closed, within, f"an answer about #{seat.room}"
        )

    async def part_room(self, room: str, within: float = WITHIN) -> None:
        """Leave a further room."""
        seat = self.rooms[room]
        self.history.add(Parted(self.history.now(), room=room))
        self.put(type="part", room=room)
        await self.wait_for(
            lambda: seat.parted is not None or self.closed, within, f"the end of #{room}"
        )

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

    def say(self, text: str | None = None, room: str = "") -> str:
        text = self.unique() if text is None else text
        number = next(self.ids)
        record = SentPublic(self.history.now(), text, number, room=room)
        there = {"room": room} if room else {}
        frame = frames.encode(type="say", id=number, text=text, **there)
        self._send_message(number, record, frame)
        return text

    def whisper(self, recipient: str, text: str | None = None) -> str:
        text = self.unique("psst") if text is None else text
        number = next(self.ids)
        record = SentPrivate(self.history.now(), recipient, text, number)
        frame = frames.encode(type="whisper", id=number, to=recipient, text=text)
        self._send_message(number, record, frame)
        return text

    def send_again(self, outgoing: Outgoing) -> None:
        """Send what another connection of this client sent and was not carried out."""
        self.outgoing.append(outgoing)
        self.history.add(replace(outgoing.record, at=self.history.now()))
        self.send_text(outgoing.frame)

    def give_up(self) -> None:
        """Note that another connection goes on from where this one has read, whatever comes here."""
        self.history.add(GivenUp(self.history.now()))
        self._is_given_up = True

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

    async def expect_event(
        self, event: frames.Event, within: float = WITHIN, *, room: str = ""
    ) -> None:
        """Wait until an event has come, if it has not."""
        seat = self.rooms[room] if room else self.lobby
        await self.wait_for(
            lambda: any(frames.is_like(it.event, event) for it in seat.events),
            within,
            f"the event {event}",
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
        if event.opcode is Opcode.TEXT and bytes(event.data) == b'{"type":"ping"}':
            return  # it asks for nothing, and comes between any two frames
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
            case frames.RoomFrame(room=room):
                self._take_room(room, frame, line)
            case frames.PartedFrame():
                self._was_parted(frame, line)
            case frames.RoomsFrame():
                self.answers.append(frame)
            case frames.EventsFrame(room=None):
                self._take_events(self.lobby, frame, line)
            case frames.EventsFrame(room=str(room)) if room in self.rooms:
                self._take_events(self.rooms[room], frame, line)
            case frames.WhisperedFrame(sender=sender, text=text):
                self.history.add(ReceivedPrivate(now, sender, text))
                if self.acknowledges:
                    self.put(type="received", count=1)
            case frames.UndeliveredFrame(text=text):
                self.history.add(Reported(now, text))
            case frames.SentFrame(id=number, room=room):
                self.answers.append(frame)
                self._was_kept(number, room or "", line)
            case frames.KeptFrame(id=number):
                self.answers.append(frame)
                self._was_kept(number, "", line)
            case frames.FailedFrame(action="join", room=str(room)):
                self.answers.append(frame)
                self._was_not_let_in(room, frame.reason)
            case frames.FailedFrame(id=None):
                self.answers.append(frame)
            case frames.FailedFrame(id=int(number), room=room):
                self.answers.append(frame)
                self._has_failed(number, room or "", frame.reason, line)
            case frames.ForbiddenFrame() | frames.AccountFrame():
                self.answers.append(frame)
            case frames.SlowedFrame() | frames.PongFrame():
                pass
            case frames.PastFrame() | frames.FoundFrame():
                if frame.room is not None and frame.room not in self.rooms:
                    self._unexpected(line)
            case frames.MissedFrame(epoch=epoch, offset=offset, room=None):
                self._note_place(self.lobby, epoch, offset)
            case frames.MissedFrame(epoch=epoch, offset=offset, room=str(room)) if (
                room in self.rooms
            ):
                self._note_place(self.rooms[room], epoch, offset)
            case _:
                self._unexpected(line)

    def _note_place(self, seat: Seat, epoch: str, offset: int) -> None:
        """Take note up to where it has read: as long as it is read."""
        if self._is_given_up:
            return
        seat.place = Place(epoch, offset)
        if seat is self.lobby:
            self.position = Position(self._token, epoch, offset)

    @property
    def _token(self) -> str:
        assert self.welcome is not None
        return self.welcome.token

    def _was_let_in(self, frame: frames.WelcomeFrame, line: str) -> None:
        if self.welcomed:
            self._unexpected(line)
            return
        if not self._took_seat(self.lobby, frame, line):
            return
        self.welcomed = True
        self.welcome = frame
        self.is_administrator = frame.members[0] == self.nickname
        if not frame.resumed:
            self.position = Position(frame.token, frame.epoch, frame.offset)

    def _take_room(self, room: str, frame: frames.RoomFrame, line: str) -> None:
        seat = self.rooms.get(room)
        if seat is None or seat.is_answered:
            self._unexpected(line)
        else:
            self._took_seat(seat, frame, line)

    def _took_seat(
        self, seat: Seat, frame: frames.WelcomeFrame | frames.RoomFrame, line: str
    ) -> bool:
        """Take the welcome of a room; return whether it is one."""
        is_last = frame.members[-1] == self.nickname
        if not (is_last or (frame.resumed and self.nickname in frame.members)):
            self._unexpected(line)
            return False
        seat.welcome = frame
        if frame.resumed and not seat.asked_again:
            self._unexpected(line)
        if not frame.resumed:
            seat.place = Place(frame.epoch, frame.offset)
        others = tuple(it for it in frame.members if it != self.nickname)
        now, whole = self.history.now(), frame.missed == "nothing"
        if frame.resumed:
            record: Welcomed = Resumed(
                now, self.nickname, others, frame.done, whole, not seat.has_read, room=seat.room
            )
        else:
            record = Welcomed(now, self.nickname, others, room=seat.room)
        self.history.add(record)
        return True

    def _was_not_let_in(self, room: str, reason: str) -> None:
        seat = self.rooms.get(room)
        if seat is not None and not seat.is_answered:
            seat.refusal = reason
            del self.rooms[room]
            self.history.add(Refused(self.history.now(), self.nickname, reason, room=room))

    def _was_parted(self, frame: frames.PartedFrame, line: str) -> None:
        seat = self.rooms.pop(frame.room, None)
        if seat is None:
            self.answers.append(frame)
            return
        seat.parted = frame
        if frame.reason != "left":
            self.history.add(Parted(self.history.now(), "server", room=seat.room))

    def _take_events(self, seat: Seat, frame: frames.EventsFrame, line: str) -> None:
        welcome, last = seat.welcome, seat.place
        if welcome is None:
            self._unexpected(f"{line} before the welcome")
            return
        if last and last.epoch == frame.epoch and frame.offset < last.offset:
            self._unexpected(f"{line} after {last.offset}")
        seat.has_read = seat.has_read or not self._is_given_up
        self._note_place(seat, frame.epoch, frame.offset)
        is_past = welcome.resumed and frame.offset <= welcome.offset
        events = list(frame.events)
        for i, event in enumerate(events):
            seat.events.append(Happened(frame.epoch, frame.offset, event))
            is_there = welcome.missed == "nothing" or (
                frame.offset == welcome.offset and self._is_back(events[:i])
            )
            if is_there or not is_past:
                self._take_event(event, seat.room, line, is_past=is_past)

    def _is_back(self, before: Sequence[frames.Event]) -> bool:
        """Say whether its own coming back is among some events."""
        return any(
            isinstance(it, frames.JoinedEvent) and self._is_own(it.nickname) for it in before
        )

    def _is_own(self, nickname: str) -> bool:
        return nickname.lower() == self.nickname.lower()

    def _take_event(
        self, event: frames.Event, room: str, line: str, *, is_past: bool = False
    ) -> None:
        now = self.history.now()
        own = self._is_own(getattr(event, "nickname", ""))
        match event:
            case frames.SaidEvent(nickname=nickname, text=text):
                self.history.add(ReceivedPublic(now, nickname, text, room=room))
                if own:
                    self._own_copies.add(text)
            case frames.JoinedEvent(nickname=nickname) if is_past or not own:
                self.history.add(SawJoined(now, nickname, room=room))
            case frames.LeftEvent(nickname=nickname) if is_past or not own:
                self.history.add(SawLeft(now, nickname, room=room))
            case frames.AdministratorEvent() if not (self.is_administrator or room):
                self.is_administrator = True
            case frames.ClosedEvent() if not room:
                pass
            case _ if isinstance(event, frames.MODERATED):
                pass
            case _:
                self._unexpected(line)

    def _was_kept(self, number: int, room: str, line: str) -> None:
        record = self._answer(number, room, line)
        now = self.history.now()
        if isinstance(record, SentPrivate):
            self.history.add(AckedPrivate(now, record.recipient, record.text))
        elif isinstance(record, SentPublic):
            self.history.add(Acked(now, record.text, room=room))
            if record.text not in self._own_copies and not (room and room not in self.rooms):
                self._unexpected(f"{line} before the own copy of {record.text!r}")

    def _has_failed(self, number: int, room: str, reason: str, line: str) -> None:
        record = self._answer(number, room, line)
        if isinstance(record, SentPrivate):
            now = self.history.now()
            self.history.add(RefusedPrivate(now, record.recipient, record.text))
        elif record is not None:
            self.history.add(RefusedPublic(self.history.now(), record.text, room=room))
            is_outside = room and room not in self.rooms and reason == "unknown_recipient"
            if reason not in ("muted", "slow", "accounts_only", "filtered") and not is_outside:
                self._unexpected(f"{line} to a public message")

    def _answer(self, number: int, room: str, line: str) -> SentPublic | SentPrivate | None:
        """Take the oldest message of a room that is not answered: answers come in the messages' order."""
        of_room = [it for it in self.outgoing if it.room == room]
        if not of_room or of_room[0].id != number:
            self._unexpected(f"{line} while {[it.id for it in of_room[:3]]} are first")
            return None
        self.outgoing.remove(of_room[0])
        return of_room[0].record
