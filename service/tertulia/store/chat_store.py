"""One chat's store on this node: its registration, the parts that do the work, and starting over.

register ──▶ (Redis lost data: follow its new log, write down who is here) ──▶ seat ──▶ follow
    ▲                                                                                   │
    └─────────────── fenced: under another name; a new epoch: under the same ───────────┘
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from tertulia.chat.ports import Entry, Follower, Op, Remembered, Replay
from tertulia.domain.position import Position
from tertulia.redis import server_settings
from tertulia.redis.backoff import Backoff
from tertulia.redis.client import Client
from tertulia.redis.errors import Fenced, NewEpoch, StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link, Subscription
from tertulia.redis.multiplexer import Multiplexer
from tertulia.settings.sections import ClusterSettings
from tertulia.store import permissions
from tertulia.store.accounts import StoredAccounts
from tertulia.store.burials import Burials, forget_keys
from tertulia.store.bus import Bus
from tertulia.store.clock_offset import ClockOffset
from tertulia.store.committer import Committer
from tertulia.store.keys import Keys
from tertulia.store.membership import NOWHERE, Membership
from tertulia.store.reading_back import BackwardReader
from tertulia.store.registration import Registration
from tertulia.store.renewing import TokenRenewal
from tertulia.store.replaying import Replayer
from tertulia.store.rooms import StoredRooms
from tertulia.store.scripts import FORGET
from tertulia.store.sweeping import Sweeper
from tertulia.store.ways import Ways
from tertulia.store.wire import probe
from tertulia.telemetry.metrics import Metrics, RetryCause
from tertulia.telemetry.tracer import Tracer

_COUNT_ROUNDS = 4
"""Rounds of maintenance between two looks at the count of pending messages and at Redis' clock.

That is two heartbeats.
"""
_NODE_INFO_ROUNDS = 10
"""Rounds of maintenance between two writes of the node info, which operators see: five heartbeats."""
_NODE_INFO_MS = 3_600_000
"""For how long a node's node info is kept, in ms; the node writes it again long before."""
_START_SECONDS = 4.5
"""For how long a starting node asks a Redis again that can't be reached."""

_STOP_SECONDS = 2.0
"""How long deregistering may take."""
_CONNECTIONS = {
    "commit": "commit",
    "maintenance": "maintenance",
    "reads": "reads",
    "replay": "reads",
    "accounts": "reads",
    "look back": "reads",
}
"""The uses of Redis beside the bus, each with its connection: a refusal of one use stays there."""
USES = {"bus", *_CONNECTIONS.values()}
"""The connections to each master."""

log = structlog.get_logger(__name__)


def _named(refusal: str) -> list[str]:
    """Return the commands that Redis names in a refusal; none where it names none."""
    return re.findall(r"permissions to run the '([\w|]+)' command", refusal)


class StoreFailed(Exception):
    """Redis can't be used; the text says why, and what to do."""

    def __init__(self, text: str, *, is_final: bool) -> None:
        """``is_final``: the settings are wrong, and trying again does not help."""
        super().__init__(text)
        self.is_final = is_final


