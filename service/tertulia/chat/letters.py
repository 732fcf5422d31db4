"""Private messages handed to this node, until they are done with: written, acknowledged, or returned."""

from collections import OrderedDict
from collections.abc import Iterator

from tertulia.chat.ports import Delivery
from tertulia.chat.session import Session
from tertulia.domain.events import Whispered


class InFlight:
    """One private message that was given to a session's connection."""

    __slots__ = ("_written", "awaited", "delivery", "given", "session")

    def __init__(self, delivery: Delivery, session: Session, given: float) -> None:
        self.delivery = delivery
        self.session = session
        self.given = given
        self.awaited = session.receipts.give()
        """How many acknowledgements the session has sent once it has acknowledged this letter."""
        self._written = False

    def is_written(self) -> bool:
        """Say whether the kernel has taken it. Once true, it stays true."""
        if not self._written:
            session = self.session
            # What is held is not even written. (No call of ``is_held``: every message comes here.)
            self._written = session.held is None and session.outbox.is_flushed()
        return self._written

    def is_done(self, now: float, patience: float) -> bool:
        """Say whether it may be forgotten. A client that acknowledges has ``patience`` seconds to do so."""
        if not (self._written or self.is_written()):
            return False
        receipts = self.session.receipts
        return (
            receipts.acknowledged >= self.awaited
            or not receipts.is_acknowledging
            or now - self.given >= patience
        )


class Letters:
    """The letters of a node, by their numbers in its inbox and by their sessions."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._open: OrderedDict[int, InFlight | None] = OrderedDict()  # None: on its way back
        self._given: dict[Session, list[InFlight]] = {}
        self._last = 0

    def give(self, delivery: Delivery, session: Session, now: float) -> InFlight:
        """Note a letter that is being written to a session."""
        self._last = delivery.number
        letter = InFlight(delivery, session, now)
        self._open[delivery.number] = letter
        self._given.setdefault(session, []).append(letter)
        return letter

    def hold(self, number: int) -> None:
        """Note a letter that cannot be given and is on its way back to its sender."""
        self._last = number
        self._open[number] = None

    def skip(self, number: int) -> None:
        """Note a letter for which there is nothing to do."""
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
            given = self._given[letter.session]
            given.remove(letter)
            if not given:
                del self._given[letter.session]
        return self._last

    def of(self, session: Session) -> list[InFlight]:
        """Return the letters that a session was given and that are not known to be done with."""
        return self._given.get(session, [])

    def unread(self, session: Session, now: float) -> Iterator[tuple[int, Whispered]]:
        """Yield and hold the letters that a session that has gone did not get; its others are done with."""
        for letter in self._given.pop(session, ()):
            number, event = letter.delivery.number, letter.delivery.event
            if letter.is_done(now, self._patience) or not isinstance(event, Whispered):
                self._open.pop(number, None)
            else:
                self._open[number] = None
                yield number, event

    def clear(self) -> None:
        """Forget everything: the node that buried this one took the inbox."""
        self._open.clear()
        self._given.clear()
        self._last = 0
