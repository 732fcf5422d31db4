"""A further room as a node follows it: its log, and the ops of this node for it.

new ──▶ noted in the chat ──▶ subscribed ──▶ registered, seated ──▶ live ──▶ behind, or of another epoch ─┐
                                                                     ▲                                    │
                                                                     └────── caught up, written down ◀────┘

An idle room has no task, no timer and no lease.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from enum import Enum, auto
from typing import Any, Final, Protocol

from tertulia.chat.ports import (
    Entry,
    Member,
    Op,
    Replay,
    RoomFollower,
    RoomLeaveOp,
)
from tertulia.domain.events import Left, Topic
from tertulia.domain.moderation import Rules
from tertulia.domain.nicknames import fold
from tertulia.domain.position import Position, Verdict, judge
from tertulia.redis.errors import Fenced, NewEpoch
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.batch import RoomBatch
from tertulia.store.keys import RoomKeys
from tertulia.store.log import Log, run_shown
from tertulia.store.membership import Membership, Progress, new_epoch_name
from tertulia.store.scripts import ROOM_REGISTER, ROOM_SEAT
from tertulia.store.submitted import Committed, Submitted
from tertulia.store.wire import RoomMessage
from tertulia.telemetry.metrics import Metrics

_COMMIT_KEYS: Final = ("meta", "log", "marks", "batches", "condemned", "tokens")
"""The first KEYS of a commit."""
_COMMIT_NAMES: Final = (*_COMMIT_KEYS, "room")
"""The same, and the channel."""
_OTHER_KEYS: Final = ("order", "token-ends", "moderation")
"""The last KEYS of a commit, of which members' talk needs none: each takes Redis longer than it seems."""
_TALK: Final = ("S", "s")
"""The letters of batches that are nothing but that."""
_REMEMBERED = 64
"""Entries that can be recognised after Redis was rewound, of those of the last moments."""
_REMEMBERED_SECONDS: Final = 30.0
MOST_HELD: Final = 64
"""Messages that are held while their room catches up. If more come, it reads the log once more."""
_RESTRAINED_SECONDS = 60.0
_STEP = 200
"""How many members are written down at once."""


class Needs(Enum):
    """What a room needs next."""

    NEW = auto()
    """To be read as a whole: its follower knows nothing yet."""
    BEHIND = auto()
    """To be read on: it was not subscribed for some time, or something is missing."""
    LIVE = auto()
    """Nothing."""


class ToBus(Protocol):
    """The way to have told what was delivered."""

    def touched(self, room: "FollowedRoom", *, is_urgent: bool) -> None:
        """Have a room told, soon or together with what comes next."""


class ToShard(Protocol):
    """The way to the shard on which a room is."""

    @property
    def reads(self) -> Link:
        """For what is not hot."""

    @property
    def bus(self) -> ToBus:
        """For what is delivered."""


class Home(Protocol):
    """What a room needs of the part that has all of them."""

    member: Membership
    settings: ClusterSettings
    metrics: Metrics
    most_members: int
    new_epoch: str
    """The name of the epoch that a batch begins if Redis has lost data of its room."""
    clock: Callable[[], float]

    def has_begun_epoch(self) -> None:
        """Take another name for the next epoch."""

    def has_work(self, room: "FollowedRoom") -> None:
        """Commit what the room has."""

    def was_submitted(self) -> None:
        """Count an op until it is settled."""

    def is_done(self, settled: int) -> None:
        """Note that ops were settled, or dropped."""

    def awaits(self, room: "FollowedRoom", batch: int) -> None:
        """Learn that the batch of that number is committed and has yet to come over the bus."""

    def needs_look(self, room: "FollowedRoom") -> None:
        """Bring the room to where it is live."""

    def has_changed(self, room: "FollowedRoom", topic: str | None = None) -> None:
        """Note in the chat how many members the room has, and its topic if it has another one."""

    def replay(
        self,
        room: "FollowedRoom",
        after: Position,
        before: Position,
        token: str,
        done: Callable[[Replay], None],
    ) -> None:
        """Read the past of a room."""

    def look_back(
        self,
        room: "FollowedRoom",
        before: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
    ) -> None:
        """Read a room's log backwards."""

    def look_on(
        self,
        room: "FollowedRoom",
        after: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
    ) -> None:
        """Read a room's log on from a place."""

    async def note_members(self, room: "FollowedRoom", nodes: Iterable[str]) -> None:
        """Note that other nodes have members in the room, for whoever may have to bury them."""

    async def read_past(self, room: "FollowedRoom", end: Position, wanted: int) -> None:
        """Give the follower what newcomers are to read."""


