"""Whether the service is there, and how long to wait before connecting again. Times are in seconds.

The service is heard from at least as often as it pings. Where it is late, it is asked; where it does not
answer that, the connection is dead, whatever the system says.
"""

from collections.abc import Callable
from typing import Final

_LATE: Final = 4.0
"""How late a ping of the service may be before it is asked."""
_ANSWER: Final = 6.0
"""Within which it is to answer."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


class ServicePulse:
    """When the service was heard last, and when it is to be asked or given up."""

    def __init__(self) -> None:
        self._every = 0.0
        self._heard_at = 0.0
        self._asked_at: float | None = None

    @property
    def is_asked(self) -> bool:
        """Whether it was asked, and has not been heard since."""
        return self._asked_at is not None

    @property
    def deadline(self) -> float | None:
        """When it is to be asked, or given up where it was; None for never."""
        if not self._every:
            return None
        if self._asked_at is not None:
            return self._asked_at + _ANSWER
        return self._heard_at + self._every + _LATE

    def begin(self, every: float, now: float) -> None:
        """Begin to listen to a service that pings so often; 0: it does not say."""
        self._every = every
        self.heard(now)

    def heard(self, now: float) -> None:
        """Note that the service was heard."""
        self._heard_at = now
        self._asked_at = None

    def asked(self, now: float) -> None:
        """Note that the service is asked."""
        self._asked_at = now


class Pauses:
    """Pauses that double, each shortened by chance by up to a half.

    So those who were thrown out together do not come back together.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._attempts = 0
        self._random = random

    def next(self) -> float:
        """Return how long to wait now."""
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        return pause * (1 - self._random() / 2)

    def reset(self) -> None:
        """Begin anew with a short pause."""
        self._attempts = 0
