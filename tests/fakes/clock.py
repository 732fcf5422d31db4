"""An event loop's clock that only a test moves."""

import heapq
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count


class Timer:
    """Something that is to be called back."""

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...] = ()) -> None:
        self.call: Callable[[], object] = partial(callback, *args) if args else callback

    def cancel(self) -> None:
        """Call it no more."""
        self.call = int


class HandClock:
    """What ``chat.ports.Clock`` asks for. Nothing is called back but by ``run`` and ``advance``."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self._soon: deque[Timer] = deque()
        self._later: list[tuple[float, int, Timer]] = []
        self._numbers = count()

    def time(self) -> float:
        """Return the seconds that the test has let pass."""
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: object) -> Timer:
        """Call back in the next run."""
        timer = Timer(callback, args)
        self._soon.append(timer)
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Timer:
        """Call back once so many seconds have passed."""
        timer = Timer(callback, args)
        heapq.heappush(self._later, (self._now + delay, next(self._numbers), timer))
        return timer

    def run(self) -> None:
        """Call back what is due, and what comes of it, until nothing is left."""
        while self._soon or self._is_due():
            if self._soon:
                self._soon.popleft().call()
            else:
                heapq.heappop(self._later)[2].call()

    def turn(self) -> None:
        """Call back what is due now, and nothing that comes of it: one turn of a loop."""
        for _ in range(len(self._soon)):
            self._soon.popleft().call()
        while self._is_due():
            heapq.heappop(self._later)[2].call()

    def pass_by(self, seconds: float) -> None:
        """Let time pass while nothing is called back: the loop is busy."""
        self._now += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass, and call back whatever falls due, each at its time."""
        end = self._now + seconds
        self.run()
        while self._later and self._later[0][0] <= end:
            self._now = max(self._now, self._later[0][0])
            self.run()
        self._now = end

    @property
    def timers(self) -> int:
        """How many timers are armed."""
        return len(self._later)

    def _is_due(self) -> bool:
        return bool(self._later) and self._later[0][0] <= self._now