class _Nobody:
    """The follower of a room of which its chat has let go."""

    history = 0

    def entry(self, entry: Entry) -> None: ...
    def settled(self, ops: Sequence[Op]) -> None: ...
    def flush(self) -> None: ...
    def past(self, entries: Iterable[Entry], epoch: str, *, is_whole: bool) -> None: ...
    def seated(self, members: Iterable[Member]) -> None: ...
    def reordered(self, members: Iterable[Member]) -> None: ...
    def missed(self, position: Position) -> None: ...
    def moderated(self, rules: Rules) -> None: ...
    def refused(self) -> None: ...

    def present(self) -> Iterable[Member]:
        return ()

    def sessions(self) -> Mapping[str, str]:
        return {}

    def tokens(self) -> Iterable[str]:
        return ()


NOBODY: Final = _Nobody()


class _Work(Submitted):
    """The ops of this node for one room. There is one only while there are some."""

    __slots__ = ("_room", "dropped")

    def __init__(self, room: "FollowedRoom", member: Progress) -> None:
        super().__init__(member)
        self._room = room
        self.dropped: Set[Op] = frozenset()
        """Ops of a follower that has let go: they are done, and nobody is told."""

    @property
    def owed(self) -> int:
        """The number of the oldest batch that is committed and was not delivered; 0: there is none."""
        return self._unsettled[0].number if self._unsettled else 0

    @property
    def ops(self) -> list[Op]:
        """All that is not settled."""
        under_way = [op for batch in self._unsettled for op in batch.ops]
        lost = [op for _, ops in self._lost for op in ops]
        return [*under_way, *(self._flight[1] if self._flight else ()), *lost, *self._queue]

    def drop(self) -> None:
        """Tell nobody of what is there by now."""
        self.dropped = {*self.dropped, *self.ops}

    def submit(self, op: Op) -> None:
        self._queue.append(op)

    def next_flight(self, member: Membership, settings: ClusterSettings) -> tuple[int, list[Op]]:
        """Return the batch in flight; else the next one."""
        if self._flight is None:
            lost = self._lost
            self._flight = lost.pop(0) if lost else (member.next_batch(), self._gather(settings))
        return self._flight

    def answered(self, epoch: str, entry: int, outcomes: bytes, notes: bytes) -> None:
        """Take the reply to the batch in flight."""
        assert self._flight is not None
        number, ops = self._flight
        self._flight = None
        self._member.answered(number)
        ops = self._take_outcomes(ops, outcomes, notes)
        self._unsettled.append(Committed(number, epoch, entry, 0, ops))

    def _settle(self, ops: Sequence[Op]) -> None:
        told = [op for op in ops if op not in self.dropped] if self.dropped else ops
        self._room.settled(told, len(ops))


