"""Following a room's log: over the bus, and from the log itself where the bus missed something."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from tertulia.chat.ports import Delivery, Follower, Member
from tertulia.domain.events import Closed, Left
from tertulia.domain.position import Verdict, is_behind, judge
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import Fenced, NewEpoch, StoreAway
from tertulia.redis.link import Link, Subscription
from tertulia.settings.sections import ClusterSettings
from tertulia.store.clock_offset import ClockOffset
from tertulia.store.coalescing import Coalescing
from tertulia.store.committer import LATE_HEARTBEATS, Committer
from tertulia.store.keys import Keys
from tertulia.store.log import Log
from tertulia.store.membership import Membership
from tertulia.store.sweeping import Sweeper
from tertulia.store.wire import (
    InboxMessage,
    ProbeMessage,
    RoomMessage,
    Unknown,
    parse_bans,
    parse_letters,
    parse_message,
)
from tertulia.telemetry.metrics import Metrics, RetryCause
from tertulia.telemetry.tracer import Tracer

_PAGE_ENTRIES = 32
_PAGE_LETTERS = 1000
_PAGE_MEMBERS = 500
_MISSED_PROBES = 3
_REPLY_TURNS = 8
"""Turns of the loop in which a reply is read that Redis sent before what came over the bus."""
_MESSAGES = (b"message", b"smessage")

log = structlog.get_logger(__name__)


def _number(letter: bytes) -> int:
    return int(letter.partition(b" ")[0])


class Bus(Log):
    """One chat's subscription: every entry of the log and every letter, once, in order."""

    _keys: Keys
    _member: Membership
    _follower: Follower

    def __init__(
        self,
        keys: Keys,
        subscription: Subscription,
        reads: Link,
        member: Membership,
        follower: Follower,
        committer: Committer,
        sweeper: Sweeper,
        settings: ClusterSettings,
        metrics: Metrics,
        *,
        clock_offset: ClockOffset,
        is_replicated: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        """``is_replicated``: nothing is delivered before a replica has it."""
        super().__init__(keys, member, metrics, is_replicated=is_replicated)
        self._reads = reads
        self._keys = keys
        self._subscription = subscription
        self._member = member
        self._follower = follower
        self._committer = committer
        self._sweeper = sweeper
        self._settings = settings
        self._clock_offset = clock_offset
        self._tracer = tracer
        self._clock = asyncio.get_running_loop().time
        self.subscribed = asyncio.Event()
        """Set when the subscription has worked for the first time."""
        self._heard_at: float | None = None  # None while there is no subscription
        self._is_told = True
        """Whether all that was delivered is written."""
        self._is_urgent = False
        """Whether something was delivered that must be written at once, without gathering."""
        self._coalescing = Coalescing()
        self._gathering: asyncio.Handle | None = None
        # The commit times of the entries that were delivered and are not written yet.
        self._committed_at: list[float] = []
        self._traced: list[RoomMessage] = []

    @property
    def is_up(self) -> bool:
        """Whether the subscription has brought something lately; a probe is enough."""
        return self._heard_at is not None and self._clock() - self._heard_at < self._silence

    @property
    def _silence(self) -> float:
        return (_MISSED_PROBES + 0.5) * self._settings.heartbeat_seconds

    async def run(self) -> None:
        """Follow, over any number of connections. Raises Fenced, NewEpoch."""
        backoff = Backoff()
        trouble: RetryCause | None = None
        try:
            while True:
                try:
                    await self._subscribe()
                    if trouble is not None:
                        self._metrics.bus_reconnects.inc()
                        trouble = None
                    await self.catch_up()
                    backoff.reset()
                    await self._follow()
                except StoreAway as error:
                    self._tell()
                    if self._heard_at is not None or error.cause is not trouble:
                        log.warning(
                            "bus lost",
                            chat=self._keys.chat, cause=error.cause.value, error=str(error),
                        )  # fmt: skip
                    self._heard_at, trouble = None, error.cause
                    self._subscription.disconnect()
                    await backoff.wait()
        finally:
            self._tell()

    async def _follow(self) -> None:
        """Take the messages that the subscription brings. Raises StoreAway, Fenced, NewEpoch."""
        silence, late = self._silence, LATE_HEARTBEATS * self._settings.heartbeat_seconds
        while True:
            # Probes come every heartbeat. So silence means that the connection is dead, even if the
            # kernel does not know it; or, if other chats hear their probes, that this chat is not
            # subscribed.
            messages = await self._subscription.receive(silence)
            if not messages:  # the events that gathered are due
                self._tell()
                continue
            before, self._heard_at = self._heard_at, self._clock()
            if self._heard_at - (before or 0.0) > late:
                await self._subscription.confirm()
            try:
                for message in messages:
                    await self._take(message)
            finally:
                self._tell_soon()

    async def _subscribe(self) -> None:
        channels = (self._keys.room, self._keys.channel(self._member.node))
        await self._subscription.subscribe(channels)
        self._heard_at = self._clock()
        self.subscribed.set()

    async def _take(self, came: Sequence[bytes]) -> None:
        if came[0] not in _MESSAGES:
            raise StoreAway(RetryCause.CLUSTER, "the slot was moved to another shard")
        try:
            message = parse_message(came[2])
        except Unknown:
            self._metrics.bus_unknown.inc()
            return
        if isinstance(message, RoomMessage):
            await self._take_entry(message)
        elif isinstance(message, InboxMessage):
            await self._take_letters(message)
        else:
            await self._take_probe(message)

    async def _take_probe(self, probe: ProbeMessage) -> None:
        # Everything that was published before the probe has come before it.
        if is_behind(self._member.position, probe.position):
            self._metrics.bus_gaps.inc()
            await self.catch_up()

    async def _take_entry(self, message: RoomMessage) -> None:
        position = message.entry.position
        verdict = judge(self._member.position, position)
        if verdict is Verdict.RECOVER:
            self._metrics.bus_gaps.inc()
            await self.catch_up()
            verdict = judge(self._member.position, position)
        if verdict is Verdict.DELIVER:
            if not message.batch:
                await self._heed_burial(message)
            self._deliver(message)
            self._committed_at.append(position.at)
        elif verdict is Verdict.RESEAT:
            raise NewEpoch

    def _deliver(self, message: RoomMessage) -> None:
        member, position = self._member, message.entry.position
        self._is_told = False
        was_heard = member.delivered(position, message.node, message.batch)
        if message.batch and message.node == member.node:
            self._is_urgent = True
        if message.unknown:
            self._metrics.bus_unknown.inc(message.unknown)
        # Otherwise all of the entry is of a later version; or it was delivered before Redis lost it,
        # and was committed again for the nodes that had not heard it.
        has_something = message.entry.events or message.entry.operator_commands
        if has_something and not was_heard:
            self._follower.entry(message.entry)
        if not message.entry.is_talk:
            self._is_urgent = True
            if Closed in map(type, message.entry.events):
                self._sweeper.chat_was_closed()
        if self._tracer is not None:
            self._traced.append(message)

    async def _heed_burial(self, message: RoomMessage) -> None:
        """Raise Fenced where an entry is of the burial of this node: nothing more is its own affair.

        Else its people would read that somebody else has their nicknames. Operators take sessions away as
        well, and whoever writes down again who is there, after Redis lost data: so it is asked.
        """
        mine = f"{self._member.node}:"
        gone = (event for event in message.entry.events if isinstance(event, Left))
        if not any(left.session.startswith(mine) for left in gone):
            return
        if not float(await self._reads.call("ZSCORE", self._keys.leases, self._member.node) or 0):
            self._tell()
            raise Fenced

    async def _take_letters(self, message: InboxMessage) -> None:
        first = message.deliveries[0].number if message.deliveries else 0
        for _ in range(_REPLY_TURNS):
            if first <= self._member.letters + 1 or not self._committer.awaits_reply:
                break
            await asyncio.sleep(0)  # those before it may be in that reply
        if first > self._member.letters + 1:
            if not self._committer.awaits_reply:
                self._metrics.bus_gaps.inc()
            self._tell()
            await self._read_inbox()
        self._hand_over([d for d in message.deliveries if d.number > self._member.letters])

    def _hand_over(self, fresh: list[Delivery]) -> None:
        if fresh:
            self._is_told, self._is_urgent = False, True
            self._member.took(fresh[-1].number)
            if unknown := [delivery.event for delivery in fresh].count(None):
                self._metrics.bus_unknown.inc(unknown)
            self._follower.deliveries(fresh)

    def _tell_soon(self) -> None:
        """Have the delivered events written: at once, or together with those of the next moment."""
        if self._is_told:
            return
        left = 0.0 if self._is_urgent else self._coalescing.left(time.monotonic())
        if not left:
            self._tell()
        elif self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(left, self._wake)

    def _wake(self) -> None:
        self._gathering = None
        self._subscription.interrupt()

    def _tell(self) -> None:
        """Have all that was delivered written and answered: events that came together are one write."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._is_told:
            return
        self._is_told, self._is_urgent = True, False
        began = time.monotonic()
        self._committer.acknowledge_delivered()
        self._follower.flush()
        self._coalescing.written(began, time.monotonic())
        now = time.time() - self._clock_offset.seconds  # by Redis' clock, as the commit times are
        for at in self._committed_at:
            self._metrics.publish_to_delivery.observe(max(0.0, now - at))
        self._committed_at.clear()
        if self._tracer is not None:
            for traced in self._traced:
                self._tracer.delivered(
                    self._keys.chat,
                    traced.node,
                    traced.batch,
                    traced.entry.position,
                    len(traced.entry.events),
                )
            self._traced.clear()

    # --- Recovery --------------------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Read on from the last entry and the last letter that were delivered. Raises NewEpoch."""
        await super().catch_up()
        await self._read_inbox()

    async def _read_inbox(self) -> None:
        inbox = self._keys.inbox(self._member.node)
        while True:
            head = await self._reads.call("LINDEX", inbox, 0)
            if head is None:
                return
            # Letters are in order and without gaps, but the list may be trimmed meanwhile: compute the
            # index, and do so again if the head of the list has changed.
            at = max(0, self._member.letters + 1 - _number(head))
            page, still = await self._reads.ask(
                ("LRANGE", inbox, at, at + _PAGE_LETTERS - 1), ("LINDEX", inbox, 0)
            )
            if still != head:
                continue
            fresh = [d for d in parse_letters(page) if d.number > self._member.letters]
            if not fresh:
                return
            self._hand_over(fresh)
            self._tell()

    async def _read_room(self) -> list[Member]:
        self._follower.banned(parse_bans(await self._reads.call("HGETALL", self._keys.bans)))
        return await super()._read_room()

    def _acknowledge(self) -> None:
        self._committer.acknowledge_delivered()
