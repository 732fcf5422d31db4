"""One event to everybody, without work per recipient beyond the write.

The events of an entry are rendered once per encoder and put together to one ``bytes``, which is written
to all sessions of that encoder at once. A few sessions read something else: one that came or went in the
middle of the entry, a sender whose dialect does not echo, a new administrator. Each of them has a ``Cut``.
"""

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any, Final, Protocol

import msgspec

from tertulia.chat.ports import Outbox
from tertulia.chat.reader import Reader
from tertulia.chat.receipts import Stream
from tertulia.chat.unshown import Unshown, said
from tertulia.dialects.contract import Encoder
from tertulia.domain.events import MODERATED, PublicEvent, Said
from tertulia.domain.position import Position
from tertulia.domain.text import LINE_END
from tertulia.telemetry.counters import Counter
from tertulia.telemetry.metrics import Metrics


def acknowledged(events: Sequence[PublicEvent]) -> int:
    """Count what clients acknowledge of some events that do so: each line of a message, and each notice."""
    if len(events) == 1 and type(event := events[0]) is Said:  # in a further room, mostly
        return 1 + event.text.count(LINE_END)
    texts = [event.text for event in events if type(event) is Said]
    lines = len(texts) + "".join(texts).count(LINE_END)
    if len(texts) == len(events):  # mostly
        return lines
    return lines + sum(map(MODERATED.__contains__, map(type, events)))


class Broadcast(Protocol):
    """Outboxes to which the same bytes are written."""

    # How to write to them may depend on their kind, so a broadcast knows more about them than we do.

    def add(self, outbox: Any) -> None:
        """Add an outbox; what comes from now on is written to it."""
        ...

    def discard(self, outbox: Any) -> None:
        """Remove an outbox, if it is there."""
        ...

    def write(self, data: bytes, but: Collection[Any]) -> None:
        """Write to all except some."""
        ...


class OneByOne:
    """A broadcast that writes to one outbox after the other."""

    __slots__ = ("_writes",)

    def __init__(self) -> None:
        self._writes: dict[Outbox, Callable[[bytes], None]] = {}

    def add(self, outbox: Outbox) -> None:
        """Add an outbox."""
        self._writes[outbox] = outbox.write

    def discard(self, outbox: Outbox) -> None:
        """Remove an outbox, if it is there."""
        self._writes.pop(outbox, None)

    def write(self, data: bytes, but: Collection[Outbox]) -> None:
        """Write to all except some."""
        writes = self._writes
        if not writes:
            return
        # It is cheaper to take the few out for a moment than to ask of each of the many whether it is one.
        apart = {}
        for outbox in but:
            if outbox in writes:
                apart[outbox] = writes.pop(outbox)
        for write in list(writes.values()):
            write(data)
        writes.update(apart)


class Cut(msgspec.Struct, eq=False):
    """The difference between what one session reads of an entry and what everybody reads."""

    prefix: bytes = b""
    start: int = 0
    """The first event that it reads."""
    end: int | None = None
    """The first event that it does not read any more."""
    skips: set[int] = set()
    inserts: list[tuple[int, bytes]] = []
    """What the session reads right after an event, by the event's index; -1: before the first."""

    def apply(
        self, pieces: Sequence[bytes], begin: int = 0, end: int | None = None
    ) -> Sequence[bytes]:
        """Choose from the rendered events, or a part of them, what the session reads."""
        first, last = max(begin, self.start), len(pieces) if end is None else end
        if self.end is not None:
            last = min(last, self.end)
        if not self.skips and not self.inserts:
            return pieces[first:last]
        inserts = dict(self.inserts)
        own = [inserts[begin - 1]] if begin - 1 in inserts else []
        for index in sorted(self.skips.union(inserts)):  # few, where the pieces may be many
            if first <= index < last:
                own += pieces[first : index if index in self.skips else index + 1]
                if index in inserts:
                    own.append(inserts[index])
                first = index + 1
        own += pieces[first:last]
        return own

    def has(self, index: int) -> bool:
        """Say whether the session reads an event."""
        is_before_end = self.end is None or index < self.end
        return index >= self.start and is_before_end and index not in self.skips


