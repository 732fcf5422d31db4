"""A store without Redis: the stores of several nodes share one chat in memory.

Held to the port by the same tests as the real one, so unit tests may use it as a fake. Nothing happens
but in callbacks given to ``soon``: an event loop's ``call_soon``, or a scheduler of the test's own, which
may call back in any order and so makes any interleaving of nodes.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from dataclasses import replace as with_
from itertools import count

from msgspec.structs import replace

from contract.follower import said, whispered
from tertulia.chat.ports import (
    KNOWN_REFUSED,
    CloseOp,
    Delivery,
    Entry,
    Follower,
    JoinOp,
    LeaveOp,
    Member,
    ModerateOp,
    Op,
    Outcome,
    PassOnOp,
    PresenceOp,
    RefusedOp,
    Remembered,
    Replay,
    ReportOp,
    RoomFollower,
    RoomJoinOp,
    RoomLeaveOp,
    SayOp,
    WhisperOp,
)
from tertulia.domain.events import (
    Appointed,
    Closed,
    Joined,
    Kicked,
    Left,
    Muted,
    Owned,
    Present,
    PrivateEvent,
    PublicEvent,
    Redacted,
    Registered,
    Said,
    TaggedAlone,
    Undelivered,
    Unmuted,
    WentAway,
    Whispered,
)
from tertulia.domain.moderation import MODERATORS, Rules
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomInfo

Soon = Callable[[Callable[[], object]], object]


@dataclass(slots=True)
class _Inbox:
    """Letters handed to a node, until the node has confirmed them."""

    last: int = 0
    letters: deque[Delivery] = field(default_factory=deque)

    def trim(self, confirmed: int) -> None:
        while self.letters and self.letters[0].number <= confirmed:
            self.letters.popleft()


@dataclass(frozen=True, slots=True)
class _Holder:
    member: Member
    node: str


@dataclass(slots=True)
class _Remembered:
    """What is kept with a token."""

    key: str = ""
    session: str = ""
    first: int = 0
    done: int = 0
    refused: list[int] = field(default_factory=list)
    proof: str = ""
    """The password of the account that it proves; empty for a guest's."""


