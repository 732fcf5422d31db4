"""One client in a chat, from its first command to its end.

States and what leads from one to the other:

    CONNECTED ──Enter──▶ JOINING ──own Joined──▶ ACTIVE ──Leave──▶ LEAVING ──▶ ENDED
        ▲  └─password─▶ PROVING ─┘│                 │                            ▲
        └──────taken, may retry───┘                 └── connection gone, closed ─┘
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from tertulia.chat.ports import Op
from tertulia.dialects.contract import Decoder, Encoder
from tertulia.domain.commands import Resume
from tertulia.domain.disconnects import Disconnect

if TYPE_CHECKING:
    from tertulia.chat.fanout import Group
    from tertulia.chat.letters import InFlight


class Clock(Protocol):
    """What the chat needs of an event loop."""

    def time(self) -> float:
        """Return monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> object:
        """Call back after so many seconds."""
        ...

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call back when what was written in this turn has gone to the kernel."""
        ...


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

    async def is_delivered(self) -> bool:
        """Wait until the client's system has everything that was written; False where it never will."""
        ...

    def close(self, reason: Disconnect) -> None:
        """Send what was written, then close. ``Room.lost`` is not called for it again.

        The service closes its half. Once the client has closed the other, a second call ends it.
        """
        ...

    def proceed(self) -> None:
        """Ask for further commands: the session can take them again."""
        ...


class State(Enum):
    """Where a session is in its life."""

    CONNECTED = auto()
    PROVING = auto()
    JOINING = auto()
    ACTIVE = auto()
    LEAVING = auto()
    ENDED = auto()


# What every message asks for: Python 3.11 takes twenty times as long to look into an enum.
CONNECTED, ACTIVE, LEAVING = State.CONNECTED, State.ACTIVE, State.LEAVING


def _nowhere(text: bytes) -> None:
    """Write to who is not to read it."""


class Held:
    """What a client is to read later, in order."""

    __slots__ = ("_texts", "size")

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self.size = 0
        """Bytes."""

    def add(self, text: bytes) -> None:
        """Hold a text."""
        self._texts.append(text)
        self.size += len(text)

    def taken(self) -> bytes:
        """Return all of it."""
        return b"".join(self._texts)


class Session:
    """A client's state in the chat. Only the room changes it."""

    __slots__ = (
        "acknowledged",
        "address",
        "awaiting",
        "decoder",
        "encoder",
        "ending",
        "forgotten",
        "group",
        "held",
        "is_account",
        "key",
        "last_op",
        "letters",
        "name",
        "nickname",
        "outbox",
        "port",
        "resume",
        "resuming",
        "said_before",
        "state",
        "token",
        "trailers",
        "tries",
        "whispers",
        "write",
    )

    def __init__(self, encoder: Encoder, outbox: Outbox, address: str, port: int) -> None:
        self.encoder = encoder
        self.outbox = outbox
        self.write: Callable[[bytes], None] = outbox.write
        """Where everything for the client goes: its socket, or, while it is held, what is held."""
        self.held: Held | None = None
        """What it is to read later; None where it reads everything at once."""
        self.decoder: Decoder = encoder.decoder()
        self.address = address
        self.port = port
        self.state = State.CONNECTED
        self.name = ""
        """Its name in the log, given with the first nickname that it asks for."""
        self.nickname = ""
        self.key = ""
        self.tries = 0
        self.is_account = False
        """Whether it proved to be its nickname's account, now or when it was issued its token."""
        self.token = ""
        self.resume: Resume | None = None
        self.forgotten = False
        """Whether it wanted to resume what nobody remembers."""
        self.resuming = False
        """Whether what it missed is being read, and everything for it is held."""
        self.ending: Disconnect | None = None
        """Why it ended while something was held that it is to read first."""
        self.group: Group | None = None
        self.awaiting = 0
        """How many of its ops are not settled."""
        self.last_op: Op | None = None
        self.trailers: dict[Op, bytes] | None = None
        """Answers that need no store, each to be written after an op's: answers keep the commands' order."""
        self.acknowledged = 0
        self.said_before = 0
        self.whispers = 0
        self.letters: list[InFlight] | None = None

    @property
    def takes_commands(self) -> bool:
        """Whether a further command makes sense: not while it is on its way in."""
        if self.state is ACTIVE:
            return not self.resuming
        return self.state is CONNECTED or self.ending is not None

    @property
    def is_active(self) -> bool:
        """Whether it is in the room."""
        return self.state is ACTIVE

    @property
    def is_in_hurry(self) -> bool:
        """Whether the client has to do something soon: choose a nickname."""
        return self.state is CONNECTED

    @property
    def awaits_end(self) -> bool:
        """Never: nothing depends on it."""
        return False

    @property
    def is_held(self) -> bool:
        """Whether what it is to read is held."""
        return self.held is not None

    def is_flushed(self) -> bool:
        """Say whether the kernel has taken everything for the client: what is held is not even written."""
        return self.held is None and self.outbox.is_flushed()

    def backlog(self) -> int:
        """Return how many bytes wait for the client."""
        return self.outbox.backlog() + (self.held.size if self.held is not None else 0)

    def hold(self) -> None:
        """Hold what it is to read from now on."""
        self.held = Held()
        self.write = self.held.add

    def release(self) -> None:
        """Write what was held, and from now on everything at once."""
        assert self.held is not None
        held, self.held = self.held, None
        self.write = self.outbox.write
        if held.size:
            self.write(held.taken())
        if self.group is not None:
            self.group.release(self)
        for letter in self.letters or ():
            letter.is_written()  # the kernel may have taken it just now

    def end_later(self, reason: Disconnect) -> None:
        """Note why it ended while something was held: it reads nothing that comes after that."""
        self.ending = reason
        self.write = _nowhere

    def received(self) -> int:
        """Return how many messages were written to it: what a client acknowledges."""
        if self.group is None or not self.encoder.acknowledges_all:
            return self.whispers
        return self.group.said - self.said_before + self.whispers

    @property
    def is_acknowledging(self) -> bool:
        """Whether this client acknowledges: most never do, and some only now and then."""
        return self.acknowledged * 2 >= self.received()

    def begins_after(self, messages: int) -> None:
        """Note that it did not read so many public messages that are counted as written to its group."""
        self.said_before += messages

    def answer(self, text: bytes) -> None:
        """Answer a command that needs no store, in its place among the others."""
        if self.last_op is None:
            self.write(text)
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
