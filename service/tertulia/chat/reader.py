"""Who reads what happens in a room: a session in the lobby, or a session's seat in a further room."""

from collections.abc import Callable
from typing import Protocol

from tertulia.chat.ports import Outbox
from tertulia.chat.receipts import Receipts
from tertulia.chat.session import Session, State
from tertulia.dialects.contract import Encoder, Replies
from tertulia.domain.commands import Resume


class Reader(Protocol):
    """What the fan-out needs to know of a session in a room. Only its own verbs write its fields."""

    @property
    def session(self) -> Session:
        """The session whose client reads."""
        ...

    @property
    def state(self) -> State:
        """Where it is in its life in this room."""
        ...

    @property
    def encoder(self) -> Encoder:
        """Those with equal ones read the same bytes."""
        ...

    @property
    def replies(self) -> Replies:
        """What its client is told alone of this room."""
        ...

    @property
    def outbox(self) -> Outbox:
        """The way to the client."""
        ...

    @property
    def receipts(self) -> Receipts:
        """What the client was given, and has acknowledged."""
        ...

    @property
    def write(self) -> Callable[[bytes], None]:
        """Where everything of this room goes: to the client, or to what is held for it."""
        ...

    @property
    def before_held(self) -> Callable[[bytes], None]:
        """Where that goes which is to be read before what is held."""
        ...

    @property
    def resume_from(self) -> Resume | None:
        """The place from which it goes on; None for a newcomer."""
        ...

    @property
    def misses_some(self) -> bool:
        """Whether it wants to go on from a place, and nobody remembers it."""
        ...

    @property
    def is_held(self) -> bool:
        """Whether what it is to read is held."""
        ...

    def backlog(self) -> int:
        """Return how many bytes wait for the client."""
        ...

    def activate(self) -> None:
        """Be in the room."""
        ...

    def resume(self) -> None:
        """Hold everything until what it missed is read."""
        ...
