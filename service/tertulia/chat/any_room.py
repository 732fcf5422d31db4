"""A room's log as it is read on this node: who is there, what everybody reads, and what of it stays.

The lobby and a further room have this in common. How somebody comes and goes is their own.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from sys import intern
from typing import Generic, TypeVar

from msgspec import structs

from tertulia.chat.fanout import Audience, News
from tertulia.chat.newcomers import Newcomers
from tertulia.chat.ports import Clock, Entry, Member
from tertulia.chat.reader import Reader
from tertulia.chat.recent_talk import RecentTalk
from tertulia.chat.roster import Roster
from tertulia.chat.session import ACTIVE, JOINING, LEAVING
from tertulia.chat.turn import Turn
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    Appointed,
    Closed,
    Joined,
    Left,
    Moderated,
    Owned,
    Presence,
    Present,
    PublicEvent,
    Redacted,
    Registered,
    Said,
    Tagged,
    WentAway,
)
from tertulia.domain.moderation import Rules
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.position import Position
from tertulia.domain.text import LINE_END

R = TypeVar("R", bound=Reader)


class AnyRoom(Generic[R]):
    """One room on one node: its readers on one side, the store on the other.

    It is the store's follower. Everything happens in the event loop's thread, and nothing waits.
    """

    __slots__ = (
        "_audience",
        "_clock",
        "_newcomers",
        "_readers",
        "_recent",
        "_rules",
        "_turn",
        "roster",
    )

    def __init__(
        self,
        clock: Clock,
        readers: Mapping[str, R],
        audience: Audience,
        turn: Turn,
        roster: Roster,
        rules: Rules,
        recent: RecentTalk,
        newcomers: Newcomers,
    ) -> None:
        """``readers`` are those of this node, by their sessions' names."""
        self._clock = clock
        self._readers = readers
        self._audience = audience
        self._turn = turn
        self.roster = roster
        self._rules = rules
        self._recent = recent
        self._newcomers = newcomers

    # --- What the lobby and a further room do each in their own way ------------------------------

    def _obey(self, command: OperatorCommand) -> None:
        """Carry out an operator command, before the events of its entry are written."""
        raise NotImplementedError

    def _admit(self, reader: R) -> None:
        """Let a reader read what is written from now on: it has its welcome."""
        raise NotImplementedError

    def _fail(self, reader: R) -> None:
        """End a reader's connection after this entry, for the exception that is being handled."""
        raise NotImplementedError

    def _announced(self, started: float) -> None:
        """Learn that newcomers were announced to everybody, which began at ``started``."""

    def _changed(self, event: Presence) -> None:
        """Learn what has changed about somebody who is here, before that is written."""

    def _passed_on(self, reader: R, heir: str) -> None:
        """Learn that a reader's seat went to another session, before that is written."""

    def _ousted(self, reader: R, reason: Disconnect) -> None:
        """End a reader that the log says is gone."""
        raise NotImplementedError

    def _new_administrator(self, news: News) -> None:
        """Tell the new administrator, right after the event that made it one."""

    def _end_lost_readers(self) -> None:
        """End those who read too slowly, and those whom their dialect fails."""
        raise NotImplementedError

    # --- What the store reports ------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        self.roster.position = entry.position
        if entry.is_talk:
            news = News(entry.position, list(entry.events))
            if not self._audience.echoes:
                self._let_read_their_own(news)
            self._turn.events(news)
            if self._recent.most:
                self._recent.add(entry.position, entry.events)  # type: ignore[arg-type] # all are said
            return
        self._turn.flush()
        for command in entry.operator_commands:
            self._obey(command)
            if command.action is Action.ERASE:
                # The log was rewritten before it. Who it was is not said: all is read from the log again.
                self._recent.clear(entry.position.epoch, is_whole=False)
        self._tell(entry.events)

    def flush(self) -> None:
        self._turn.flush()
        self._end_lost_readers()

    def missed(self, position: Position) -> None:
        self._turn.flush()
        self._recent.clear(position.epoch, is_whole=False)
        here = self.roster.position = structs.replace(position, at=self.roster.position.at)
        self._audience.announce(lambda encoder: encoder.missed(here))

    @property
    def history(self) -> int:
        return self._recent.most

    def past(self, entries: Iterable[Entry], epoch: str, *, is_whole: bool) -> None:
        if self._recent.most:
            self._recent.fill(entries, epoch, is_whole=is_whole)
            self._redact_recent()

    def seated(self, members: Iterable[Member]) -> None:
        before = {member.session: member for member in self.roster}
        after = Roster()
        after.replace(members)
        here = {member.session for member in after}
        changes: list[PublicEvent] = [
            Left(m.nickname, m.session) for m in before.values() if m.session not in here
        ]
        for m in after:
            was = before.get(m.session)
            if was is None:
                changes.append(
                    Present(
                        m.nickname,
                        m.session,
                        m.dialect,
                        m.number,
                        is_account=m.is_account,
                        away=m.away,
                        about=m.about,
                    )
                )
                continue
            if was.away != m.away:
                changes.append(WentAway(m.nickname, m.session, m.away))
            if was.is_account is not m.is_account:
                changes.append(Registered(m.nickname, m.session, m.is_account))
        self._tell(changes)
        self.roster.replace(after)

    def reordered(self, members: Iterable[Member]) -> None:
        self.roster.reorder(members)

    def moderated(self, rules: Rules) -> None:
        self._rules.replace(rules)
        self._redact_recent()

    def _redact_recent(self) -> None:
        for place in self._rules.redacted:
            self._recent.redact(*place)

    def present(self) -> Iterable[Member]:
        return list(self.roster)

    # --- What is asked of it --------------------------------------------------------------------

    def shown(self, reader: R) -> bytes:
        """Return what a reader reads first that is shown the room again."""
        return self._newcomers.shown(reader)

    def write(self) -> None:
        """Write what came until now."""
        self._turn.flush()

    @property
    def rules(self) -> Rules:
        """What moderators have set here."""
        return self._rules

    @property
    def redacted(self) -> Set[tuple[int, int]]:
        """The places of the messages that nobody reads any more."""
        return self._rules.redacted

    # --- What everybody reads --------------------------------------------------------------------

    def _let_read_their_own(self, news: News) -> None:
        """Let the senders of messages read these in their own ways."""
        for index, event in enumerate(news.events):
            reader = self._readers.get(event.session)
            if reader is not None and not reader.encoder.echoes:
                self._echo(reader, event, news, index, index)  # type: ignore[arg-type] # all are said

    def _echo(self, reader: R, event: Said | Tagged, news: News, index: int, messages: int) -> None:
        """Let a sender read its own message in its own way; ``messages``: how many came before it."""
        cut = news.cut(reader)
        cut.skips.add(index)
        try:
            own = reader.replies.echo(event, news.position, messages)
        except Exception:  # it is for this reader alone
            self._fail(reader)
        else:
            if own:
                cut.inserts.append((index, own))

    def _tell(self, events: Iterable[PublicEvent]) -> None:
        """Take events into the roster, and write them to everybody who is to read them."""
        news = News(self.roster.position)
        said = others = 0
        fresh: list[Said] = []
        """The messages in the news that are not among the recent talk yet."""
        arrived: list[tuple[R, int]] = []
        """Those that came, each with how many of the messages in the news were not for it."""
        gone: list[tuple[R, Disconnect]] = []
        closed: int | None = None
        events = list(events)
        for event in events:
            if isinstance(event, Owned):  # who made the room is told of it in the welcome already
                self._rules.take(event)
        for event in events:
            reader = self._readers.get(event.session)
            if isinstance(event, Said):
                if reader is not None and not reader.encoder.echoes:
                    self._echo(reader, event, news, len(news.events), said)
                said += 1
                others += event.text.count(LINE_END)  # each line is acknowledged as a message
                fresh.append(event)
            elif (
                isinstance(event, Joined)
                and event.was
                and self.roster.pass_on(event.was, _member(event, reader))
            ):
                if reader is not None and reader.state is JOINING:
                    self._go_on(reader, event, news)
                    arrived.append((reader, 0))
                self._leave_to(event, gone)
                continue
            elif isinstance(event, (Joined, Present)):
                holder = self.roster.holder(event.nickname)
                if holder is not None and holder.session != event.session:
                    # It left, and the store lost that with its data before this node had read it.
                    self._go(Left(holder.nickname, holder.session), news, gone)
                if not self.roster.add(_member(event, reader)):
                    continue
                if reader is not None and reader.state is JOINING:
                    self._remember(fresh, said)
                    self._activate(reader, news)
                    arrived.append((reader, said + others if news.cuts[reader].start else 0))
            elif isinstance(event, Left):
                self._go(event, news, gone)
                continue
            elif isinstance(event, WentAway | Registered):
                if not self.roster.change(event):
                    continue
                self._changed(event)
            elif isinstance(event, Tagged):
                if (
                    reader is not None
                ):  # as with a message, it reads it in its own way, or not at all
                    self._echo(reader, event, news, len(news.events), said)
            elif isinstance(event, Moderated):
                self._rules.take(event)
                others += 1  # so is each notice
                if isinstance(event, Redacted):
                    self._recent.redact(event.offset, event.index)
                elif isinstance(event, Appointed) and event.on:
                    self._appoint(event.whom, news)
            else:
                assert isinstance(event, Closed)
                self.roster.clear()
                self._recent.clear(self.roster.position.epoch)
                fresh.clear()
                closed = len(news.events)
                # A session still at the door comes after the closing: into the next generation.
                gone += [
                    (each, Disconnect.CHAT_CLOSED)
                    for each in self._readers.values()
                    if each.state is not JOINING
                ]
            news.events.append(event)
        if not (news.events or arrived or gone):
            return
        self._remember(fresh, said)
        if closed is not None and closed + 1 < len(news.events):
            for reader, _ in gone:  # what comes after the closing is another generation's
                news.cut(reader).end = closed + 1
        started = self._clock.time()
        self._turn.events(news)
        self._turn.flush()
        for reader, before in arrived:
            reader.receipts.skip(before)
        if arrived:
            self._clock.call_soon(lambda: self._announced(started))
        self._end_lost_readers()
        for reader, reason in gone:
            if reader.state is LEAVING:
                self._audience.remove(reader)  # its farewell comes with the answer
            else:
                self._ousted(reader, reason)

    def _activate(self, reader: R, news: News) -> None:
        """Let a reader in, at its own join, which is the next of an entry's events."""
        reader.activate()
        cut = news.cut(reader)
        try:
            self._newcomers.welcome(reader, news, cut)
        except Exception:  # nobody else has this welcome
            self._fail(reader)
            cut.prefix, cut.end = b"", 0
        self._admit(reader)

    def _go_on(self, reader: R, event: Joined, news: News) -> None:
        """Let a reader in that takes over the seat of an earlier one: it alone reads of it."""
        self._activate(reader, news)
        try:
            own = b"".join(reader.encoder.pieces((event,), news.position))
        except Exception:
            self._fail(reader)
        else:
            news.cut(reader).inserts.append((len(news.events) - 1, own))

    def _leave_to(self, event: Joined, gone: list[tuple[R, Disconnect]]) -> None:
        """End the reader whose seat was taken over, if it is here.

        It reads the whole entry: its client, if it still reads, may go on from there once more.
        """
        before = self._readers.get(event.was)
        if before is not None:
            self._passed_on(before, event.session)
            gone.append((before, before.session.away or Disconnect.DISPLACED))

    def _remember(self, fresh: list[Said], said: int) -> None:
        """Take messages of the entry into the recent talk; ``said``: how many it had up to the last one."""
        if fresh and self._recent.most:
            self._recent.add(self.roster.position, fresh.copy(), said - len(fresh))
        fresh.clear()

    def _go(self, event: Left, news: News, gone: list[tuple[R, Disconnect]]) -> None:
        """Take somebody out of the roster, if they are in it, and add that to the news."""
        administrator = self.roster.administrator
        if not self.roster.remove(event.nickname, event.session):
            return
        reader = self._readers.get(event.session)
        if reader is not None and reader.state is not JOINING:
            news.cut(reader).end = len(news.events)
            gone.append((reader, Disconnect.DISPLACED))
        if administrator is not None and administrator.session == event.session:
            self._new_administrator(news)
        news.events.append(event)

    def _appoint(self, whom: str, news: News) -> None:
        """Tell a new moderator who is in the room, right after the event, what moderators alone know."""
        member = self.roster.holder(whom)
        reader = member and self._readers.get(member.session)
        if reader and reader.state is ACTIVE and self._newcomers.standing(reader).is_moderator:
            self._insert(reader, news, lambda: self._newcomers.appointed(reader))

    def _insert(self, reader: R, news: News, render: Callable[[], bytes]) -> None:
        """Tell one reader something right after the latest event of the news."""
        try:
            text = render()
        except Exception:  # it is for this reader alone
            self._fail(reader)
        else:
            news.cut(reader).inserts.append((len(news.events), text))


def _member(event: Joined | Present, reader: Reader | None) -> Member:
    """Return the member that an event brings. Strings of its session replace equal ones that were read."""
    nickname, session, dialect = event.nickname, event.session, intern(event.dialect)
    if reader is not None and reader.session.nickname == nickname:
        nickname, session = reader.session.nickname, reader.session.name
    away = event.away if isinstance(event, Present) else ""
    about = intern(event.about)  # each room that somebody is in has it
    return Member(nickname, session, dialect, event.number, event.is_account, away, about)
