"""A chat on this node: its sessions, what they ask for, and what they read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, Final, NamedTuple

from msgspec import structs

from tertulia.chat.accounts import Passwords
from tertulia.chat.device_ops import DeviceOp
from tertulia.chat.devices import Devices
from tertulia.chat.entering import Entering
from tertulia.chat.evictions import Evictions
from tertulia.chat.fanout import Audience, Broadcast, News, OneByOne
from tertulia.chat.mailbox import Mailbox
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import (
    DONE,
    GONE,
    KEPT,
    Clock,
    CloseOp,
    Delivery,
    Entry,
    JoinOp,
    LeaveOp,
    Member,
    Op,
    Outbox,
    Outcome,
    ReportOp,
    SayOp,
    Store,
    WhisperOp,
)
from tertulia.chat.roster import Roster
from tertulia.chat.session import (
    ACTIVE,
    CONNECTED,
    ENDED,
    IN_THE_ROOM,
    JOINING,
    LEAVING,
    Session,
    State,
)
from tertulia.chat.sessions import Sessions, leave_of
from tertulia.chat.turn import Turn
from tertulia.dialects.contract import Encoder, Refusal
from tertulia.domain import commands, nicknames
from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Closed, Joined, Left, Present, PublicEvent, Said
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Kind, Metrics

_REACHED: Final = (DONE, KEPT)


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a session may cost, and what a chat allows."""

    enter_tries: int
    outbox_bytes: int
    may_be_closed: bool
    """Whether its administrator may close the chat."""
    confirm_seconds: float


