"""Group commit for further rooms: a batch of each room that has something, several rooms in one go.

While Redis works on one round, the next gathers: of a room, ops; of all, rooms. So a room has one batch in
flight, as the chat has, and a node needs no task for a room.

Where many rooms have a message now and then, each would be a round of its own; there the beat of the loop has
what clients sent come together (``redis/beat.py``).
"""

import asyncio
import time
from collections import deque
from typing import Any, Final

from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Call, Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.committer import LATE_HEARTBEATS
from tertulia.store.keys import channel_of
from tertulia.store.room import FollowedRoom
from tertulia.store.scripts import ROOM_COMMIT, SHOW
from tertulia.telemetry.metrics import Metrics, RetryCause

_ROUNDS: Final = 2
"""Rounds under way at once: while Redis works on one, another is on its way there or back."""
_MOST_ROOMS: Final = 32
"""Rooms in one round, so that none waits for long."""
_LATE_SECONDS: Final = 0.5


class RoomCommitter:
    """The only writer of the further rooms on a master."""

    def __init__(
        self, link: Link, settings: ClusterSettings, metrics: Metrics, *, is_replicated: bool
    ) -> None:
        """``is_replicated``: nothing is settled, or shown to anybody, before a replica has it."""
        self._is_replicated = is_replicated
        self._link = link
        self._settings = settings
        self._metrics = metrics
        self._clock = asyncio.get_running_loop().time
        self._ready: deque[FollowedRoom] = deque()
        self._is_ready: set[FollowedRoom] = set()
        self._under_way: set[FollowedRoom] = set()
        self._work = asyncio.Event()
        self._answered_at = self._clock()

    def has_work(self, room: FollowedRoom) -> None:
        """Commit what a room has, in the next round that has a place."""
        if room.may_commit and room not in self._is_ready and room not in self._under_way:
            self._is_ready.add(room)
            self._ready.append(room)
            self._work.set()

    def clear(self) -> None:
        """Forget all that waits."""
        self._ready.clear()
        self._is_ready.clear()

    async def run(self) -> None:
        """Commit. Raises Fenced."""
        self._under_way.clear()
        rounds = [asyncio.create_task(self._rounds()) for _ in range(_ROUNDS)]
        try:
            done, _ = await asyncio.wait(rounds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)

    async def _rounds(self) -> None:
        backoff = Backoff()
        while True:
            await self._work.wait()
            rooms = self._take()
            if not self._ready:
                self._work.clear()
            if not rooms:
                continue
            try:
                is_away = await self._round(rooms)
            finally:
                self._under_way.difference_update(rooms)
                for (
                    room
                ) in rooms:  # also where this is cancelled: whoever runs next goes on with them
                    self.has_work(room)
            if is_away:
                await backoff.wait()
            else:
                backoff.reset()

    def _take(self) -> list[FollowedRoom]:
        rooms: list[FollowedRoom] = []
        while self._ready and len(rooms) < _MOST_ROOMS:
            room = self._ready.popleft()
            self._is_ready.discard(room)
            if room.may_commit:
                rooms.append(room)
                self._under_way.add(room)
        return rooms

    async def _round(self, rooms: list[FollowedRoom]) -> bool:
        """Commit a batch of each room; return whether Redis was away for one of them. Raises Fenced."""
        late = LATE_HEARTBEATS * self._settings.heartbeat_seconds
        sent, started = self._clock(), time.perf_counter()
        try:
            calls: list[Call] = [room.request() for room in rooms]
            replies = await self._run(calls)
            now = self._clock()
            if now - sent > _LATE_SECONDS or now - self._answered_at > late:
                # The server may have been frozen and replaced: then these commits are lost.
                await self._link.confirm()
            self._answered_at = self._clock()
        except StoreAway as error:
            self._metrics.commit_retries(error.cause).inc()
            return True
        self._metrics.commit_duration.observe(time.perf_counter() - started)
        numbers = [int(args[1]) for _, args in calls]
        away = [self._take_reply(*it) for it in zip(rooms, numbers, replies, strict=True)]
        return True in away

    async def _run(self, calls: list[Call]) -> list[Any]:
        """Run the script. With replicas, wait until one has what it wrote, then show it to everybody."""
        link = self._link
        if not self._is_replicated:
            replies, _ = await link.run_many(ROOM_COMMIT, calls)
            return replies
        replies, replicas = await link.run_many(ROOM_COMMIT, calls, is_replicated=True)
        if not replicas:
            raise StoreAway(RetryCause.NO_REPLICAS, "no replica has what was written last")
        shown: list[Call] = [
            (keys[:2], [args[2], reply[1], channel_of(keys[0])])
            for (keys, args), reply in zip(calls, replies, strict=True)
            if not isinstance(reply, StoreAway) and reply[0] == b"ok" and reply[2]
        ]
        if shown:
            await link.run_many(SHOW, shown)
        return replies

    def _take_reply(self, room: FollowedRoom, number: int, reply: Any) -> bool:
        if isinstance(reply, StoreAway):
            self._metrics.commit_retries(reply.cause).inc()
            if reply.cause is RetryCause.CLUSTER:
                room.was_moved()
            return True
        room.replied(number, reply)
        return False