class ChatStore:
    """Shared state in Redis, as ``chat.ports.Store`` promises it."""

    def __init__(
        self,
        chat: str,
        redis: Multiplexer,
        node_id: str,
        settings: ClusterSettings,
        metrics: Metrics,
        *,
        alone: bool = False,
        is_replicated: bool = False,
        most_rooms: int = 10_000,
        most_room_members: int = 10_000,
        tracer: Tracer | None = None,
        node_info: Callable[[], Mapping[str, Argument]] = dict,
    ) -> None:
        """Prepare to serve one chat, over connections that it shares with the chats on the same server.

        ``alone``: no other node can reach this Redis, so all others are dead. ``is_replicated``: nothing
        counts as stored before a replica has it. ``most_room_members`` are of each further room.
        ``node_info``: returns what operators see of this node, in particular its ``state``.
        """
        self._is_replicated = is_replicated
        self._most_rooms, self._most_room_members = most_rooms, most_room_members
        self._keys = Keys(chat)
        self._settings = settings
        self._metrics = metrics
        self._alone = alone
        self._tracer = tracer
        self._node_info = node_info
        self._member = Membership(node_id)
        self._clock_offset = ClockOffset()
        self._started = asyncio.Event()
        self._masters = redis.masters(self._keys.meta)
        self._bus_link = Subscription(self._masters, "tertulia-bus", redis)
        self._redis = redis
        self._links = {
            use: Link(self._masters, f"tertulia-{connection}", redis)
            for use, connection in _CONNECTIONS.items()
        }
        accounts = Client(self._links["accounts"])
        self.accounts = StoredAccounts(self._keys, accounts, settings.device_login_seconds)
        """Reads the accounts of the chat."""
        self.advice: Sequence[str] = ()
        """Advice on those of the server's own settings that should be changed. Known once started."""
        self.refused: Sequence[str] = ()
        """The commands that Redis refuses to this node's user."""
        self._waits_for: RetryCause | None = None
        self._is_written_down = True  # else Redis lost its data, and has not got it back yet
        self._life: asyncio.Task[None] | None = None
        self._where = redis.access.shown
        self.user = redis.access.url.user or "default"
        """The user as which it logs in to Redis."""

    @property
    def node(self) -> str:
        return self._member.node

    def __len__(self) -> int:
        """Return how many ops wait for the next batch."""
        return len(self._committer) if self._started.is_set() else 0

    @property
    def _all_links(self) -> Sequence[Link]:
        rooms = self.rooms.links if self._started.is_set() else ()
        return (self._bus_link, *self._links.values(), *rooms)

    @property
    def _room(self) -> str:
        """The channel to publish entries on at once; empty where that has to wait for a replica."""
        return "" if self._is_replicated else self._keys.room

    def submit(self, op: Op) -> None:
        self._committer.submit(op)  # until it has started: see ``start``

    def recall(self, token: str, done: Callable[[Remembered | None], None]) -> None:
        self._replayer.recall(token, done)

    def since(self, keys: Sequence[str], done: Callable[[Sequence[int]], None]) -> None:
        self._replayer.since(keys, done)

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        self._replayer.replay(after, before, token, done)

    def look_back(
        self, before: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        self._backward.look_back(before, take, done)

    def look_on(
        self, after: Position, take: Callable[[Entry], bool], done: Callable[[bool], None]
    ) -> None:
        self._backward.look_on(after, take, done)

    def health(self) -> Mapping[str, bool]:
        started = self._started.is_set()
        health = {
            "redis": started and self._committer.healthy_since is not None,
            "bus": started and self._bus.is_up,
        }
        if self._is_replicated:
            health["replica"] = not (started and self._committer.lacks_replica)
        return health

    async def start(self, follower: Follower) -> None:
        links, member, settings = self._links, self._member, self._settings
        self._follower = follower
        self._committer = Committer(
            self._keys, links["commit"], member, follower, settings, self._metrics,
            is_replicated=self._is_replicated, clock_offset=self._clock_offset,
            tracer=self._tracer,
        )  # fmt: skip
        self.submit = self._committer.submit  # type: ignore[method-assign] # a call less for each message
        self._replayer = Replayer(self._keys, Ways(links["replay"]))
        self._backward = BackwardReader(self._keys, Ways(links["look back"]))
        self._sweeper = Sweeper(
            self._keys,
            links["maintenance"],
            member,
            follower,
            self._committer,
            settings.lease_seconds,
        )
        self._tokens = TokenRenewal(self._keys, links["maintenance"], follower)
        self._bus = Bus(
            self._keys, self._bus_link, links["reads"], member, follower, self._committer,
            self._sweeper, settings, self._metrics, clock_offset=self._clock_offset,
            is_replicated=self._is_replicated, tracer=self._tracer,
        )  # fmt: skip
        self._registration = Registration(self._keys, links["reads"], member, settings, self._room)
        self.rooms = StoredRooms(
            self._keys, links, self._masters, self._redis, member, settings, self._metrics,
            most_rooms=self._most_rooms, most_members=self._most_room_members,
            is_replicated=self._is_replicated,
        )  # fmt: skip
        self._burials = Burials(
            self._keys, links["maintenance"], member, self._committer, settings, self._metrics,
            rooms=self.rooms.burials, room=self._room, alone=self._alone,
        )  # fmt: skip
        self._life = asyncio.create_task(self._live(), name=f"store of {self._keys.chat}")
        started = asyncio.create_task(self._wait_for_parts())
        await asyncio.wait((started, self._life), return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            started.cancel()
            self._life.result()

    async def _wait_for_parts(self) -> None:
        await self._committer.answered.wait()
        await self._bus.subscribed.wait()

    async def failed(self) -> None:
        """Wait until this store breaks down by a defect of its own, and log that."""
        assert self._life is not None
        try:
            await asyncio.shield(self._life)
        except Exception:
            log.exception("store failed", chat=self._keys.chat)

    async def settle(self) -> None:
        await self._committer.settle()
        await self.rooms.settle()

    async def stop(self) -> None:
        self._replayer.stop()
        self._backward.stop()
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        try:
            # Only for a short time: a node that does not deregister is buried.
            async with asyncio.timeout(_STOP_SECONDS):
                await self._committer.beat()
                self._sweeper.chat_was_closed()
                await self._sweeper.round()  # and what others took over from this node
                await self.rooms.release()
                node = self._member.node
                await self._burials.release_waiting(node)
                await self._links["maintenance"].run(FORGET, forget_keys(self._keys, node), [node])
        except (StoreAway, Fenced, NewEpoch, TimeoutError) as error:
            log.warning("not deregistered", chat=self._keys.chat, error=str(error))
        for link in self._all_links:
            link.disconnect()

    # --- Life ------------------------------------------------------------------------------------

    async def _live(self) -> None:
        while True:
            try:
                await self._begin()
                self._started.set()
                await self._work()
            except Fenced:
                log.warning("fenced: this node was thought dead", chat=self._keys.chat)
                self._metrics.fencings.inc()
                self.rooms.drop()
                self._follower.fenced()
                self._committer.clear()
                self._member.rename()
            except NewEpoch:
                log.warning("redis lost data: a new epoch begins", chat=self._keys.chat)
                self._metrics.epoch_changes.inc()

    async def _work(self) -> None:
        """Run the parts until one of them ends. A part always ends by raising the reason."""
        parts = [
            asyncio.create_task(self._committer.run(), name="committer"),
            asyncio.create_task(self._bus.run(), name="bus"),
            asyncio.create_task(self._maintain(), name="maintenance"),
            asyncio.create_task(self.rooms.run(), name="rooms"),
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            self._bus_link.disconnect()  # from now on it may be for another registration

    async def _begin(self) -> None:
        backoff = Backoff()
        patient_until = asyncio.get_running_loop().time() + _START_SECONDS
        while True:
            try:
                known = self._member.position
                if known == NOWHERE:
                    await self._require_permissions()
                told, base, before = await self._registration.register()
                self._committer.registered(told)
                if known == NOWHERE:
                    end = await self._bus.seat()
                    await self._read_past(end)
                    self._member.seated(end)
                elif known.epoch != told.epoch:
                    is_next = known.epoch == before
                    if is_next:
                        await self._bus.read_rest(base.offset)
                    self._member.reseat(base, is_read=is_next)
                    self._follower.renumbered()
                    self._is_written_down = False
                if not self._is_written_down:
                    await self._bus.catch_up()
                    self._committer.begin_epoch()
                    await self._registration.write_down(self._follower.present, self._read_on)
                    await self._bus.reorder()
                    self._is_written_down = True
                    self._sweeper.look_soon()
                if known == NOWHERE:
                    told_of = await server_settings.look(Client(self._links["reads"]))
                    self.advice = [f"{self._masters.now}: {sentence}" for sentence in told_of]
                return
            except StoreAway as error:
                if not self._started.is_set():
                    self._expect(error, patient_until)
                await backoff.wait()

    async def _read_past(self, end: Position) -> None:
        """Give the follower what newcomers are to read of the log up to a place."""
        if wanted := self._follower.history:
            entries, is_whole = await self._backward.last(end, wanted)
            self._follower.past(entries, end.epoch, is_whole=is_whole)

    async def _read_on(self) -> None:
        """Read the log to its end. With replicas, the end has to be shown first."""
        if self._is_replicated:
            await self._registration.show()
        await self._bus.catch_up()

    def _expect(self, error: StoreAway, patient_until: float) -> None:
        """Decide whether to wait for a Redis that can't be used at the start.

        A Redis that answers and is not ready yet is worth waiting for. One that may not exist at all is worth
        it for some seconds. Raises StoreFailed.
        """
        now = asyncio.get_running_loop().time()
        if error.cause is RetryCause.TIMEOUT:
            now += self._settings.redis_timeout_seconds  # when the next timeout would be over
        if error.is_final:
            raise StoreFailed(
                f"Redis at {self._where} can't be used: {error}", is_final=True
            ) from error
        if error.is_elsewhere and now > patient_until:
            raise StoreFailed(
                f"Redis at {self._where} can't be used: {error}. "
                "Start it, or set redis_url to where it is.",
                is_final=False,
            ) from error
        if error.cause is not self._waits_for:
            self._waits_for = error.cause
            log.warning("waiting for redis", chat=self._keys.chat, error=str(error))

    async def _require_permissions(self) -> None:
        """Raise StoreAway if Redis refuses commands that this node needs."""
        if refused := await permissions.refused(self._keys, Client(self._links["reads"])):
            raise StoreAway(
                RetryCause.NO_PERMISSION,
                f"it refuses the user {self.user} {', '.join(refused)} "
                "(grant what deploy/redis/users.acl grants)",
            )

    # --- Maintenance -----------------------------------------------------------------------------

    async def _maintain(self) -> None:
        """Probe the bus every heartbeat, and look at the other nodes' leases twice as often."""
        rounds = 0
        told: Mapping[str, Argument] = {}
        while True:
            try:
                await self._look_at_permissions()
                if rounds % 2 == 0:
                    channel = self._keys.channel(self._member.node)
                    here = probe(self._committer.log_end)
                    await self._links["maintenance"].publish(channel, here)
                if rounds % _COUNT_ROUNDS == 0:
                    await self._look()
                node_info = self._node_info()
                if rounds % _NODE_INFO_ROUNDS == 0 or node_info.get("state") != told.get("state"):
                    await self._tell_node_info(node_info)
                    told = node_info
                await self._burials.round()
                await self._sweeper.round()
                await self._tokens.round()
                await self.rooms.round()
                rounds += 1
            except StoreAway:
                pass  # the committer sees to it
            await asyncio.sleep(self._settings.heartbeat_seconds / 2)

    async def _look_at_permissions(self) -> None:
        """If Redis has refused a command, find out all that it refuses. Repeat until it refuses nothing."""
        links = self._all_links
        if not self.refused and not any(link.refusal for link in links):
            return
        # Redis 6.2 can't be asked whether it lets us subscribe: it refused, and nothing has changed that.
        may_not_subscribe = self._bus_link.refusal or (
            "subscribe" in self.refused and not self._bus.is_up
        )
        for link in links:
            link.refusal = ""
        try:
            client = Client(self._links["maintenance"])
            refused = await permissions.refused(self._keys, client)
        except StoreAway as error:
            refused = _named(str(error)) or list(self.refused)
        if may_not_subscribe and not {"subscribe", "ssubscribe"} & set(refused):
            refused.append("subscribe")
        if refused and refused != self.refused:
            commands = ", ".join(refused)
            log.error(
                "redis refuses commands", chat=self._keys.chat, user=self.user, commands=commands
            )
        self.refused = refused
        self._metrics.redis_refusals(self._keys.chat).set(len(refused))

    async def _look(self) -> None:
        """Measure how many messages wait, as Redis counts them, and how far its clock is from this one."""
        asked = time.time()
        count, (seconds, micros) = await self._links["maintenance"].ask(
            ("HGET", self._keys.meta, "pending"), ("TIME",)
        )
        self._clock_offset.note(asked, int(seconds) + int(micros) / 1e6, time.time())
        self._metrics.pending_messages(self._keys.chat).set(int(count or 0))
        self._metrics.clock_offset(self._keys.chat).set(self._clock_offset.seconds)

    async def _tell_node_info(self, node_info: Mapping[str, Argument]) -> None:
        if not node_info:
            return
        name = self._keys.node_info(self._member.node)
        pairs = [part for fact in node_info.items() for part in fact]
        await self._links["maintenance"].ask(
            ("HSET", name, *pairs), ("PEXPIRE", name, _NODE_INFO_MS)
        )