class MemoryChat:
    """What Redis holds of a chat, and the bus that brings it to the nodes."""

    epoch = "memory"
    """The only one of its log."""

    def __init__(self, soon: Soon, clock: Callable[[], float] = time.time) -> None:
        self._soon = soon
        self._clock = clock
        self._log: list[Entry] = []
        self._tokens: dict[str, _Remembered] = {}
        self.passwords: dict[str, str] = {}
        """What every account would have to prove, by folded nickname."""
        self.made: dict[str, int] = {}
        """Since when each is there, in milliseconds, where that is to be known."""
        self._holders: dict[str, _Holder] = {}  # by folded nickname, oldest first
        self._inboxes: dict[str, _Inbox] = {}  # of every registered node
        self._stores: list[MemoryStore] = []
        self._numbers = count(1)
        self.rules = Rules()
        self._operator_commands: list[
            OperatorCommand
        ] = []  # of moderators, in the batch that is applied
        self._spoke: dict[str, float] = {}  # in slow mode, when each last said something
        self._joins = count(1)
        self.rooms: dict[str, MemoryRoom] = {}
        """The further rooms, by name."""
        self.most_rooms = 10_000
        """How many may be made."""
        self.most_members = 10_000
        """How many may be in each."""

    def node(self, node_id: str, batch_ops: int = 512) -> "MemoryStore":
        """Make a node's store. ``batch_ops`` bounds a batch."""
        return MemoryStore(self, node_id, self._soon, batch_ops)

    @property
    def members(self) -> list[Member]:
        """Who is in the room, oldest first."""
        return [holder.member for holder in self._holders.values()]

    @property
    def log(self) -> list[Entry]:
        """All entries, in order."""
        return list(self._log)

    @property
    def nodes(self) -> set[str]:
        """The nodes that are registered."""
        return set(self._inboxes)

    def condemn(self, node: str) -> None:
        """Bury a node: announce its sessions as gone, and report what it has not delivered."""
        inbox = self._inboxes.pop(node)
        for store in self._stores:
            store.wake()  # so that it learns of it
        left = [h.member for h in self._holders.values() if h.node == node]
        self._holders = {key: h for key, h in self._holders.items() if h.node != node}
        self._publish([Left(member.nickname, member.session) for member in left])
        letters: dict[str, list[Delivery]] = {}
        for delivery in inbox.letters:
            if isinstance(delivery.event, Whispered):
                it = delivery.event
                report = Undelivered(it.sender, it.sender_session, it.recipient, it.text, it.tag)
                self._post(fold(it.sender), it.sender_session, report, letters)
        self._hand_over(letters)
        for room in self.rooms.values():
            room.bury(node)

    def order(self, command: OperatorCommand) -> None:
        """Do what an operator asks for, and tell every node."""
        events: list[PublicEvent] = []
        holder = self._holders.get(command.subject) if command.action is Action.KICK else None
        if command.action is Action.APPOINT:
            event = Appointed("G", "-", command.subject, True)
            self.rules.take(event)
            events.append(event)
        if holder is not None:
            del self._holders[command.subject]
            events.append(Kicked("G", "-", command.subject))
            events.append(Left(holder.member.nickname, holder.member.session))
        ended = command.subject.rpartition(":")[2]  # of a nickname or an account
        if command.action in (Action.KICK, Action.BAN):
            self._tokens = {name: it for name, it in self._tokens.items() if it.key != ended}
        self._publish(events, [command])

    def redact(self, offset: int, index: int) -> None:
        """Withdraw a message, as an operator does."""
        event = Redacted("G", "-", offset, index)
        self.rules.take(event)
        self._publish([event])

    # --- What a node's store does ----------------------------------------------------------------

    def register(self, store: "MemoryStore", node_id: str) -> str:
        """Give a node an id that was never used, and an inbox."""
        node = f"{node_id}~{next(self._numbers)}"
        self._inboxes[node] = _Inbox()
        if store not in self._stores:
            self._stores.append(store)
        return node

    def forget(self, store: "MemoryStore") -> None:
        """End a node's registration."""
        held = [h.member.nickname for h in self._holders.values() if h.node == store.node]
        assert not held, f"{store.node} stops and still holds {held}"
        self._inboxes.pop(store.node, None)
        self._stores.remove(store)

    def commit(self, node: str, ops: Iterable[Op], confirmed: int) -> bool:
        """Apply a batch and tell everybody; False, and nothing done, where the node was buried."""
        inbox = self._inboxes.get(node)
        if inbox is None:
            return False
        inbox.trim(confirmed)
        events: list[PublicEvent] = []
        letters: dict[str, list[Delivery]] = {}
        for op in ops:
            op.outcome = self._apply(op, node, events, letters)
        operator_commands, self._operator_commands = self._operator_commands, []
        self._publish(events, operator_commands)
        self._hand_over(letters)
        return True

    def _apply(
        self,
        op: Op,
        node: str,
        events: list[PublicEvent],
        letters: dict[str, list[Delivery]],
    ) -> Outcome:
        holder = self._holders.get(op.key)
        if isinstance(op, JoinOp):
            return self._join(op, node, holder, events)
        if isinstance(op, LeaveOp | RoomLeaveOp):
            known = self._tokens.get(op.token)
            if known is not None and known.session == op.session:
                del self._tokens[op.token]
        if holder is None or holder.member.session != op.session:
            return Outcome.GONE
        match op:
            case LeaveOp() | RoomLeaveOp():
                del self._holders[op.key]
                is_gone = isinstance(op, RoomLeaveOp) and op.is_gone
                events.append(Left(op.nickname, op.session, is_gone, op.words))
            case CloseOp():
                if holder is not next(iter(self._holders.values())):
                    return Outcome.FORBIDDEN
                self._holders.clear()
                events.append(Closed(op.nickname, op.session))
            case PresenceOp():
                self._change(op, holder, events)
            case SayOp() if (refused := self._restrained(op)) is not None:
                self._note_answer(op.token, op.tag, refused)
                return refused
            case SayOp():
                self._note_answer(op.token, op.tag)
                events.append(said(op))
            case WhisperOp():
                outcome = self._whisper(op, letters)
                self._note_answer(op.token, op.tag, outcome)
                return outcome
            case RefusedOp():
                self._note_answer(op.token, op.tag, Outcome.UNKNOWN)
            case PassOnOp():
                self._post(op.key, op.session, op.event, letters, op.at)
            case ReportOp():
                report = Undelivered(op.key, op.session, op.recipient, op.text, op.tag)
                self._post(op.key, op.session, report, letters)
            case ModerateOp():
                return self._moderate(op, events)
            case _:
                raise TypeError(f"no such op: {type(op).__name__}")
        return Outcome.DONE

    def _change(self, op: PresenceOp, holder: _Holder, events: list[PublicEvent]) -> None:
        """Note what is another way with somebody."""
        member = holder.member
        if op.away is not None and op.away != member.away:
            member = with_(member, away=op.away)
            events.append(WentAway(op.nickname, op.session, op.away))
        if op.account is not None and op.account is not member.is_account:
            member = with_(member, is_account=op.account)
            events.append(Registered(op.nickname, op.session, op.account))
        self._holders[op.key] = _Holder(member, holder.node)

    def _whisper(self, op: WhisperOp, letters: dict[str, list[Delivery]]) -> Outcome:
        if self._is_muted(op) and not self.rules.moderates(fold(op.recipient)):
            return Outcome.MUTED
        recipient = self._holders.get(fold(op.recipient))
        if recipient is None:
            return Outcome.UNKNOWN
        event = whispered(op)
        self._post(fold(op.recipient), recipient.member.session, event, letters)
        return Outcome.DONE

    def _is_muted(self, op: SayOp | WhisperOp) -> bool:
        mute = self.rules.mute_of(op.key, self._clock())
        op.until = mute.until if mute is not None else 0
        return mute is not None

    def _restrained(self, op: SayOp) -> Outcome | None:
        """Say why somebody may not say something; note that he does where it is noted."""
        if self._is_muted(op):
            return Outcome.MUTED
        if self.rules.accounts_only and not op.is_account:
            return Outcome.ACCOUNTS_ONLY
        if self.rules.slow and not self._is_moderator(op.key):
            now, last = self._clock(), self._spoke.get(op.key, float("-inf"))
            if now < last + self.rules.slow:
                op.until = round((last + self.rules.slow) * 1000)
                return Outcome.SLOW
            self._spoke[op.key] = now
        return None

    def _moderate(self, op: ModerateOp, events: list[PublicEvent]) -> Outcome:
        act, key = op.act, fold(op.act.whom)
        if not self._may(op):
            return Outcome.FORBIDDEN
        if act.action in (Action.MUTE, Action.KICK) and self._is_moderator(key):
            return Outcome.FORBIDDEN
        event = act.event(op.nickname, op.session)
        if isinstance(event, Muted) and event.until:
            event = replace(event, until=round(self._clock() * 1000) + act.value * 1000)
        holder = self._holders.get(key)
        if isinstance(event, Kicked) and holder is None:
            return Outcome.UNKNOWN
        if isinstance(event, Unmuted) and key not in self.rules.mutes:
            return Outcome.UNKNOWN
        if isinstance(event, Appointed) and not event.on and key not in self.rules.moderators:
            return Outcome.UNKNOWN
        if isinstance(event, Redacted) and event.index >= self._messages(event.offset):
            return Outcome.UNKNOWN
        if isinstance(event, Redacted):
            event = replace(event, since=1)  # its log is never cut
        self.rules.take(event)
        by = f"{op.nickname} (moderator)"
        self._operator_commands.append(OperatorCommand("1", by, act.action, key, act.text))
        events.append(event)
        if isinstance(event, Kicked) and holder is not None:
            del self._holders[key]
            events.append(Left(holder.member.nickname, holder.member.session))
        return Outcome.DONE

    def _may(self, op: ModerateOp) -> bool:
        return self.rules.moderates(op.key) and op.act.action in MODERATORS

    def _is_moderator(self, key: str) -> bool:
        return self.rules.moderates(key)

    def since(self, key: str) -> int:
        """Say since when an account is there; 0: there is none."""
        return self.made.get(key, 1) if key in self.passwords else 0

    def _messages(self, offset: int) -> int:
        """Return how many messages are in an entry of the log."""
        if not 0 < offset <= len(self._log):
            return 0
        return sum(isinstance(event, Said) for event in self._log[offset - 1].events)

    def _join(
        self, op: JoinOp, node: str, holder: _Holder | None, events: list[PublicEvent]
    ) -> Outcome:
        known = self._tokens.get(op.token, _Remembered())
        was = holder.member if holder is not None else None
        own = op.proven and op.key in self.passwords
        goes_on = False
        if op.resumed and self._proves(known, op.key):
            goes_on = was is not None and known.session == was.session
            own = own or was is None or goes_on
        if not own and (was is not None or op.resumed or op.key in self.passwords):
            return Outcome.TAKEN
        if was is not None and not goes_on:
            del self._holders[op.key]
            events.append(Left(was.nickname, was.session))
        op.number = next(self._joins)
        op.account = self.since(op.key) if own else 0
        proven = own and op.key in self.passwords
        named = (op.nickname, op.session, op.dialect)
        member = Member(*named, is_account=proven, about=op.about)
        self._holders[op.key] = _Holder(member, node)
        seat = was.session if was is not None and goes_on else ""
        events.append(Joined(*named, seat, is_account=proven, about=op.about))
        if op.token:
            known = self._tokens.setdefault(op.token, _Remembered())
            known.key, known.session = op.key, op.session
            known.proof = self.passwords.get(op.key, "")
            known.first = known.first or len(self._log) + 1
        return Outcome.DONE

    def _proves(self, known: _Remembered, key: str) -> bool:
        return (
            bool(known.session) and known.key == key and known.proof == self.passwords.get(key, "")
        )

    def _note_answer(self, token: str, tag: int, outcome: Outcome = Outcome.DONE) -> None:
        if not token:
            return
        known = self._tokens.setdefault(token, _Remembered())
        known.done = tag
        if outcome is not Outcome.DONE:
            known.refused.append(tag)

    def recall(self, token: str) -> Remembered | None:
        """Say whose a token is."""
        known = self._tokens.get(token)
        if known is None or not self._proves(known, known.key):
            return None
        return Remembered(known.key, known.first, is_account=bool(known.proof))

    def replay(self, after: Position, before: Position, token: str) -> Replay:
        """Give what is in the log between two places, and what is remembered with a token."""
        is_same_log = after.epoch == before.epoch and after.offset < before.offset
        first = after.offset if is_same_log else 0
        known = self._tokens.get(token, _Remembered())
        refused = [tag for tag in known.refused if tag > known.done - KNOWN_REFUSED]
        log = self._log[first : before.offset - 1]
        return Replay(log, is_same_log, known.done, refused)

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Give the entries before a place, the latest first."""
        log = self._log if before.epoch == self.epoch else []
        end = before.offset - 1 if before.offset else self._before(before.at)
        done(all(take(entry) for entry in reversed(log[self._begin : max(0, end)])))

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        """Give the entries behind a place, the earliest first."""
        log = self._log if after.epoch == self.epoch else []
        begin = max(after.offset or self._before(after.at), self._begin)
        done(all(take(entry) for entry in log[begin:]))

    @property
    def _begin(self) -> int:
        """How many entries were committed before the one in which the chat was closed last."""
        closed = (any(isinstance(event, Closed) for event in it.events) for it in self._log)
        return max((index for index, it in enumerate(closed) if it), default=0)

    def _before(self, at: float) -> int:
        """Return how many entries were committed before a moment."""
        return sum(entry.position.at < at for entry in self._log)

    def _post(
        self,
        key: str,
        session: str,
        event: PrivateEvent | TaggedAlone,
        letters: dict[str, list[Delivery]],
        at: float | None = None,
    ) -> None:
        holder = self._holders.get(key)
        if holder is None or holder.member.session != session:
            return
        inbox = self._inboxes[holder.node]
        inbox.last += 1
        delivery = Delivery(inbox.last, session, event, self._clock() if at is None else at)
        inbox.letters.append(delivery)
        letters.setdefault(holder.node, []).append(delivery)

    def _publish(
        self, events: list[PublicEvent], operator_commands: Sequence[OperatorCommand] = ()
    ) -> None:
        if not events and not operator_commands:
            return
        here = Position(self.epoch, len(self._log) + 1, self._clock())
        is_talk = not operator_commands and all(isinstance(event, Said) for event in events)
        entry = Entry(here, events, operator_commands, is_talk)
        self._log.append(entry)
        for store in self._stores:
            store.bring(entry)

    def _hand_over(self, letters: Mapping[str, list[Delivery]]) -> None:
        for store in self._stores:
            if store.node in letters:
                store.bring(letters[store.node])


class MemoryRoom(MemoryChat):
    """What Redis holds of a further room."""

    def __init__(self, chat: MemoryChat, name: str) -> None:
        super().__init__(chat._soon, chat._clock)
        self._chat = chat
        self.epoch = f"memory of {name}"
        self._accounts: dict[str, int] = {}  # of the sessions that took a seat, 0: a guest

    def bury(self, node: str) -> None:
        """Announce a node's sessions as gone."""
        left = [h.member for h in self._holders.values() if h.node == node]
        self._holders = {key: h for key, h in self._holders.items() if h.node != node}
        self._publish([Left(member.nickname, member.session) for member in left])

    def follow(self, store: "MemoryStore") -> None:
        """Have a store brought what is published from now on."""
        self._stores.append(store)

    def unfollow(self, store: "MemoryStore") -> None:
        """Have it brought nothing more."""
        self._stores.remove(store)

    def commit(self, node: str, ops: Iterable[Op], confirmed: int) -> bool:
        if node not in self._chat.nodes:
            return False
        self._inboxes[node] = _Inbox()
        return super().commit(node, ops, confirmed)

    def _apply(
        self,
        op: Op,
        node: str,
        events: list[PublicEvent],
        letters: dict[str, list[Delivery]],
    ) -> Outcome:
        if isinstance(op, RoomJoinOp):
            return self._take_seat(op, node, events)
        if isinstance(op, SayOp) and op.outside:
            outcome = self._restrained(op) or Outcome.DONE
            if not self.rules.outsiders:
                outcome = Outcome.UNKNOWN
            self._note_answer(op.token, op.tag, outcome)
            if outcome is Outcome.DONE:
                events.append(said(op))
            return outcome
        return super()._apply(op, node, events, letters)

    def replay(self, after: Position, before: Position, token: str) -> Replay:
        known = self._tokens.get(token)
        if known is None:
            return Replay([], False, 0)
        begin = max(known.first - 1, after.offset if after.epoch == self.epoch else 0)
        whole = super().replay(Position(self.epoch, begin), before, token)
        is_whole = after.epoch == self.epoch and begin == after.offset
        return Replay(whole.entries, is_whole, whole.done, whole.refused)

    def _take_seat(self, op: RoomJoinOp, node: str, events: list[PublicEvent]) -> Outcome:
        holder = self._holders.get(op.key)
        was = holder.member if holder is not None else None
        if was is not None and was.session == op.session:
            proven = op.account > 0
            named = (op.nickname, op.session, op.dialect)
            events.append(Present(*named, op.number, proven, about=op.about))
            return Outcome.DONE
        if was is not None and was.number > op.number:
            return Outcome.GONE
        if was is None and len(self._holders) >= self._chat.most_members:
            return Outcome.FULL
        known = self._tokens.get(op.token)
        goes_on = op.resumed and was is not None and known is not None
        goes_on = goes_on and known is not None and was is not None and known.session == was.session
        if was is not None and not goes_on:
            del self._holders[op.key]
            events.append(Left(was.nickname, was.session))
        proven = op.account > 0
        self._holders[op.key] = _Holder(
            Member(op.nickname, op.session, op.dialect, op.number, proven, about=op.about), node
        )
        seat = was.session if was is not None and goes_on else ""
        named = (op.nickname, op.session, op.dialect)
        events.append(Joined(*named, seat, op.number, proven, op.about))
        self._accounts[op.session] = op.account
        if op.account and not self._log and len(events) == 1:
            owned = Owned(op.nickname, op.session, op.nickname, op.account)
            self.rules.take(owned)
            events.append(owned)
        if op.token:
            known = self._tokens.setdefault(op.token, _Remembered())
            known.key, known.session = op.key, op.session
            known.first = known.first or len(self._log) + 1
        return Outcome.DONE

    def _may(self, op: ModerateOp) -> bool:
        if self.rules.owns(op.key, op.account):
            return True
        return self.rules.moderates_here(op.key, op.account) and op.act.action in MODERATORS

    def _is_moderator(self, key: str) -> bool:
        holder = self._holders.get(key)
        if holder is None:
            return key in self.rules.moderators or key == self.rules.owner
        return self.rules.moderates_here(key, self._accounts[holder.member.session])


