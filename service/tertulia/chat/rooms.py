"""The further rooms of a chat on this node: who wants into which, and what is meant for which."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import structs

from tertulia.chat.answers import moderate_here_op, say_op
from tertulia.chat.further_room import FurtherRoom, Surroundings
from tertulia.chat.ports import ModerateOp, RefusedOp
from tertulia.chat.session import ACTIVE, JOINING, Session
from tertulia.dialects.contract import ModerationFault, Refusal, Replies, RoomFault
from tertulia.domain import commands
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Presence
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position
from tertulia.domain.rooms import MARK, MOST_LISTED, RoomInfo, RoomPlace, is_room

LIST_SECONDS: Final = 1.0
"""Between two lists of rooms, for all sessions of a chat together."""
_NOWHERE: Final[Mapping[str, FurtherRoom]] = {}


class FurtherRooms:
    """Those in which somebody of this node is, or was a moment ago. An empty one costs nothing here."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._by_name: dict[str, FurtherRoom] = {}
        self._asking: dict[Session, None] = {}
        """Sessions that wait for the list of rooms."""
        self._is_listing = False

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def seats(self) -> int:
        """How many seats the sessions of this node have, in all rooms."""
        return sum(room.seats for room in self._by_name.values())

    def fenced(self) -> None:
        """Learn that the store has let go of all rooms, and that nobody is in them."""
        for room in self._by_name.values():
            room.fenced()
        self._by_name.clear()
        self._asking.clear()
        self._is_listing = False

    def replies(self, session: Session, room: str) -> Replies:
        """Return what a session is told alone of a room; that may be the lobby, or no room at all."""
        return session.replies.in_room(room) if room else session.replies

    # --- Coming and going ------------------------------------------------------------------------

    def enter(self, session: Session) -> None:
        """Let a session into the rooms that it wants, once it is in the chat and has its number."""
        if session.state is not ACTIVE or not session.number:
            return
        for name, place in session.goes_to().items():
            self.join(session, name, place)
        for room in list((session.rooms or {}).values()):
            room.ask(session)

    def join(self, session: Session, name: str, place: RoomPlace | None) -> None:
        """Let a session into a room; ``place``: how far it has read there. It is answered in any case.

        A client that takes its answers to be in order comes into one room after the other.
        """
        fault = self._fault(session, name)
        if fault is not None:
            if fault is RoomFault.TOO_MANY_ROOMS:
                self._around.metrics.room_refusals(fault).inc()
            session.answer(self.replies(session, name).not_joined(fault))
            return
        if session.rooms and session.encoder.in_order:
            before = next(reversed(session.rooms))
            if self._is_on_its_way(session, before):
                session.pause()
                then = partial(self._join_now, session, name, place)
                self._by_name[before].when_settled(session, then)
                return
        if session.rooms is None:
            session.come_into_rooms()
        if session.encoder.in_order:
            session.count_answers()
        self._open(name).join(session, place)

    def _join_now(self, session: Session, name: str, place: RoomPlace | None) -> None:
        if session.state is ACTIVE:
            session.go_on()
            self.join(session, name, place)
            session.outbox.proceed()

    def _fault(self, session: Session, name: str) -> RoomFault | None:
        rooms = session.rooms or _NOWHERE
        if not is_room(name):
            return RoomFault.INVALID_ROOM
        if name in rooms:
            return RoomFault.ALREADY_THERE
        return RoomFault.TOO_MANY_ROOMS if len(rooms) >= self._around.rooms_per_session else None

    def part(self, session: Session, name: str, words: str = "") -> None:
        """Give a session's seat in a room back, with its client's words. It is answered in any case.

        A client that takes its answers to be in order reads first what came of all it asked there before.
        """
        room = self._by_name.get(name)
        if room is not None and room.owes(session):
            session.pause()
            room.when_settled(session, lambda: self._part_now(session, name, words))
        else:
            self._part(session, name, words)

    def _part_now(self, session: Session, name: str, words: str) -> None:
        if session.state is ACTIVE:
            session.go_on()
            self._part(session, name, words)
            session.outbox.proceed()

    def _part(self, session: Session, name: str, words: str) -> None:
        if session.rooms and name in session.rooms:
            session.rooms[name].leave(session, for_good=False, words=words)
        elif name not in self._by_name or not self._by_name[name].is_leaving(session):
            session.answer(self.replies(session, name).parted(Disconnect.LEFT))

    def _open(self, name: str, *, make: bool = True) -> FurtherRoom:
        room = self._by_name.get(name)
        if room is None:
            room = self._by_name[name] = FurtherRoom(name, self._around, self._forget, make=make)
        return room

    def _forget(self, room: FurtherRoom) -> None:
        if self._by_name.get(room.name) is room:
            del self._by_name[room.name]

    def list(self, session: Session) -> None:
        """Tell a session which rooms there are: it is a long answer, and comes once a second at most."""
        self._asking[session] = None
        if session.encoder.in_order:
            session.pause()
        self._ask_for_list()

    def _ask_for_list(self) -> None:
        if self._asking and not self._is_listing:
            self._is_listing = True
            self._around.store.rooms.list(self._listed)

    def _rested(self) -> None:
        self._is_listing = False
        self._ask_for_list()

    def _listed(self, found: Sequence[RoomInfo]) -> None:
        asking, self._asking = self._asking, {}
        # What was made a moment ago is written down in the chat a moment later.
        listed = {it.name for it in found}
        lately = [
            RoomInfo(it.name, len(it.roster), it.rules.topic)
            for it in self._by_name.values()
            if it.name not in listed and len(it.roster)
        ]
        found = [*found, *lately][:MOST_LISTED]
        self._around.clock.call_later(LIST_SECONDS, self._rested)
        self._around.lobby.flush()
        for session in asking:
            if session.state is ACTIVE:
                session.answer(session.replies.room_list(found))
                if session.encoder.in_order:
                    session.go_on()
                    session.outbox.proceed()

    def changed(self, event: Presence, position: Position) -> None:
        """Tell what has changed about somebody to who shares a room with them and is not shown the lobby.

        It is of the lobby's log; each of them reads it once. ``position``: its entry's.
        """
        told: set[Session] = set()
        for room in list(self._by_name.values()):
            holder = room.roster.holder(event.nickname)
            if holder is not None and holder.session == event.session:
                told |= room.changed(event, position, told)

    # --- What is meant for a room ----------------------------------------------------------------

    def say(self, session: Session, command: commands.Say) -> None:
        """Tell everybody in a room, from a seat there or, where they may speak, from outside."""
        name = command.room
        room = self._by_name.get(name)
        if room is None and not is_room(name):
            refusal = Refusal.UNKNOWN_RECIPIENT
            session.answer(self.replies(session, name).refusal(refusal, MARK + name, command.tag))
            return
        if session.encoder.in_order:
            session.count_answers()
        room = room or self._open(name, make=False)
        if command.tags and not command.text and room.rules.slow:  # as in the lobby
            session.answer(self.replies(session, name).sent(command.tag))
            return
        room.submit(session, say_op(session, command, outside=not room.has_asked(session)))

    def note(self, session: Session, name: str, op: RefusedOp) -> None:
        """Remember that a message to a room was refused, where its sender could resume there."""
        room = self._by_name.get(name)
        if room is not None and room.has_asked(session):
            room.submit(session, op)

    def moderate(self, session: Session, command: commands.Moderate) -> None:
        """Moderate a room, from a seat there.

        The accounts are looked up first: they are of the chat, and a room's script can't read them.
        """
        if session.encoder.in_order and self._is_on_its_way(session, command.room):
            session.pause()
            self._by_name[command.room].when_settled(
                session, lambda: self._moderate_now(session, command)
            )
        elif self._seated(session, command.room) is not None:
            self._look_up(session, command)

    def _is_on_its_way(self, session: Session, name: str) -> bool:
        room = self._by_name.get(name)
        seat = None if room is None else room.seat(session)
        return seat is not None and seat.state is JOINING

    def _moderate_now(self, session: Session, command: commands.Moderate) -> None:
        """Moderate a room for who was on its way in."""
        if session.state is not ACTIVE:
            return
        session.go_on()
        if self._seated(session, command.room) is not None:
            self._look_up(session, command)
        session.outbox.proceed()

    def _look_up(self, session: Session, command: commands.Moderate) -> None:
        session.pause()
        self._around.store.since(
            [session.key, fold(command.act.whom)],
            lambda since: self._moderate(session, command, *since),
        )

    def _moderate(
        self, session: Session, command: commands.Moderate, since: int, whose: int
    ) -> None:
        """Moderate a room; since when the session's own account is there now, and that of the other."""
        if session.state is not ACTIVE:
            return
        session.go_on()
        room, act = self._seated(session, command.room), command.act
        if room is not None:
            if act.action is Action.APPOINT:
                act = structs.replace(act, value=whose)
                command = structs.replace(command, act=act)
            op = moderate_here_op(session, command, room.rules, room.roster)
            if session.account != since:  # it was deleted, and perhaps made again by somebody else
                op = ModerationFault.FORBIDDEN
            elif act.action is Action.APPOINT and not whose and isinstance(op, ModerateOp):
                op = ModerationFault.NO_ACCOUNT
            if isinstance(op, ModerationFault):
                session.answer(room.replies(session).not_moderated(act.action, op, command.tag))
            else:
                room.submit(session, op)
        session.outbox.proceed()

    def look_back(
        self, session: Session, command: commands.LookBack | commands.Search
    ) -> commands.Faulty | None:
        """Tell what was said in a room before, to who is in it. Returns what is wrong with that, if it is."""
        room = self._seated(session, command.room)
        seat = None if room is None else room.seat(session)
        if room is None or seat is None:
            return None
        return self._around.past_requests.ask(seat, command, room, room)

    def excerpt(self, session: Session, command: commands.Excerpt) -> None:
        """Tell a part of what was said in a room to who is in it; others are told that there is nothing."""
        room = self.of(session, command.room)
        seat = None if room is None else room.seat(session)
        if room is None or seat is None:
            session.answer(command.told(()))
        else:
            self._around.past_requests.excerpt(seat, command, room, room)

    def of(self, session: Session, name: str) -> FurtherRoom | None:
        """Return a room in which a session is; None where it is not in it."""
        room = self._by_name.get(name)
        seat = None if room is None else room.seat(session)
        return room if seat is not None and seat.state is ACTIVE else None

    def _seated(self, session: Session, name: str) -> FurtherRoom | None:
        """Return a room where a session is in it; else it reads that it is not."""
        if (room := self.of(session, name)) is not None:
            return room
        session.answer(self.replies(session, name).not_joined(RoomFault.NOT_IN_ROOM))
        return None
