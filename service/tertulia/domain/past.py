"""What was said before, as newcomers and those who look back read it."""

from collections.abc import Iterable, Iterator

import msgspec

from tertulia.domain.events import Closed, PublicEvent, Said
from tertulia.domain.position import Position


class PastMessage(msgspec.Struct, frozen=True):
    """A public message and its place: its entry, and how many messages came before it there."""

    position: Position
    index: int
    said: Said
    is_redacted: bool = False
    """Whether a moderator took it back: nobody reads its text any more."""


class Place(msgspec.Struct, frozen=True):
    """Where a message stands in a room's log of this epoch."""

    offset: int
    index: int = 0


def messages(position: Position, said: Iterable[Said], first: int = 0) -> Iterator[PastMessage]:
    """Yield some consecutive messages of an entry; ``first`` is the index of the first one."""
    for index, it in enumerate(said, first):
        yield PastMessage(position, index, it)


def since_closed(events: Iterable[PublicEvent]) -> tuple[list[Said], int, bool]:
    """Return an entry's messages since the chat was closed in it, the first one's index, and if it was."""
    said: list[Said] = []
    first, was_closed = 0, False
    for event in events:
        if isinstance(event, Said):
            said.append(event)
        elif isinstance(event, Closed):
            first, was_closed = first + len(said), True
            said.clear()
    return said, first, was_closed
