"""One client in a chat, from its first command to its end.

Its states, and the verbs of ``Session`` that lead from one to the other, as they stand in ``NEXT``.

    CONNECTED ─ prove ▶ PROVING, ask ▶ JOINING, refuse ▶ CONNECTED, end ▶ ENDED
    PROVING ─── prove ▶ PROVING, ask ▶ JOINING, refuse ▶ CONNECTED, stay ▶ CONNECTED, end ▶ ENDED
    JOINING ─── activate ▶ ACTIVE, refuse ▶ CONNECTED, end ▶ ENDED
    ACTIVE ──── leave ▶ LEAVING, lose ▶ AWAY, end ▶ ENDED
    AWAY ────── end ▶ ENDED
    LEAVING ─── end ▶ ENDED
    ENDED ───── nothing
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

from tertulia.chat.identities import Identities
from tertulia.chat.ports import Op, Outbox
from tertulia.chat.receipts import Receipts
from tertulia.chat.tokens import token_key
from tertulia.dialects.contract import Decoder, Encoder, Replies
from tertulia.domain.commands import Resume
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.rooms import RoomPlace


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
    AWAY = auto()
    """Its connection is lost, and it keeps its seat for a moment, for who comes back with its token."""
    LEAVING = auto()
    """Its leave was asked for, by itself."""
    ENDED = auto()
    """It is over; its connection may still have to read what is held."""


# Every message needs these, and Python 3.11 takes twenty times as long to look into an enum.
CONNECTED, PROVING, JOINING = State.CONNECTED, State.PROVING, State.JOINING
ACTIVE, AWAY, LEAVING, ENDED = State.ACTIVE, State.AWAY, State.LEAVING, State.ENDED
IN_THE_ROOM: Final = (ACTIVE, LEAVING)
"""The states in which public and private messages are written to a session."""

NEXT: Final[Mapping[State, Mapping[str, State]]] = {
    CONNECTED: {"prove": PROVING, "ask": JOINING, "refuse": CONNECTED, "end": ENDED},
    PROVING: {
        "prove": PROVING,
        "ask": JOINING,
        "refuse": CONNECTED,
        "stay": CONNECTED,
        "end": ENDED,
    },
    JOINING: {"activate": ACTIVE, "refuse": CONNECTED, "end": ENDED},
    ACTIVE: {"leave": LEAVING, "lose": AWAY, "end": ENDED},
    AWAY: {"end": ENDED},
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


class Elsewhere(Protocol):
    """A further room in which a session has a seat, or is on its way in: how what it does tells there."""

    def ask(self, session: "Session") -> None:
        """Ask the store for the seat, if that was not done: the session's join in the chat has its number."""
        ...

    def lose(self, session: "Session") -> None:
        """Keep its seat, and write nothing more."""
        ...

    def leave(self, session: "Session", *, for_good: bool, words: str = "") -> None:
        """Give its seat back. ``for_good``: it can't be resumed; ``words``: what its client says to that."""
        ...

    def listen(self, session: "Session") -> None:
        """Write to it as its encoder is now."""
        ...

    def hear(self, session: "Session") -> None:
        """Write to it as to the others: nothing is held for it any more, but what it missed of this room."""
        ...

    def write(self) -> None:
        """Write what came of this room until now."""
        ...

    def held(self, session: "Session") -> int:
        """Return how many bytes of this room are held for it."""
        ...


def nowhere(text: bytes) -> None:
    """Drop what is not to be read any more."""


