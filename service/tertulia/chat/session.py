"""One client in a chat, from its first command to its end.

CONNECTED ──Enter──▶ JOINING ──own Joined──▶ ACTIVE ──Leave──▶ LEAVING ──▶ ENDED
    ▲                  │                        │                            ▲
    └─taken, may retry─┘                        └── connection gone, closed ─┘
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from tertulia.chat.ports import Op
from tertulia.dialects.contract import Reader, Voice
from tertulia.domain.disconnects import Disconnect

if TYPE_CHECKING:
    from tertulia.chat.fanout import Group
    from tertulia.chat.letters import Letter


class Outbox(Protocol):
    """The way back to the client. Nothing here blocks, and nothing raises when the client is gone."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Take bytes to send; called for every recipient, so it must be the transport's own."""
        ...

    def is_flushed(self) -> bool:
        """Say whether the kernel has taken everything that was written."""
        ...

    def backlog(self) -> int:
        """Return how many written bytes the kernel has not taken."""
        ...

    def close(self, reason: Disconnect) -> None:
        """Send what was written, then close. ``Room.lost`` is not called for it again."""
        ...

    def proceed(self) -> None:
        """Ask for further commands: the session can take them again."""
        ...


class State(Enum):
    """Where a session is in its life."""

    CONNECTED = auto()
    JOINING = auto()
    ACTIVE = auto()
    LEAVING = auto()
    ENDED = auto()


class Session:
    """A client's state in the chat. Only the room changes it."""

    __slots__ = (
        "acknowledged",
        "address",
        "awaiting",
        "group",
        "key",
        "last_op",
        "letters",
        "name",
        "nickname",
        "outbox",
        "port",
        "reader",
        "said_before",
        "state",
        "trailers",
        "tries",
        "voice",
        "whispers",
    )

    def __init__(self, voice: Voice, outbox: Outbox, address: str, port: int) -> None:
        self.voice = voice
        self.outbox = outbox
        self.reader: Reader = voice.reader()
        self.address = address
        self.port = port
        self.state = State.CONNECTED
        self.name = ""
        """Its name in the log, given with the first nickname that it asks for."""
        self.nickname = ""
        self.key = ""
        self.tries = 0
        self.group: Group | None = None
        self.awaiting = 0
        """How many of its ops are not settled."""
        self.last_op: Op | None = None
        self.trailers: dict[Op, bytes] | None = None
        """Answers that need no store, each to be written after an op's: answers keep the commands' order."""
        self.acknowledged = 0
        self.said_before = 0
        self.whispers = 0
        self.letters: list[Letter] | None = None

    @property
    def takes_commands(self) -> bool:
        """Whether a further command makes sense: not while a nickname is being asked for."""
        return self.state is State.CONNECTED or self.state is State.ACTIVE

    def received(self) -> int:
        """Return how many messages were written to it: what a client acknowledges."""
        said = self.group.said - self.said_before if self.group else 0
        return said + self.whispers

    @property
    def is_acknowledging(self) -> bool:
        """Whether this client acknowledges: most never do, and some only now and then."""
        return self.acknowledged * 2 >= self.received()

    def answer(self, text: bytes) -> None:
        """Answer a command that needs no store, in its place among the others."""
        if self.last_op is None:
            self.outbox.write(text)
            return
        if self.trailers is None:
            self.trailers = {}
        self.trailers[self.last_op] = self.trailers.get(self.last_op, b"") + text

    def submitted(self, op: Op) -> None:
        """Note an op that is not settled."""
        self.awaiting += 1
        self.last_op = op

    def settled(self, op: Op) -> bytes:
        """Note that an op is settled; return the answers that waited for it."""
        self.awaiting -= 1
        if self.last_op is op:
            self.last_op = None
        return self.trailers.pop(op, b"") if self.trailers else b""
