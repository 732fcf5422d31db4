"""What sessions ask of the past: to read further back, to search, to read a part of it.

One at a time, and not too often.
"""

from collections.abc import Callable, Sequence, Set
from typing import Any, Final, Protocol

from msgspec.structs import replace

from tertulia.chat.any_room import AnyRoom
from tertulia.chat.ports import Clock, Entry
from tertulia.chat.reader import Reader
from tertulia.chat.session import ACTIVE, ENDED, Session
from tertulia.chat.sessions import Sessions
from tertulia.chat.unshown import Unshown
from tertulia.domain.commands import Excerpt, Fault, Faulty, LookBack, Search
from tertulia.domain.past import PastMessage, Place, messages, since_closed
from tertulia.domain.position import Position

MOST_MESSAGES: Final = 100
MOST_FOUND: Final = 50
"""Messages in an answer."""
MOST_BYTES: Final = 262_144
"""Bytes of messages in an answer; one message more may begin below it."""
MOST_ENTRIES: Final = 2_000
MOST_SIZE: Final = 1_048_576
"""Entries, and characters of their messages, that are looked at for one answer."""
REST_SECONDS: Final = 0.2
"""For how long a session's next request waits after an answer."""

_BUSY = Faulty(Fault.MALFORMED, "one history or search at a time: wait for its answer")

Start = Callable[[], None]


class ReadsBack(Protocol):
    """A room's log, to be read backwards, and on from a place."""

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read it, as ``Store.look_back`` and ``RoomStore.look_back`` do."""
        ...

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read it, as ``Store.look_on`` and ``RoomStore.look_on`` do."""
        ...


class PastRequests:
    """The requests of a chat's sessions on this node, whichever room they are about."""

    def __init__(self, clock: Clock, sessions: Sessions) -> None:
        self._clock = clock
        self._sessions = sessions
        self._resting: set[Session] = set()
        """Sessions that had an answer just now."""
        self._underway: set[Session] = set()
        self._waiting: dict[Session, list[Start]] = {}
        """What is to be read as soon as a session has rested, the oldest first."""

    def ask(
        self, reader: Reader, command: LookBack | Search, room: AnyRoom[Any], log: ReadsBack
    ) -> Faulty | None:
        """Answer with the messages before a place, or with those in which a text is, in the reader's room.

        Returns what is wrong with the request, if it is.
        """
        session = reader.session
        if session in self._underway or session in self._waiting:
            return replace(_BUSY, room=command.room)
        self._start(session, lambda: self._read(reader, command, room, log))
        return None

    def excerpt(self, reader: Reader, command: Excerpt, room: AnyRoom[Any], log: ReadsBack) -> None:
        """Answer with a part of what was said in the reader's room.

        The session takes no commands until it is read, so answers keep the order of the commands.
        """
        session, here = reader.session, room.roster.position
        excerpt = _Excerpt(reader, command, here, room.redacted)
        if not reader.encoder.looks_back or command.epoch not in ("", here.epoch):
            self._tell(excerpt, room)
            return

        def done() -> None:
            self._rest(session)
            session.go_on()
            self._tell(excerpt, room)
            session.outbox.proceed()

        session.pause()
        self._start(session, lambda: excerpt.read(log, done))

    def _tell(self, excerpt: "_Excerpt", room: AnyRoom[Any]) -> None:
        session = excerpt.reader.session
        if session.state is ENDED:
            return
        room.write()
        try:
            session.answer(excerpt.answer())
        except Exception:
            self._sessions.fail(session)

    def _start(self, session: Session, start: Start) -> None:
        """Begin to read for a session, once it has rested."""
        if session in self._underway or session in self._resting:
            self._waiting.setdefault(session, []).append(start)
        else:
            self._underway.add(session)
            start()

    def _read(
        self, reader: Reader, command: LookBack | Search, room: AnyRoom[Any], log: ReadsBack
    ) -> None:
        here = room.roster.position
        before = here.offset + 1 if command.before is None else command.before
        place = Place(before, command.index)
        if place.offset > here.offset:  # what this node has not read yet is not past
            place = Place(here.offset + 1)
        text = command.text if isinstance(command, Search) else None
        page = _Page(reader, here.epoch, place, text, room.redacted, self._sessions.unshown)
        if not reader.encoder.looks_back:
            self._answer(page, room, is_all=True)
            return
        # The entry of the place itself may have messages before it.
        end = Position(here.epoch, place.offset + (place.index > 0))
        log.look_back(end, page.take, lambda is_all: self._answer(page, room, is_all=is_all))

    def _answer(self, page: "_Page", room: AnyRoom[Any], *, is_all: bool) -> None:
        reader, session = page.reader, page.reader.session
        self._rest(session)
        if session.state is ENDED:
            return
        room.write()
        try:
            frame = page.frame(page.epoch, more=not (is_all or page.is_begin))
            if page.misses_some:
                frame += reader.encoder.missed(room.roster.position)
                reader.receipts.give_notices()
        except Exception:
            self._sessions.fail(session)
            return
        reader.write(frame)

    def _rest(self, session: Session) -> None:
        """Learn that nothing is read for a session any more, and let its next request wait for a moment."""
        self._underway.discard(session)
        self._resting.add(session)
        self._clock.call_later(REST_SECONDS, lambda: self._rested(session))

    def _rested(self, session: Session) -> None:
        self._resting.discard(session)
        waiting = self._waiting.get(session)
        if not waiting:
            return
        start = waiting.pop(0)
        if session.state is ENDED or not waiting:
            del self._waiting[session]
        if session.state is not ENDED:
            self._start(session, start)


