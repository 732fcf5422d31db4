"""What to do after a try to deliver: pure decisions, time is an argument."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 900.0
LONGEST_ASKED: Final = 3600.0
"""Seconds that a receiver may ask to wait at most: it has no say in when a delivery is given up."""


class TryOutcome(StrEnum):
    """What came of a try."""

    DELIVERED = "delivered"
    AGAIN = "again"
    """It failed, and will be tried again."""
    DEAD = "dead"
    """It failed, and is given up."""
    GONE = "gone"
    """The receiver wants nothing more."""


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What a receiver answered, or why it did not."""

    status: int = 0
    """0: it did not answer."""
    why: str = ""
    """Our own words, for logs, where it did not."""
    retry_after: float = 0.0
    """Seconds for which it wants to be left alone."""

    @property
    def in_words(self) -> str:
        """What to tell operators."""
        return self.why or f"it answered {self.status}"


@dataclass(frozen=True, slots=True)
class TryBounds:
    """How long a delivery is tried."""

    tries: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of a try, and of the delivery."""

    outcome: TryOutcome
    wait: float = 0.0
    """Seconds until the next try."""


def decide(
    answer: ReceiverAnswer, tries: int, seconds: float, patience: TryBounds, luck: float
) -> Decision:
    """Decide after a try: the ``tries``-th, so many seconds after the delivery was begun.

    ``luck``: a random number from 0 to 1, which spreads the tries of many deliveries.
    """
    if 200 <= answer.status < 300:
        return Decision(TryOutcome.DELIVERED)
    if answer.status == HTTPStatus.GONE:
        return Decision(TryOutcome.GONE)
    left = patience.seconds - seconds
    if tries >= patience.tries or left <= 0:
        return Decision(TryOutcome.DEAD)
    longest = min(FIRST_WAIT * 2.0 ** min(tries - 1, 20), LONGEST_WAIT)
    wait = max(longest * (0.5 + luck / 2), min(answer.retry_after, LONGEST_ASKED))
    return Decision(TryOutcome.AGAIN, min(wait, left))  # the last try is when the time is over


def retry_after(told: str, now: float) -> float:
    """Read ``Retry-After``: seconds, or a date. What is neither is 0."""
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        date = parsedate_to_datetime(told)
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):  # none, or one that no calendar has
        return 0.0
