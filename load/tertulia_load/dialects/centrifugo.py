"""``centrifugo``, of a Centrifugo server: its JSON protocol over WebSocket; a channel is a room.

Described at https://centrifugal.dev/docs/transports/client_protocol. Each command, reply and push is a JSON
object; a frame may have several, one a line. What is read is sent by the server in the order of its history,
where the channel has one.
"""

import itertools
import json
from collections.abc import Sequence
from typing import ClassVar, Final

from tertulia.clients.dialects import websocket
from tertulia.clients.dialects.contract import Whole

_PATH: Final = "/connection/websocket"
_LOBBY: Final = "load"
_ONE: Final = "to."
"""What the channel of one client begins with."""
_PING: Final = b"{}"


class _Entering(websocket.Upgrading):
    """Connect, then subscribe to all channels at once."""

    def __init__(self, place: str, channels: Sequence[str]) -> None:
        super().__init__(place, _PATH)
        self._channels = channels
        self._to_come = len(channels)

    def begun(self) -> bytes:
        return _text({"id": 1, "connect": {}})

    def take(self, payload: bytes) -> bytes | None:
        written = b""
        for line in payload.splitlines():
            if line == _PING:
                written += _text({})
            elif b'"error":' in line:
                self.refused = line.decode(errors="replace")[:200]
            elif b'"connect":' in line:
                written += b"".join(
                    _text({"id": number, "subscribe": {"channel": channel}})
                    for number, channel in enumerate(self._channels, 2)
                )
            elif b'"subscribe":' in line:
                self._to_come -= 1
        self.entered = not self._to_come
        return written


class Centrifugo:
    """Commands, replies and pushes of Centrifugo. Nobody is told who came."""

    name: ClassVar[str] = "centrifugo"
    echoes: ClassVar[bool] = True
    announces: ClassVar[bool] = False
    one_order: ClassVar[bool] = True
    most_rooms: ClassVar[int] = 1000
    has_lobby: ClassVar[bool] = False
    mark: ClassVar[bytes] = b"\\t"  # in JSON
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = (b'"publish":{}',)
    refusals: ClassVar[tuple[bytes, ...]] = (b'"error":{',)
    slowed: ClassVar[bytes] = b""

    def __init__(self, place: str) -> None:
        self._place = place
        self._ids = itertools.count(2_000)  # above those of the beginning

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        return _Entering(self._place, rooms or (_LOBBY, _ONE + nickname))

    def say(self, text: bytes, room: str = "") -> bytes:
        return self._publish(room or _LOBBY, text)

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return self._publish(_ONE + recipient.decode(), text)

    def received(self, private: int) -> bytes:
        return b""

    def whole(self, data: bytes) -> Whole:
        end, reply, farewell = 0, b"", ""
        while True:
            after, operation, payload = websocket.next_frame(data, end)
            if not after:
                return Whole(end, reply, farewell)
            end = after
            if operation == websocket.TEXT:
                if payload == _PING or _PING in payload.splitlines():
                    reply += _text({})
            elif operation == websocket.PING:
                reply += websocket.frame(websocket.PONG, payload)
            elif operation == websocket.CLOSE:
                farewell = websocket.reason(payload)

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return ()

    def _publish(self, channel: str, text: bytes) -> bytes:
        said = {"channel": channel, "data": text.decode()}
        return _text({"id": next(self._ids), "publish": said})


def _text(command: dict[str, object]) -> bytes:
    return websocket.frame(websocket.TEXT, json.dumps(command, separators=(",", ":")).encode())
