"""A further room of a chat on this node, as long as somebody here is in it: its seats and its store."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from tertulia.chat.answers import answer
from tertulia.chat.any_room import AnyRoom
from tertulia.chat.fanout import Audience
from tertulia.chat.newcomers import Newcomers
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.past_requests import PastRequests
from tertulia.chat.ports import (
    DONE,
    GONE,
    Clock,
    Entry,
    Op,
    Outcome,
    Replay,
    RoomJoinOp,
    RoomLeaveOp,
    RoomStore,
    Store,
)
from tertulia.chat.recent_talk import RecentTalk
from tertulia.chat.roster import Roster
from tertulia.chat.seat import Seat
from tertulia.chat.session import ACTIVE, AWAY, ENDED, IN_THE_ROOM, JOINING, LEAVING, Session
from tertulia.chat.sessions import Sessions
from tertulia.chat.turn import Turn
from tertulia.dialects.contract import Encoder, Replies, RoomFault
from tertulia.domain.commands import Resume
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Joined, Presence, PublicEvent, WentAway
from tertulia.domain.moderation import Rules
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomPlace
from tertulia.telemetry.metrics import Metrics

EMPTY_SECONDS: Final = 30.0
"""For how long a room in which nobody of this node is any more is kept: people come back."""

_T = TypeVar("_T")


@dataclass(slots=True)
class Surroundings:
    """What the further rooms of a chat have in common on this node."""

    store: Store
    """Its ``rooms`` are there once it has started."""
    clock: Clock
    sessions: Sessions
    lobby: Turn
    people: Roster
    """Those in the lobby: everybody in the chat."""
    operator_commands: OperatorCommands
    past_requests: PastRequests
    metrics: Metrics
    history: int
    history_seconds: float
    outbox_bytes: int
    rooms_per_session: int


class FurtherRoom(AnyRoom[Seat]):
    """One further room on one node. Seats are named as their sessions are."""

    __slots__ = (
        "_around", "_awaiting", "_encoders", "_forget", "_is_closing", "_makes", "_seats", "_store",
        "_when_settled", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        around: Surroundings,
        forget: Callable[["FurtherRoom"], None],
        *,
        make: bool,
    ) -> None:
        """``make``: make it where there is no such room. ``forget``: called when it is of no use any more."""
        self.name = name
        self._around = around
        self._forget = forget
        self._seats: dict[str, Seat] = {}
        self._encoders: dict[Encoder, Encoder] = {}
        self._awaiting: dict[Op | object, None] = {}
        """What was asked of the store and is not answered."""
        self._when_settled: dict[str, Callable[[], None]] = {}
        """What sessions want done then, by their names."""
        self._is_closing = False
        sessions = around.sessions
        audience = Audience(around.metrics, unshown=sessions.unshown)
        roster, rules = Roster(), Rules()
        recent = RecentTalk(around.history, around.history_seconds, sessions.unshown)
        newcomers = Newcomers(
            self, around.clock, sessions, self._release, roster, recent, rules,
            around.operator_commands, "closed",
        )  # fmt: skip
        super().__init__(
            around.clock, self._seats, audience, Turn(audience), roster, rules, recent, newcomers
        )
        self._makes = make
        self._store: RoomStore | None = around.store.rooms.open(name, self, make=make)

    # --- Seats -----------------------------------------------------------------------------------

    def seat(self, session: Session) -> Seat | None:
        """Return a session's seat; None where it has none, wants none, or gave it back."""
        seat = self._seats.get(session.name)
        return seat if seat is not None and seat.state is not LEAVING else None

    def has_asked(self, session: Session) -> bool:
        """Whether a session has a seat, or has asked the store for one: it speaks from there."""
        seat = self._seats.get(session.name)
        return seat is not None and seat.is_asked and seat.state is not LEAVING

    def is_leaving(self, session: Session) -> bool:
        """Whether a session has given its seat back, and the store has not answered yet."""
        seat = self._seats.get(session.name)
        return seat is not None and seat.state is LEAVING

    @property
    def seats(self) -> int:
        """How many sessions of this node have a seat, or may have one soon."""
        return len(self._seats)

    def encoder(self, session: Session) -> Encoder:
        """Return the encoder for what a session reads of this room."""
        encoder = self._encoders.get(session.encoder)
        if encoder is None:
            encoder = self._encoders[session.encoder] = session.encoder.in_room(self.name)
        return encoder

    def replies(self, session: Session) -> Replies:
        """Return what a session is told alone of this room."""
        replies: object = session.replies
        if replies is session.encoder:  # the same for all, and so it is here
            return self.encoder(session)  # type: ignore[return-value]
        return session.replies.in_room(self.name)

    def owes(self, session: Session) -> bool:
        """Whether something is not settled that a session asked for here, whose answers are in order."""
        return any(op in self._awaiting for op in session.in_order or ())

    def when_settled(self, session: Session, then: Callable[[], None]) -> None:
        """Do something as soon as nothing is owed to a session any more."""
        self._when_settled[session.name] = then

    def listen(self, session: Session) -> None:
        """Have a session read this room as its encoder is now."""
        seat = self._seats.get(session.name)
        if seat is None:
            return
        self._turn.flush()
        self._audience.remove(seat)
        seat.listen(self.encoder(session))
        if seat.state is ACTIVE:
            self._audience.add(seat)

    def join(self, session: Session, place: RoomPlace | None) -> None:
        """Let a session of the chat in, which has no seat here; ``place``: how far it has read."""
        assert session.rooms is not None
        session.rooms[self.name] = self
        given_back = self._seats.get(session.name)
        if given_back is not None:
            given_back.come_again(lambda: self.join(session, place))
            return
        is_known = session.resume_from is not None
        resume = None
        if place is not None and is_known:
            resume = Resume(session.token, place.epoch, place.offset)
        missed = place is not None and not is_known
        self._seats[session.name] = Seat(
            session, self.encoder(session), self.replies(session), resume, misses_some=missed
        )
        if session.number:
            self.ask(session)

    def ask(self, session: Session) -> None:
        seat = self._seats[session.name]
        if seat.is_asked or seat.state is not JOINING:
            return
        seat.ask()
        join = RoomJoinOp(
            session.name, session.key, session.nickname, session.encoder.name, session.number,
            session.account, session.token_key, session.resume_from is not None, session.about,
        )  # fmt: skip
        if session.in_order is not None:
            session.submitted(join)
        self._submit(join)

    def leave(self, session: Session, *, for_good: bool, words: str = "") -> None:
        seat = self._seats.get(session.name)
        if session.rooms is not None:
            session.rooms.pop(self.name, None)
        if seat is None:
            return
        if seat.state is LEAVING:
            seat.come_again(None)
            return
        self._turn.flush()
        self._audience.remove(seat)
        if seat.state is ACTIVE:
            self._around.metrics.room_parts.inc()
        seat.leave()
        if seat.is_asked:
            token = session.token_key if for_good else ""
            is_gone = session.state is not ACTIVE
            op = RoomLeaveOp(session.name, session.key, session.nickname, token, is_gone, words)
            if session.in_order is not None and not is_gone:
                session.submitted(op)
            self._submit(op)
        else:
            self._given_back(seat, words)

    def lose(self, session: Session) -> None:
        seat = self._seats.get(session.name)
        if seat is None or seat.state is LEAVING:
            return
        self._turn.flush()
        self._audience.remove(seat)
        seat.lose()
        if not seat.is_asked:
            self._drop(seat)

    def hear(self, session: Session) -> None:
        seat = self._seats.get(session.name)
        if seat is not None and not seat.is_held:
            self._audience.release(seat)

    def held(self, session: Session) -> int:
        seat = self._seats.get(session.name)
        return 0 if seat is None else seat.held

    def _release(self, seat: Seat) -> None:
        seat.release()
        if not seat.is_held:
            self._audience.release(seat)

    def _drop(self, seat: Seat) -> None:
        """Know a seat no more."""
        seat.end()
        self._audience.remove(seat)
        del self._seats[seat.session.name]
        rooms = seat.session.rooms
        if rooms is not None:
            rooms.pop(self.name, None)
        self._close_if_empty()

    def _refuse(self, seat: Seat, fault: RoomFault) -> None:
        """Tell a session that it can't come in; one that would be shown nothing else ends."""
        session, replies = seat.session, seat.replies
        self._around.metrics.room_refusals(fault).inc()
        self._drop(seat)
        self._say_last(session, lambda: replies.not_joined(fault), Disconnect.ROOM_FULL)

    def _say_last(
        self, session: Session, render: Callable[[], bytes], reason: Disconnect, words: str = ""
    ) -> None:
        """Tell a session that it is not in this room; ``reason``: why it ends if it is shown no other."""
        if session.room == self.name:
            self._around.sessions.lost(session, reason, words, replies=self.replies(session))
        elif session.state in IN_THE_ROOM:
            try:
                session.write(render())
            except Exception:
                self._around.sessions.fail(session)

    def _given_back(self, seat: Seat, words: str) -> None:
        """Know a seat no more that its session gave back, and tell it so, if it is still there."""
        again, session = seat.again, seat.session
        self._turn.flush()
        seat.end()
        del self._seats[session.name]
        if session.state is ACTIVE:
            parted = partial(seat.replies.parted, Disconnect.LEFT, words)
            self._say_last(session, parted, Disconnect.LEFT)
            if again is not None:
                again()
        self._close_if_empty()

    # --- What is asked of the store --------------------------------------------------------------

    def submit(self, session: Session, op: Op) -> None:
        """Submit what a session does here: it is answered when it is settled."""
        if session.in_order is None:
            session.submitted_aside()
        else:
            session.submitted(op)
        self._submit(op)

    def _submit(self, op: Op) -> None:
        assert self._store is not None
        self._awaiting[op] = None
        self._store.submit(op)

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        """Read the log for who missed some of it: see ``RoomStore``."""
        assert self._store is not None
        self._store.replay(after, before, token, self._noted(done))

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read the log backwards: see ``RoomStore``."""
        if self._store is None:
            done(True)
        else:
            self._store.look_back(before, take, self._noted(done))

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Read the log on from a place: see ``RoomStore``."""
        if self._store is None:
            done(True)
        else:
            self._store.look_on(after, take, self._noted(done))

    def _noted(self, done: Callable[[_T], object]) -> Callable[[_T], None]:
        """Have the room stay open until something is done."""
        asked = object()
        self._awaiting[asked] = None

        def noted(found: _T) -> None:
            del self._awaiting[asked]
            done(found)
            self._close_if_empty()

        return noted

    def _close_if_empty(self) -> None:
        """Let go of the room in a moment, if nobody is here any more."""
        if not (self._seats or self._awaiting or self._is_closing):
            self._is_closing = True
            self._clock.call_later(EMPTY_SECONDS, self._close)

    def _close(self) -> None:
        self._is_closing = False
        if not (self._seats or self._awaiting or self._store is None):
            self._store.close()
            self._store = None
            self._forget(self)

    # --- What the store reports ------------------------------------------------------------------

    def settled(self, ops: Sequence[Op]) -> None:
        answered: dict[Session, None] = {}
        messages: dict[str, int] = {}
        sessions = self._around.sessions
        for op in ops:
            self._awaiting.pop(op, None)
            session = sessions.by_name.get(op.session)
            if isinstance(op, RoomJoinOp | RoomLeaveOp):
                self._settle_seat(op)
                if session is not None and session.has_in_order(op):
                    answered[session] = None
                    self._pass_turn(session, op)
            elif session is not None:
                answered[session] = None
                self._settle(session, op)
                if op.outcome is DONE and op.kind is not None:
                    dialect = session.encoder.name
                    messages[dialect] = messages.get(dialect, 0) + 1
        self._turn.flush()
        sessions.go_on(answered)
        if self._when_settled:
            self._go_on_with([op.session for op in ops])
        for dialect, count in messages.items():
            self._around.metrics.messages("public", dialect).count += count
        self._close_if_empty()

    def _go_on_with(self, names: Iterable[str]) -> None:
        """Do what some sessions wait with until nothing is owed to them."""
        for name in names:
            session = self._around.sessions.by_name.get(name)
            if name in self._when_settled and (session is None or not self.owes(session)):
                self._when_settled.pop(name)()

    def _settle(self, session: Session, op: Op) -> None:
        seat = self.seat(session)
        try:
            trailer = session.settled(op)
            replies = self.replies(session) if seat is None else seat.replies
            text = answer(session, op, replies, self._rules) + trailer
        except Exception:
            self._around.sessions.fail(session)
            return
        if session.in_order is not None:
            text = session.in_turn(op, text)
        self._turn.answer_together(seat or session, text)

    def _pass_turn(self, session: Session, op: Op) -> None:
        """Let a session read what waited for an op that has no answer of its own."""
        try:
            text = session.in_turn(op, session.settled(op))
        except Exception:
            self._around.sessions.fail(session)
            return
        self._turn.answer(self.seat(session) or session, text)

    def _settle_seat(self, op: RoomJoinOp | RoomLeaveOp) -> None:
        seat = self._seats.get(op.session)
        if seat is None:
            return  # the log said already how it went
        if isinstance(op, RoomLeaveOp):
            if seat.state is LEAVING:
                self._given_back(seat, op.words)
        elif op.outcome is Outcome.FULL and seat.state is JOINING:
            self._refuse(seat, RoomFault.FULL)
        elif op.outcome is GONE and seat.state is JOINING:
            self._ousted(seat, Disconnect.DISPLACED)
        elif seat.state is ACTIVE:
            seat.outbox.proceed()

    def refused(self) -> None:
        ops = [it for it in self._awaiting if isinstance(it, Op)]
        if not self._makes and any(isinstance(op, RoomJoinOp) for op in ops):
            # It was opened for somebody outside, and somebody wants to come in since.
            self._makes = True
            self._store = self._around.store.rooms.open(self.name, self)
            for op in ops:
                self._store.submit(op)
            return
        self._store = None
        self._forget(self)
        for seat in list(self._seats.values()):
            if seat.state is JOINING:
                self._refuse(seat, RoomFault.NO_ROOM_LEFT)
            else:
                self._drop(seat)
        for op in ops:
            op.outcome = Outcome.UNKNOWN
        self.settled(ops)

    def sessions(self) -> Mapping[str, str]:
        return {
            name: seat.session.key
            for name, seat in self._seats.items()
            if seat.is_asked and seat.state is not LEAVING
        }

    def tokens(self) -> Iterable[str]:
        return ()  # the store keeps each with its seat

    def fenced(self) -> None:
        """Learn that all sessions are thought gone, and that the store has let go of the room."""
        self._store = None
        for seat in list(self._seats.values()):
            seat.session.leave_rooms()
            self._audience.remove(seat)
            seat.end()
        self._seats.clear()
        self._awaiting.clear()
        self._when_settled.clear()

    # --- How sessions come into the room, and go -------------------------------------------------

    def _obey(self, command: OperatorCommand) -> None:
        self._around.operator_commands.take(command, self.name)
        if command.action is Action.KICK:
            holder = self.roster.holder(command.subject)
            seat = holder and self._seats.get(holder.session)
            if seat:
                self._oust(seat, Disconnect.KICKED, command.text, command.moderator)

    def _admit(self, reader: Seat) -> None:
        self._around.metrics.room_joins.inc()
        self._audience.add(reader)
        session = reader.session
        if session.room == self.name:
            session.go_on()

    def _tell(self, events: Iterable[PublicEvent]) -> None:
        events = list(events)
        super()._tell(events)
        for event in events:
            if type(event) is Joined and not event.was:
                self._tell_away(event)

    def _tell_away(self, event: Joined) -> None:
        """Tell those here of a newcomer that he is away, as the lobby knows, where their dialect wants it."""
        holder = self._around.people.holder(event.nickname)
        if holder is None or holder.session != event.session or not holder.away:
            return
        told = WentAway(event.nickname, event.session, holder.away)
        readers = [
            seat
            for seat in self._seats.values()
            if seat.state is ACTIVE
            and seat.encoder.tells_away
            and seat.session.name != event.session
        ]
        self._write_aside(readers, told, self.roster.position)

    def changed(
        self, event: Presence, position: Position, but: Collection[Session]
    ) -> set[Session]:
        """Tell what has changed about somebody here to who is not shown the lobby, whose event that is.

        Returns those who read it: all but ``but``, and who it is about.
        """
        readers = [
            seat
            for seat in self._seats.values()
            if seat.state is ACTIVE
            and not seat.session.shows_lobby
            and seat.session not in but
            and seat.session.name != event.session
        ]
        self._turn.flush()
        self._write_aside(readers, event, position)
        return {seat.session for seat in readers}

    def _write_aside(self, readers: Iterable[Seat], event: Presence, position: Position) -> None:
        """Let some of those here read an event that is not of this room's log."""
        texts: dict[Encoder, bytes] = {}
        for seat in readers:
            encoder = seat.encoder
            try:
                if encoder not in texts:
                    texts[encoder] = b"".join(encoder.pieces((event,), position))
            except Exception:
                self._fail(seat)
            else:
                seat.write(texts[encoder])

    def _fail(self, reader: Seat) -> None:
        self._around.sessions.fail_later(reader.session)

    def _ousted(self, reader: Seat, reason: Disconnect) -> None:
        self._oust(reader, reason)

    def _oust(self, seat: Seat, reason: Disconnect, words: str = "", by: str = "") -> None:
        """End a seat that the store has given up or to somebody else."""
        if seat.state is ENDED:
            return
        self._turn.flush()
        if seat.state in (ACTIVE, AWAY):
            self._around.metrics.room_parts.inc()
        session, replies = seat.session, seat.replies
        self._drop(seat)
        self._say_last(session, lambda: replies.parted(reason, words, by), reason, words)

    def _end_lost_readers(self) -> None:
        sessions, held = self._around.sessions, self._audience.held
        if held or sessions.lagging or sessions.unshown.failed:
            lagging = [it for it in self._seats.values() if it.session in sessions.lagging]
            sessions.end_lost_readers([*held, *lagging], self._around.outbox_bytes)