_ALL: Final = Cut()
_outbox: Final = attrgetter("outbox")


class News(msgspec.Struct, eq=False):
    """What there is to read of an entry: its events, and a cut for each session that reads it differently."""

    position: Position
    events: list[PublicEvent] = []
    cuts: dict[Reader, Cut] = {}

    def cut(self, session: Reader) -> Cut:
        """Return a session's cut."""
        return self.cuts.setdefault(session, Cut())


class Group:
    """The sessions of one encoder."""

    __slots__ = (
        "_broadcast", "_held", "_unshown", "deliveries", "encoder", "missing", "sessions", "stream",
    )  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        broadcast: Broadcast,
        unshown: Unshown,
        deliveries: Counter,
        held: set[Reader],
    ) -> None:
        """``deliveries`` counts what its sessions were written; ``held`` are those of all groups."""
        self.encoder = encoder
        self.deliveries = deliveries
        self._unshown = unshown
        self.missing = 0
        """How many events could not be shown."""
        self.sessions: set[Reader] = set()
        self.stream = Stream()
        self._broadcast = broadcast
        self._held = held

    def add(self, session: Reader) -> None:
        """Add a session. A session that is held keeps what is written to it until it is released."""
        self.sessions.add(session)
        session.receipts.join(self.stream)
        if session.is_held:
            self._held.add(session)
        else:
            self._broadcast.add(session.outbox)

    def release(self, session: Reader) -> None:
        """Write to a session as to the others: it is not held any more."""
        if session in self._held:
            self._held.remove(session)
            self._broadcast.add(session.outbox)

    def remove(self, session: Reader) -> None:
        """Remove a session, if it is there."""
        if session in self.sessions:
            self.sessions.remove(session)
            self._held.discard(session)
            self._broadcast.discard(session.outbox)

    def tell(self, entries: Sequence[News], own: dict[Reader, list[bytes]]) -> None:
        """Write some entries to every session: one write for all sessions without a cut.

        What some of them read next, alone, is taken out of ``own`` where it is written together with that.
        """
        encoder = self.encoder
        whole: list[bytes] = []
        for news in entries:
            events, position, cuts = news.events, news.position, news.cuts
            apart = [session for session in cuts if session in self.sessions] if cuts else ()
            try:
                pieces = encoder.pieces(events, position)
                text = encoder.batch(pieces, position)
                if apart:
                    parts = [cuts[it].prefix + self._part(news, pieces, cuts[it]) for it in apart]
            except Exception:
                text, parts = self._mended(news, apart)
            if not apart:
                whole.append(text)
                continue
            if whole:
                self.write(b"".join(whole))
                whole.clear()
            # They first: most of them speak, and what they answer is here when the others are written to.
            for session, part in zip(apart, parts, strict=True):
                if part:
                    session.write(part)
            self.write(text, apart)
        if text := b"".join(whole):
            speakers = self.sessions.intersection(own) if own else ()
            for session in speakers:
                session.write(b"".join([text, *own.pop(session)]))
            self.write(text, speakers)

    def _part(
        self, news: News, pieces: Sequence[bytes], cut: Cut, begin: int = 0, end: int | None = None
    ) -> bytes:
        """Render what somebody reads of an entry, or a part of it."""
        first = max(begin, cut.start)
        before = said(news.events[:first]) if first else 0
        return self.encoder.batch(cut.apply(pieces, begin, end), news.position, before)

    def _mended(self, news: News, apart: Sequence[Reader]) -> tuple[bytes, list[bytes]]:
        """Render an entry of which not all can be shown: for everybody, and for each of those apart.

        Whoever is to read what is missing reads a notice in its place.
        """
        try:
            mended = self._unshown.mended(self.encoder, news.events, news.position)
            notice, pieces, missing = mended
            text = b"".join([notice, *(self._part(news, pieces, _ALL, *it) for it in mended.parts)])
            own = []
            for session in apart:
                cut = news.cuts[session]
                parts = [self._part(news, pieces, cut, *it) for it in mended.parts]
                is_told = any(map(cut.has, missing))
                own.append(b"".join([cut.prefix, notice if is_told else b"", *parts]))
        except Exception:
            self._fail()
            return b"", [b""] * len(apart)
        # The notice is a message as well, for those who acknowledge them.
        more = 1 - acknowledged([news.events[index] for index in missing])
        self.stream.messages += more
        for session in apart:
            if not any(map(news.cuts[session].has, missing)):
                session.receipts.skip(more)
        self.missing += len(missing)
        return text, own

    def _fail(self) -> None:
        """Let everybody go: they can't even be told that something is missing."""
        self._unshown.note(self.encoder)
        self._unshown.failed |= self.sessions
        for session in list(self.sessions):
            self.remove(session)

    def announce(self, render: Callable[[Encoder], bytes]) -> None:
        """Write a notice to every session."""
        try:
            text = render(self.encoder)
        except Exception:
            self._fail()
            return
        self.write(text)
        self.stream.messages += 1  # those who acknowledge messages do so with a notice, too

    def write(self, data: bytes, but: Collection[Reader] = ()) -> None:
        """Write to every session except some."""
        if not data:
            return
        self._broadcast.write(data, list(map(_outbox, but)) if but else ())
        if self._held:
            for session in self._held.intersection(self.sessions).difference(but):
                session.write(data)


