"""A session's seat in a further room: what the fan-out needs of a session, for this room."""

from collections.abc import Callable

from tertulia.chat.ports import Outbox
from tertulia.chat.receipts import Receipts
from tertulia.chat.session import (
    ACTIVE,
    AWAY,
    ENDED,
    JOINING,
    LEAVING,
    NotInThisState,
    Session,
    State,
    nowhere,
)
from tertulia.dialects.contract import Encoder, Replies
from tertulia.domain.commands import Resume


class Seat:
    """A seat's state. Anything may read its fields; only its own verbs write them.

    JOINING ──── activate ▶ ACTIVE
    anywhere ─── lose ▶ AWAY, leave ▶ LEAVING, end ▶ ENDED
    """

    __slots__ = (
        "_held", "again", "encoder", "is_asked", "misses_some", "replies", "resume_from", "session",
        "state",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        encoder: Encoder,
        replies: Replies,
        resume_from: Resume | None,
        *,
        misses_some: bool,
    ) -> None:
        """``encoder`` and ``replies`` are the room's.

        ``misses_some``: it wants to go on, and nobody remembers it.
        """
        self.session = session
        self.encoder = encoder
        self.replies = replies
        self.state: State = JOINING
        self.resume_from = resume_from
        self.misses_some = misses_some
        self.is_asked = False
        """Whether the store was asked for it."""
        self.again: Callable[[], None] | None = None
        """What is to be done when it is given back: its session wants to be in the room again."""
        self._held: bytearray | None = None

    @property
    def outbox(self) -> Outbox:
        """The client's."""
        return self.session.outbox

    @property
    def receipts(self) -> Receipts:
        """The client's: it counts messages of all rooms."""
        return self.session.receipts

    @property
    def write(self) -> Callable[[bytes], None]:
        """Where everything of this room goes."""
        if self.state is AWAY or self.state is ENDED:
            return nowhere
        return self.session.write if self._held is None else self._held.extend

    @property
    def before_held(self) -> Callable[[bytes], None]:
        """Where that goes which is to be read before what is held."""
        return self.session.write

    @property
    def is_held(self) -> bool:
        """Whether what is to be read of this room is held, or all that its client is to read."""
        return self._held is not None or self.session.is_held

    @property
    def held(self) -> int:
        """How many bytes of this room are held."""
        return len(self._held or b"")

    def backlog(self) -> int:
        """Return how many bytes wait for the client, of all rooms."""
        return self.session.backlog()

    def listen(self, encoder: Encoder) -> None:
        """Listen to what its client has chosen; nobody writes to it meanwhile."""
        self.encoder = encoder

    def ask(self) -> None:
        """Note that the store is asked for it."""
        self.is_asked = True

    def activate(self) -> None:
        """Be in the room."""
        if self.state is not JOINING:
            raise NotInThisState(self.session, "activate")
        self.state = ACTIVE

    def resume(self) -> None:
        """Hold everything until what it missed is read."""
        self._held = bytearray()

    def release(self) -> None:
        """Write what was held, and write everything at once from now on."""
        held, self._held = self._held, None
        if held:
            self.write(bytes(held))

    def lose(self) -> None:
        """Stay taken, and read nothing more."""
        self.state, self._held = AWAY, None

    def leave(self) -> None:
        """Be given back, by its client's wish or with its session."""
        self.state, self._held, self.again = LEAVING, None, None

    def come_again(self, again: Callable[[], None] | None) -> None:
        """Note what is to be done when it is given back; None: nothing, after all."""
        self.again = again

    def end(self) -> None:
        """Be over."""
        self.state, self._held = ENDED, None
