"""When messages are due. Sans-IO: the time is an argument, in microseconds of a monotonic clock."""


class Pace:
    """Open loop: so many messages a second, no matter what becomes of them."""

    __slots__ = ("_end", "_given", "_interval", "_start")

    def __init__(self, rate: float, start: int, end: int, phase: float = 0.0) -> None:
        """Spread messages evenly from ``start`` to ``end``.

        ``phase``, from 0 to 1, is how far into the interval between two the first comes, so that
        several processes take turns.
        """
        self._interval = 1_000_000 / rate
        self._start = start + phase * self._interval
        self._end = end
        self._given = 0

    def due(self, now: int, most: int) -> list[int]:
        """Return when each message that is due was due, those given before left out, the first first.

        A caller that asks late gets all that it missed, each with its own time: the time that a message
        waited here counts. No more than ``most`` at once.
        """
        times: list[int] = []
        while len(times) < most:
            at = int(self._start + self._given * self._interval)
            if at > now or at >= self._end:
                break
            times.append(at)
            self._given += 1
        return times

    def skip(self) -> int:
        """Give up all that were not given yet; return how many."""
        count = 0
        while self.next_at is not None:
            self._given += 1
            count += 1
        return count

    @property
    def next_at(self) -> int | None:
        """When the next message is due; None after the last."""
        at = int(self._start + self._given * self._interval)
        return at if at < self._end else None


class Shares:
    """Deals out one kind among many: of all that are asked for, a share, spread evenly."""

    __slots__ = ("_carried", "_share")

    def __init__(self, share: float) -> None:
        """Choose that share, from 0 to 1."""
        self._share = share
        self._carried = 0.5  # rounds to the nearest

    def take(self) -> bool:
        """Say whether the next is one."""
        self._carried += self._share
        if self._carried >= 1:
            self._carried -= 1
            return True
        return False
