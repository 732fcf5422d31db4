"""What an entry of the log means for a room: who is in it from then on, and who reads what of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import intern

from tertulia.chat.fanout import Audience, Cut
from tertulia.chat.ports import Entry, Member
from tertulia.chat.roster import Roster
from tertulia.chat.session import Clock, Session, State
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Closed, Joined, Left, Present, PublicEvent, Said
from tertulia.domain.position import Place, Position


class Telling:
    """Takes events into the roster and has them written to everybody whom they concern."""

    def __init__(
        self,
        sessions: Mapping[str, Session],
        roster: Roster,
        audience: Audience,
        clock: Clock,
        outbox_bytes: int,
        activate: Callable[[Session, Sequence[PublicEvent]], Cut],
        told_arrivals: Callable[[float], None],
        lost: Callable[[Session, Disconnect], None],
        end: Callable[[Session, Disconnect], None],
    ) -> None:
        """``activate`` lets a session in at its own join, given the events before it in the entry.

        ``told_arrivals`` learns when telling of newcomers began, once that is written; ``lost`` lets a
        session go and announces it; ``end`` lets one go that was announced.
        """
        self._sessions = sessions
        self._roster = roster
        self._audience = audience
        self._clock = clock
        self._outbox_bytes = outbox_bytes
        self._activate = activate
        self._told_arrivals = told_arrivals
        self._lost = lost
        self._end = end
        self.place = Place("", 0, 0.0)
        """Of the entry that is told."""
        self._held: list[Entry] = []

    def hold(self, entry: Entry) -> None:
        """Tell the next entry, in which somebody only said something, with what comes in a moment."""
        self._held.append(entry)

    def tell_held(self) -> None:
        """Tell what is held. Whatever else is written to anybody has to come after that, or before."""
        held, self._held = self._held, []
        for entry in held:
            self.place = entry.place
            self.tell(entry.events, more=entry is not held[-1])

    def tell(self, events: Iterable[PublicEvent], *, more: bool = False) -> None:
        """Take events into the roster and write them to everybody whom they concern.

        Where ``more`` are told at once, these are only said, and may be written with those.
        """
        news: list[PublicEvent] = []
        cuts: dict[Session, Cut] = {}
        said = 0
        arrived: list[tuple[Session, int]] = []
        """Who came, and how many of the messages in the news were not for him."""
        gone: list[tuple[Session, Disconnect]] = []
        closed: int | None = None
        for event in events:
            session = self._sessions.get(event.session)
            if isinstance(event, Said):
                said += 1
                if session is not None and not session.encoder.echoes:
                    cuts.setdefault(session, Cut()).skips.add(len(news))
            elif isinstance(event, (Joined, Present)):
                holder = self._roster.holder(event.nickname)
                if holder is not None and holder.session != event.session:
                    # It left, and the store lost that with its data before this node had read it.
                    self._go(Left(holder.nickname, holder.session), news, cuts, gone)
                if not self._roster.add(_member(event, session)):
                    continue
                if session is not None and session.state is State.JOINING:
                    cuts[session] = self._activate(session, news)
                    arrived.append((session, said if cuts[session].start else 0))
            elif isinstance(event, Left):
                self._go(event, news, cuts, gone)
                continue
            else:
                assert isinstance(event, Closed)
                self._roster.clear()
                closed = len(news)
                # Who is still at the door comes after the closing: into the chat that begins then.
                gone += [
                    (each, Disconnect.CHAT_CLOSED)
                    for each in self._sessions.values()
                    if each.state is not State.JOINING
                ]
            news.append(event)
        if not news:
            return
        if closed is not None and closed + 1 < len(news):
            for session, _ in gone:  # what comes after the closing is another generation's
                cuts.setdefault(session, Cut()).end = closed + 1
        started = self._clock.time()
        self._audience.tell(news, cuts, self.place, more=more)
        if more:
            return
        for session, before in arrived:
            session.begins_after(before)
        if arrived:
            self._clock.call_soon(lambda: self._told_arrivals(started))
        self.end_slow_readers()
        for session, reason in gone:
            if session.state is State.LEAVING:
                self._audience.remove(session)  # its farewell comes with the answer
            else:
                self._end(session, reason)

    def missed(self, position: Position) -> None:
        """Tell everybody that a part of the log is lost, up to a place at which all go on."""
        self.place = Place(position.epoch, position.offset, self.place.at)
        self._audience.announce(lambda encoder: encoder.missed(self.place))

    def end_slow_readers(self) -> None:
        """Let those go for whom too much waits."""
        for session in self._audience.with_backlog():
            if session.backlog() > self._outbox_bytes:
                self._lost(session, Disconnect.SLOW_READER)

    def _go(
        self,
        event: Left,
        news: list[PublicEvent],
        cuts: dict[Session, Cut],
        gone: list[tuple[Session, Disconnect]],
    ) -> None:
        """Take somebody out of the roster, if he is in it, and have that told."""
        administrator = self._roster.administrator
        if not self._roster.remove(event.nickname, event.session):
            return
        session = self._sessions.get(event.session)
        if session is not None:
            cuts.setdefault(session, Cut()).end = len(news)
            gone.append((session, Disconnect.DISPLACED))
        if administrator is not None and administrator.session == event.session:
            self._promote(cuts, len(news))
        news.append(event)

    def _promote(self, cuts: dict[Session, Cut], index: int) -> None:
        """Tell the session that is administrator now, right after the event that made it so."""
        administrator = self._roster.administrator
        session = administrator and self._sessions.get(administrator.session)
        if session and session.state is State.ACTIVE:
            cuts.setdefault(session, Cut()).inserts.append((index, session.encoder.promoted()))


def _member(event: Joined | Present, session: Session | None) -> Member:
    """Return who is in the room then. What is kept of him anyway stands for what was read."""
    dialect = intern(event.dialect)
    if session is not None and session.nickname == event.nickname:
        return Member(session.nickname, session.name, dialect)
    return Member(event.nickname, event.session, dialect)