class Room:
    """One chat on one node: sessions on one side, the store on the other.

    It is the store's follower. Everything happens in the event loop's thread, and nothing waits.
    """

    def __init__(
        self,
        chat: str,
        store: Store,
        clock: Clock,
        limits: RoomLimits,
        passwords: Passwords,
        devices: Devices,
        orders: OperatorCommands,
        metrics: Metrics,
        broadcast: Callable[[], Broadcast] = OneByOne,
    ) -> None:
        self.roster = Roster()
        self.devices = devices
        self._store = store
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._audience = Audience(metrics, broadcast)
        self._turn = Turn(self._audience)
        self._mailbox = Mailbox(store, clock, limits.confirm_seconds, devices, metrics)
        self._sessions = Sessions(
            chat, store, clock, self._audience, self._turn, self._mailbox, metrics
        )
        self._entering = Entering(
            store, clock, self._sessions, self.roster, passwords, orders, limits.enter_tries
        )
        self._evictions = Evictions(orders, self._sessions, self.roster, devices)
        self._position = Position("", 0)
        """The position of the last entry."""

    def __len__(self) -> int:
        """Return how many sessions have asked for a nickname and are not gone."""
        return len(self._sessions.by_name)

    # --- What connections report -----------------------------------------------------------------

    def connect(self, encoder: Encoder, outbox: Outbox, address: str, port: int) -> Session:
        """Take in a new connection; it reads the greeting."""
        session = Session(encoder, outbox, address, port)
        greeting = encoder.greeting()
        if greeting:
            session.write(greeting)
        return session

    def command(self, session: Session, command: commands.Command) -> None:
        """Carry out what a client asks for, as ``COMMANDS`` says; the session has to take commands.

        A command that is not legal in the session's state is ignored.
        """
        row = COMMANDS[type(command)]
        if session.state in row.states:
            row.carry_out(self, session, command)

    def lost(self, session: Session, reason: Disconnect) -> None:
        """Learn that a connection is gone, or has to go; the leave of its session is announced."""
        self._sessions.lost(session, reason)

    def slowed(self, session: Session) -> None:
        """Tell a client that it sends too much, and is read more slowly from now on."""
        if session.encoder.acknowledges_all:
            session.receipts.give()  # it reads as a private message, and is acknowledged as one
        session.answer(session.encoder.slowed())

    def lags(self, session: Session) -> None:
        """Learn that a client has a backlog: it is watched from now on."""
        if session.state in IN_THE_ROOM:
            self._audience.lagging.add(session)

    def caught_up(self, session: Session) -> None:
        """Learn that a client that lagged has read its backlog."""
        self._audience.lagging.discard(session)

    @property
    def lagging(self) -> int:
        """How many sessions have a backlog."""
        return len(self._audience.lagging)

    def drain(self) -> None:
        """Let everybody leave. What they had sent, as far as it was read, is committed first."""
        self.devices.drain()
        for session in list(self._sessions.by_name.values()):
            self._sessions.lost(session, Disconnect.DRAINED)

    # --- What clients ask for --------------------------------------------------------------------

    def _acknowledge(self, session: Session, command: commands.Acknowledge) -> None:
        session.receipts.acknowledged += command.count

    def _fault(self, session: Session, command: commands.Faulty) -> None:
        self._metrics.faults(command.fault).inc()
        session.answer(session.encoder.fault(command))

    def _enter(self, session: Session, command: commands.Enter) -> None:
        self._entering.enter(session, command)

    def _say(self, session: Session, command: commands.Say) -> None:
        token = session.token_key if command.tag else ""
        op = SayOp(session.name, session.key, session.nickname, command.text, command.tag, token)
        self._submit(session, op)

    def _whisper(self, session: Session, command: commands.Whisper) -> None:
        recipient, tag = command.recipient, command.tag
        away = self.roster.holder(recipient) is None
        if away and not nicknames.is_valid(recipient):
            session.answer(session.encoder.refusal(Refusal.UNKNOWN_RECIPIENT, recipient, tag))
            return
        op = WhisperOp(
            session.name, session.key, session.nickname, recipient, command.text, tag,
            session.token_key if tag else "", keep=session.encoder.keeps, away=away,
        )  # fmt: skip
        self._submit(session, op)

    def _ready(self, session: Session, command: commands.Ready) -> None:
        self._sessions.hears(session)

    def _leave(self, session: Session, command: commands.Leave) -> None:
        if session.state is CONNECTED:
            self._sessions.end(session, Disconnect.LEFT)
        else:
            session.leave()
            self._submit(session, leave_of(session, for_good=True))

    def _close_chat(self, session: Session, command: commands.CloseChat) -> None:
        if self._limits.may_be_closed:
            self._submit(session, CloseOp(session.name, session.key, session.nickname))
        else:
            session.answer(session.encoder.refusal(Refusal.FORBIDDEN))

    def _submit(self, session: Session, op: Op) -> None:
        session.submitted(op)
        self._store.submit(op)

    # --- What the store reports ------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        self._position = entry.position
        if entry.is_talk:
            self._turn.events(self._talk(entry))
            return
        self._turn.flush()
        for order in entry.orders:
            self._evictions.obey(order)
        self._tell(entry.events)

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._mailbox.deliver(deliveries, self._sessions.by_name, self._turn)

    def settled(self, ops: Sequence[Op]) -> None:
        answered: dict[Session, None] = {}
        messages: dict[tuple[Kind, str], int] = {}
        for op in ops:
            if isinstance(op, ReportOp):
                self._mailbox.returned(op)
                continue
            if isinstance(op, DeviceOp):
                if not op.settled.done():
                    op.settled.set_result(None)
                continue
            session = self._sessions.by_name.get(op.session)
            if session is not None:
                answered[session] = None
                self._turn.answer(session, self._settle(session, op))
                if op.kind is not None and op.outcome in _REACHED:
                    counted = op.kind, session.encoder.name
                    messages[counted] = messages.get(counted, 0) + 1
        self._turn.flush()
        for session in answered:
            if session.state is LEAVING and not session.awaiting:
                self._sessions.end(session, Disconnect.LEFT)
            else:
                session.outbox.proceed()
        for (kind, dialect), count in messages.items():
            self._metrics.messages(kind, dialect).count += count

    def flush(self) -> None:
        self._turn.flush()
        self._sessions.end_slow_readers(self._limits.outbox_bytes)

    def missed(self, position: Position) -> None:
        self._turn.flush()
        here = self._position = structs.replace(position, at=self._position.at)
        self._audience.announce(lambda encoder: encoder.missed(here))

    def confirmed(self) -> int:
        return self._mailbox.confirmed()

    def seated(self, members: Iterable[Member]) -> None:
        before = {member.session: member for member in self.roster}
        after = Roster()
        after.replace(members)
        here = {member.session for member in after}
        changes: list[PublicEvent] = [
            Left(m.nickname, m.session) for m in before.values() if m.session not in here
        ]
        changes += [
            Present(m.nickname, m.session, m.dialect) for m in after if m.session not in before
        ]
        self._tell(changes)
        self.roster.replace(after)

    def reordered(self, members: Iterable[Member]) -> None:
        self.roster.reorder(members)

    def sessions(self) -> Mapping[str, str]:
        return {name: session.key for name, session in self._sessions.by_name.items()}

    def banned(self, bans: Iterable[Ban]) -> None:
        self._evictions.replace_bans(bans)

    def present(self) -> Iterable[Member]:
        return list(self.roster)

    def renumbered(self) -> None:
        self._mailbox.clear()

    def fenced(self) -> None:
        self.devices.fenced()
        self._mailbox.clear()  # the node that buried this one took its inbox
        for session in list(self._sessions.by_name.values()):
            self._sessions.end(session, Disconnect.FENCED)

    def _settle(self, session: Session, op: Op) -> bytes:
        """Take an op as settled, and return the answer that its session reads."""
        encoder, trailer = session.encoder, session.settled(op)
        if isinstance(op, JoinOp):
            # The welcome was written when the join came by in the log.
            if op.outcome is not Outcome.TAKEN:
                if op.proven:
                    self.devices.collect(session.name, session.key, session.nickname)
            elif session.state is JOINING:
                self._entering.refuse(session, Refusal.NICKNAME_TAKEN)
            # Else it was committed twice, as the store lost the first time: the log says who goes.
            return trailer
        if isinstance(op, LeaveOp):
            return encoder.farewell(Disconnect.LEFT)
        if op.outcome is GONE:
            return b""  # the log says how it went: it left, or the chat was closed
        if isinstance(op, SayOp):
            return encoder.sent(op.tag) + trailer
        if not isinstance(op, WhisperOp):
            forbidden = op.outcome is Outcome.FORBIDDEN
            return encoder.refusal(Refusal.FORBIDDEN) + trailer if forbidden else trailer
        if op.outcome is DONE:
            return encoder.sent(op.tag) + trailer
        if op.outcome is KEPT:
            return encoder.kept(op.recipient, op.tag) + trailer
        full = op.outcome is Outcome.FULL
        refusal = Refusal.MAILBOX_FULL if full else Refusal.UNKNOWN_RECIPIENT
        return encoder.refusal(refusal, op.recipient, op.tag) + trailer

    # --- What everybody reads --------------------------------------------------------------------

    def _talk(self, entry: Entry) -> News:
        """Return what there is to read of an entry in which nobody comes or goes."""
        news = News(entry.position, list(entry.events))
        for index, event in enumerate(entry.events):
            session = self._sessions.by_name.get(event.session)
            if session is not None and not session.encoder.echoes:
                news.cut(session).skips.add(index)
        return news

    def _tell(self, events: Iterable[PublicEvent]) -> None:
        """Take events into the roster, and write them to everybody who is to read them."""
        news = News(self._position)
        said = 0
        arrived: list[tuple[Session, int]] = []
        """The sessions that came, each with how many of the messages in the news were not for it."""
        gone: list[tuple[Session, Disconnect]] = []
        closed: int | None = None
        for event in events:
            session = self._sessions.by_name.get(event.session)
            if isinstance(event, Said):
                said += 1
                if session is not None and not session.encoder.echoes:
                    news.cut(session).skips.add(len(news.events))
            elif isinstance(event, (Joined, Present)):
                holder = self.roster.holder(event.nickname)
                if holder is not None and holder.session != event.session:
                    # It left, and the store lost that with its data before this node had read it.
                    self._go(Left(holder.nickname, holder.session), news, gone)
                if not self.roster.add(_member(event, session)):
                    continue
                if session is not None and session.state is JOINING:
                    self._entering.activate(session, news)
                    arrived.append((session, said if news.cuts[session].start else 0))
            elif isinstance(event, Left):
                self._go(event, news, gone)
                continue
            else:
                assert isinstance(event, Closed)
                self.roster.clear()
                closed = len(news.events)
                # A session still at the door comes after the closing: into the next generation.
                gone += [
                    (each, Disconnect.CHAT_CLOSED)
                    for each in self._sessions.by_name.values()
                    if each.state is not JOINING
                ]
            news.events.append(event)
        if not news.events:
            return
        if closed is not None and closed + 1 < len(news.events):
            for session, _ in gone:  # what comes after the closing is another generation's
                news.cut(session).end = closed + 1
        started = self._clock.time()
        self._turn.events(news)
        self._turn.flush()
        for session, before in arrived:
            session.receipts.skip(before)
        if arrived:
            self._clock.call_soon(lambda: self._entering.told_everybody(started))
        self._sessions.end_slow_readers(self._limits.outbox_bytes)
        for session, reason in gone:
            if session.state is LEAVING:
                self._audience.remove(session)  # its farewell comes with the answer
            else:
                self._sessions.end(session, reason)

    def _go(self, event: Left, news: News, gone: list[tuple[Session, Disconnect]]) -> None:
        """Take somebody out of the roster, if they are in it, and add that to the news."""
        administrator = self.roster.administrator
        if not self.roster.remove(event.nickname, event.session):
            return
        session = self._sessions.by_name.get(event.session)
        if session is not None:
            news.cut(session).end = len(news.events)
            gone.append((session, Disconnect.DISPLACED))
        if administrator is not None and administrator.session == event.session:
            self._promote(news)
        news.events.append(event)

    def _promote(self, news: News) -> None:
        """Tell the new administrator's session, right after the event that made it administrator."""
        administrator = self.roster.administrator
        session = administrator and self._sessions.by_name.get(administrator.session)
        if session and session.state is ACTIVE:
            news.cut(session).inserts.append((len(news.events), session.encoder.promoted()))


