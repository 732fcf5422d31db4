"""A store without Redis: the stores of several nodes share one chat in memory.

Held to the port by the same tests as the real one, so unit tests may use it as a fake. Nothing happens
but in callbacks given to ``soon``: an event loop's ``call_soon``, or a scheduler of the test's own, which
may call back in any order and so makes any interleaving of nodes.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from tertulia.chat.ports import (
    CloseOp,
    Delivery,
    Entry,
    Follower,
    JoinOp,
    LeaveOp,
    Member,
    Op,
    Outcome,
    Remembered,
    Replay,
    ReportOp,
    SayOp,
    WhisperOp,
)
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    PrivateEvent,
    PublicEvent,
    Said,
    Undelivered,
    Whispered,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.position import Position

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
    proof: str = ""
    """The password of the account that it proves; empty for a guest's."""


class MemoryChat:
    """What Redis holds of a chat, and the bus that brings it to the nodes."""

    def __init__(self, soon: Soon, clock: Callable[[], float] = time.time) -> None:
        self._soon = soon
        self._clock = clock
        self._log: list[Entry] = []
        self._tokens: dict[str, _Remembered] = {}
        self.passwords: dict[str, str] = {}
        """What every account would have to prove, by folded nickname."""
        self._holders: dict[str, _Holder] = {}  # by folded nickname, oldest first
        self._inboxes: dict[str, _Inbox] = {}  # of every registered node
        self._stores: list[MemoryStore] = []
        self._numbers = count(1)

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
                report = Undelivered(it.sender, it.sender_session, it.recipient, it.text)
                self._post(fold(it.sender), it.sender_session, report, letters)
        self._hand_over(letters)

    def order(self, order: OperatorCommand) -> None:
        """Do what an operator orders, and tell every node."""
        events: list[PublicEvent] = []
        holder = self._holders.get(order.subject) if order.action is Action.KICK else None
        if holder is not None:
            del self._holders[order.subject]
            events.append(Left(holder.member.nickname, holder.member.session))
        ended = order.subject.rpartition(":")[2]  # of a nickname or an account
        if order.action in (Action.KICK, Action.BAN):
            self._tokens = {name: it for name, it in self._tokens.items() if it.key != ended}
        self._publish(events, [order])

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
        self._publish(events)
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
        if isinstance(op, LeaveOp):
            known = self._tokens.get(op.token)
            if known is not None and known.session == op.session:
                del self._tokens[op.token]
        if holder is None or holder.member.session != op.session:
            return Outcome.GONE
        match op:
            case LeaveOp():
                del self._holders[op.key]
                events.append(Left(op.nickname, op.session))
            case CloseOp():
                if holder is not next(iter(self._holders.values())):
                    return Outcome.FORBIDDEN
                self._holders.clear()
                events.append(Closed(op.nickname, op.session))
            case SayOp():
                self._note_done(op.token, op.tag)
                events.append(Said(op.nickname, op.session, op.text))
            case WhisperOp():
                self._note_done(op.token, op.tag)
                event = Whispered(op.nickname, op.session, op.recipient, op.text)
                recipient = self._holders.get(fold(op.recipient))
                if recipient is None:
                    return Outcome.UNKNOWN
                self._post(fold(op.recipient), recipient.member.session, event, letters)
            case ReportOp():
                report = Undelivered(op.key, op.session, op.recipient, op.text)
                self._post(op.key, op.session, report, letters)
            case _:
                raise TypeError(f"no such op: {type(op).__name__}")
        return Outcome.DONE

    def _join(
        self, op: JoinOp, node: str, holder: _Holder | None, events: list[PublicEvent]
    ) -> Outcome:
        known = self._tokens.get(op.token, _Remembered())
        was = holder.member if holder is not None else None
        own = op.proven and op.key in self.passwords
        if op.resumed and self._proves(known, op.key):
            own = own or was is None or known.session == was.session
        if not own and (was is not None or op.resumed or op.key in self.passwords):
            return Outcome.TAKEN
        if was is not None:
            del self._holders[op.key]
            events.append(Left(was.nickname, was.session))
        self._holders[op.key] = _Holder(Member(op.nickname, op.session, op.dialect), node)
        events.append(Joined(op.nickname, op.session, op.dialect))
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

    def _note_done(self, token: str, tag: int) -> None:
        if token:
            self._tokens.setdefault(token, _Remembered()).done = tag

    def recall(self, token: str) -> Remembered | None:
        """Say whose a token is."""
        known = self._tokens.get(token)
        if known is None or not self._proves(known, known.key):
            return None
        return Remembered(known.key, known.first, is_account=bool(known.proof))

    def replay(self, after: Position, before: Position, token: str) -> Replay:
        """Give what is in the log between two places, and the last tag of a token."""
        is_same_log = after.epoch == before.epoch and after.offset < before.offset
        first = after.offset if is_same_log else 0
        done = self._tokens.get(token, _Remembered()).done
        return Replay(self._log[first : before.offset - 1], is_same_log, done)

    def _post(
        self, key: str, session: str, event: PrivateEvent, letters: dict[str, list[Delivery]]
    ) -> None:
        holder = self._holders.get(key)
        if holder is None or holder.member.session != session:
            return
        inbox = self._inboxes[holder.node]
        inbox.last += 1
        delivery = Delivery(inbox.last, session, event, self._clock())
        inbox.letters.append(delivery)
        letters.setdefault(holder.node, []).append(delivery)

    def _publish(self, events: list[PublicEvent], orders: Sequence[OperatorCommand] = ()) -> None:
        if not events and not orders:
            return
        entry = Entry(Position("memory", len(self._log) + 1, self._clock()), events, orders)
        self._log.append(entry)
        for store in self._stores:
            store.bring(entry)

    def _hand_over(self, letters: Mapping[str, list[Delivery]]) -> None:
        for store in self._stores:
            if store.node in letters:
                store.bring(letters[store.node])


class MemoryStore:
    """One node's side of a chat in memory, as ``chat.ports.Store`` promises it."""

    def __init__(self, chat: MemoryChat, node_id: str, soon: Soon, batch_ops: int) -> None:
        self._chat = chat
        self._node_id = node_id
        self._node = node_id
        self._soon = soon
        self._batch_ops = batch_ops
        self._follower: Follower | None = None  # None before the start and after the stop
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

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        self._soon(lambda: done(self._chat.replay(after, before, token)))

    def health(self) -> Mapping[str, bool]:
        return dict.fromkeys(("redis", "bus"), self._follower is not None)

    def open(self, follower: Follower) -> None:
        """Do what ``start`` does, where there is no event loop."""
        self._follower = follower
        self._node = self._chat.register(self, self._node_id)
        follower.seated(self._chat.members)

    async def start(self, follower: Follower) -> None:
        self.open(follower)

    async def settle(self) -> None:
        while self._queue or self._unsettled:  # noqa: ASYNC110 - each turn of the loop gets on with it
            await asyncio.sleep(0)

    async def stop(self) -> None:
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
        follower.fenced()
        self._queue.clear()
        self._unsettled = 0
        # The log goes on; letters and answers to the node that this was do not.
        self._bus = deque(item for item in self._bus if isinstance(item, Entry))
        self._node = self._chat.register(self, self._node_id)