@dataclass(slots=True, eq=False)
class Session:
    """A client's state in the chat. Anything may read its fields; only its own verbs write them."""

    encoder: Encoder
    outbox: Outbox
    address: str
    port: int
    identities: Identities | None = None
    """Those by whose ID token it may enter."""
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
    account: int = 0
    """Since when that account is there; 0 for a guest, and until the store has answered."""
    token: str = ""
    token_key: str = ""
    """The name under which the store knows the token."""
    resume_from: Resume | None = None
    """The place from which it goes on, if it was recalled."""
    misses_some: bool = False
    """Whether it wanted to resume a session that nobody remembers."""
    is_resuming: bool = False
    """Whether what it missed is being read, and everything for it is held."""
    is_paused: bool = False
    """Whether it takes no commands for now: it is resuming, or its account is being changed."""
    held: bytearray | None = None
    """What it is to read later; None where it reads everything at once."""
    ending: Disconnect | None = None
    """Why it ended, while it still has to read what is held."""
    away: Disconnect | None = None
    """Why it is away, or was."""
    number: int = 0
    """The number of its join in the chat; 0 until the store has answered."""
    room: str = ""
    """The further room that it is shown in the lobby's place; empty where it is shown the lobby."""
    going_to: Mapping[str, RoomPlace | None] | None = None
    """Further rooms that it wants to be in as soon as it has its number, and how far it has read there."""
    rooms: dict[str, Elsewhere] | None = None
    """The further rooms in which it has a seat or wants one, by name; None: it never had one."""
    awaiting: int = 0
    """How many of its ops are not settled."""
    in_order: dict[Op, None] | None = None
    """These ops, the oldest first, where rooms settle them and the client counts its answers; else None."""
    last_op: Op | None = None
    trailers: dict[Op, list[bytes | Callable[[], bytes]]] | None = None
    """Answers that need no store, by the op whose answer comes before: answers keep the commands' order.
    Some are made only then."""
    shows_lobby: bool = True
    """Whether its client is shown the lobby, in which it is in any case."""
    about: str = ""
    """Who its client says to be, as in ``Enter``."""
    proved_key: str = ""
    """The folded nickname of the account that it proved to be before it entered; empty: of none."""
    # These two are asked for every command, so they are no properties.
    takes_commands: bool = field(init=False, default=True)
    """Whether a further command makes sense: not while it is on its way in."""
    is_active: bool = field(init=False, default=False)
    """Whether it is in the room."""
    decoder: Decoder = field(init=False)
    replies: Replies = field(init=False)
    """What its client is told alone."""
    receipts: Receipts = field(init=False)
    write: Callable[[bytes], None] = field(init=False)
    """Where everything for the client goes: its socket, or, while it is held, what is held."""

    def __post_init__(self) -> None:
        self.decoder = self.encoder.decoder()
        self.replies = self.encoder.replies(self.decoder)
        self.receipts = Receipts(acknowledges_all=self.encoder.acknowledges_all)
        self.write = self.outbox.write

    # --- What can be asked of it -----------------------------------------------------------------

    @property
    def is_in_hurry(self) -> bool:
        """Whether the client has to do something soon: choose a nickname."""
        return self.state is CONNECTED

    @property
    def awaits_end(self) -> bool:
        """Never: nothing depends on its end."""
        return False

    @property
    def session(self) -> "Session":
        """Itself: it is its own reader of the lobby."""
        return self

    @property
    def before_held(self) -> Callable[[bytes], None]:
        """Where that goes which is to be read before what is held."""
        return self.outbox.write

    @property
    def is_held(self) -> bool:
        """Whether what it is to read is held."""
        return self.held is not None

    def backlog(self) -> int:
        """Return how many bytes wait for the client."""
        waiting = self.outbox.backlog() + len(self.held or b"")
        if self.rooms:
            waiting += sum(room.held(self) for room in self.rooms.values())
        return waiting

    # --- What moves it ---------------------------------------------------------------------------

    def _move(self, verb: str) -> None:
        following = NEXT[self.state].get(verb)
        if following is None:
            raise NotInThisState(self, verb)
        self.state = following
        self._moved()

    def _moved(self) -> None:
        self.is_active = self.state is ACTIVE
        if self.is_active:
            self.takes_commands = not self.is_paused
        else:
            self.takes_commands = self.state is CONNECTED or self.ending is not None

    def choose(self, nickname: str, key: str, *, shows_lobby: bool = True, about: str = "") -> None:
        """Note the nickname that it asks for; nothing is proved yet but what was proved before."""
        self.nickname, self.key, self.about = nickname, key, about
        self.disown()
        self.encoder = self.replies.encoder
        self.room, self.going_to, self.shows_lobby = "", None, shows_lobby
        self.resume_from, self.misses_some = None, False

    def go_to(self, rooms: Mapping[str, RoomPlace | None], shown: str = "") -> None:
        """Note the further rooms in which it wants to be; ``shown``: the one in the lobby's place."""
        self.going_to, self.room = rooms, shown

    def numbered(self, number: int, account: int) -> None:
        """Note the number of its join, and since when the account is there that it proved to be."""
        self.number = number
        if self.is_account and not self.account:  # else it was made or deleted since
            self.account = account

    def goes_to(self) -> Mapping[str, RoomPlace | None]:
        """Return, and forget, the rooms that it wants to be in."""
        rooms, self.going_to = self.going_to, None
        return rooms or {}

    def come_into_rooms(self) -> None:
        """Be ready to have seats in further rooms."""
        self.rooms = {}

    def leave_rooms(self) -> None:
        """Be in no further room any more, as all of them know."""
        self.rooms = None

    def prove(self) -> None:
        """Wait for the proof of who it is."""
        self._move("prove")

    def stay(self, key: str) -> None:
        """Be without a nickname as before, with the proof for that folded one; empty: with none."""
        self._move("stay")
        self.proved_key = key
        if not key:
            self.tries += 1

    def listen(self) -> None:
        """Listen to what its client has chosen; nobody writes to it meanwhile."""
        self.encoder = self.replies.encoder

    def show_lobby(self) -> None:
        """Have its client shown the lobby."""
        self.shows_lobby = True

    def hide_lobby(self) -> None:
        """Have its client not shown the lobby."""
        self.shows_lobby = False

    def proved(self, account: int = 0) -> None:
        """Be its nickname's account, which is there since then; 0: the store will say."""
        self.is_account, self.account = True, account

    def disown(self) -> None:
        """Be a guest: there is no account of its nickname any more."""
        self.is_account, self.account = False, 0

    def pause(self) -> None:
        """Take no commands until ``go_on``."""
        self.is_paused = True
        self._moved()

    def go_on(self) -> None:
        """Take commands again."""
        self.is_paused = False
        self._moved()

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
        if self.room:
            self.pause()  # until it is in the room that it is shown

    def leave(self) -> None:
        """Leave, by its own wish."""
        self._move("leave")

    def lose(self, reason: Disconnect) -> None:
        """Be away: nothing more is written, and what it missed will be read by who comes back."""
        self._move("lose")
        self.away, self.held, self.is_resuming = reason, None, False
        self.write = nowhere

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
        self.is_resuming = self.is_paused = True
        self._moved()
        self.hold()

    def release(self) -> None:
        """Write what was held, and write everything at once from now on."""
        assert self.held is not None
        held, self.held = self.held, None
        if self.is_resuming:
            self.is_resuming = self.is_paused = False
            self._moved()
        self.write = self.outbox.write
        if held:
            self.write(bytes(held))

    def end_later(self, reason: Disconnect) -> None:
        """Note why it ended while something was held: it reads nothing that comes later."""
        self.ending = reason
        self._moved()
        self.write = nowhere

    def end_now(self) -> Disconnect | None:
        """Return, and forget, why it ended while something was held; None where it did not."""
        reason, self.ending = self.ending, None
        self._moved()
        return reason

    def answer(self, text: bytes) -> None:
        """Answer a command that needs no store, in its place among the others."""
        if self.last_op is None:
            self.write(text)
        else:
            self._trail(self.last_op, text)

    def answer_then(self, render: Callable[[], bytes]) -> None:
        """Answer a command that needs no store by what is so in its place among the others."""
        if self.last_op is None:
            self.write(render())
        else:
            self._trail(self.last_op, render)

    def _trail(self, op: Op, answer: bytes | Callable[[], bytes]) -> None:
        """Have an answer follow that of an op that is not settled."""
        if self.trailers is None:
            self.trailers = {}
        self.trailers.setdefault(op, []).append(answer)

    def submitted(self, op: Op) -> None:
        """Note an op that is not settled."""
        self.awaiting += 1
        self.last_op = op
        if self.in_order is not None:
            self.in_order[op] = None

    def submitted_aside(self) -> None:
        """Note an op that is not settled, and behind which no other answers wait."""
        self.awaiting += 1

    def count_answers(self) -> None:
        """Keep its answers in the order of its commands, whichever room they are for, from now on."""
        if self.in_order is None:
            self.in_order = {} if self.last_op is None else {self.last_op: None}

    def has_in_order(self, op: Op) -> bool:
        """Whether an op is among those whose answers keep the commands' order."""
        return self.in_order is not None and op in self.in_order

    def in_turn(self, op: Op, answer: bytes) -> bytes:
        """Return the answer of an op that is settled; empty where it waits for an earlier one's."""
        assert self.in_order is not None
        earlier = None
        for it in self.in_order:
            if it is op:
                break
            earlier = it
        self.in_order.pop(op, None)
        if self.last_op is None and self.in_order:
            self.last_op = next(reversed(self.in_order))
        if earlier is None:
            return answer
        self._trail(earlier, answer)
        return b""

    def settled(self, op: Op) -> bytes:
        """Note that an op is settled; return the answers that waited for it.

        An exception is that of an answer which was to be made now.
        """
        self.awaiting -= 1
        if self.last_op is op:
            self.last_op = None
        if not self.trailers or (waited := self.trailers.pop(op, None)) is None:
            return b""
        return b"".join([it if isinstance(it, bytes) else it() for it in waited])
