"""One event to everybody, without work per recipient beyond the write.

The events of an entry are rendered once per encoder and put together to one ``bytes``, which is written
to all sessions of that encoder at once. A few sessions read something else: one that came or went in the
middle of the entry, a sender whose dialect does not echo, a new administrator. Each of them has a ``Cut``.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import msgspec

from tertulia.chat.ports import Outbox
from tertulia.chat.receipts import Stream
from tertulia.chat.session import Session
from tertulia.dialects.contract import Encoder
from tertulia.domain.events import PublicEvent, Said
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Metrics


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
        apart = {outbox: writes.pop(outbox) for outbox in but if outbox in writes}
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
    """What the session reads right after an event, by the event's index."""

    def apply(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        """Choose from the rendered events what the session reads."""
        if not self.skips and not self.inserts:
            return pieces[self.start : self.end]
        inserts = dict(self.inserts)
        own = []
        for index in range(self.start, len(pieces) if self.end is None else self.end):
            if index not in self.skips:
                own.append(pieces[index])
            if index in inserts:
                own.append(inserts[index])
        return own


class News(msgspec.Struct, eq=False):
    """What there is to read of an entry: its events, and a cut for each session that reads it differently."""

    position: Position
    events: list[PublicEvent] = []
    cuts: dict[Session, Cut] = {}

    def cut(self, session: Session) -> Cut:
        """Return a session's cut."""
        return self.cuts.setdefault(session, Cut())


class Group:
    """The sessions of one encoder."""

    __slots__ = ("_broadcast", "encoder", "held", "sessions", "stream")

    def __init__(self, encoder: Encoder, broadcast: Broadcast) -> None:
        self.encoder = encoder
        self.sessions: set[Session] = set()
        self.stream = Stream()
        self._broadcast = broadcast
        self.held: set[Session] = set()
        """Sessions to which nothing is written for now."""

    def add(self, session: Session) -> None:
        """Add a session. A session that is held keeps what is written to it until it is released."""
        self.sessions.add(session)
        session.receipts.join(self.stream)
        if session.is_held:
            self.held.add(session)
        else:
            self._broadcast.add(session.outbox)

    def release(self, session: Session) -> None:
        """Write to a session as to the others: it is not held any more."""
        if session in self.held:
            self.held.remove(session)
            self._broadcast.add(session.outbox)

    def remove(self, session: Session) -> None:
        """Remove a session, if it is there."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.held.discard(session)
            self._broadcast.discard(session.outbox)

    def tell(self, entries: Sequence[News]) -> None:
        """Write some entries to every session: one write for all sessions without a cut."""
        encoder = self.encoder
        whole: list[bytes] = []
        for news in entries:
            events, position, cuts = news.events, news.position, news.cuts
            pieces = list(map(encoder.public, events))
            apart = [session for session in cuts if session in self.sessions] if cuts else ()
            if not apart:
                whole.append(encoder.batch(pieces, position))
                continue
            if whole:
                self.write(b"".join(whole))
                whole.clear()
            self.write(encoder.batch(pieces, position), apart)
            for session in apart:
                cut = cuts[session]
                own = cut.prefix + encoder.batch(cut.apply(pieces), position)
                if own:
                    session.write(own)
        if whole:
            self.write(b"".join(whole))

    def write(self, data: bytes, but: Sequence[Session] = ()) -> None:
        """Write to every session except some."""
        if not data:
            return
        self._broadcast.write(data, [session.outbox for session in but] if but else ())
        if self.held:
            for session in self.held.difference(but):
                session.write(data)


class Audience:
    """Everybody on this node who listens to a chat."""

    def __init__(self, metrics: Metrics, broadcast: Callable[[], Broadcast] = OneByOne) -> None:
        """``broadcast`` makes a broadcast for each encoder."""
        self._metrics = metrics
        self._broadcast = broadcast
        self._groups: dict[Encoder, Group] = {}
        self.lagging: set[Session] = set()
        """Sessions with bytes that the kernel has not taken yet."""

    def add(self, session: Session) -> None:
        """Add a session, which reads what is written from now on."""
        group = self._groups.get(session.encoder)
        if group is None:
            group = self._groups[session.encoder] = Group(session.encoder, self._broadcast())
        group.add(session)

    def release(self, session: Session) -> None:
        """Write to a session as to the others, if it is there: it is not held any more."""
        if session.encoder in self._groups:
            self._groups[session.encoder].release(session)

    def remove(self, session: Session) -> None:
        """Remove a session, if it is there."""
        self.lagging.discard(session)
        if session.encoder in self._groups:
            self._groups[session.encoder].remove(session)

    def with_backlog(self) -> list[Session]:
        """Return the sessions for which something may wait: only these are looked at one by one."""
        found = list(self.lagging)
        for group in self._groups.values():
            if group.held:
                found += group.held
        return found

    def announce(self, render: Callable[[Encoder], bytes]) -> None:
        """Write something that is no event to everybody, as each encoder renders it."""
        for group in self._groups.values():
            group.write(render(group.encoder))

    def tell(self, entries: Sequence[News]) -> None:
        """Write some entries to every session, in order: all of it, or what its cut leaves."""
        events = messages = 0
        for news in entries:
            events += len(news.events)
            messages += list(map(type, news.events)).count(Said)
        for group in self._groups.values():
            if group.sessions:
                group.tell(entries)
                group.stream.messages += messages
                self._metrics.deliveries(group.encoder.name).count += events * len(group.sessions)
