"""``chatte``: numeric codes, one line each way. Source: docs/protocols/chatte.md."""

from collections.abc import Sequence
from typing import ClassVar

from tertulia.clients.dialects.contract import LineHandshake, Whole, entered_as, whole_lines


class _Entering(LineHandshake):
    """The nickname goes out when it is asked for."""

    def __init__(self, nickname: str) -> None:
        super().__init__()
        self._nickname = nickname

    def line(self, line: bytes) -> bytes:
        if line.startswith(b"0 "):
            return self._nickname.encode() + b"\n"
        if line.startswith(b"200 "):
            self.entered = True
            return b""
        return self.refuse(line)


class Chatte:
    """The words of ``chatte``."""

    name: ClassVar[str] = "chatte"
    echoes: ClassVar[bool] = True
    announces: ClassVar[bool] = True
    one_order: ClassVar[bool] = True
    most_rooms: ClassVar[int] = 1
    has_lobby: ClassVar[bool] = False
    mark: ClassVar[bytes] = b"\t"
    acknowledgement: ClassVar[bytes] = b"101 Message received.\n"
    answers: ClassVar[tuple[bytes, ...]] = (b"101 Message sent.\n",)
    # Both begin a line, and no text of ours has a line end in it.
    refusals: ClassVar[tuple[bytes, ...]] = (b"203 Invalid destinatary.", b"666 Invalid command.")
    slowed: ClassVar[bytes] = b"102 G You write too fast"

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        return _Entering(entered_as(nickname, rooms))

    def say(self, text: bytes, room: str = "") -> bytes:
        return b"100 %s\n" % text

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return b"102 %s %s\n" % (recipient, text)

    def received(self, private: int) -> bytes:
        return b""

    def whole(self, data: bytes) -> Whole:
        return whole_lines(data)

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return (b"150 " + prefix,)