class _Page:
    """An answer that is being put together, from the latest message back."""

    def __init__(
        self,
        reader: Reader,
        epoch: str,
        before: Place,
        text: str | None,
        redacted: Set[tuple[int, int]],
        unshown: Unshown,
    ) -> None:
        self.reader = reader
        self.epoch = epoch
        self._unshown = unshown
        self.misses_some = False
        """Whether something could not be shown."""
        self._redacted = redacted
        self.is_begin = False
        """Whether nothing was said before what was looked at: the chat was closed there."""
        self._before = before
        self._text = text
        self._sought = text.casefold() if text is not None else ""
        self._most = MOST_MESSAGES if text is None else MOST_FOUND
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._entries = 0
        self._size = 0

    def take(self, entry: Entry) -> bool:
        """Look at an earlier entry; return whether to go on."""
        if self.reader.state is ENDED:
            return False
        self._entries += 1
        said, first, self.is_begin = since_closed(entry.events)
        for message in reversed(list(messages(entry.position, said, first))):
            if (entry.position.offset, message.index) >= (self._before.offset, self._before.index):
                continue
            if self._is_full:
                self.is_begin = False
                return False
            self._size += len(message.said.text)
            self._before = Place(entry.position.offset, message.index)
            if (entry.position.offset, message.index) in self._redacted:
                if self._text is None:
                    self._add(replace(message, is_redacted=True))
            elif self._sought in message.said.text.casefold():
                self._bytes += self._add(message)
        self._before = Place(entry.position.offset)
        return not (self.is_begin or self._is_full or self._entries >= MOST_ENTRIES)

    def _add(self, message: PastMessage) -> int:
        """Add a message; return its size."""
        encoder = self.reader.encoder
        try:
            piece = encoder.past_message(message)
        except Exception:
            self._unshown.note(encoder)
            self.misses_some = True
            return 0
        self._pieces.append(piece)
        return len(piece)

    @property
    def _is_full(self) -> bool:
        return (
            len(self._pieces) >= self._most or self._bytes >= MOST_BYTES or self._size >= MOST_SIZE
        )

    def frame(self, epoch: str, *, more: bool) -> bytes:
        """Return the answer."""
        encoder, pieces = self.reader.encoder, self._pieces[::-1]
        if self._text is None:
            return encoder.past(pieces, epoch, self._before, more=more)
        return encoder.found(self._text, pieces, epoch, self._before, more=more)


def _micros(seconds: float) -> int:
    """Return a time as the log has it: nothing is committed between two of these."""
    return round(seconds * 1e6)


