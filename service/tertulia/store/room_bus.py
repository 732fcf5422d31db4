"""What the bus brings of further rooms: one listener for all on a master, over the chats' connection."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Subscriptions
from tertulia.redis.rounds import Rounds
from tertulia.settings.sections import ClusterSettings
from tertulia.store.coalescing import Coalescing
from tertulia.store.committer import LATE_HEARTBEATS
from tertulia.store.room import FollowedRoom
from tertulia.store.wire import RoomMessage, Unknown, parse_message
from tertulia.telemetry.metrics import Metrics, RetryCause

_STEP: Final = 500
"""Channels that are subscribed in one go."""
_MESSAGES = (b"message", b"smessage")

log = structlog.get_logger(__name__)


class RoomBus:
    """The subscriptions of all further rooms that are on a master."""

    def __init__(
        self,
        link: Subscriptions,
        settings: ClusterSettings,
        metrics: Metrics,
        late: Callable[[list[FollowedRoom]], object],
        behind: Callable[[list[FollowedRoom]], object],
    ) -> None:
        """``late`` is given rooms that the bus was lost for, ``behind`` those that can read on by now."""
        self._late = late
        self._link = link
        self._settings = settings
        self._silent_seconds = LATE_HEARTBEATS * settings.heartbeat_seconds
        self._metrics = metrics
        self._behind = behind
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._rooms: dict[bytes, FollowedRoom] = {}
        self._wanted: list[FollowedRoom] = []
        self._subscribing: Rounds[None] = Rounds()
        self._untold: dict[FollowedRoom, bool] = {}
        """Rooms in which something was delivered, and whether it is urgent."""
        self._coalescing = Coalescing()
        self._just_told: set[FollowedRoom] = set()
        """Rooms in which there was a write a moment ago."""
        self._gathering: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._parked: dict[FollowedRoom, None] = {}
        self.is_up = False
        """Whether there is a connection."""

    async def subscribe(self, room: FollowedRoom) -> None:
        """Listen to a room, with others that come at the same time. Raises StoreAway."""
        self._wanted.append(room)
        await self._subscribing.join(self._subscribe_wanted)
        if not room.is_subscribed:
            raise StoreAway(RetryCause.CONNECTION, "the subscription was lost")

    def unsubscribe(self, room: FollowedRoom) -> None:
        """Listen to a room no more."""
        if room.is_subscribed:
            room.is_subscribed = False
            if self._rooms.pop(room.keys.room.encode(), None) is room:
                self._link.drop([room.keys.room])
        self._untold.pop(room, None)
        self._just_told.discard(room)
        self._parked.pop(room, None)

    def park(self, room: FollowedRoom) -> None:
        """Have a room look further when the bus is there again."""
        self._parked[room] = None

    def touched(self, room: FollowedRoom, *, is_urgent: bool) -> None:
        """Have what was delivered told after this turn; right after another write, with what comes next."""
        self._untold[room] = is_urgent or self._untold.get(room, False)

    async def run(self) -> None:
        """Follow, over any number of connections."""
        backoff = Backoff()
        try:
            while True:
                try:
                    await self._link.connect()
                    self._heard_at = self._clock()
                    self.is_up = True
                    self._unpark()
                    backoff.reset()
                    await self._follow()
                except StoreAway as error:
                    self._lost(error)
                    await backoff.wait()
        finally:
            self._lost(None)
            self._unpark()

    def _lost(self, error: StoreAway | None) -> None:
        self._tell(list(self._untold), time.monotonic())
        self._link.disconnect()
        self.is_up = False
        rooms = list(self._rooms.values())
        self._rooms.clear()
        for room in rooms:
            room.lost_bus()
            self.park(room)
        if rooms and error is not None:
            log.warning(
                "bus of rooms lost", rooms=len(rooms), cause=error.cause.value, error=str(error)
            )
        self._late(rooms)

    def _unpark(self) -> None:
        """Have all that waits read on, the busiest first."""
        rooms = sorted(self._parked, key=lambda room: -room.position.at)
        self._parked.clear()
        self._behind(rooms)

    async def _follow(self) -> None:
        while True:
            messages = await self._link.hear(self._settings.heartbeat_seconds, self._hear)
            if self._link.heard_at - self._heard_at > self._silent_seconds:
                # What was silent for so long may have been replaced: an old master that thaws publishes as
                # before.
                await self._link.confirm()
            self._heard_at = self._link.heard_at
            self._hear(messages)

    def _hear(self, messages: list[Any]) -> bool:
        """Take what the bus has brought, unless its server is to be confirmed first."""
        heard_at = self._link.heard_at
        if heard_at - self._heard_at > self._silent_seconds:
            return False
        self._heard_at = heard_at
        for message in messages:
            self._take(message)
        if self._untold:
            self._tell_soon()
        return True

    def _take(self, came: list[bytes]) -> None:
        if came[0] not in _MESSAGES:
            raise StoreAway(RetryCause.CLUSTER, "the slot was moved to another shard")
        room = self._rooms.get(came[1])
        if room is None:
            return
        try:
            message = parse_message(came[2])
        except Unknown:
            self._metrics.bus_unknown.inc()
            return
        if isinstance(message, RoomMessage):
            room.take(message)

    async def _subscribe_wanted(self) -> None:
        wanted, self._wanted = self._wanted, []
        for begin in range(0, len(wanted), _STEP):
            step = wanted[begin : begin + _STEP]
            named = {room.keys.room: room for room in step}
            # What comes before the confirmation is read is kept, so it has to be known whose it is.
            for channel, room in named.items():
                self._rooms[channel.encode()] = room
                room.begin_to_hold()
            try:
                await self._link.add(list(named))
            except StoreAway:
                self._forget(named.values())
                raise
            for channel, room in named.items():
                # The bus may have been lost, and found again, meanwhile: then nobody would hear the room.
                room.is_subscribed = self._rooms.get(channel.encode()) is room

    def _forget(self, rooms: Iterable[FollowedRoom]) -> None:
        for room in rooms:
            self._rooms.pop(room.keys.room.encode(), None)

    # --- Telling ---------------------------------------------------------------------------------

    def _tell_soon(self) -> None:
        now, told = time.monotonic(), self._just_told
        left = self._coalescing.left(now)
        if not left:
            told.clear()
        self._tell(
            [it for it, is_urgent in self._untold.items() if is_urgent or it not in told], now
        )
        if self._untold and self._gathering is None:
            self._gathering = self._loop.call_later(left, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self._just_told.clear()
        self._tell(list(self._untold), time.monotonic())

    def _tell(self, rooms: list[FollowedRoom], began: float) -> None:
        if not rooms:
            return
        for room in rooms:
            self._untold.pop(room, None)
            room.tell()
        # What was written in one room holds up no other: for so long as it says, each is told once.
        if not self._just_told:
            self._coalescing.written(began, time.monotonic())
        self._just_told.update(rooms)
