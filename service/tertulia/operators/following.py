"""Following a room's log: one reader of it in the process, for all who listen there.

The bus wakes the reader, and the log says what there is. So nothing is told twice, or left out, whatever the
bus loses. Who begins further back reads the log by itself until it has come to where the reader is.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from tertulia.chat.ports import Entry
from tertulia.domain.position import Position
from tertulia.operators.log_reader import Gap, LogReader
from tertulia.redis.backoff import Backoff
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Subscriptions
from tertulia.store.keys import LogKeys
from tertulia.telemetry.metrics import RetryCause

Item = Entry | Gap

LOOK_SECONDS: Final = 2.0
"""After which the log is looked at though the bus has brought nothing: it may have lost something."""
_HEARTBEAT_SECONDS: Final = 1.0
_LINGER_SECONDS: Final = 10.0
"""For which a room is followed when nobody listens any more: who lost a connection is back soon."""
_MOST_KEPT: Final = 4096
_ENTRY_BYTES: Final = 256
"""What an entry counts for beside its text."""
_MESSAGES: Final = (b"message", b"smessage")

log = structlog.get_logger(__name__)


class TooSlow(Exception):
    """A listener has not taken what happened for so long that it is not kept any more."""


class Following:
    """The way to one room's log, and to the bus that says when it has grown."""

    def __init__(
        self, keys: LogKeys, redis: Client, bus: Subscriptions, *, is_replicated: bool
    ) -> None:
        self.log_keys = keys
        self._redis = redis
        self._bus = bus
        self._is_replicated = is_replicated

    def reader(self) -> LogReader:
        """Return another reader of the log."""
        return LogReader(self.log_keys, self._redis, is_replicated=self._is_replicated)

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever there may be something new, over any number of connections."""
        backoff = Backoff()
        cause: RetryCause | None = None
        while True:
            try:
                await self._bus.add([self.log_keys.room])
                wake()
                while True:
                    # Nothing else is waited for between two calls: the subscription can't be lost unseen.
                    came = await self._bus.hear(_HEARTBEAT_SECONDS)
                    if any(message[0] not in _MESSAGES for message in came):
                        raise StoreAway(RetryCause.CLUSTER, "the slot was moved to another shard")
                    if came:
                        backoff.reset()
                        wake()
                        cause = None
            except StoreAway as error:
                if error.cause is not cause:
                    cause = error.cause
                    log.warning(
                        "bus lost", chat=self.log_keys.chat, cause=cause.value, error=str(error)
                    )
                self._bus.disconnect()
                wake()
                await backoff.wait()

    def close(self) -> None:
        """Let go of the connections."""
        self._bus.disconnect()
        self._redis.link.disconnect()


class Feed:
    """What happens in one room, for all who listen to it in this process."""

    def __init__(
        self, following: Following, most_bytes: int, ended: Callable[["Feed"], None]
    ) -> None:
        """``most_bytes``: what is kept for listeners that are late. ``ended``: told when nobody listens."""
        self.following = following
        self._most_bytes = most_bytes
        self._ended = ended
        self._kept: deque[tuple[Item, Position, int]] = deque()
        self._bytes = 0
        self._first = 0
        """The number of the first item that is kept; they are counted from the feed's begin."""
        self._reader = following.reader()
        self._has_begun = False
        self._wake = asyncio.Event()
        self._listeners: set[FeedReader] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._linger: asyncio.TimerHandle | None = None
        self.is_away = False
        """Whether Redis did not answer when it was asked last."""

    # --- Who listens ---------------------------------------------------------------------------

    def join(self, listener: "FeedReader") -> None:
        """Tell a listener when there is something new."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._listeners.add(listener)
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self.following.listen(self._wake.set)),
                asyncio.create_task(self._run()),
            ]

    def leave(self, listener: "FeedReader") -> None:
        """Tell it nothing more."""
        self._listeners.discard(listener)
        if not self._listeners and self._linger is None:
            loop = asyncio.get_running_loop()
            self._linger = loop.call_later(_LINGER_SECONDS, self._ended, self)

    def number_behind(self, position: Position) -> int | None:
        """Return the number of the item that follows a place; None where the feed is not there."""
        if not self._has_begun:
            return None
        number = self._first + len(self._kept)
        if _is_same(self._reader.position, position):
            return number
        for _, place, _ in reversed(self._kept):
            if _is_same(place, position):
                return number
            number -= 1
        return None

    def kept_from(self, number: int, most_bytes: int) -> list[Item]:
        """Return the items from a number on, of about so many bytes. Raises TooSlow."""
        if number < self._first:
            raise TooSlow
        items, size = [], 0
        for at in range(number - self._first, len(self._kept)):
            item, _, weight = self._kept[at]
            items.append(item)
            size += weight
            if size >= most_bytes:
                break
        return items

    # --- Following -----------------------------------------------------------------------------

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            self._wake.clear()
            try:
                if self._has_begun:
                    items = await self._reader.read_on()
                else:
                    await self._reader.begin()
                    items, self._has_begun = [], True
            except StoreAway as error:
                self._is_now_away(error)
                await backoff.wait()
                continue
            backoff.reset()
            self.is_away = False
            for item in items:
                self._keep(item)
            for listener in self._listeners:
                listener.wake.set()
            if not items:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wake.wait()

    def _is_now_away(self, error: StoreAway) -> None:
        if not self.is_away:
            self.is_away = True
            log.warning(
                "redis is away",
                chat=self.following.log_keys.chat, cause=error.cause.value, error=str(error),
            )  # fmt: skip

    def _keep(self, item: Item) -> None:
        weight = _ENTRY_BYTES
        if isinstance(item, Entry):
            weight += sum(_ENTRY_BYTES + len(getattr(it, "text", "")) for it in item.events)
        self._kept.append((item, item.position, weight))
        self._bytes += weight
        while len(self._kept) > _MOST_KEPT or (
            self._bytes > self._most_bytes and len(self._kept) > 1
        ):
            self._bytes -= self._kept.popleft()[2]
            self._first += 1

    async def close(self) -> None:
        """Follow no more."""
        if self._linger is not None:
            self._linger.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.following.close()


class FeedReader:
    """Somebody who reads a room's events, from a place on: each once, in order, and what is missing."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._reader: LogReader | None = feed.following.reader()
        self._number = 0
        self.wake = asyncio.Event()
        """Set when there may be something new; whoever waits for it may set it as well."""

    async def begin(self, after: Position | None) -> Position:
        """Begin behind a place, or at the log's end; return it. Raises StoreAway."""
        assert self._reader is not None
        self._feed.join(self)
        await self._reader.begin()
        if after is not None:
            self._reader.resume(after)
        return self._reader.position

    async def items(self, most_bytes: int) -> list[Item]:
        """Return what comes next, if there is something by now. Raises StoreAway, TooSlow."""
        self.wake.clear()
        if self._reader is not None:
            number = self._feed.number_behind(self._reader.position)
            if number is None:
                # Nothing here: it has come further than the feed, which wakes it.
                return list(await self._reader.read_on())
            self._number, self._reader = number, None
        items = self._feed.kept_from(self._number, most_bytes)
        self._number += len(items)
        return items

    def end(self) -> None:
        """Listen no more."""
        self._feed.leave(self)


class Feeds:
    """The feeds of all rooms to which somebody listens."""

    def __init__(self, follow: Callable[[LogKeys], Following], most_bytes: int) -> None:
        self._follow = follow
        self._most_bytes = most_bytes
        self._feeds: dict[str, Feed] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, keys: LogKeys) -> Feed:
        """Return a room's feed, which begins when somebody listens."""
        feed = self._feeds.get(keys.meta)
        if feed is None:
            feed = self._feeds[keys.meta] = Feed(self._follow(keys), self._most_bytes, self._end)
        return feed

    @property
    def is_away(self) -> bool:
        """Whether Redis does not answer one of them."""
        return any(feed.is_away for feed in self._feeds.values())

    def _end(self, feed: Feed) -> None:
        del self._feeds[feed.following.log_keys.meta]
        task = asyncio.create_task(feed.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End all."""
        feeds, self._feeds = list(self._feeds.values()), {}
        await asyncio.gather(*(feed.close() for feed in feeds), *self._closing)


def _is_same(one: Position, other: Position) -> bool:
    return (one.epoch, one.offset) == (other.epoch, other.offset)
