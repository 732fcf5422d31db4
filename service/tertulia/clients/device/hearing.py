"""How much of what a peer says reaches the screen and the disk, in one chat.

What is faster is read more slowly, and nothing of it is lost; who says more in all is dropped. Time is an
argument, in seconds of a monotonic clock.
"""

from tertulia.domain import nicknames
from tertulia.edge.limits import TokenBucket

LINES_PER_SECOND = 20.0
"""More than anybody reads, or types."""
LINES_BURST = 200
"""Lines that may come at once: somebody pastes a page or two."""
BYTES_PER_SECOND = 65_536
"""The longest file, each second."""
BYTES_BURST = 1_048_576
"""Bytes that may come at once: some files."""
MAX_HEARD = 16 * 1_048_576
"""Bytes of one peer in one chat, files included: what it can make a disk or a captured screen hold."""
MAX_HEARD_IN_ALL = 64 * 1_048_576
"""And of all who are in it, however many come and go."""


class Hearing:
    """What one peer has said in this chat, over however many connections."""

    __slots__ = ("_bytes", "_lines", "is_slowed", "open_at", "size")

    def __init__(self) -> None:
        self._bytes = TokenBucket(BYTES_PER_SECOND, BYTES_BURST)
        self._lines = TokenBucket(LINES_PER_SECOND, LINES_BURST)
        self.size = 0
        """Bytes so far."""
        self.open_at = float("-inf")
        """Until when nothing more of it is to be read."""
        self.is_slowed = False
        """Whether it ever was too fast."""

    def came(self, size: int, now: float) -> None:
        """Count bytes that came."""
        self.size += size
        self._wait(self._bytes.charge(size, now), now)

    def said(self, now: float) -> None:
        """Count a line that is shown, or something that might have been one."""
        self._wait(self._lines.charge(1, now), now)

    def _wait(self, seconds: float, now: float) -> None:
        if seconds:
            self.open_at = max(self.open_at, now + seconds)


class Hearings:
    """What all who are or were in a chat have said."""

    def __init__(self) -> None:
        self._by_name: dict[str, Hearing] = {}

    def of(self, name: str) -> Hearing:
        """Return where a member's words are counted, however often it comes again."""
        return self._by_name.setdefault(nicknames.fold(name), Hearing())

    def take(self, hearing: Hearing, size: int, now: float) -> bool:
        """Count bytes of one member; False where that is more than may be said in a chat."""
        hearing.came(size, now)
        in_all = sum(it.size for it in self._by_name.values())
        return hearing.size <= MAX_HEARD and in_all <= MAX_HEARD_IN_ALL
