"""Private messages handed to this node: written to their sessions, confirmed, or returned to senders."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tertulia.chat.devices import Devices
from tertulia.chat.letters import Letters
from tertulia.chat.ports import DONE, Clock, Delivery, PassOnOp, ReportOp, Store
from tertulia.chat.reader import Reader
from tertulia.chat.session import ACTIVE, AWAY, IN_THE_ROOM, Session
from tertulia.chat.turn import Turn
from tertulia.chat.unshown import Unshown
from tertulia.domain.events import (
    Letter,
    PrivateEvent,
    Summoned,
    TaggedAlone,
    Undelivered,
    Whispered,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.text import LINE_END
from tertulia.telemetry.metrics import Metrics


class Mailbox:
    """The chat's half of this node's inbox in the store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        patience: float,
        devices: Devices,
        metrics: Metrics,
        unshown: Unshown,
    ) -> None:
        self._store = store
        self._clock = clock
        self._devices = devices
        self._metrics = metrics
        self._unshown = unshown
        self._letters = Letters(patience)

    def deliver(
        self, deliveries: Sequence[Delivery], sessions: Mapping[str, Session], turn: Turn
    ) -> None:
        """Give private events to their sessions; an event whose session is not there goes back."""
        now, letters = self._clock.time(), self._letters
        given: list[tuple[Delivery, Session, int]] = []
        texts: list[tuple[Reader, bytes]] = []
        dialects: list[str] = []
        turn.letters(())  # what came before is counted first: it is acknowledged before them
        for delivery in deliveries:
            session, event = sessions.get(delivery.session), delivery.event
            if (
                session is None
                or session.state is not ACTIVE
                or session.room
                or not isinstance(event, Letter)
            ):
                letters.give_together(given, now)
                turn.letters(texts)
                given, texts = [], []
                dialects += self._deliver(delivery, session, turn, now)
                continue
            try:
                text = session.replies.private(event, delivery.at)
            except Exception:
                letters.give_together(given, now)
                given = []
                self._fail(delivery, event, session)
                continue
            texts.append((session, text))
            given.append((delivery, session, session.receipts.give(1 + event.text.count(LINE_END))))
            dialects.append(session.encoder.name)
        letters.give_together(given, now)
        turn.letters(texts)
        for dialect, count in Counter(dialects).items():
            self._metrics.deliveries(dialect).count += count
        if dialects:
            self._clock.call_soon(letters.look)

    def _deliver(
        self, delivery: Delivery, session: Session | None, turn: Turn, now: float
    ) -> Sequence[str]:
        """Do what there is to be done with a private event; return the dialects in which it was written."""
        event = delivery.event
        if event is None:
            self._letters.skip(delivery.number)
        elif isinstance(event, Summoned):
            self._devices.summoned(delivery.session, event.port)
            self._letters.skip(delivery.number)
        elif isinstance(event, TaggedAlone):
            self._letters.skip(delivery.number)
            if session is not None and session.state is ACTIVE:
                try:
                    turn.letter(session, session.replies.tagged(event, delivery.at))
                except Exception:  # it is no message: nobody misses it
                    self._unshown.note(session.encoder)
        elif session is not None and session.state in IN_THE_ROOM:
            if self._write(delivery, event, session, turn):
                self._letters.give(delivery, session, now)
                return (session.encoder.name,)
        elif session is not None and session.state is AWAY:
            self._letters.keep(delivery, session)
        elif isinstance(event, Whispered):
            self._letters.hold(delivery.number)
            self._report(delivery.number, event)
        else:
            self._letters.skip(delivery.number)
        return ()

    def released(self, session: Session) -> None:
        """Learn that what was held for a session is written: the kernel may have taken it just now."""
        for letter in self._letters.of(session):
            letter.is_written()

    def return_unread(self, session: Session) -> None:
        """Return to the senders what a session that has gone did not get."""
        for number, whisper in self._letters.unread(session, self._clock.time()):
            self._report(number, whisper)

    def keep_unread(self, session: Session) -> None:
        """Keep what a session did not get that is away."""
        self._letters.keep_unread(session, self._clock.time())

    def pass_on(self, session: Session, heir: str, here: Session | None, turn: Turn) -> None:
        """Give what a session did not get to the one that took its seat over, ``here`` or on another node."""
        now = self._clock.time()
        self._letters.keep_unread(session, now)
        for delivery in self._letters.kept(session):
            event = delivery.event
            assert isinstance(event, Whispered | Undelivered)
            if here is not None and here.state in IN_THE_ROOM:
                if self._write(delivery, event, here, turn):
                    self._letters.give(delivery, here, now)
            else:
                self._store.submit(PassOnOp(heir, session.key, event, delivery.at, delivery.number))

    def passed_on(self, op: PassOnOp) -> None:
        """Learn what came of a letter for who had gone on elsewhere: it may be gone since."""
        if op.outcome is not DONE and isinstance(op.event, Whispered):
            self._report(op.number, op.event)
        else:
            self._letters.release(op.number)

    def returned(self, report: ReportOp) -> None:
        """Learn that the store has a report."""
        self._letters.release(report.number)

    def confirmed(self) -> int:
        """Return the number up to which everything is done with."""
        return self._letters.confirmed(self._clock.time())

    def clear(self) -> None:
        """Forget everything: the inbox is not this node's any more, or numbered anew."""
        self._letters.clear()

    def _write(self, delivery: Delivery, event: PrivateEvent, session: Session, turn: Turn) -> bool:
        """Write a letter; False where its reader's dialect fails to show it."""
        try:
            text = session.replies.private(event, delivery.at)
        except Exception:
            self._fail(delivery, event, session)
            return False
        if session.room:
            # It counts what it reads of its room: what came before this stands before it.
            for room in (session.rooms or {}).values():
                room.write()
            turn.letter(session, text)
            turn.flush()
        else:
            turn.letter(session, text)
        return True

    def _fail(self, delivery: Delivery, event: PrivateEvent, session: Session) -> None:
        """Do without showing a letter that its reader's dialect fails to show: as if nobody were here.

        It waits for an account's next visit, perhaps in another dialect, or its sender reads that it failed.
        """
        self._unshown.note(session.encoder)
        self._letters.hold(delivery.number)
        if isinstance(event, Whispered):
            self._report(delivery.number, event)
        else:  # it is such a report
            self._letters.release(delivery.number)
            self._unshown.failed.add(session)

    def _report(self, number: int, whisper: Whispered) -> None:
        self._metrics.undelivered.inc()
        report = ReportOp(
            whisper.sender_session, fold(whisper.sender), whisper.recipient, whisper.text, number,
            whisper.tag,
        )  # fmt: skip
        self._store.submit(report)
