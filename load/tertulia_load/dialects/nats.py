"""``nats`` and ``jetstream``, of a NATS server: a subject is the room, and each client has one of its own.

Described at https://docs.nats.io/reference/reference-protocols/nats-protocol. With ``jetstream`` the server
stores every message and then acknowledges it. That needs a stream, which docs/load.md shows.
"""

import json
from collections.abc import Sequence
from typing import ClassVar, Final

from tertulia.clients.dialects.contract import LineHandshake, Whole, whole_lines
from tertulia_load import texts

_ROOM: Final = b"load.room"
_ONE: Final = b"load.to."
"""What the subject of one client begins with."""
_OPTIONS: Final = json.dumps({"verbose": False, "pedantic": False, "echo": True}).encode()
_ACKNOWLEDGED: Final = b"acknowledged."
"""What the subject on which one client reads acknowledgements begins with; its number follows."""


class _Entering(LineHandshake):
    """Say who the client is and what it wants to read. The answer to a ping comes when that is done."""

    def __init__(self, subjects: tuple[bytes, ...]) -> None:
        super().__init__()
        self._subjects = subjects

    def line(self, line: bytes) -> bytes:
        if line.startswith(b"INFO "):
            wanted = (b"SUB %s %d\r\n" % it for it in zip(self._subjects, (1, 2, 3), strict=False))
            return b"CONNECT %s\r\n%sPING\r\n" % (_OPTIONS, b"".join(wanted))
        if line == b"PONG":
            self.entered = True
        elif line == b"PING":
            return b"PONG\r\n"
        elif line.startswith(b"-ERR"):
            return self.refuse(line)
        return b""


class Nats:
    """Publish and subscribe: nothing is kept, nothing is acknowledged, nobody is told who came."""

    name: ClassVar[str] = "nats"
    echoes: ClassVar[bool] = True
    announces: ClassVar[bool] = False
    one_order: ClassVar[bool] = False
    most_rooms: ClassVar[int] = 0
    has_lobby: ClassVar[bool] = True
    mark: ClassVar[bytes] = b"\t"
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = ()
    refusals: ClassVar[tuple[bytes, ...]] = (b"-ERR ",)
    slowed: ClassVar[bytes] = b""

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        return _Entering((_ROOM, _ONE + nickname.encode()))

    def say(self, text: bytes, room: str = "") -> bytes:
        return _publish(_ROOM, text)

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return _publish(_ONE + recipient, text)

    def received(self, private: int) -> bytes:
        return b""

    def whole(self, data: bytes) -> Whole:
        # A message is two lines. The first alone has no text in it, so it does not matter where it is cut.
        end = whole_lines(data).end
        if b"PING" not in data:
            return Whole(end)
        return Whole(end, b"PONG\r\n" * data[:end].splitlines().count(b"PING"))

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return ()


class JetStream(Nats):
    """What is published is stored as well, and acknowledged to its sender when it is."""

    name: ClassVar[str] = "jetstream"
    answers: ClassVar[tuple[bytes, ...]] = (b'{"stream":',)
    refusals: ClassVar[tuple[bytes, ...]] = (b"-ERR ", b'{"error":')

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        number = nickname.rpartition("-")[2].encode()
        return _Entering((_ROOM, _ONE + nickname.encode(), _ACKNOWLEDGED + number))

    def say(self, text: bytes, room: str = "") -> bytes:
        return _publish(_ROOM, text, _acknowledged(text))

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return _publish(_ONE + recipient, text, _acknowledged(text))


def _publish(subject: bytes, text: bytes, reply: bytes = b"") -> bytes:
    return b"PUB %s %s%d\r\n%s\r\n" % (subject, reply, len(text), text)


def _acknowledged(text: bytes) -> bytes:
    """Return where the acknowledgement goes: to the sender, whose number is in the text."""
    found = texts.find(text)
    return b"%s%d " % (_ACKNOWLEDGED, found[0].sender) if found else b""