class _Excerpt:
    """A part of what was said that is being read."""

    def __init__(
        self, reader: Reader, command: Excerpt, here: Position, redacted: Set[tuple[int, int]]
    ) -> None:
        """``here``: up to where there is anything; what this node has not read yet is not past."""
        self.reader = reader
        self._told = command.told
        self._command = command
        self._after, self._before = command.after, command.before
        self._is_from_start = command.from_start
        self._here = here
        self._redacted = redacted
        self._most = max(1, min(command.most, MOST_MESSAGES))
        self._wanted = self._most
        """How many messages are to be there when the read ends that is under way."""
        self._found: list[PastMessage] = []
        """The oldest first; while it is read backwards, the latest."""
        self._entries = 0
        self._size = 0

    def read(self, log: ReadsBack, done: Callable[[], None]) -> None:
        """Read it; call ``done`` when it is there."""
        around = self._command.around

        def read_back(_: bool) -> None:
            self._found.reverse()
            if around is not None:
                self._read_on_from(around, log, done)
            else:
                done()

        if around is not None:
            self._after, self._before, self._wanted = None, around, self._most // 2
        if around is None and self._is_from_start:
            self._read_on(log, done)
        elif self._wanted:
            log.look_back(self._end(), self._take_back, read_back)
        else:
            read_back(True)

    def _read_on_from(self, place: Place | float, log: ReadsBack, done: Callable[[], None]) -> None:
        """Read what was said at a place or a time, and since then."""
        if isinstance(place, Place):
            self._after = Place(place.offset, place.index - 1)
        else:
            self._after = place - 1e-6
        self._before, self._wanted, self._entries = None, self._most, 0
        self._read_on(log, done)

    def _read_on(self, log: ReadsBack, done: Callable[[], None]) -> None:
        log.look_on(self._begin(), self._take_on, lambda _: done())

    def _end(self) -> Position:
        """Return the place before which are all entries that may have something of it."""
        it, epoch = self._before, self._here.epoch
        end = self._here.offset + 1
        if it is None:
            return Position(epoch, end)
        if isinstance(it, Place):  # its entry may have messages before it
            return Position(epoch, min(end, it.offset + 1))
        return Position(epoch, 0, _micros(it) / 1e6)

    def _begin(self) -> Position:
        """Return the place behind which are all entries that may have something of it."""
        it, epoch = self._after, self._here.epoch
        if it is None:
            return Position(epoch, 0)
        if isinstance(it, Place):
            return Position(epoch, max(0, it.offset - 1))
        return Position(epoch, 0, (_micros(it) + 1) / 1e6)

    def _take_back(self, entry: Entry) -> bool:
        """Look at an earlier entry; return whether to go on."""
        if entry.position.offset > self._here.offset:
            return True
        said, first, is_begin = since_closed(entry.events)
        for message in reversed(list(messages(entry.position, said, first))):
            if self._is_later(message, self._before, or_there=True):
                continue
            if self._after is not None and not self._is_later(message, self._after):
                return False
            if not self._add(message):
                return False
        return not is_begin and self._goes_on()

    def _take_on(self, entry: Entry) -> bool:
        """Look at a later entry; return whether to go on."""
        if entry.position.offset > self._here.offset:
            return False
        said, first, was_closed = since_closed(entry.events)
        if was_closed:
            self._found.clear()
        for message in messages(entry.position, said, first):
            if self._after is not None and not self._is_later(message, self._after):
                continue
            if self._is_later(message, self._before, or_there=True) or not self._add(message):
                return False
        return self._goes_on()

    def _is_later(
        self, message: PastMessage, than: Place | float | None, *, or_there: bool = False
    ) -> bool:
        """Say whether a message was said after a place or time, or there as well; never after None."""
        if than is None:
            return False
        if isinstance(than, Place):
            mine, its = (message.position.offset, message.index), (than.offset, than.index)
            return mine > its or (or_there and mine == its)
        at, moment = _micros(message.position.at), _micros(than)
        return at > moment or (or_there and at == moment)

    def _add(self, message: PastMessage) -> bool:
        """Add a message; return whether more are wanted."""
        is_redacted = (message.position.offset, message.index) in self._redacted
        self._found.append(replace(message, is_redacted=True) if is_redacted else message)
        self._size += len(message.said.text)
        return len(self._found) < self._wanted and self._size < MOST_BYTES

    def _goes_on(self) -> bool:
        """Say whether a further entry is to be looked at, after one that was looked at to its end."""
        self._entries += 1
        return self._entries < MOST_ENTRIES and self.reader.state is not ENDED

    def answer(self) -> bytes:
        """Return the answer."""
        is_there = self.reader.state is ACTIVE
        found: Sequence[PastMessage] = self._found if is_there else ()
        return self._told(found)
