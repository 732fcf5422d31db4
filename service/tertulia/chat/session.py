"""One client in a chat, from its first command to its end.

Its states, and the verbs of ``Session`` that lead from one to the other, as they stand in ``NEXT``.

    CONNECTED ─ prove ▶ PROVING, ask ▶ JOINING, refuse ▶ CONNECTED, end ▶ ENDED
    PROVING ─── prove ▶ PROVING, ask ▶ JOINING, refuse ▶ CONNECTED, end ▶ ENDED
    JOINING ─── activate ▶ ACTIVE, refuse ▶ CONNECTED, end ▶ ENDED
    ACTIVE ──── leave ▶ LEAVING, end ▶ ENDED
    LEAVING ─── end ▶ ENDED
    ENDED ───── nothing
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from tertulia.chat.ports import Op, Outbox
from tertulia.chat.receipts import Receipts
from tertulia.chat.tokens import token_key
from tertulia.dialects.contract import Decoder, Encoder
from tertulia.domain.commands import Resume
from tertulia.domain.disconnects import Disconnect


class State(Enum):
    """Where a session is in its life."""

    CONNECTED = auto()
    """It has no nickname yet, or not any more: its last one was refused."""
    PROVING = auto()
    """It waits for the proof that it is who it says: by a password, or by a token."""
    JOINING = auto()
    """Its join was asked for."""
    ACTIVE = auto()
    """Its own join has come by in the log: it is in the room."""
    LEAVING = auto()
    """Its leave was asked for, by itself."""
    ENDED = auto()
    """It is over; its connection may still have to read what is held."""


# Every message needs these, and Python 3.11 takes twenty times as long to look into an enum.
CONNECTED, PROVING, JOINING = State.CONNECTED, State.PROVING, State.JOINING
ACTIVE, LEAVING, ENDED = State.ACTIVE, State.LEAVING, State.ENDED
IN_THE_ROOM: Final = (ACTIVE, LEAVING)
"""The states in which public and private messages are written to a session."""

NEXT: Final[Mapping[State, Mapping[str, State]]] = {
    CONNECTED: {"prove": PROVING, "ask": JOINING, "refuse": CONNECTED, "end": ENDED},
    PROVING: {"prove": PROVING, "ask": JOINING, "refuse": CONNECTED, "end": ENDED},
    JOINING: {"activate": ACTIVE, "refuse": CONNECTED, "end": ENDED},
    ACTIVE: {"leave": LEAVING, "end": ENDED},
    LEAVING: {"end": ENDED},
    ENDED: {},
}
"""The state that follows a state, by the verb. No other verb is allowed in it."""


class NotInThisState(Exception):
    """A defect of ours: something happened to a session that its state does not allow."""

    def __init__(self, session: "Session", verb: str) -> None:
        super().__init__(
            f"session {session.name or 'without a name'}: {verb} in {session.state.name}"
        )


def _nowhere(text: bytes) -> None:
    """Drop what a session is not to read any more."""


@dataclass(slots=True, eq=False)
class Session:
    """A client's state in the chat. Anything may read its fields; only its own verbs write them."""

    encoder: Encoder
    outbox: Outbox
    address: str
    port: int
    state: State = CONNECTED
    name: str = ""
    """Its name in the log; it gets a new one with each nickname that it asks the store for."""
    nickname: str = ""
    key: str = ""
    """The nickname, folded."""
    tries: int = 0
    """How many nicknames were refused."""
    is_account: bool = False
    """Whether it proved to be its nickname's account, now or when it got its token."""
    token: str = ""
    token_key: str = ""
    """The name under which the store knows the token."""
    resume_from: Resume | None = None
    """The place from which it goes on, if it was recalled."""
    misses_some: bool = False
    """Whether it wanted to resume a session that nobody remembers."""
    is_resuming: bool = False
    """Whether what it missed is being read, and everything for it is held."""
    held: bytearray | None = None
    """What it is to read later; None where it reads everything at once."""
    ending: Disconnect | None = None
    """Why it ended, while it still has to read what is held."""
    awaiting: int = 0
    """How many of its ops are not settled."""
    last_op: Op | None = None
    trailers: dict[Op, bytes] | None = None
    """Answers that need no store, by the op whose answer comes before: answers keep the commands' order."""
    decoder: Decoder = field(init=False)
    receipts: Receipts = field(init=False)
    write: Callable[[bytes], None] = field(init=False)
    """Where everything for the client goes: its socket, or, while it is held, what is held."""

    def __post_init__(self) -> None:
        self.decoder = self.encoder.decoder()
        self.receipts = Receipts(acknowledges_all=self.encoder.acknowledges_all)
        self.write = self.outbox.write

    # --- What can be asked of it -----------------------------------------------------------------

    @property
    def takes_commands(self) -> bool:
        """Whether a further command makes sense: not while it is on its way in."""
        if self.state is ACTIVE:
            return not self.is_resuming
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
        """Never: nothing depends on its end."""
        return False

    @property
    def is_held(self) -> bool:
        """Whether what it is to read is held."""
        return self.held is not None

    def backlog(self) -> int:
        """Return how many bytes wait for the client."""
        return self.outbox.backlog() + len(self.held or b"")

    # --- What moves it ---------------------------------------------------------------------------

    def _move(self, verb: str) -> None:
        following = NEXT[self.state].get(verb)
        if following is None:
            raise NotInThisState(self, verb)
        self.state = following

    def choose(self, nickname: str, key: str) -> None:
        """Note the nickname that it asks for; nothing is proved yet."""
        self.nickname, self.key, self.is_account = nickname, key, False
        self.resume_from, self.misses_some = None, False

    def prove(self) -> None:
        """Wait for the proof of who it is."""
        self._move("prove")

    def proved(self) -> None:
        """Be its nickname's account."""
        self.is_account = True

    def recall(self, resume: Resume | None) -> None:
        """Go on from a place, as its token proves that it may; None: nobody remembers the token."""
        self.resume_from, self.misses_some = resume, resume is None

    def ask(self, name: str, token: str) -> None:
        """Ask for its nickname; it has this name in the log from now on."""
        self._move("ask")
        self.name, self.token, self.token_key = name, token, token_key(token)

    def refuse(self) -> None:
        """Be without a nickname again."""
        self._move("refuse")
        self.tries += 1

    def activate(self) -> None:
        """Be in the room."""
        self._move("activate")
        self.decoder.entered()

    def leave(self) -> None:
        """Leave, by its own wish."""
        self._move("leave")

    def end(self) -> None:
        """Be over."""
        self._move("end")

    # --- What it reads ---------------------------------------------------------------------------

    def hold(self) -> None:
        """Hold everything that comes for it from now on."""
        self.held = bytearray()
        self.write = self.held.extend

    def resume(self) -> None:
        """Hold everything until what it missed is read."""
        self.is_resuming = True
        self.hold()

    def release(self) -> None:
        """Write what was held, and write everything at once from now on."""
        assert self.held is not None
        held, self.held = self.held, None
        self.is_resuming = False
        self.write = self.outbox.write
        if held:
            self.write(bytes(held))

    def end_later(self, reason: Disconnect) -> None:
        """Note why it ended while something was held: it reads nothing that comes later."""
        self.ending = reason
        self.write = _nowhere

    def end_now(self) -> Disconnect | None:
        """Return, and forget, why it ended while something was held; None where it did not."""
        reason, self.ending = self.ending, None
        return reason

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
