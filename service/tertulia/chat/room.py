"""A chat on this node: its sessions, what they ask for, and what they are told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tertulia.chat.admission import Admission
from tertulia.chat.fanout import Cut, Group, fan_out
from tertulia.chat.letters import Letter, Letters, check_written
from tertulia.chat.ports import (
    Delivery,
    Entry,
    Join,
    Leave,
    Member,
    Op,
    Outcome,
    Report,
    Say,
    Store,
    Whisper,
)
from tertulia.chat.roster import Roster
from tertulia.chat.session import Outbox, Session, State
from tertulia.dialects.contract import Refusal, Voice
from tertulia.domain import commands, nicknames
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PublicEvent,
    Said,
    Whispered,
)
from tertulia.metrics import Metrics


class Clock(Protocol):
    """What the room needs of an event loop."""

    def time(self) -> float:
        """Return monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> object:
        """Call back after so many seconds."""
        ...

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call back when what was written in this turn has gone to the kernel."""
        ...


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a session may cost."""

    enter_tries: int
    outbox_bytes: int
    confirm_seconds: float


class Room:
    """One chat on one node: sessions on one side, the store on the other.

    It is the store's follower. Everything happens in the event loop's thread, and nothing here waits.
    """

    def __init__(
        self, chat: str, store: Store, clock: Clock, limits: RoomLimits, metrics: Metrics
    ) -> None:
        self.chat = chat
        self.roster = Roster()
        self._store = store
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._admission = Admission()
        self._letters = Letters(limits.confirm_seconds)
        self._groups: dict[Voice, Group] = {}
        self._sessions: dict[str, Session] = {}
        self._counter = 0

    def __len__(self) -> int:
        """Return how many sessions have asked for a nickname and are not gone."""
        return len(self._sessions)

    # --- What clients do -------------------------------------------------------------------------

    def connect(self, voice: Voice, outbox: Outbox, address: str, port: int) -> Session:
        """Take in a new connection; it reads the greeting."""
        session = Session(voice, outbox, address, port)
        greeting = voice.greeting()
        if greeting:
            outbox.write(greeting)
        return session

    def command(self, session: Session, command: commands.Command) -> None:
        """Carry out what a client asks for. The session takes commands, as ``takes_commands`` says."""
        if isinstance(command, commands.Acknowledge):
            session.acknowledged += command.count
        elif isinstance(command, commands.Faulty):
            self._metrics.faults(command.fault).inc()
            session.answer(session.voice.fault(command.fault))
        elif session.state is State.CONNECTED:
            if isinstance(command, commands.Enter):
                self._enter(session, command)
            else:
                self._end(session, Disconnect.LEFT)
        elif isinstance(command, commands.Say):
            self._submit(session, Say(session.name, session.key, session.nickname, command.text))
        elif isinstance(command, commands.Whisper):
            self._whisper(session, command)
        elif isinstance(command, commands.Leave):
            session.state = State.LEAVING
            self._submit(session, Leave(session.name, session.key, session.nickname))
        else:
            session.answer(session.voice.refusal(Refusal.FORBIDDEN, ""))

    def lost(self, session: Session, reason: Disconnect) -> None:
        """Learn that a connection is gone, or has to go; its leave is announced."""
        if session.state is State.ENDED:
            return
        if session.state in (State.JOINING, State.ACTIVE):
            self._store.submit(Leave(session.name, session.key, session.nickname))
        self._end(session, reason)

    def lags(self, session: Session) -> None:
        """Learn that a client's backlog passed the lower bound: it is watched from now on."""
        if session.group is not None:
            session.group.lagging.add(session)

    def caught_up(self, session: Session) -> None:
        """Learn that a client that lagged has taken its backlog."""
        if session.group is not None:
            session.group.lagging.discard(session)

    @property
    def lagging(self) -> int:
        """How many sessions have a backlog."""
        return sum(len(group.lagging) for group in self._groups.values())

    def drain(self) -> None:
        """Let everybody leave. What they had sent and was read is committed first."""
        for session in list(self._sessions.values()):
            self.lost(session, Disconnect.DRAINED)

    # --- What the store tells --------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        self._tell(entry.events)

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        now = self._clock.time()
        given: list[Letter] = []
        for delivery in deliveries:
            session = self._sessions.get(delivery.session)
            event = delivery.event
            if event is None:
                self._letters.skip(delivery.number)
            elif session is not None and session.state in (State.ACTIVE, State.LEAVING):
                session.whispers += 1
                session.outbox.write(session.voice.private(event))
                self._metrics.deliveries(session.voice.name).inc()
                given.append(self._letters.give(delivery, session, now))
            elif isinstance(event, Whispered):
                self._letters.hold(delivery.number)
                self._report(delivery.number, event)
            else:
                self._letters.skip(delivery.number)
        if given:
            self._clock.call_soon(lambda: check_written(given))

    def settled(self, ops: Sequence[Op]) -> None:
        for op in ops:
            if isinstance(op, Report):
                self._letters.release(op.number)
                continue
            session = self._sessions.get(op.session)
            if session is not None:
                self._settle(session, op)

    def confirmed(self) -> int:
        return self._letters.confirmed(self._clock.time())

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
        for member in after:
            node, _, _ = member.session.rpartition(":")
            if node == self._store.node and member.session not in self._sessions:
                key = nicknames.fold(member.nickname)
                self._store.submit(Leave(member.session, key, member.nickname))

    def present(self) -> Iterable[Member]:
        return list(self.roster)

    def renumbered(self) -> None:
        self._letters.clear()
        for session in self._sessions.values():
            session.letters = None

    def fenced(self) -> None:
        self.renumbered()  # whoever buried this node took its inbox
        for session in list(self._sessions.values()):
            self._end(session, Disconnect.FENCED)

    # --- Entering --------------------------------------------------------------------------------

    def _enter(self, session: Session, command: commands.Enter) -> None:
        # No chat has accounts yet, so no password can be right.
        if not nicknames.is_valid(command.nickname) or command.password is not None:
            self._refuse(session, Refusal.INVALID_NICKNAME)
            return
        self._counter += 1
        session.state = State.JOINING
        session.name = f"{self._store.node}:{self._counter}"
        session.nickname = command.nickname
        session.key = nicknames.fold(command.nickname)
        self._sessions[session.name] = session
        join = Join(
            session.name,
            session.key,
            session.nickname,
            session.voice.name,
            session.address,
            session.port,
        )
        session.submitted(join)
        self._admit(*self._admission.offer(join, self._clock.time()))

    def _admit(self, joins: Iterable[Join], ask_again: float | None) -> None:
        for join in joins:
            # Who went while waiting at the door was never in.
            if join.session in self._sessions:
                self._store.submit(join)
        if ask_again is not None:
            now = self._clock.time()
            self._clock.call_later(
                max(0.0, ask_again - now),
                lambda: self._admit(*self._admission.due(self._clock.time())),
            )

    def _refuse(self, session: Session, refusal: Refusal) -> None:
        session.tries += 1
        session.outbox.write(session.voice.refusal(refusal, session.nickname))
        if not session.voice.retries:
            taken = refusal is Refusal.NICKNAME_TAKEN
            self._end(session, Disconnect.REFUSED_TAKEN if taken else Disconnect.REFUSED_INVALID)
        elif session.tries >= self._limits.enter_tries:
            self._end(session, Disconnect.ENTER_TRIES)
        else:
            self._sessions.pop(session.name, None)
            session.state = State.CONNECTED
            session.reader.refused()
            session.outbox.proceed()

    def _activate(self, session: Session) -> Cut:
        group = self._groups.get(session.voice)
        if group is None:
            group = self._groups[session.voice] = Group(session.voice)
        session.state = State.ACTIVE
        session.group = group
        group.writes[session] = session.outbox.write
        session.reader.entered()
        self._metrics.joins(session.voice.name).inc()
        self._metrics.sessions(self.chat, session.voice.name).inc()
        cut = Cut()
        cut.prefix = session.voice.welcome(session.nickname, self.roster.others(session.name))
        return cut

    # --- Sending ---------------------------------------------------------------------------------

    def _submit(self, session: Session, op: Op) -> None:
        session.submitted(op)
        self._store.submit(op)

    def _whisper(self, session: Session, command: commands.Whisper) -> None:
        if not nicknames.is_valid(command.recipient):
            refusal = session.voice.refusal(Refusal.UNKNOWN_RECIPIENT, command.recipient)
            session.answer(refusal)
            return
        self._submit(
            session,
            Whisper(session.name, session.key, session.nickname, command.recipient, command.text),
        )

    def _settle(self, session: Session, op: Op) -> None:
        voice, trailer = session.voice, session.settled(op)
        if isinstance(op, Join):
            if op.outcome is Outcome.TAKEN:
                self._refuse(session, Refusal.NICKNAME_TAKEN)
                return
            answer = b""  # the welcome was written when the join came by in the log
        elif isinstance(op, Leave):
            session.outbox.write(voice.farewell())
            self._end(session, Disconnect.LEFT)
            return
        elif op.outcome is Outcome.UNKNOWN:
            assert isinstance(op, Whisper)
            answer = voice.refusal(Refusal.UNKNOWN_RECIPIENT, op.recipient)
        elif op.outcome is Outcome.GONE:
            self._end(session, Disconnect.DISPLACED)
            return
        elif isinstance(op, Whisper):
            self._metrics.messages("private", voice.name).inc()
            answer = voice.sent(True, op.recipient, op.text)
        else:
            assert isinstance(op, Say)
            self._metrics.messages("public", voice.name).inc()
            answer = voice.sent(False, nicknames.SERVER, op.text)
        if answer or trailer:
            session.outbox.write(answer + trailer)
        session.outbox.proceed()

    # --- Telling everybody -----------------------------------------------------------------------

    def _tell(self, events: Iterable[PublicEvent]) -> None:
        """Take events into the roster and write them to everybody whom they concern."""
        news: list[PublicEvent] = []
        cuts: dict[Session, Cut] = {}
        said: dict[
            Session, int
        ] = {}  # of who arrived: how many messages of this entry it does not read
        gone: list[tuple[Session, Disconnect]] = []
        messages = 0
        for event in events:
            session = self._sessions.get(event.session)
            if isinstance(event, Said):
                messages += 1
                if session is not None and not session.voice.echoes:
                    cuts.setdefault(session, Cut()).skips.append(len(news))
            elif isinstance(event, Joined | Present):
                if not self.roster.add(Member(event.nickname, event.session, event.dialect)):
                    continue
                if session is not None and session.state is State.JOINING:
                    cut = cuts[session] = self._activate(session)
                    cut.start = len(news) + 1
                    said[session] = messages
            elif isinstance(event, Left):
                administrator = self.roster.administrator
                if not self.roster.remove(event.nickname, event.session):
                    continue
                if session is not None:
                    cuts.setdefault(session, Cut()).end = len(news)
                    gone.append((session, Disconnect.DISPLACED))
                if administrator is not None and administrator.session == event.session:
                    self._promote(cuts, len(news))
            else:
                assert isinstance(event, Closed)
                self.roster.clear()
                gone += [(each, Disconnect.CHAT_CLOSED) for each in self._sessions.values()]
            news.append(event)
        if news:
            self._write(news, cuts, messages)
        for session, skipped in said.items():
            assert session.group is not None
            session.said_before = session.group.said - (messages - skipped)
        if said:
            started = self._clock.time()
            self._clock.call_soon(lambda: self._fanned_out(started))
        for session, reason in gone:
            if session.state is State.LEAVING and session.group is not None:
                session.group.writes.pop(session, None)  # its farewell comes with the answer
            else:
                self._end(session, reason)

    def _promote(self, cuts: dict[Session, Cut], index: int) -> None:
        """Tell the session that is administrator now, right after the event that made it so."""
        administrator = self.roster.administrator
        session = administrator and self._sessions.get(administrator.session)
        if session and session.state is State.ACTIVE:
            cuts.setdefault(session, Cut()).inserts.append((index, session.voice.promoted()))

    def _write(self, news: Sequence[PublicEvent], cuts: dict[Session, Cut], messages: int) -> None:
        for group in self._groups.values():
            if not group.writes:
                continue
            fan_out(group, news, cuts)
            group.said += messages
            self._metrics.deliveries(group.voice.name).inc(len(news) * len(group.writes))
            if group.lagging:
                self._end_slow(group)

    def _end_slow(self, group: Group) -> None:
        for session in list(group.lagging):
            if session.outbox.backlog() > self._limits.outbox_bytes:
                self.lost(session, Disconnect.SLOW_READER)

    def _fanned_out(self, started: float) -> None:
        now = self._clock.time()
        self._admission.fanned_out(now - started, now)

    # --- Going -----------------------------------------------------------------------------------

    def _report(self, number: int, whisper: Whispered) -> None:
        """Send a whisper that cannot be written back to its sender."""
        self._metrics.undelivered.inc()
        sender = nicknames.fold(whisper.sender)
        self._store.submit(
            Report(whisper.sender_session, sender, whisper.recipient, whisper.text, number)
        )

    def _end(self, session: Session, reason: Disconnect) -> None:
        if session.state is State.ENDED:
            return
        session.state = State.ENDED
        self._sessions.pop(session.name, None)
        if session.group is not None:
            session.group.writes.pop(session, None)
            session.group.lagging.discard(session)
            self._metrics.leaves(reason).inc()
            self._metrics.sessions(self.chat, session.voice.name).dec()
        for number, whisper in self._letters.unread(session, self._clock.time()):
            self._report(number, whisper)
        self._metrics.disconnects(reason).inc()
        session.outbox.close(reason)
