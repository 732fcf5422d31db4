"""How much of what a peer says reaches the screen and the disk, in one chat.

A peer that is too fast is read more slowly, and nothing is lost. A peer that says more in all is dropped.
Time is an argument, in seconds of a monotonic clock.
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
LINE_BYTES = 64
"""What a line counts for besides: it has a name, a time and a mark, however short it is."""
COMINGS_BURST = 10
"""Times that one may come into a chat in a row; each is told, and so is each leaving."""
COMINGS_PER_SECOND = 1 / 60
"""And after that."""
IN_ALL = 4
"""How many times that is for all together, however many there are and come and go."""


class Hearing:
    """What one peer has said in this chat, over however many connections."""

    __slots__ = (
        "_bytes",
        "_comings",
        "_everybody",
        "_lines",
        "is_fast",
        "is_told",
        "open_at",
        "size",
    )

    def __init__(self, times: int = 1, everybody: "Hearing | None" = None) -> None:
        """``times``: for how many it counts. ``everybody``: where it is counted as well."""
        self._bytes = TokenBucket(times * BYTES_PER_SECOND, times * BYTES_BURST)
        self._lines = TokenBucket(times * LINES_PER_SECOND, times * LINES_BURST)
        self._comings = TokenBucket(times * COMINGS_PER_SECOND, times * COMINGS_BURST)
        self._everybody = everybody
        self.size = 0
        """Bytes so far."""
        self.open_at = float("-inf")
        """Until when nothing more of it is to be read."""
        self.is_fast = False
        """Whether it was ever too fast itself."""
        self.is_told = False
        """Whether the person knows."""

    def came(self, size: int, now: float) -> None:
        """Count bytes that came."""
        self.size += size
        self._wait(self._bytes.charge(size, now), now)
        if self._everybody is not None:
            self._everybody.came(size, now)
            self.open_at = max(self.open_at, self._everybody.open_at)

    def said(self, now: float) -> None:
        """Count a line that is shown, or something that might have been one."""
        self.size += LINE_BYTES
        self._wait(self._lines.charge(1, now), now)
        if self._everybody is not None:
            self._everybody.said(now)
            self.open_at = max(self.open_at, self._everybody.open_at)

    def comes_too_often(self, now: float) -> bool:
        """Count that it comes in, and say whether it, or everybody together, does so too often."""
        if self._comings.take(1, now) > 0:
            return True
        return self._everybody is not None and self._everybody.comes_too_often(now)

    def _wait(self, seconds: float, now: float) -> None:
        if seconds:
            self.is_fast = True
            self.open_at = max(self.open_at, now + seconds)


class Hearings:
    """How much all members of a chat have said, former ones included."""

    def __init__(self) -> None:
        self._everybody = Hearing(IN_ALL)
        self._by_name: dict[str, Hearing] = {}

    def of(self, name: str) -> Hearing:
        """Return where a member's words are counted, however often it comes again."""
        return self._by_name.setdefault(nicknames.fold(name), Hearing(1, self._everybody))

    def take(self, hearing: Hearing, size: int, now: float) -> bool:
        """Count bytes of one member; False where that is more than may be said in a chat."""
        hearing.came(size, now)
        return hearing.size <= MAX_HEARD and self._everybody.size <= IN_ALL * MAX_HEARD