class MemoryRooms:
    """The further rooms on one node, as ``chat.ports.Rooms`` promises them."""

    def __init__(self, chat: MemoryChat, lobby: "MemoryStore") -> None:
        self._chat = chat
        self._lobby = lobby
        self._open: set[MemoryRoomStore] = set()

    def open(self, room: str, follower: RoomFollower, *, make: bool = True) -> "MemoryRoomStore":
        store = MemoryRoomStore(self._chat, room, self._lobby, follower, self._open)
        self._open.add(store)
        self._lobby._soon(lambda: store.begin(make=make))
        return store

    def list(self, done: Callable[[Sequence[RoomInfo]], None]) -> None:
        rooms = self._chat.rooms.items()
        infos = [RoomInfo(name, len(room.members), room.rules.topic) for name, room in rooms]
        infos.sort(key=lambda info: -info.members)
        self._lobby._soon(lambda: done(infos[:500]))

    @property
    def is_settled(self) -> bool:
        """Whether nothing that was submitted waits."""
        return not any(store._queue or store._unsettled for store in self._open)

    def drop(self) -> None:
        """Let go of all rooms."""
        for store in list(self._open):
            store.close()
            store._queue.clear()


class MemoryStore:
    """One node's side of a chat in memory, as ``chat.ports.Store`` promises it."""

    def __init__(self, chat: MemoryChat, node_id: str, soon: Soon, batch_ops: int) -> None:
        self._chat = chat
        self._node_id = node_id
        self._node = node_id
        self._soon = soon
        self._batch_ops = batch_ops
        self._follower: Follower | None = None  # None before the start and after the stop
        self.rooms = MemoryRooms(chat, self)
        self._queue: deque[Op] = deque()
        self._bus: deque[Entry | list[Delivery] | tuple[Op, ...]] = deque()
        self._unsettled = 0
        self._is_told = True
        self._committing = False

    @property
    def node(self) -> str:
        return self._node

    def __len__(self) -> int:
        return len(self._queue)

    def submit(self, op: Op) -> None:
        self._queue.append(op)
        self.wake()

    def recall(self, token: str, done: Callable[[Remembered | None], None]) -> None:
        self._soon(lambda: done(self._chat.recall(token)))

    def since(self, keys: Sequence[str], done: Callable[[Sequence[int]], None]) -> None:
        self._soon(lambda: done([self._chat.since(key) for key in keys]))

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        self._soon(lambda: done(self._chat.replay(after, before, token)))

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        self._soon(lambda: self._chat.look_back(before, take, done))

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        self._soon(lambda: self._chat.look_on(after, take, done))

    def health(self) -> Mapping[str, bool]:
        return dict.fromkeys(("redis", "bus"), self._follower is not None)

    def open(self, follower: Follower) -> None:
        """Do what ``start`` does, where there is no event loop."""
        self._follower = follower
        self._node = self._chat.register(self, self._node_id)
        follower.moderated(deepcopy(self._chat.rules))
        follower.seated(self._chat.members)
        if follower.history:
            follower.past(self._chat.log, "memory", is_whole=True)

    async def start(self, follower: Follower) -> None:
        self.open(follower)

    async def settle(self) -> None:
        while self._queue or self._unsettled or not self.rooms.is_settled:  # noqa: ASYNC110 - each turn of the loop gets on with it
            await asyncio.sleep(0)

    async def stop(self) -> None:
        self.rooms.drop()
        self._chat.forget(self)
        self._flush()
        self._follower = None
        self._queue.clear()
        self._bus.clear()

    # --- What the chat does ----------------------------------------------------------------------

    def bring(self, item: Entry | list[Delivery] | tuple[Op, ...]) -> None:
        """Put on this node's bus an entry, letters, or a batch that is settled after all those."""
        self._bus.append(item)
        self._soon(self._follow)

    def wake(self) -> None:
        """Commit soon what is submitted, or learn that this node was buried."""
        if not self._committing:
            self._committing = True
            self._soon(self._commit)

    def _commit(self) -> None:
        self._committing = False
        if self._follower is None:
            return
        ops = tuple(self._queue.popleft() for _ in range(min(self._batch_ops, len(self._queue))))
        if not self._chat.commit(self._node, ops, self._follower.confirmed()):
            self._start_over(self._follower)
            return
        if ops:
            self._unsettled += 1
            self.bring(ops)
        if self._queue:
            self.wake()

    def _follow(self) -> None:
        """Take what has come by now: all of it in one turn, as from a read.

        Messages alone, which others said, gather: they are written later, whenever that is.
        """
        if self._follower is None or not self._bus:
            return
        gathers = True
        while self._bus:
            item = self._bus.popleft()
            if isinstance(item, Entry):
                self._follower.entry(item)
                gathers &= item.is_talk
            elif isinstance(item, tuple):
                gathers = False
                self._unsettled -= 1
                self._follower.settled(item)
            else:
                gathers = False
                self._follower.deliveries(item)
        self._is_told = False
        if gathers:
            self._soon(self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        if self._follower is not None and not self._is_told:
            self._is_told = True
            self._follower.flush()

    def _start_over(self, follower: Follower) -> None:
        self._flush()
        self.rooms.drop()
        follower.fenced()
        self._queue.clear()
        self._unsettled = 0
        # The log goes on; letters and answers to the node that this was do not.
        self._bus = deque(item for item in self._bus if isinstance(item, Entry))
        self._node = self._chat.register(self, self._node_id)


class MemoryRoomStore:
    """One node's side of a further room, as ``chat.ports.RoomStore`` promises it."""

    def __init__(
        self,
        chat: MemoryChat,
        name: str,
        lobby: MemoryStore,
        follower: RoomFollower,
        others: "set[MemoryRoomStore]",
    ) -> None:
        self._chat = chat
        self._name = name
        self._lobby = lobby
        self._follower: RoomFollower | None = follower
        self._others = others
        self._room: MemoryRoom | None = None  # None until it is followed
        self._queue: deque[Op] = deque()
        self._bus: deque[Entry | list[Delivery] | tuple[Op, ...]] = deque()
        self._unsettled = 0
        self._committing = False
        self._is_told = True

    @property
    def node(self) -> str:
        """This node's id in the chat."""
        return self._lobby.node

    def begin(self, *, make: bool) -> None:
        """Follow the room."""
        follower, rooms = self._follower, self._chat.rooms
        if follower is None:
            return
        if self._name not in rooms:
            if not make or len(rooms) >= self._chat.most_rooms:
                self.close()
                follower.refused()
                return
            rooms[self._name] = MemoryRoom(self._chat, self._name)
        room = self._room = rooms[self._name]
        room.follow(self)  # type: ignore[arg-type]  # it brings, wakes and has a node
        follower.moderated(deepcopy(room.rules))
        follower.seated(room.members)
        if follower.history:
            follower.past(room.log, room.epoch, is_whole=True)
        self.wake()

    def submit(self, op: Op) -> None:
        self._queue.append(op)
        self.wake()

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        room = self._room
        assert room is not None

        def replay() -> None:
            if self._follower is not None:
                done(room.replay(after, before, token))

        self._lobby._soon(replay)

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        room = self._room
        assert room is not None

        def look() -> None:
            if self._follower is not None:
                room.look_back(before, take, done)

        self._lobby._soon(look)

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        room = self._room
        assert room is not None

        def look() -> None:
            if self._follower is not None:
                room.look_on(after, take, done)

        self._lobby._soon(look)

    def close(self) -> None:
        if self._follower is None:
            return
        if self._room is not None:
            self._room.commit(self.node, self._queue, 0)
            self._queue.clear()
            self._room.unfollow(self)  # type: ignore[arg-type]
        self._follower = None
        self._others.discard(self)

    def bring(self, item: Entry | list[Delivery] | tuple[Op, ...]) -> None:
        """Put an entry on this node's bus, or a batch that is settled after it."""
        self._bus.append(item)
        self._lobby._soon(self._follow)

    def wake(self) -> None:
        """Commit soon what is submitted."""
        if not self._committing and self._room is not None:
            self._committing = True
            self._lobby._soon(self._commit)

    def _commit(self) -> None:
        self._committing = False
        if self._follower is None or self._room is None or not self._queue:
            return
        ops = tuple(self._queue.popleft() for _ in range(min(512, len(self._queue))))
        if not self._room.commit(self.node, ops, 0):
            self._queue.extendleft(reversed(ops))
            self._lobby.wake()  # it learns of its burial, and drops this
            return
        self._unsettled += 1
        self.bring(ops)
        if self._queue:
            self.wake()

    def _follow(self) -> None:
        gathers = True
        while self._bus and self._follower is not None:
            item = self._bus.popleft()
            if isinstance(item, Entry):
                self._follower.entry(item)
                gathers &= item.is_talk
            elif isinstance(item, tuple):
                gathers = False
                self._unsettled -= 1
                self._follower.settled(item)
            self._is_told = False
        if gathers:
            self._lobby._soon(self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        if self._follower is not None and not self._is_told:
            self._is_told = True
            self._follower.flush()
