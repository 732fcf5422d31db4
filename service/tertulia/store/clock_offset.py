"""How far this machine's clock is from Redis': found out by asking Redis for the time.

Redis' answer was made at some moment between question and answer, so the quicker it came, the more it tells.
"""

from collections import deque
from typing import Final, NamedTuple

_KEPT: Final = 8
"""Answers, of which the quickest counts."""
_DRIFT_SECONDS: Final = 0.001
"""By how much clocks may have drifted apart since the first of them."""


class _Answer(NamedTuple):
    error: float
    """At most so many seconds."""
    ahead: float


class ClockOffset:
    """Seconds by which this machine's clock is ahead of Redis'; 0 until that is known."""

    def __init__(self) -> None:
        self._answers: deque[_Answer] = deque(maxlen=_KEPT)

    @property
    def seconds(self) -> float:
        """The best guess, negative where this clock is behind."""
        return min(self._answers).ahead if self._answers else 0.0

    def note(self, asked: float, told: float, answered: float) -> None:
        """Learn what Redis told the time was, and when, by this clock, it was asked and had answered.

        Each in Unix time, seconds. An answer that can't be, as those before say, means that a clock was set.
        """
        error = (answered - asked) / 2
        if error < 0:  # set back in this very moment
            return
        answer = _Answer(error, asked + error - told)
        if self._answers:
            best = min(self._answers)
            if abs(answer.ahead - best.ahead) > answer.error + best.error + _DRIFT_SECONDS:
                self._answers.clear()
        self._answers.append(answer)
