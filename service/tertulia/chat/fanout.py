"""One event to everybody, without work per recipient beyond the write.

The events of an entry are rendered once per voice and put together to one ``bytes``, which is written to
every session of that voice. The few sessions that read something else (who came or went in the middle of
the entry, a sender whose dialect does not echo, a new administrator) have a ``Cut`` each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tertulia.dialects.contract import Place, Voice
from tertulia.domain.events import PublicEvent, Said
from tertulia.metrics import Metrics

if TYPE_CHECKING:
    from tertulia.chat.session import Session


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
    """The sessions that listen to one voice."""

    __slots__ = ("lagging", "said", "voice", "writes")

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.writes: dict[Session, Callable[[bytes], None]] = {}
        self.lagging: set[Session] = set()
        """Sessions with a backlog past the lower bound: the only ones looked at one by one."""
        self.said = 0
        """How many public messages were written to this group in all."""

    def write(
        self, events: Sequence[PublicEvent], cuts: Mapping["Session", Cut], place: Place
    ) -> None:
        """Write an entry's events to every session."""
        voice = self.voice
        public = voice.public
        pieces = [public(event) for event in events]
        blob = voice.batch(pieces, place)
        if not cuts:
            if blob:
                for write in self.writes.values():
                    write(blob)
            return
        writes = self.writes
        # Taking the few out for a moment is cheaper than looking for each of the many among them.
        apart = {session: writes.pop(session) for session in cuts if session in writes}
        if blob:
            for write in writes.values():
                write(blob)
        writes.update(apart)
        for session, write in apart.items():
            cut = cuts[session]
            own = cut.prefix + voice.batch(cut.apply(pieces), place)
            if own:
                write(own)


class Audience:
    """Everybody on this node who listens to a chat."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._groups: dict[Voice, Group] = {}

    def add(self, session: "Session") -> None:
        """Take in a session, which reads what is told from now on."""
        group = self._groups.get(session.voice)
        if group is None:
            group = self._groups[session.voice] = Group(session.voice)
        session.group = group
        session.said_before = group.said
        group.writes[session] = session.write

    def remove(self, session: "Session") -> None:
        """Let go of a session, if it is there."""
        if session.group is not None:
            session.group.writes.pop(session, None)
            session.group.lagging.discard(session)

    def tell(
        self, events: Sequence[PublicEvent], cuts: Mapping["Session", Cut], place: Place
    ) -> None:
        """Write events to everybody, or what is cut for them."""
        messages = sum(isinstance(event, Said) for event in events)
        for group in self._groups.values():
            if group.writes:
                group.write(events, cuts, place)
                group.said += messages
                self._metrics.deliveries(group.voice.name).inc(len(events) * len(group.writes))

    def lagging(self) -> Iterator["Session"]:
        """Give the sessions with a backlog past the lower bound."""
        for group in self._groups.values():
            yield from tuple(group.lagging)
