"""``browser``: JSON text frames over WebSocket. Described in docs/protocols/browser.md."""

import itertools
import json
from collections.abc import Sequence
from typing import ClassVar

from tertulia.clients.dialects import websocket
from tertulia.clients.dialects.contract import Whole


class _Entering(websocket.Upgrading):
    """Into the chat, and from there into rooms."""

    def __init__(self, place: str, nickname: str, rooms: Sequence[str]) -> None:
        super().__init__(place, "/ws")
        self._nickname = nickname
        self._rooms = rooms
        self._to_come = 1 + len(rooms)
        """Welcomes, with the past that follows each."""

    def begun(self) -> bytes:
        return _text(type="enter", nickname=self._nickname)

    def take(self, payload: bytes) -> bytes | None:
        if payload.startswith((b'{"type":"welcome"', b'{"type":"room"')):
            # What was said before is no part of what comes from now on; it follows at once.
            if b'"history":' not in payload or b'"history":0' in payload:
                return self._came()
            return b""
        if payload.startswith(b'{"type":"past"'):
            return self._came()
        if payload.startswith((b'{"type":"events"', b'{"type":"slowed"')):
            return None
        self.refused = payload.decode(errors="replace")[:200]
        return b""

    def _came(self) -> bytes:
        rooms, self._rooms = self._rooms, ()
        self._to_come -= 1
        self.entered = not self._to_come
        return b"".join(_text(type="join", room=room) for room in rooms)


class Browser:
    """The frames of ``browser``."""

    name: ClassVar[str] = "browser"
    echoes: ClassVar[bool] = True
    announces: ClassVar[bool] = True
    one_order: ClassVar[bool] = True
    most_rooms: ClassVar[int] = 1000
    has_lobby: ClassVar[bool] = True
    mark: ClassVar[bytes] = b"\\t"  # in JSON
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = (b'{"type":"sent"', b'{"type":"kept"')
    refusals: ClassVar[tuple[bytes, ...]] = (b'{"type":"failed"', b'{"type":"error"')
    slowed: ClassVar[bytes] = b'{"type":"slowed"'

    def __init__(self, place: str) -> None:
        self._place = place
        self._ids = itertools.count(1)  # rising for each client, as they have to, if with gaps

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        return _Entering(self._place, nickname, rooms)

    def say(self, text: bytes, room: str = "") -> bytes:
        where = {"room": room} if room else {}
        return _text(type="say", id=next(self._ids), **where, text=text.decode())

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return _text(type="whisper", id=next(self._ids), to=recipient.decode(), text=text.decode())

    def received(self, private: int) -> bytes:
        return _text(type="received", count=private) if private else b""

    def whole(self, data: bytes) -> Whole:
        end, reply, farewell = 0, b"", ""
        while True:
            after, operation, payload = websocket.next_frame(data, end)
            if not after:
                return Whole(end, reply, farewell)
            end = after
            if operation == websocket.PING:
                reply += websocket.frame(websocket.PONG, payload)
            elif operation == websocket.CLOSE:
                farewell = websocket.reason(payload)

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return (b'{"type":"joined","nickname":"' + prefix,)


def _text(**fields: object) -> bytes:
    payload = json.dumps(fields, separators=(",", ":")).encode()
    return websocket.frame(websocket.TEXT, payload)
