"""Private messages that come a second time, on another connection."""

from collections import Counter, deque
from typing import Final

REMEMBERED: Final = 1_000
"""Messages that are remembered."""


class Repeats:
    """Recognises what was heard on a former connection.

    A private message is written at least once: who lost the connection before confirming it may get it
    again on the next. The same message twice on one connection was sent twice.
    """

    def __init__(self) -> None:
        self._heard: deque[tuple[object, ...]] = deque(maxlen=REMEMBERED)
        self._former: Counter[tuple[object, ...]] = Counter()

    def is_repeat(self, key: tuple[object, ...]) -> bool:
        """Take a message, known by its key; return whether it was heard on a former connection."""
        if self._former[key] > 0:
            self._former[key] -= 1
            return True
        self._heard.append(key)
        return False

    def interrupted(self) -> None:
        """Note that the connection is gone."""
        former = [*self._former.elements(), *self._heard][-REMEMBERED:]
        self._former = Counter(former)
        self._heard.clear()
