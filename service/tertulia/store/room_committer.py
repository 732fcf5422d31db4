"""Group commit for further rooms: a batch of each room that has something, several rooms in one go.

While Redis works on one round, the next gathers: of a room, ops; of all, rooms. So a room has one batch in
flight, as the chat has, and a node needs no task for a room. It needs none for a round either: that begins,
and is answered, in the turns of the loop in which something comes. A task is for what is not as usual.
"""

import asyncio
import time
from collections import deque
from functools import partial
from typing import Any, Final

from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import ErrorReply, StoreAway
from tertulia.redis.link import Asked, Call, Link
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


def _entered(reply: Any) -> int:
    """Return the offset of a batch's entry, 0 where it has none, or was not committed."""
    if isinstance(reply, int):
        return reply
    is_done = not isinstance(reply, StoreAway) and reply[0] == b"ok"
    return int(reply[1]) if is_done and reply[2] else 0


class _Round:
    """Batches of some rooms, until they are answered."""

    __slots__ = ("asked", "numbers", "rooms", "sent", "started", "task")

    def __init__(self, rooms: list[FollowedRoom]) -> None:
        self.rooms = rooms
        self.numbers: list[int] = []
        self.sent = self.started = 0.0
        self.asked: Asked | None = None
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> "asyncio.Task[None] | None":
        """Let nobody be told of the answer; return what is to be waited for."""
        if self.asked is not None:
            self.asked.drop()
        if self.task is not None:
            self.task.cancel()
        return self.task


class RoomCommitter:
    """The only writer of the further rooms on a master."""

    def __init__(
        self, link: Link, settings: ClusterSettings, metrics: Metrics, *, is_replicated: bool
    ) -> None:
        """``is_replicated``: nothing is settled, or shown to anybody, before a replica has it."""
        self._is_replicated = is_replicated
        self._link = link
        self._silent_seconds = LATE_HEARTBEATS * settings.heartbeat_seconds
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._ready: deque[FollowedRoom] = deque()
        self._is_ready: set[FollowedRoom] = set()
        self._under_way: set[FollowedRoom] = set()
        self._rounds: set[_Round] = set()
        self._is_due = False
        self._ended: asyncio.Future[None] | None = None
        """While it runs: the future of why it ends."""
        self._backoff = Backoff()
        self._answered_at = self._clock()

    def has_work(self, room: FollowedRoom) -> None:
        """Commit what a room has, in the next round that has a place."""
        if room.may_commit and room not in self._is_ready and room not in self._under_way:
            self._is_ready.add(room)
            self._ready.append(room)
            self._begin_soon()

    def clear(self) -> None:
        """Forget all that waits."""
        self._ready.clear()
        self._is_ready.clear()

    async def run(self) -> None:
        """Commit. Raises Fenced."""
        self._ended = self._loop.create_future()
        self._begin()
        try:
            await self._ended
        finally:
            self._ended = None
            rounds, self._rounds = self._rounds, set()
            tasks = [each.stop() for each in rounds]
            for each in rounds:  # whoever runs next goes on with them
                self._release(each.rooms)
            await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    def _begin_soon(self) -> None:
        """Begin behind what else is read in this turn: it comes into the same round."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._is_due = False
        while self._ended is not None and self._ready and len(self._rounds) < _ROUNDS:
            if rooms := self._take():
                self._start(_Round(rooms))

    def _start(self, its: "_Round") -> None:
        self._rounds.add(its)
        its.sent, its.started = self._clock(), time.perf_counter()
        is_plain = not self._is_replicated and its.sent - self._answered_at <= self._silent_seconds
        try:
            if is_plain:
                calls = [room.request() for room in its.rooms]
                its.numbers = [int(args[1]) for _, args in calls]
                its.asked = self._link.run_now(ROOM_COMMIT, calls, partial(self._told, its))
            if its.asked is None:
                self._insist(its)
        except Exception as error:
            self._end(error)

    def _told(self, its: "_Round", replies: list[Any] | StoreAway) -> None:
        """Take the replies to a round; do it again, with patience, where something is not as usual."""
        try:
            if isinstance(replies, StoreAway):
                self._metrics.commit_retries(replies.cause).inc()
                self._insist(its)
                return
            now = self._clock()
            is_late = (
                now - its.sent > _LATE_SECONDS or now - self._answered_at > self._silent_seconds
            )
            if is_late or ErrorReply in map(type, replies):
                self._insist(its)
                return
            self._answered_at = now
            self._backoff.reset()
            self._metrics.commit_duration.observe(time.perf_counter() - its.started)
            for room, number, reply in zip(its.rooms, its.numbers, replies, strict=True):
                room.replied(number, reply)
        except Exception as error:
            self._end(error)
        else:
            self._release(its.rooms)
            self._finish(its)

    def _insist(self, its: "_Round") -> None:
        its.task = self._loop.create_task(self._again(its))

    async def _again(self, its: "_Round") -> None:
        """Commit the batches of a round, which may be done already, however long that takes."""
        # In a turn of its own: some may have nothing to commit by now.
        rooms = [room for room in its.rooms if room.may_commit]
        try:
            is_away = bool(rooms) and await self._round(rooms)
        except Exception as error:
            self._end(error)
            return
        self._release(its.rooms)
        if is_away:
            await self._backoff.wait()
        else:
            self._backoff.reset()
        self._finish(its)

    def _release(self, rooms: list[FollowedRoom]) -> None:
        self._under_way.difference_update(rooms)
        for room in rooms:
            self.has_work(room)

    def _finish(self, its: "_Round") -> None:
        self._rounds.discard(its)
        if self._ready:
            self._begin_soon()

    def _end(self, error: Exception) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

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
        sent, started = self._clock(), time.perf_counter()
        try:
            calls: list[Call] = [room.request() for room in rooms]
            replies = await self._run(calls)
            now = self._clock()
            if now - sent > _LATE_SECONDS or now - self._answered_at > self._silent_seconds:
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
            (keys[:2], [args[2], offset, channel_of(keys[0])])
            for (keys, args), reply in zip(calls, replies, strict=True)
            if (offset := _entered(reply))
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