def _member(event: Joined | Present, session: Session | None) -> Member:
    """Return the member that an event brings. Strings of its session replace equal ones that were read."""
    dialect = intern(event.dialect)
    if session is not None and session.nickname == event.nickname:
        return Member(session.nickname, session.name, dialect)
    return Member(event.nickname, event.session, dialect)


class Row(NamedTuple):
    """What a command does, and in which states."""

    carry_out: Callable[[Room, Session, Any], None]
    states: Sequence[State]
    """The states in which it is legal; in another state it is ignored."""


_ANYWHERE: Final = (ACTIVE, *(state for state in State if state is not ACTIVE))

COMMANDS: Final[Mapping[type, Row]] = {
    commands.Say: Row(Room._say, (ACTIVE,)),
    commands.Whisper: Row(Room._whisper, (ACTIVE,)),
    commands.Acknowledge: Row(Room._acknowledge, _ANYWHERE),
    commands.Faulty: Row(Room._fault, _ANYWHERE),
    commands.Enter: Row(Room._enter, (CONNECTED,)),
    commands.Ready: Row(Room._ready, (ACTIVE, ENDED)),
    commands.Leave: Row(Room._leave, (CONNECTED, ACTIVE)),
    commands.CloseChat: Row(Room._close_chat, (ACTIVE,)),
}
"""Each command's row. A session that has ended takes commands only until it has read what is held."""