class Audience:
    """Everybody on this node who listens to a room."""

    __slots__ = (
        "_acknowledges", "_broadcast", "_groups", "_metrics", "echoes", "held", "unshown",
    )  # fmt: skip

    def __init__(
        self,
        metrics: Metrics,
        broadcast: Callable[[], Broadcast] = OneByOne,
        unshown: Unshown | None = None,
    ) -> None:
        """``broadcast`` makes a broadcast for each encoder; ``unshown`` is another room's of the chat."""
        self._metrics = metrics
        self._broadcast = broadcast
        self.unshown = unshown or Unshown(metrics)
        self._groups: dict[Encoder, Group] = {}
        self.echoes = True
        """Whether everybody here reads their own public messages: it is asked for each entry."""
        self._acknowledges = False
        """Whether somebody acknowledges public messages, or did: else nobody asks how many there were."""
        self.held: set[Reader] = set()
        """Those to whom nothing is written for now: what is to be read waits where they keep it."""

    def add(self, session: Reader) -> None:
        """Add a session, which reads what is written from now on."""
        group = self._groups.get(session.encoder)
        if group is None:
            deliveries = self._metrics.deliveries(session.encoder.name)
            group = Group(session.encoder, self._broadcast(), self.unshown, deliveries, self.held)
            self._groups[session.encoder] = group
        group.add(session)
        self.echoes = self.echoes and session.encoder.echoes
        self._acknowledges = self._acknowledges or session.encoder.acknowledges_all

    def release(self, session: Reader) -> None:
        """Write to a session as to the others, if it is there: it is not held any more."""
        if session.encoder in self._groups:
            self._groups[session.encoder].release(session)

    def remove(self, session: Reader) -> None:
        """Remove a session, if it is there."""
        if session.encoder in self._groups:
            self._groups[session.encoder].remove(session)
            if not self.echoes:
                groups = self._groups.values()
                self.echoes = all(it.encoder.echoes for it in groups if it.sessions)

    def announce(self, render: Callable[[Encoder], bytes]) -> None:
        """Write a notice to everybody, as each encoder renders it."""
        for group in self._groups.values():
            group.announce(render)

    def tell(self, entries: Sequence[News], own: dict[Reader, list[bytes]]) -> None:
        """Write some entries to every session, in order: all of it, or what its cut leaves.

        ``own`` is what some sessions read next; it is taken out where it is written already.
        """
        events = messages = 0
        for news in entries:
            events += len(news.events)
            if self._acknowledges:
                messages += acknowledged(news.events)
        for group in self._groups.values():
            if group.sessions:
                missing = group.missing
                group.tell(entries, own)
                group.stream.messages += messages
                shown = events - (group.missing - missing)
                group.deliveries.count += shown * len(group.sessions)
