"""``protocollo``: a message is two lines, recipient then text. Source: docs/protocols/protocollo.md."""

from collections.abc import Sequence
from typing import ClassVar

from tertulia.clients.dialects.contract import LineHandshake, Whole, entered_as, whole_lines


class _Entering(LineHandshake):
    """The name goes out at once; the list of users is the welcome."""

    def line(self, line: bytes) -> bytes:
        if line.startswith(b"Utenti collegati:"):
            self.entered = True
            return (
                b"null\n\n"  # as the old client: until then a classic listener holds back the rest
            )
        return self.refuse(line)


class Protocollo:
    """The words of ``protocollo``, in both wordings."""

    name: ClassVar[str] = "protocollo"
    echoes: ClassVar[bool] = False
    announces: ClassVar[bool] = True
    one_order: ClassVar[bool] = True
    most_rooms: ClassVar[int] = 1
    has_lobby: ClassVar[bool] = False
    mark: ClassVar[bytes] = b"\t"
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = ()
    refusals: ClassVar[tuple[bytes, ...]] = (
        b"G> destinatario sconosciuto",
        b"G> riga troppo lunga",
    )
    slowed: ClassVar[bytes] = b"G> scrivi troppo in fretta"

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        return _Entering(entered_as(nickname, rooms).encode() + b"\n")

    def say(self, text: bytes, room: str = "") -> bytes:
        return b"G\n%s\n" % text

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return b"%s\n%s\n" % (recipient, text)

    def received(self, private: int) -> bytes:
        return b""

    def whole(self, data: bytes) -> Whole:
        return whole_lines(data)

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return (b"G.@g> " + prefix, b"Benvenuto " + prefix)