class FollowedRoom(Log):
    """One further room, as ``chat.ports.RoomStore`` promises it."""

    __slots__ = (
        "_held",
        "_home",
        "_is_seated",
        "_is_told",
        "_is_written_down",
        "_restrained_until",
        "_work",
        "is_in_hand",
        "is_moved",
        "is_noted",
        "is_queued",
        "is_subscribed",
        "make",
        "shard",
        "size",
        "state",
    )  # fmt: skip
    _keys: RoomKeys

    def __init__(
        self, home: Home, keys: RoomKeys, follower: RoomFollower, *,
        make: bool, is_replicated: bool,
    ) -> None:  # fmt: skip
        member = Progress(home.member.node, _REMEMBERED)
        super().__init__(keys, member, home.metrics, is_replicated=is_replicated)
        self._home = home
        self.shard: ToShard | None = None
        """Where it is, once that is known."""
        self.is_moved = False
        """Whether it is not there any more."""
        self._follower: RoomFollower = follower
        self.make = make
        self.state = Needs.NEW
        self.size = 0
        """How many members it has, as of this node's last join or leave."""
        self._held: list[RoomMessage] | None = None
        self._work: _Work | None = None
        self._restrained_until = 0.0
        self._is_told = True
        self._is_seated = False
        self._is_written_down = True
        self.is_noted = False
        """Whether the chat knows that this node follows it."""
        self.is_subscribed = False
        self.is_queued = False
        """Whether somebody is to see to it that it gets live."""
        self.is_in_hand = False
        """Whether somebody sees to that now."""

    @property
    def _reads(self) -> Link:  # type: ignore[override]  # it may be moved to another shard
        shard = self.shard
        assert shard is not None
        return shard.reads

    @property
    def name(self) -> str:
        """Its folded name."""
        return self._keys.name

    @property
    def keys(self) -> RoomKeys:
        return self._keys

    @property
    def position(self) -> Position:
        return self._member.position

    @property
    def follower(self) -> RoomFollower:
        """The chat's side of the room: ``NOBODY`` once it has let go."""
        return self._follower

    @property
    def is_live(self) -> bool:
        """Whether nothing is to be done."""
        return self.state is Needs.LIVE

    @property
    def is_closed(self) -> bool:
        """Whether nobody of this node is in it."""
        return self._follower is NOBODY

    @property
    def is_working(self) -> bool:
        """Whether ops are not settled."""
        return self._work is not None

    @property
    def owed(self) -> int:
        """The number of the oldest batch that is committed and was not delivered; 0: there is none."""
        return self._work.owed if self._work is not None else 0

    @property
    def may_commit(self) -> bool:
        """Whether there is something to commit, and it is known in which epoch."""
        work = self._work
        is_ready = self._is_seated and self._is_written_down and not self.is_moved
        return is_ready and work is not None and bool(work._queue or work._lost or work._flight)

    # --- The chat's side -------------------------------------------------------------------------

    def submit(self, op: Op) -> None:
        work = self._work
        if work is None:
            work = self._work = _Work(self, self._member)
        work.submit(op)
        self._home.was_submitted()
        self._home.has_work(self)

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        self._home.replay(self, after, before, token, done)

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        self._home.look_back(self, before, take, done)

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        self._home.look_on(self, after, take, done)

    def close(self) -> None:
        self._follower = NOBODY
        if self._work is not None:
            self._work.drop()
        self._home.needs_look(self)

    def reopen(self, follower: RoomFollower, *, make: bool) -> None:
        """Be opened again: what is known of the room is read anew, what was submitted is still done."""
        self._follower = follower
        self.make = make
        self.state = Needs.NEW
        self._is_seated = False
        self._home.needs_look(self)

    def forget(self) -> None:
        """Drop everything that is not settled: this node was fenced, or stops, or the room was refused."""
        self._follower = NOBODY
        if (work := self._work) is not None:
            self._work = None
            self._home.is_done(len(work.ops))

    def settled(self, ops: Sequence[Op], count: int) -> None:
        """Tell the follower, unless there is none any more."""
        if ops:
            self._follower.settled(ops)
        self._home.is_done(count)
        if self._follower is NOBODY:
            self._home.needs_look(self)

    # --- Commits ---------------------------------------------------------------------------------

    def request(self) -> tuple[list[str], list[Argument]]:
        """Return the KEYS and ARGV of the batch in flight, or of the next one."""
        home, keys, member, work = self._home, self._keys, self._member, self._work
        assert work is not None
        number, ops = work.next_flight(home.member, home.settings)
        restrained = bool(self._restrained_until) and home.clock() < self._restrained_until
        batch = RoomBatch(keys, len(_COMMIT_KEYS), restrained=restrained)
        batch.add(*ops)
        settings = home.settings
        *names, channel = keys.several(_COMMIT_NAMES)
        names += batch.keys
        letters = batch.letters
        if letters not in _TALK:
            names += keys.several(_OTHER_KEYS)
        head: list[Argument] = [
            member.node,
            number,
            member.position.epoch,
            member.position.offset,
            round(settings.log_age_seconds * 1000),
            "" if self._is_replicated else channel,
            member.answered_batch,
            f"{settings.log_bytes} {home.new_epoch} {home.most_members}",
            letters,
        ]
        return names, head + batch.args

    def replied(self, number: int, reply: list[Any] | int) -> None:
        """Take the reply to a batch. Raises Fenced."""
        # Dropped meanwhile; or the room was moved, and another shard's committer has had this reply before.
        work, have = self._work, self._member.position
        if work is None or work._flight is None or work._flight[0] != number:
            return
        if isinstance(reply, int):  # all of it was said, in that entry
            reply = [b"ok", reply, reply, -1, b"d" * len(work._flight[1]), b""]
        if (status := reply[0]) == b"ok":
            _, _, entry, size, outcomes, notes = reply
            if size not in (self.size, -1):
                self.size = size
                self._home.has_changed(self)
            work.answered(have.epoch, entry, outcomes, notes)
            if entry > have.offset:  # mostly: it is settled when the bus has brought it
                self._home.awaits(self, number)
            else:
                self._acknowledge()
                if owed := self.owed:
                    self._home.awaits(self, owed)
        elif status == b"restrained":
            self._restrained_until = self._home.clock() + _RESTRAINED_SECONDS
        elif status == b"epoch":
            self._home.has_begun_epoch()
            self.fell_behind()
        else:
            raise Fenced
        if self._work is not None and self.may_commit:
            self._home.has_work(self)

    # --- The bus' side ---------------------------------------------------------------------------

    def take(self, message: RoomMessage) -> None:
        """Take an entry that the bus brought."""
        if self.state is Needs.LIVE:
            have, arrived = self._member.position, message.entry.position
            is_next = arrived.offset == have.offset + 1 and arrived.epoch == have.epoch  # mostly
            if is_next and (message.batch or not self._may_be_burial(message)):
                self._deliver(message)
            elif judge(have, arrived) is not Verdict.DROP:
                self._metrics.bus_gaps.inc()
                self._held = [message]
                self.fell_behind()
        elif self._held is not None and len(self._held) <= MOST_HELD:
            self._held.append(message)

    def _may_be_burial(self, message: RoomMessage) -> bool:
        """Say whether people of this node go who did not say so themselves, and no operator did."""
        mine, entry = f"{self._member.node}:", message.entry
        return not entry.operator_commands and any(
            isinstance(event, Left) and event.session.startswith(mine) for event in entry.events
        )

    async def _heed_burial(self, message: RoomMessage) -> None:
        if self._may_be_burial(message) and await self._reads.call(
            "ZSCORE", self._keys.condemned, self._member.node
        ):
            raise Fenced

    def fell_behind(self) -> None:
        """Have it read on."""
        if self.state is Needs.LIVE:
            self.state = Needs.BEHIND
        if self._held is None:
            self._held = []
        self._home.needs_look(self)

    def was_moved(self) -> None:
        """Have it looked up on which shard it is."""
        self.is_moved = True
        self.fell_behind()

    def lost_bus(self) -> None:
        """Have it subscribed again, and read on."""
        self._held = None
        self.is_subscribed = False
        if self.state is Needs.LIVE:
            self.state = Needs.BEHIND

    def begin_to_hold(self) -> None:
        """Keep what comes from now on, some of it, until it is read up to there."""
        self._held = []

    def _deliver(self, message: RoomMessage) -> None:
        member, entry = self._member, message.entry
        was_heard = member.delivered(entry.position, message.node, message.batch)
        heard, at = member.heard, entry.position.at - _REMEMBERED_SECONDS
        while heard[0].position.at < at:
            heard.popleft()
        if message.unknown:
            self._metrics.bus_unknown.inc(message.unknown)
        self._is_told = False
        if (entry.events or entry.operator_commands) and not was_heard:
            self._follower.entry(entry)
        if (
            entry.operator_commands
        ):  # of operators or moderators; each node that is here may note it
            topics = [event.text for event in entry.events if isinstance(event, Topic)]
            self._home.has_changed(self, topics[-1] if topics else None)
        is_own = bool(message.batch) and message.node == member.node
        assert self.shard is not None  # it came from there
        self.shard.bus.touched(self, is_urgent=is_own or not entry.is_talk)

    def tell(self) -> None:
        """Have all that was delivered written and answered."""
        if self._is_told:
            return
        self._is_told = True
        if self._work is not None:
            self._acknowledge()
        self._follower.flush()

    def _tell(self) -> None:
        self.tell()

    def _acknowledge(self) -> None:
        work = self._work
        if work is not None:
            work.acknowledge_delivered()
            if not (work._queue or work._lost or work._unsettled or work._flight):
                self._work = None

    # --- Getting live ----------------------------------------------------------------------------

    async def get_live(self) -> None:
        """Register and be seated, or read on; in another epoch write down who is here.

        Raises StoreAway, Fenced. It is noted and subscribed already. Whoever opens or closes it meanwhile is
        served in the next round.
        """
        while True:
            self.state = Needs.BEHIND
            try:
                if not (self._is_seated and self._is_written_down):
                    await self._register()
                else:
                    await self.catch_up()
            except NewEpoch:
                self._is_written_down = False
                self.state = Needs.BEHIND
                continue
            if self.state is not Needs.BEHIND or not self.is_subscribed:
                return  # it needs something else meanwhile
            if self._take_held():
                self.state = Needs.LIVE
                self._tell()
                return

    def _take_held(self) -> bool:
        """Deliver what was held; False where that is not enough, and the log has to be read again."""
        held, self._held = self._held, None
        if held is None or len(held) > MOST_HELD:
            self._held = []
            return False
        for message in held:
            verdict = judge(self._member.position, message.entry.position)
            if verdict is Verdict.DELIVER:
                self._deliver(message)
            elif verdict is not Verdict.DROP:
                self._held = []
                return False
        return True

    async def _registered(self) -> list[Any]:
        """Register, have all of the log shown, and return what that tells. Raises StoreAway, Fenced."""
        member, keys = self._member, self._keys
        known = member.position
        reply = await run_shown(
            self._reads,
            ROOM_REGISTER,
            [keys.meta, keys.log, keys.members, keys.batches, keys.condemned],
            [
                member.node,
                new_epoch_name(),
                known.epoch,
                known.offset,
                member.last_stamp,
            ],
            is_replicated=self._is_replicated,
        )
        if reply[0] == b"fenced":
            raise Fenced
        return reply

    async def _register(self) -> None:
        member = self._member
        known = member.position
        reply = await self._registered()
        _, name, offset, base, before, self.size = reply
        epoch = name.decode()
        if not self._is_seated:
            await self._begin(Position(epoch, offset), is_new_epoch=epoch != known.epoch)
            return
        if epoch != known.epoch:
            is_next = known.epoch == before.decode()
            if is_next:
                await self.read_rest(base)
            member.reseat(Position(epoch, base), is_read=is_next)
            self._is_written_down = False
        await self.catch_up()
        if not self._is_written_down:
            self._begin_epoch()
            await self._write_down()
            await self.reorder()
            self._is_written_down = True
        self._home.has_work(self)

    async def _begin(self, end: Position, *, is_new_epoch: bool) -> None:
        """Be seated, as a follower that knows nothing yet."""
        follower = self._follower
        if self.size or end.offset:
            end = await self.seat()
        else:
            follower.moderated(Rules())
            follower.seated(())
        if end.offset and (wanted := self._follower.history):
            await self._home.read_past(self, end, wanted)
        # What came before is in what was read, and is not given again.
        self._member.missed(end)
        if is_new_epoch:
            self._begin_epoch()
        self._acknowledge()
        self._is_written_down = True
        self._is_seated = self._follower is follower
        self._home.has_work(self)

    def _begin_epoch(self) -> None:
        if self._work is not None:
            self._work.begin_epoch()
            self._acknowledge()
        else:
            self._member.begin_epoch()

    async def _read_room(self) -> list[Member]:
        members = await super()._read_room()
        here, mine = self._follower.sessions(), f"{self._member.node}:"
        for member in members:
            if member.session.startswith(mine) and member.session not in here:
                self.submit(RoomLeaveOp(member.session, fold(member.nickname), member.nickname))
        return members

    async def _write_down(self) -> None:
        """Write all members that this node knows down again, the oldest first. Raises NewEpoch."""
        follower = self._follower
        written: set[str] = set()
        while follower is self._follower:
            step = [it for it in follower.present() if it.session not in written][:_STEP]
            if not step:
                return
            nodes = {member.session.rpartition(":")[0] for member in step}
            await self._home.note_members(self, nodes - {self._member.node})
            status = await self._seat(step)
            if status == b"ok":
                written.update(member.session for member in step)
            elif status == b"behind":
                if self._is_replicated:
                    await self._registered()
                await self.catch_up()
            else:
                raise Fenced if status == b"fenced" else NewEpoch

    async def _seat(self, members: Sequence[Member]) -> bytes:
        keys, settings, member = self._keys, self._home.settings, self._member
        names = [keys.meta, keys.log, keys.marks, keys.members, keys.condemned]
        args: list[Argument] = [
            member.node,
            member.position.epoch,
            round(settings.log_age_seconds * 1000),
            settings.log_bytes,
            "" if self._is_replicated else keys.room,
            member.position.offset,
        ]
        for each in members:
            names.append(keys.nick(fold(each.nickname)))
            args += RoomBatch.seat(each, member.node)
        reply = await run_shown(
            self._reads, ROOM_SEAT, names, args, is_replicated=self._is_replicated
        )
        return bytes(reply[0])
