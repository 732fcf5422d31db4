"""Private messages handed to this node, until they are done with: written, or acknowledged, or returned."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tertulia.chat.ports import Delivery
from tertulia.domain.events import Whispered

if TYPE_CHECKING:
    from tertulia.chat.session import Session


class InFlight:
    """One private message that was given to a session's connection."""

    __slots__ = ("_written", "awaited", "delivery", "given", "session")

    def __init__(self, delivery: Delivery, session: "Session", given: float) -> None:
        self.delivery = delivery
        self.session = session
        self.given = given
        self.awaited = session.received()
        """How many acknowledgements the session has sent when it has acknowledged this one."""
        self._written = False

    def is_written(self) -> bool:
        """Say whether the kernel has taken it. Once true, it stays true."""
        if not self._written:
            session = self.session
            # What is held is not even written. (A call less: every message comes here.)
            self._written = session.held is None and session.outbox.is_flushed()
        return self._written

    def is_done(self, now: float, patience: float) -> bool:
        """Say whether it may be forgotten; a client that acknowledges has ``patience`` seconds to."""
        if not (self._written or self.is_written()):
            return False
        session = self.session
        return (
            session.acknowledged >= self.awaited
            or not session.is_acknowledging
            or now - self.given >= patience
        )


class Letters:
    """The letters of a node, by their numbers in its inbox."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._open: OrderedDict[int, InFlight | None] = OrderedDict()  # None: on its way back
        self._last = 0

    def give(self, delivery: Delivery, session: "Session", now: float) -> InFlight:
        """Note a letter that is being written to a session."""
        self._last = delivery.number
        letter = InFlight(delivery, session, now)
        self._open[delivery.number] = letter
        if session.letters is None:
            session.letters = []
        session.letters.append(letter)
        return letter

    def hold(self, number: int) -> None:
        """Note a letter that cannot be given and is on its way back to its sender."""
        self._last = number
        self._open[number] = None

    def skip(self, number: int) -> None:
        """Note a letter that there is nothing to do about."""
        self._last = number

    def release(self, number: int) -> None:
        """Note that a letter is back with its sender."""
        self._open.pop(number, None)

    def confirmed(self, now: float) -> int:
        """Return the number up to which every letter is done with."""
        while self._open:
            number, letter = next(iter(self._open.items()))
            if letter is None or not letter.is_done(now, self._patience):
                return number - 1
            del self._open[number]
            if letter.session.letters is not None:
                letter.session.letters.remove(letter)
        return self._last

    def unread(self, session: "Session", now: float) -> Iterator[tuple[int, Whispered]]:
        """Give what a session that has gone did not get, and hold it; the rest of its is done with."""
        letters, session.letters = session.letters or (), None
        for letter in letters:
            number, event = letter.delivery.number, letter.delivery.event
            if letter.is_done(now, self._patience) or not isinstance(event, Whispered):
                self._open.pop(number, None)
            else:
                self._open[number] = None
                yield number, event

    def clear(self) -> None:
        """Forget everything: whoever buried this node took the inbox."""
        self._open.clear()
        self._last = 0


def check_written(letters: Sequence[InFlight]) -> None:
    """Look whether letters were written, at a moment when the kernel may have taken them."""
    for letter in letters:
        letter.is_written()
