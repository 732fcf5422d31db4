"""Private messages handed to this node: written to their sessions, confirmed, or returned to senders."""

from collections.abc import Iterable, Mapping, Sequence

from tertulia.chat.devices import Devices
from tertulia.chat.letters import InFlight, Letters
from tertulia.chat.ports import Clock, Delivery, ReportOp, Store
from tertulia.chat.session import IN_THE_ROOM, Session
from tertulia.chat.turn import Turn
from tertulia.domain.events import Summoned, Whispered
from tertulia.domain.nicknames import fold
from tertulia.telemetry.metrics import Metrics


class Mailbox:
    """The chat's half of this node's inbox in the store."""

    def __init__(
        self, store: Store, clock: Clock, patience: float, devices: Devices, metrics: Metrics
    ) -> None:
        self._store = store
        self._clock = clock
        self._devices = devices
        self._metrics = metrics
        self._letters = Letters(patience)

    def deliver(
        self, deliveries: Sequence[Delivery], sessions: Mapping[str, Session], turn: Turn
    ) -> None:
        """Give private events to their sessions; an event whose session is not there goes back."""
        now = self._clock.time()
        given: list[InFlight] = []
        counts: dict[str, int] = {}
        for delivery in deliveries:
            session = sessions.get(delivery.session)
            event = delivery.event
            if event is None:
                self._letters.skip(delivery.number)
            elif isinstance(event, Summoned):
                self._devices.summoned(delivery.session, event.port)
                self._letters.skip(delivery.number)
            elif session is not None and session.state in IN_THE_ROOM:
                turn.letter(session, session.encoder.private(event, delivery.at))
                dialect = session.encoder.name
                counts[dialect] = counts.get(dialect, 0) + 1
                given.append(self._letters.give(delivery, session, now))
            elif isinstance(event, Whispered):
                self._letters.hold(delivery.number)
                self._report(delivery.number, event)
            else:
                self._letters.skip(delivery.number)
        for dialect, count in counts.items():
            self._metrics.deliveries(dialect).count += count
        if given:
            self._clock.call_soon(lambda: _look_at(given))

    def released(self, session: Session) -> None:
        """Learn that what was held for a session is written: the kernel may have taken it just now."""
        _look_at(self._letters.of(session))

    def return_unread(self, session: Session) -> None:
        """Return to the senders what a session that has gone did not get."""
        for number, whisper in self._letters.unread(session, self._clock.time()):
            self._report(number, whisper)

    def returned(self, report: ReportOp) -> None:
        """Learn that the store has a report."""
        self._letters.release(report.number)

    def confirmed(self) -> int:
        """Return the number up to which everything is done with."""
        return self._letters.confirmed(self._clock.time())

    def clear(self) -> None:
        """Forget everything: the inbox is not this node's any more, or numbered anew."""
        self._letters.clear()

    def _report(self, number: int, whisper: Whispered) -> None:
        self._metrics.undelivered.inc()
        sender = fold(whisper.sender)
        self._store.submit(
            ReportOp(whisper.sender_session, sender, whisper.recipient, whisper.text, number)
        )


def _look_at(letters: Iterable[InFlight]) -> None:
    """Look whether letters were written, at a moment when the kernel may have taken them."""
    for letter in letters:
        letter.is_written()
