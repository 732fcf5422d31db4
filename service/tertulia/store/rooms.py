"""The further rooms of a chat on this node: opening them, getting them live, letting go of them.

What has to be done for one room is done with that of others that come at the same time. Tasks run while rooms
are opened or catch up, some at once; when all are live, there are none.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import structlog

from tertulia.chat.ports import Entry, Replay, RoomFollower
from tertulia.chat.tasks import Tasks
from tertulia.domain.position import Position
from tertulia.domain.rooms import MOST_LISTED, RoomInfo
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import Fenced, StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.redis.masters import Masters
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.rounds import Rounds
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys, RoomKeys
from tertulia.store.membership import Membership, new_epoch_name
from tertulia.store.reading_back import BackwardReader
from tertulia.store.replaying import Replayer
from tertulia.store.room import FollowedRoom
from tertulia.store.room_burials import RoomBurials
from tertulia.store.room_shard import RoomShard
from tertulia.store.room_shards import RoomShards
from tertulia.store.scripts import OPEN_ROOMS
from tertulia.store.ways import Ways
from tertulia.telemetry.metrics import Metrics, RetryCause

_AT_ONCE: Final = 256
"""Rooms that are opened or catch up at once."""
_MOST_NAMES: Final = 200
"""Rooms in one command."""
_TIMES: Final = 2
_AWAITED_HEARTBEATS: Final = 3.0
"""Within which what this node committed in a room has to come back over the bus."""
_NOTE_SECONDS: Final = 300.0
"""After which it is noted again which rooms are followed: somebody may have deleted that."""
_LINGER_SECONDS: Final = 30.0
"""For how long what is left of this node in a room stays there: somebody may come back."""

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


def _while_open(
    room: FollowedRoom, take: Callable[[Entry], bool], done: Callable[[bool], None]
) -> tuple[Callable[[Entry], bool], Callable[[bool], None]]:
    """Return what may be called as long as the room has the same follower."""
    follower = room.follower

    def read(is_whole: bool) -> None:
        if room.follower is follower:
            done(is_whole)

    return lambda entry: room.follower is follower and take(entry), read


def _steps(names: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for begin in range(0, len(names), _MOST_NAMES):
        yield names[begin : begin + _MOST_NAMES]


def _topic(facts: str, room: str, topic: str) -> Sequence[Argument]:
    field = f"topic:{room}"
    return ("HSET", facts, field, topic) if topic else ("HDEL", facts, field)


class StoredRooms:
    """The further rooms of a chat, as ``chat.ports.Rooms`` promises them."""

    def __init__(
        self,
        keys: Keys,
        links: Mapping[str, Link],
        masters: Masters,
        redis: Multiplexer,
        member: Membership,
        settings: ClusterSettings,
        metrics: Metrics,
        *,
        most_rooms: int,
        most_members: int,
        is_replicated: bool = False,
    ) -> None:
        """``links``, by their uses, and ``masters`` are the chat's; ``most_members`` are of one room."""
        self.member = member
        self.settings = settings
        self.metrics = metrics
        self.most_members = most_members
        self.new_epoch = new_epoch_name()
        self.clock = asyncio.get_running_loop().time
        self._chat = keys
        self._links = links
        self._shards = RoomShards(
            masters, redis, settings, metrics, self._are_late, self._behind,
            is_replicated=is_replicated,
        )  # fmt: skip
        # Rooms whose numbers of members are to be written down, and how often: another node may write at the
        # same time what it asked for before.
        self._sizes: dict[str, int] = {}
        self._topics: dict[str, str] = {}
        self._tasks = Tasks()
        self._most_rooms = most_rooms
        self._is_replicated = is_replicated
        self._rooms: dict[str, FollowedRoom] = {}
        self._replayer = Replayer(keys, Ways(links["replay"], self._shards))
        self._backward = BackwardReader(keys, Ways(links["look back"], self._shards))
        self._waiting: deque[FollowedRoom] = deque()
        self._late: set[FollowedRoom] = set()  # those of them for which Redis was lost
        self._workers: set[asyncio.Task[None]] = set()
        self._failure: asyncio.Future[None] | None = None  # while it runs
        self._to_note: dict[tuple[str, str], bool] = {}
        self._unknown: set[tuple[str, str]] = set()
        self._noting: Rounds[None] = Rounds()
        self._note_at = self.clock() + _NOTE_SECONDS
        self._unsettled = 0
        self._awaited: dict[FollowedRoom, tuple[int, float]] = {}
        """Of rooms: the number of a batch that has yet to come over the bus, and since when it is awaited."""
        self._left: dict[str, float] = {}  # rooms that this node has let go of, and when
        self._list_turn = asyncio.Lock()  # of the list of the rooms that this node follows
        self.burials = RoomBurials(
            keys, links["maintenance"], self._reads_of, member, settings,
            self._note_size, is_replicated=is_replicated,
        )  # fmt: skip
        """What this node does for other nodes' rooms."""
        self._progress = asyncio.Event()

    # --- The chat's side -------------------------------------------------------------------------

    def open(self, room: str, follower: RoomFollower, *, make: bool = True) -> FollowedRoom:
        known = self._rooms.get(room)
        if known is not None:
            known.reopen(follower, make=make)
            return known
        keys = RoomKeys(self._chat.chat, room)
        opened = FollowedRoom(self, keys, follower, make=make, is_replicated=self._is_replicated)
        self._rooms[room] = opened
        self.needs_look(opened)
        return opened

    def list(self, done: Callable[[Sequence[RoomInfo]], None]) -> None:
        self._tasks.start(self._list(done))

    async def _list(self, done: Callable[[Sequence[RoomInfo]], None]) -> None:
        keys, link, backoff = self._chat, self._links["reads"], Backoff()
        while True:
            try:
                found = await link.call(
                    "ZRANGE", keys.room_sizes, 0, MOST_LISTED - 1, "REV", "WITHSCORES"
                )
                names = [name.decode() for name in found[::2]]
                fields = [f"{what}:{name}" for name in names for what in ("topic", "lasting")]
                facts = await link.call("HMGET", keys.room_facts, *fields) if names else []
                break
            except StoreAway:
                await backoff.wait()
        told = zip(names, map(int, found[1::2]), facts[::2], facts[1::2], strict=True)
        done(
            [
                RoomInfo(name, size, (topic or b"").decode(), lasting is not None)
                for name, size, topic, lasting in told
            ]
        )

    async def round(self) -> None:
        """Write down in the chat what has changed, and let go of rooms. Raises StoreAway."""
        self._look_for_awaited()
        until = self.clock() - _LINGER_SECONDS
        if left := [name for name, since in self._left.items() if since <= until]:
            await self._release(left[:_MOST_NAMES])
        if self._sizes or self._topics:
            await self._write_changes()
        if self.clock() >= self._note_at:
            self._note_at = self.clock() + _NOTE_SECONDS
            node = self.member.node
            self._to_note |= {(node, it.name): True for it in self._rooms.values() if it.is_noted}
            await self._noting.join(self._note_waiting)

    def _look_for_awaited(self) -> None:
        """Subscribe anew to rooms in which what this node committed does not come over the bus."""
        now = self.clock()
        for room, (number, since) in list(self._awaited.items()):
            owed = room.owed
            if not owed:
                del self._awaited[room]
            elif owed != number:
                self._awaited[room] = owed, now
            elif (
                room.is_live and now - since > _AWAITED_HEARTBEATS * self.settings.heartbeat_seconds
            ):
                del self._awaited[room]
                self._unsubscribe(room)
                room.lost_bus()
                self.needs_look(room)

    async def release(self) -> None:
        """Let go of all rooms in Redis as well: this node stops. Raises StoreAway."""
        names = [*self._rooms, *self._left]
        self.drop()
        for step in _steps(names):
            await self._release(step)
        if self._sizes or self._topics:
            await self._write_changes()

    async def _release(self, names: Sequence[str]) -> None:
        """Have nothing left of this node in rooms. One whose shard is away stays in the list."""
        keys, link, node = self._chat, self._links["maintenance"], self.member.node
        async with self._list_turn:
            by_link: dict[Link, list[str]] = {}
            for name in names:
                if name not in self._rooms:
                    try:
                        way = await self._reads_of(RoomKeys(keys.chat, name))
                    except StoreAway:
                        continue
                    by_link.setdefault(way, []).append(name)
            gone: list[Argument] = []
            for way, there in by_link.items():
                rooms = [RoomKeys(keys.chat, name) for name in there]
                try:
                    await way.ask(*(("HDEL", room.batches, node) for room in rooms))
                except StoreAway:
                    continue
                gone += there
            if gone:
                # A room that was never used may be forgotten now.
                due = [it for name in gone for it in (0, name)]
                await link.ask(
                    ("SREM", keys.node_rooms(node), *gone), ("ZADD", keys.rooms, "XX", *due)
                )
                if not await link.call("EXISTS", keys.node_rooms(node)):
                    await link.call("SREM", keys.room_nodes, node)
            for name in names:
                self._left.pop(name, None)

    async def _write_changes(self) -> None:
        keys, link = self._chat, self._links["maintenance"]
        changed, self._sizes = self._sizes, {}
        topics, self._topics = self._topics, {}
        try:
            sizes = await self._asked_for(changed)
            gone: list[Argument] = [name for name, size in sizes.items() if not size]
            there: list[Argument] = [
                it for name, size in sizes.items() if size for it in (size, name)
            ]
            commands: list[Sequence[Argument]] = [
                *(("ZREM", keys.room_sizes, *step) for step in _steps(gone)),
                *(("ZADD", keys.room_sizes, *step) for step in _steps(there)),
                *(_topic(keys.room_facts, *it) for it in topics.items()),
            ]
            await link.ask(*commands)
        except StoreAway:
            self._sizes, self._topics = changed | self._sizes, topics | self._topics
            raise
        self._sizes = {
            name: times - 1 for name, times in changed.items() if times > 1
        } | self._sizes

    async def settle(self) -> None:
        """Wait until all that is submitted is settled."""
        while self._unsettled:
            self._progress.clear()
            await self._progress.wait()

    async def _asked_for(self, names: Iterable[str]) -> dict[str, int]:
        """Ask for the numbers of members of rooms whose shard is there. Raises StoreAway."""
        by_link: dict[Link, list[RoomKeys]] = {}
        for name in names:
            room = RoomKeys(self._chat.chat, name)
            by_link.setdefault(await self._reads_of(room), []).append(room)
        sizes: dict[str, int] = {}
        for way, rooms in by_link.items():
            with contextlib.suppress(StoreAway):
                counts = await way.ask(*(("ZCARD", room.members) for room in rooms))
                sizes |= {room.name: count for room, count in zip(rooms, counts, strict=True)}
        return sizes

    def drop(self) -> None:
        """Let go of all rooms at once: this node was fenced, or stops."""
        self._replayer.stop()
        self._backward.stop()
        rooms, self._rooms = self._rooms, {}
        self._awaited.clear()
        for room in rooms.values():
            room.forget()
            self._unsubscribe(room)
        self._waiting.clear()
        for shard in self._shards:
            shard.committer.clear()
        self.metrics.rooms_behind.dec(len(self._late))
        self._late.clear()

    # --- What a room asks for --------------------------------------------------------------------

    def has_work(self, room: FollowedRoom) -> None:
        if isinstance(room.shard, RoomShard):
            room.shard.committer.has_work(room)

    def has_begun_epoch(self) -> None:
        self.new_epoch = new_epoch_name()

    def was_submitted(self) -> None:
        """Count an op until it is settled."""
        self._unsettled += 1

    def is_done(self, settled: int) -> None:
        self._unsettled -= settled
        if not self._unsettled:
            self._progress.set()

    def awaits(self, room: FollowedRoom, batch: int) -> None:
        self._awaited.setdefault(room, (batch, self.clock()))

    def needs_look(self, room: FollowedRoom) -> None:
        if not room.is_queued and self._rooms.get(room.name) is room:
            room.is_queued = True
            self._enqueue(room)

    def _enqueue(self, room: FollowedRoom) -> None:
        """Let a room wait for somebody, unless somebody is at it: two would read the same part of its log."""
        if not room.is_in_hand:
            self._waiting.append(room)
            self._employ()

    def has_changed(self, room: FollowedRoom, topic: str | None = None) -> None:
        self._sizes[room.name] = _TIMES
        if topic is not None:
            self._topics[room.name] = topic

    def _note_size(self, name: str) -> None:
        self._sizes[name] = _TIMES

    def replay(
        self,
        room: FollowedRoom,
        after: Position,
        before: Position,
        token: str,
        done: Callable[[Replay], None],
    ) -> None:
        follower = room.follower

        def replayed(replay: Replay) -> None:
            if room.follower is follower:
                done(replay)

        self._replayer.replay(after, before, token, replayed, room.keys)

    def look_back(
        self,
        room: FollowedRoom,
        before: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
    ) -> None:
        self._backward.look_back(before, *_while_open(room, take, done), room.keys)

    def look_on(
        self,
        room: FollowedRoom,
        after: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
    ) -> None:
        self._backward.look_on(after, *_while_open(room, take, done), room.keys)

    async def read_past(self, room: FollowedRoom, end: Position, wanted: int) -> None:
        entries, is_whole = await self._backward.last(end, wanted, keys=room.keys)
        room.follower.past(entries, end.epoch, is_whole=is_whole)

    async def note_members(self, room: FollowedRoom, nodes: Iterable[str]) -> None:
        for node in nodes:
            await self._note(room.name, node, make=True)

    # --- Life ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the rooms, and commit. Raises Fenced."""
        failure = self._failure = asyncio.get_running_loop().create_future()
        for room in self._rooms.values():
            room.is_noted = False  # Redis may have lost it
            self.needs_look(room)
        self._employ()

        def failed(error: BaseException) -> None:
            if not failure.done():
                failure.set_exception(error)

        self._shards.start(failed)
        try:
            await failure
        finally:
            self._failure = None
            for task in self._workers:
                task.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            await self._shards.stop()

    def _behind(self, rooms: Iterable[FollowedRoom]) -> None:
        for room in rooms:
            self.needs_look(room)

    def _are_late(self, rooms: Iterable[FollowedRoom]) -> None:
        before = len(self._late)
        self._late.update(rooms)
        self.metrics.rooms_behind.inc(len(self._late) - before)

    def _is_up(self, room: FollowedRoom) -> None:
        if room in self._late and (room.is_live or self._rooms.get(room.name) is not room):
            self._late.remove(room)
            self.metrics.rooms_behind.dec()

    def _employ(self) -> None:
        while self._failure is not None and len(self._workers) < min(_AT_ONCE, len(self._waiting)):
            worker = asyncio.create_task(self._look_after())
            self._workers.add(worker)
            worker.add_done_callback(self._dismiss)

    def _dismiss(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._employ()  # for what came when it had looked for the last time, and still counted

    async def _look_after(self) -> None:
        """Get rooms live, one after the other, as long as any waits."""
        backoff = Backoff()
        while self._waiting:
            room = self._waiting.popleft()
            room.is_queued, room.is_in_hand = False, True
            try:
                await self._get_live(room)
                self._is_up(room)
                backoff.reset()
            except StoreAway as error:
                self._are_late((room,))
                room.is_moved = room.is_moved or error.cause is RetryCause.CLUSTER
                if isinstance(room.shard, RoomShard) and not room.shard.bus.is_up:
                    room.shard.bus.park(room)  # so that it holds up no room of another shard
                    continue
                self.needs_look(room)
                await backoff.wait()
            except asyncio.CancelledError:
                self.needs_look(room)
                raise
            except Exception as error:
                if self._failure is not None and not self._failure.done():
                    self._failure.set_exception(error)
                self.needs_look(room)
                return
            finally:
                room.is_in_hand = False
                if room.is_queued:
                    self._enqueue(room)

    async def _get_live(self, room: FollowedRoom) -> None:
        if room.is_closed and not room.is_working:
            self._unsubscribe(room)
            if self._rooms.get(room.name) is room:
                del self._rooms[room.name]
                self._left[room.name] = self.clock()
            return
        if not room.is_noted:
            if not await self._note(room.name, self.member.node, make=room.make):
                follower = room.follower
                self._rooms.pop(room.name, None)
                room.forget()
                follower.refused()
                return
            room.is_noted = True
        if room.is_moved:
            await self._look_up(room)
        shard = room.shard
        if not isinstance(shard, RoomShard):
            shard = room.shard = await self._shards.of(room.keys)
        if not room.is_subscribed:
            await shard.bus.subscribe(room)
        if not room.is_live:
            await room.get_live()
        if not room.is_live:
            self.needs_look(room)

    async def _look_up(self, room: FollowedRoom) -> None:
        """Find out whether a room is on another shard now."""
        await self._shards.moved()
        shard = await self._shards.of(room.keys)
        if room.shard is not shard:
            self._unsubscribe(room)
            room.lost_bus()
            room.shard = shard
        room.is_moved = False
        self.has_work(room)

    def _unsubscribe(self, room: FollowedRoom) -> None:
        if isinstance(room.shard, RoomShard):
            room.shard.bus.unsubscribe(room)

    async def _reads_of(self, room: RoomKeys) -> Link:
        return (await self._shards.of(room)).reads

    @property
    def links(self) -> Sequence[Link]:
        """All links to the rooms' shards."""
        return [link for shard in self._shards for link in shard.links]

    async def _note(self, name: str, node: str, *, make: bool) -> bool:
        """Note in the chat that a node follows a room; return whether there is such a room. Raises Fenced."""
        it = (node, name)
        self._to_note[it] = self._to_note.get(it, False) or make
        self._left.pop(name, None)
        await self._noting.join(self._note_waiting)
        if it not in self._unknown:
            return True
        self._unknown.discard(it)
        return False

    async def _note_waiting(self) -> None:
        async with self._list_turn:
            await self._note_them()

    async def _note_them(self) -> None:
        waiting, self._to_note = self._to_note, {}
        keys, own = self._chat, self.member.node
        for node in {node for node, _ in waiting}:
            names = [(name, make) for (of, name), make in waiting.items() if of == node]
            for step in _steps(names):
                args: list[Argument] = [
                    node,
                    int(node == own),
                    self._most_rooms,
                    round(self.settings.log_age_seconds * 1000),
                ]
                for name, make in step:
                    args += (name, int(make))
                reply = await self._links["reads"].run(
                    OPEN_ROOMS,
                    [keys.rooms, keys.room_nodes, keys.node_rooms(node), keys.leases],
                    args,
                )
                if reply[0] == b"fenced":
                    raise Fenced
                told = zip(step, reply[1:], strict=True)
                self._unknown.update((node, name) for (name, _), is_there in told if not is_there)
