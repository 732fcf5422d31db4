"""Private messages handed to this node, until they are done with: written, acknowledged, or returned."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from tertulia.chat.ports import Delivery
from tertulia.chat.session import Session
from tertulia.domain.events import Letter, Whispered
from tertulia.domain.text import LINE_END


class InFlight:
    """One private message that was given to a session's connection."""

    __slots__ = ("_written", "awaited", "delivery", "given", "session")

    def __init__(self, delivery: Delivery, session: Session, awaited: int, given: float) -> None:
        self.delivery = delivery
        self.session = session
        self.awaited = awaited
        """How many acknowledgements the session has sent once it has acknowledged this letter."""
        self.given = given
        self._written = False

    def is_written(self) -> bool:
        """Say whether the kernel has taken it. Once true, it stays true."""
        if not self._written:
            # What is held is not even written.
            self._written = self.session.held is None and self.session.outbox.is_flushed()
        return self._written

    def is_done(self, now: float, patience: float) -> bool:
        """Say whether it may be forgotten. A client that acknowledges has ``patience`` seconds to do so."""
        if not (self._written or self.is_written()):
            return False
        receipts = self.session.receipts
        acknowledged = receipts.acknowledged
        return (
            not acknowledged  # as of most clients: no more has to be asked
            or acknowledged >= self.awaited
            or not receipts.is_acknowledging
            or now - self.given >= patience
        )


class Letters:
    """The letters of a node, by their numbers in its inbox and by their sessions."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        # Those that were given since somebody looked: most are done with then, and never noted one by one.
        self._fresh: list[tuple[Delivery, Session, int]] = []
        self._given_at = 0.0
        # Those that were not written when somebody looked, perhaps before the kernel could have taken them.
        self._unwritten: list[InFlight] = []
        self._open: OrderedDict[int, InFlight | None] = OrderedDict()  # None: on its way back
        self._given: dict[Session, list[InFlight]] = {}
        self._kept: dict[Session, list[Delivery]] = {}  # for those who are away
        self._last = 0

    def give(self, delivery: Delivery, session: Session, now: float) -> None:
        """Note a letter that is being written to a session: a new one, or one that was kept."""
        assert isinstance(delivery.event, Letter)
        awaited = session.receipts.give(1 + delivery.event.text.count(LINE_END))
        self.give_together(((delivery, session, awaited),), now)

    def give_together(self, given: Sequence[tuple[Delivery, Session, int]], now: float) -> None:
        """Note such letters, in their order, each with the acknowledgements that cover it."""
        if now != self._given_at:
            self.look()
            self._given_at = now
        if given:
            self._last = max(self._last, given[-1][0].number)
            self._fresh += given

    def look(self) -> None:
        """Look whether fresh letters were written, at a moment when the kernel may have taken them."""
        for letter in self._unwritten:
            letter.is_written()
        self._unwritten.clear()
        fresh, self._fresh = self._fresh, []
        now, flushed = self._given_at, dict[Session, bool]()
        for delivery, session, awaited in fresh:
            is_done = flushed.get(session)
            if is_done is None:
                is_flushed = session.held is None and session.outbox.is_flushed()
                is_done = flushed[session] = is_flushed and not session.receipts.acknowledged
            if is_done:
                if self._open:  # it may have been kept
                    self._open.pop(delivery.number, None)
            else:
                letter = InFlight(delivery, session, awaited, now)
                if not letter.is_written():
                    self._unwritten.append(letter)
                self._open[delivery.number] = letter
                self._given.setdefault(session, []).append(letter)

    def keep(self, delivery: Delivery, session: Session) -> None:
        """Note a letter for a session that is away."""
        self.hold(delivery.number)
        self._kept.setdefault(session, []).append(delivery)

    def hold(self, number: int) -> None:
        """Note a letter that cannot be given and is on its way back to its sender."""
        self.look()
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
        self.look()
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
        self.look()
        return self._given.get(session, [])

    def keep_unread(self, session: Session, now: float) -> None:
        """Keep the letters that a session whose connection is lost did not get; its others are done with."""
        self.look()
        for letter in self._given.pop(session, ()):
            if letter.is_done(now, self._patience):
                self._open.pop(letter.delivery.number, None)
            else:
                self._open[letter.delivery.number] = None
                self._kept.setdefault(session, []).append(letter.delivery)

    def kept(self, session: Session) -> Sequence[Delivery]:
        """Return the letters that were kept for a session, in order; they are somebody else's affair now."""
        return self._kept.pop(session, ())

    def unread(self, session: Session, now: float) -> Iterator[tuple[int, Whispered]]:
        """Yield and hold the letters that a session that has gone did not get; its others are done with."""
        self.keep_unread(session, now)
        for delivery in self.kept(session):
            if isinstance(delivery.event, Whispered):
                yield delivery.number, delivery.event
            else:
                self._open.pop(delivery.number, None)

    def clear(self) -> None:
        """Forget everything: the node that buried this one took the inbox."""
        self._fresh.clear()
        self._unwritten.clear()
        self._open.clear()
        self._given.clear()
        self._kept.clear()
        self._last = 0
