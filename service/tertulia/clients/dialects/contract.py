"""What a dialect is to the load tool: few things, so that a peer's protocol can be one as well."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Whole:
    """How much of what was read is complete, and what it asks for."""

    end: int
    """Bytes of complete lines or frames."""
    reply: bytes = b""
    """What has to be written back, as a pong."""
    farewell: str = ""
    """Why the service closes, where it says so."""


class Handshake(Protocol):
    """The beginning of one connection: fed what comes, until it has entered or was refused."""

    entered: bool
    refused: str
    """Why, in the service's words; empty while it was not."""
    rest: bytes
    """What came behind the welcome."""

    def feed(self, data: bytes) -> bytes:
        """Take what came, in any split, and return what to write; nothing, when it just connected."""
        ...


class Dialect(Protocol):
    """The words of one protocol. One object serves all connections."""

    name: ClassVar[str]
    echoes: ClassVar[bool]
    """Whether a sender reads its own public messages."""
    announces: ClassVar[bool]
    """Whether everybody is told who came."""
    one_order: ClassVar[bool]
    """Whether all read the messages of different senders in the same order, as far as is promised."""
    most_rooms: ClassVar[int]
    """How many further rooms a client may be in; 0 where there are none."""
    has_lobby: ClassVar[bool]
    """Whether who is in a further room is shown the lobby as well."""
    mark: ClassVar[bytes]
    """What a TAB in a text looks like on the wire."""
    acknowledgement: ClassVar[bytes]
    """What to write for each message that was read, where its client acknowledges."""
    answers: ClassVar[tuple[bytes, ...]]
    """What stands once in each answer that says that a message was taken."""
    refusals: ClassVar[tuple[bytes, ...]]
    """The same, of answers that say that it was not."""
    slowed: ClassVar[bytes]
    """What stands once in each notice that a sender is read more slowly; empty where there is none."""

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> Handshake:
        """Begin a connection, into these further rooms."""
        ...

    def say(self, text: bytes, room: str = "") -> bytes:
        """Return a message to everybody in a room that the client is in; else in the lobby."""
        ...

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        """Return a message to one user."""
        ...

    def received(self, private: int) -> bytes:
        """Return an acknowledgement of so many private messages, beside ``acknowledgement``."""
        ...

    def whole(self, data: bytes) -> Whole:
        """Find out how much of what was read is complete."""
        ...

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        """Return what stands once in each notice that somebody came whose nickname begins so."""
        ...


class LineHandshake:
    """What the beginnings of line protocols share: lines, one after the other."""

    def __init__(self, opening: bytes = b"") -> None:
        self.entered = False
        self.refused = ""
        self.rest = b""
        self._opening = opening

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return what to write."""
        written, self._opening = self._opening, b""
        self.rest += data
        while not (self.entered or self.refused):
            line, end, rest = self.rest.partition(b"\n")
            if not end:
                break
            self.rest = rest
            written += self.line(line.removesuffix(b"\r"))
        return written

    def line(self, line: bytes) -> bytes:
        """Take one line, and return what to write."""
        raise NotImplementedError

    def refuse(self, line: bytes) -> bytes:
        """Take a line as the service's refusal."""
        self.refused = line.decode(errors="replace") or "an empty line"
        return b""


def whole_lines(data: bytes) -> Whole:
    """Find the end of the last complete line."""
    return Whole(data.rfind(b"\n") + 1)


def entered_as(nickname: str, rooms: Sequence[str]) -> str:
    """Return what a line client enters as: it is shown one room."""
    return "@".join((nickname, *rooms))
