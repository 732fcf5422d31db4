"""A chat on this node: its sessions, what they ask for, and what they are told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from tertulia.chat.accounts import Passwords
from tertulia.chat.answers import answer_to
from tertulia.chat.device_ops import DeviceOp
from tertulia.chat.devices import Devices
from tertulia.chat.dismissing import Dismissals
from tertulia.chat.entering import Entering
from tertulia.chat.fanout import Audience, Broadcast, Cut, OneByOne
from tertulia.chat.mailbox import Mailbox
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.outgoing import Outgoing
from tertulia.chat.ports import (
    DONE,
    GONE,
    KEPT,
    CloseOp,
    Delivery,
    Entry,
    JoinOp,
    LeaveOp,
    Member,
    Op,
    Outcome,
    ReportOp,
    SayOp,
    Store,
    WhisperOp,
)
from tertulia.chat.resuming import Resumption, token_key
from tertulia.chat.roster import Roster
from tertulia.chat.session import ACTIVE, CONNECTED, LEAVING, Clock, Outbox, Session, State
from tertulia.chat.telling import Telling
from tertulia.dialects.contract import Encoder, Refusal, Welcome
from tertulia.domain import commands, nicknames
from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Left, Present, PublicEvent
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Kind, Metrics

_FOR_GOOD = (Disconnect.KICKED, Disconnect.BANNED)
"""Whose token ends with the session, as that of who leaves in order."""
_REACHED = (DONE, KEPT)
_SAID = (Disconnect.LEFT, Disconnect.CHAT_CLOSED)
"""What a session has read of by an answer, or an event."""
_OUT_OF_REACH = (
    Disconnect.GONE, Disconnect.BROKEN, Disconnect.SILENT, Disconnect.SLOW_READER,
)  # fmt: skip
"""Who goes for one of these reads nothing more."""


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
        self.chat = chat
        self.roster = Roster()
        self._store = store
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._audience = Audience(metrics, broadcast)
        self._mailbox = Mailbox(store, clock, limits.confirm_seconds, devices, metrics)
        self.devices = devices
        self._outgoing = Outgoing()
        self._sessions: dict[str, Session] = {}
        self._entering = Entering(
            store, clock, self._sessions, passwords, orders, limits.enter_tries, self._end
        )
        self._dismissals = Dismissals(
            orders, self._sessions, self.roster, devices, self._entering.ban_on, self.lost
        )
        self._telling = Telling(
            self._sessions, self.roster, self._audience, clock, limits.outbox_bytes,
            self._activate, self._entering.told_everybody, self.lost, self._end,
        )  # fmt: skip

    def __len__(self) -> int:
        """Return how many sessions have asked for a nickname and are not gone."""
        return len(self._sessions)

    # --- What clients do -------------------------------------------------------------------------

    def connect(self, encoder: Encoder, outbox: Outbox, address: str, port: int) -> Session:
        """Take in a new connection; it reads the greeting."""
        session = Session(encoder, outbox, address, port)
        greeting = encoder.greeting()
        if greeting:
            session.write(greeting)
        return session

    def command(self, session: Session, command: commands.Command) -> None:
        """Carry out what a client asks for. The session has to be one that takes commands."""
        if isinstance(command, commands.Acknowledge):
            session.acknowledged += command.count
        elif isinstance(command, commands.Faulty):
            self._metrics.faults(command.fault).inc()
            session.answer(session.encoder.fault(command))
        elif session.state is not ACTIVE:
            self._outside(session, command)
        elif isinstance(command, commands.Say):
            self._say(session, command)
        elif isinstance(command, commands.Whisper):
            self._whisper(session, command)
        elif isinstance(command, commands.Ready):
            self._hears(session)
        elif isinstance(command, commands.Leave):
            session.state = State.LEAVING
            self._submit(session, self._leave(session, for_good=True))
        elif self._limits.may_be_closed:
            self._submit(session, CloseOp(session.name, session.key, session.nickname))
        else:
            session.answer(session.encoder.refusal(Refusal.FORBIDDEN))

    def _outside(self, session: Session, command: commands.Command) -> None:
        """Carry out what a client asks for that is not in the room: it comes, or has just ended."""
        if session.state is not CONNECTED:
            if isinstance(command, commands.Ready):
                self._hears(session)
        elif isinstance(command, commands.Enter):
            self._entering.enter(session, command)
        else:
            self._end(session, Disconnect.LEFT)

    def lost(self, session: Session, reason: Disconnect, words: str = "") -> None:
        """Learn that a connection is gone, or has to go; its leave is announced.

        ``words``: those of an operator who wants it.
        """
        if session.state is State.ENDED:
            if session.ending is not None and reason in _OUT_OF_REACH:
                session.ending = None
                self._close(session, reason)
            return
        if session.group is not None:
            self._telling.tell_held()  # what it was there for, it reads where it still can
        if session.state in (State.JOINING, State.ACTIVE):
            self._store.submit(self._leave(session, for_good=reason in _FOR_GOOD))
        self._end(session, reason, words)

    def _leave(self, session: Session, *, for_good: bool) -> LeaveOp:
        token = token_key(session.token) if for_good else ""
        return LeaveOp(session.name, session.key, session.nickname, token)

    def slowed(self, session: Session) -> None:
        """Tell a client that it says too much, and is read more slowly from now on."""
        if session.encoder.acknowledges_all:
            session.whispers += 1  # it reads as a private message, and is acknowledged as one
        session.answer(session.encoder.slowed())

    def lags(self, session: Session) -> None:
        """Learn that a client has a backlog: it is watched from now on."""
        if session.group is not None:
            session.group.lagging.add(session)

    def caught_up(self, session: Session) -> None:
        """Learn that a client that lagged has taken its backlog."""
        if session.group is not None:
            session.group.lagging.discard(session)

    @property
    def lagging(self) -> int:
        """How many sessions have a backlog."""
        return len(self._audience.lagging)

    def drain(self) -> None:
        """Let everybody leave. What they had sent and was read is committed first."""
        self.devices.drain()
        for session in list(self._sessions.values()):
            self.lost(session, Disconnect.DRAINED)

    # --- What the store tells --------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        self._outgoing.flush()  # a letter that came before is read before
        if entry.is_talk:
            self._telling.hold(entry)
            return
        self._telling.tell_held()
        self._telling.place = entry.place
        for order in entry.orders:
            self._dismissals.obey(order)
        self._telling.tell(entry.events)

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._telling.tell_held()
        self._mailbox.deliver(deliveries, self._sessions, self._outgoing)

    def settled(self, ops: Sequence[Op]) -> None:
        self._telling.tell_held()
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
            session = self._sessions.get(op.session)
            if session is not None:
                answered[session] = None
                self._outgoing.add(session, self._settle(session, op))
                if op.kind is not None and op.outcome in _REACHED:
                    counted = op.kind, session.encoder.name
                    messages[counted] = messages.get(counted, 0) + 1
        self._outgoing.flush()
        for session in answered:
            if session.state is LEAVING and not session.awaiting:
                self._end(session, Disconnect.LEFT)
            else:
                session.outbox.proceed()
        for (kind, dialect), count in messages.items():
            self._metrics.messages(kind, dialect).count += count

    def flush(self) -> None:
        self._telling.tell_held()
        self._outgoing.flush()
        self._telling.end_slow_readers()  # also where only letters came

    def missed(self, position: Position) -> None:
        self._telling.missed(position)

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
        self._telling.tell(changes)
        self.roster.replace(after)

    def reordered(self, members: Iterable[Member]) -> None:
        self.roster.reorder(members)

    def sessions(self) -> Mapping[str, str]:
        return {name: session.key for name, session in self._sessions.items()}

    def banned(self, bans: Iterable[Ban]) -> None:
        self._dismissals.replace_bans(bans)

    def present(self) -> Iterable[Member]:
        return list(self.roster)

    def renumbered(self) -> None:
        self._mailbox.clear()
        for session in self._sessions.values():
            session.letters = None

    def fenced(self) -> None:
        self.devices.fenced()
        self.renumbered()  # whoever buried this node took its inbox
        for session in list(self._sessions.values()):
            self._end(session, Disconnect.FENCED)

    # --- Coming in -------------------------------------------------------------------------------

    def _activate(self, session: Session, news: Sequence[PublicEvent]) -> Cut:
        """Let a session in, at its own join; ``news`` came before it in the same entry."""
        session.state = State.ACTIVE
        session.decoder.entered()
        self._metrics.joins(session.encoder.name).inc()
        self._metrics.sessions(self.chat, session.encoder.name).inc()
        others, here = self.roster.others(session.name), self._telling.place
        cut = Cut()
        if session.resume is None:
            # What comes after it in its entry is still to be read, so its place is before that entry.
            place = structs.replace(here, offset=here.offset - 1)
            cut.start = len(news) + 1
            welcome = Welcome(
                session.nickname, others, place, session.token, missed_some=session.forgotten
            )
            cut.prefix = session.encoder.welcome(welcome)
            if session.encoder.deaf_seconds:
                session.write(cut.prefix)
                cut.prefix = b""
                session.hold()
                self._clock.call_later(session.encoder.deaf_seconds, lambda: self._hears(session))
        else:
            # It reads the whole entry, for it did not choose where in it its join came to stand.
            Resumption(session, self._store, here, list(others)).begin()
        self._audience.add(session)
        return cut

    def _hears(self, session: Session) -> None:
        """Let a client that was deaf for a moment read what was held for it."""
        if not session.is_held or session.resuming:
            return
        reason, session.ending = session.ending, None
        if session.state is not State.ENDED:
            session.release()
        elif reason is not None:
            session.release()
            self._close(session, reason)

    # --- Sending ---------------------------------------------------------------------------------

    def _submit(self, session: Session, op: Op) -> None:
        session.submitted(op)
        self._store.submit(op)

    def _say(self, session: Session, command: commands.Say) -> None:
        token = token_key(session.token) if command.tag else ""
        self._submit(
            session,
            SayOp(session.name, session.key, session.nickname, command.text, command.tag, token),
        )

    def _whisper(self, session: Session, command: commands.Whisper) -> None:
        recipient, tag = command.recipient, command.tag
        away = self.roster.holder(recipient) is None
        if away and not nicknames.is_valid(recipient):
            refusal = session.encoder.refusal(Refusal.UNKNOWN_RECIPIENT, recipient, tag)
            session.answer(refusal)
            return
        self._submit(
            session,
            WhisperOp(
                session.name,
                session.key,
                session.nickname,
                recipient,
                command.text,
                tag,
                token_key(session.token) if tag else "",
                keep=session.encoder.keeps,
                away=away,
            ),
        )

    def _settle(self, session: Session, op: Op) -> bytes:
        """Take an op as done, and return what its session reads of that."""
        encoder, trailer = session.encoder, session.settled(op)
        if isinstance(op, JoinOp):
            # The welcome was written when the join came by in the log.
            if op.outcome is Outcome.TAKEN:
                self._entering.refuse(session, Refusal.NICKNAME_TAKEN)
            elif op.proven:
                self.devices.collect(session.name, session.key, session.nickname)
            return trailer
        if isinstance(op, LeaveOp):
            return encoder.farewell(Disconnect.LEFT)
        if op.outcome is GONE:
            return b""  # the log says how it went: it left, or the chat was closed
        return answer_to(op, encoder) + trailer

    # --- Going -----------------------------------------------------------------------------------

    def _end(self, session: Session, reason: Disconnect, words: str = "") -> None:
        if session.state is State.ENDED:
            return
        session.state = State.ENDED
        self._sessions.pop(session.name, None)
        if session.group is not None:
            self._audience.remove(session)
            self._metrics.leaves(reason).inc()
            self._metrics.sessions(self.chat, session.encoder.name).dec()
            if reason not in _SAID and (farewell := session.encoder.farewell(reason, words)):
                session.write(farewell)
        self._metrics.disconnects(reason).inc()
        if session.is_held and not session.resuming and reason not in _OUT_OF_REACH:
            # It reads what is held first; it may say that it can, and that may have come already.
            session.end_later(reason)
            self._clock.call_soon(session.outbox.proceed)
        else:
            self._close(session, reason)

    def _close(self, session: Session, reason: Disconnect) -> None:
        self._mailbox.return_unread(session)
        session.outbox.close(reason)
