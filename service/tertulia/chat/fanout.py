"""One event to everybody, without work per recipient beyond the write.

The events of an entry are rendered once per encoder and put together to one ``bytes``, which is written
to all sessions of that encoder at once. The few sessions that read something else (who came or went in the
middle of the entry, a sender whose dialect does not echo, a new administrator) have a ``Cut`` each.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tertulia.dialects.contract import Encoder
from tertulia.domain.events import PublicEvent, Said
from tertulia.domain.position import Place
from tertulia.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tertulia.chat.session import Outbox, Session


class Broadcast(Protocol):
    """Outboxes that are all written the same."""

    # How they are written to may depend on what they are, so a broadcast knows more of them than we do.

    def add(self, outbox: Any) -> None:
        """Take one in; it is written what comes from now on."""
        ...

    def discard(self, outbox: Any) -> None:
        """Let one go, if it is there."""
        ...

    def write(self, data: bytes, but: Collection[Any]) -> None:
        """Write to all, but for some."""
        ...


class OneByOne:
    """A broadcast that is written to one after the other."""

    def __init__(self) -> None:
        self._writes: dict[Outbox, Callable[[bytes], None]] = {}

    def add(self, outbox: "Outbox") -> None:
        """Take one in."""
        self._writes[outbox] = outbox.write

    def discard(self, outbox: "Outbox") -> None:
        """Let one go, if it is there."""
        self._writes.pop(outbox, None)

    def write(self, data: bytes, but: Collection["Outbox"]) -> None:
        """Write to all, but for some."""
        writes = self._writes
        if not writes:
            return
        # Taking the few out for a moment is cheaper than looking for each of the many among them.
        apart = {outbox: writes.pop(outbox) for outbox in but if outbox in writes}
        for write in list(writes.values()):
            write(data)
        writes.update(apart)


class Cut:
    """How what one session reads of an entry differs from what everybody reads."""

    __slots__ = ("end", "inserts", "prefix", "skips", "start")

    def __init__(self) -> None:
        self.prefix = b""
        self.start = 0
        """The first event that it reads."""
        self.end: int | None = None
        """The first event that it does not read any more."""
        self.skips: set[int] = set()
        self.inserts: list[tuple[int, bytes]] = []
        """What to read right after an event."""

    def apply(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        """Choose what the session reads, of the rendered events."""
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


class Group:
    """The sessions that listen to one encoder."""

    __slots__ = ("_broadcast", "_kept", "encoder", "held", "lagging", "said", "sessions")

    def __init__(self, encoder: Encoder, broadcast: Broadcast, lagging: "set[Session]") -> None:
        """``lagging``: those of all groups."""
        self.encoder = encoder
        self.sessions: set[Session] = set()
        self.lagging = lagging
        self.said = 0
        """How many public messages were written to this group in all."""
        self._broadcast = broadcast
        self.held: set[Session] = set()
        """Those to whom nothing is written for now."""
        self._kept: list[bytes] = []

    def add(self, session: "Session") -> None:
        """Take in a session; one that is held keeps for itself what is written to it."""
        self.sessions.add(session)
        if session.is_held:
            self.held.add(session)
        else:
            self._broadcast.add(session.outbox)

    def release(self, session: "Session") -> None:
        """Write to a session as to the others: it is not held any more."""
        if session in self.held:
            self.held.remove(session)
            self._broadcast.add(session.outbox)

    def remove(self, session: "Session") -> None:
        """Let go of a session, if it is there."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.held.discard(session)
            self.lagging.discard(session)
            self._broadcast.discard(session.outbox)

    def write(
        self,
        events: Sequence[PublicEvent],
        cuts: Mapping["Session", Cut],
        place: Place,
        *,
        more: bool,
    ) -> None:
        """Write an entry's events to every session; where ``more`` come at once, perhaps with those."""
        encoder = self.encoder
        pieces = list(map(encoder.public, events))
        blob = encoder.batch(pieces, place)
        apart = [session for session in cuts if session in self.sessions] if cuts else ()
        if not apart:
            self._kept.append(blob)
            if not more:
                self._write_kept()
            return
        self._write_kept()
        self._write(blob, apart)
        for session in apart:
            cut = cuts[session]
            own = cut.prefix + encoder.batch(cut.apply(pieces), place)
            if own:
                session.write(own)

    def announce(self, text: bytes) -> None:
        """Write a text to every session."""
        self._write_kept()
        self._write(text, ())

    def _write_kept(self) -> None:
        if self._kept:
            kept, self._kept = self._kept, []
            self._write(b"".join(kept), ())

    def _write(self, data: bytes, but: "Sequence[Session]") -> None:
        if not data:
            return
        self._broadcast.write(data, [session.outbox for session in but] if but else ())
        if self.held:
            for session in self.held.difference(but):
                session.write(data)


class Audience:
    """Everybody on this node who listens to a chat."""

    def __init__(self, metrics: Metrics, broadcast: Callable[[], Broadcast] = OneByOne) -> None:
        """``broadcast`` makes one for each encoder."""
        self._metrics = metrics
        self._broadcast = broadcast
        self._groups: dict[Encoder, Group] = {}
        self.lagging: set[Session] = set()
        """Sessions of which the kernel has not taken everything."""

    def add(self, session: "Session") -> None:
        """Take in a session, which reads what is told from now on."""
        group = self._groups.get(session.encoder)
        if group is None:
            group = self._groups[session.encoder] = Group(
                session.encoder, self._broadcast(), self.lagging
            )
        session.group = group
        session.said_before = group.said
        group.add(session)

    def remove(self, session: "Session") -> None:
        """Let go of a session, if it is there."""
        if session.group is not None:
            session.group.remove(session)

    def with_backlog(self) -> "list[Session]":
        """Return for whom something may wait: the only ones looked at one by one."""
        found = list(self.lagging)
        for group in self._groups.values():
            if group.held:
                found += group.held
        return found

    def announce(self, render: Callable[[Encoder], bytes]) -> None:
        """Write to everybody what is no event, as it reads in each encoder."""
        for group in self._groups.values():
            group.announce(render(group.encoder))

    def tell(
        self,
        events: Sequence[PublicEvent],
        cuts: Mapping["Session", Cut],
        place: Place,
        *,
        more: bool = False,
    ) -> None:
        """Write events to everybody, or what is cut for them.

        Where ``more`` are told at once, and nothing else is written before, they may be written with those.
        """
        messages = list(map(type, events)).count(Said)
        for group in self._groups.values():
            if group.sessions:
                group.write(events, cuts, place, more=more)
                group.said += messages
                tally = self._metrics.deliveries(group.encoder.name)
                tally.count += len(events) * len(group.sessions)
