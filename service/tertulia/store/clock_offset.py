"""How far this machine's clock is from Redis' clock: found out by asking Redis for the time.

Redis read its clock at some moment between question and answer. So a quicker answer is more exact.
"""

from collections import deque
from typing import Final, NamedTuple

_KEPT: Final = 8
"""How many answers are kept; the quickest of them counts."""
_DRIFT_SECONDS: Final = 0.001
"""By how much the clocks may have drifted apart since the first of these answers."""


class _Answer(NamedTuple):
    error: float
    """How wrong ``ahead`` may be, in seconds at most."""
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
        """Take the time that Redis told, and the times, by this clock, of the question and the answer.

        Each is Unix time in seconds. An answer that contradicts the earlier ones means that a clock was set.
        """
        error = (answered - asked) / 2
        if error < 0:  # this clock was set back in between
            return
        answer = _Answer(error, asked + error - told)
        if self._answers:
            best = min(self._answers)
            if abs(answer.ahead - best.ahead) > answer.error + best.error + _DRIFT_SECONDS:
                self._answers.clear()
        self._answers.append(answer)
