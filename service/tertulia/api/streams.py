"""The open streams of events: who has how many, how they are written, and what ends them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tertulia.api import event_stream
from tertulia.api.event_stream import Cursor
from tertulia.api.guard import HEAD
from tertulia.api.metrics import ApiMetrics, StreamEnd
from tertulia.api.tokens import Token
from tertulia.chat.ports import Entry
from tertulia.domain.position import Position
from tertulia.operators.following import FeedReader, Item, TooSlow
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import StoreAway

HEARTBEAT_SECONDS: Final = 15.0
STUCK_SECONDS: Final = 30.0
"""For which a client may take nothing of what is written to it."""
_WRITE_BYTES: Final = 65_536
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class TooManyStreams(Exception):
    """There is no place for another stream."""

    def __init__(self, most: int, setting: str) -> None:
        super().__init__(setting)
        self.most = most
        self.setting = setting


class _Holder(NamedTuple):
    chat: str
    key: str


class Streams:
    """All open streams of the process, and how many there may be."""

    def __init__(self, most: int, most_per_token: int, metrics: ApiMetrics) -> None:
        self._most = most
        self._most_per_token = most_per_token
        self._held: Counter[_Holder] = Counter()
        self._open: set[EventStream] = set()
        self.metrics = metrics

    def __len__(self) -> int:
        return len(self._open)

    def open(self, stream: "EventStream") -> None:
        """Give a stream its place. Raises TooManyStreams."""
        holder = _Holder(stream.token.chat, stream.token.key)
        if self._held[holder] >= self._most_per_token:
            raise TooManyStreams(self._most_per_token, "api.streams_per_token")
        if len(self._open) >= self._most:
            raise TooManyStreams(self._most, "api.streams")
        self._held[holder] += 1
        self._open.add(stream)
        self.metrics.streams.set(len(self._open))

    def close(self, stream: "EventStream", why: StreamEnd) -> None:
        """Take its place back."""
        holder = _Holder(stream.token.chat, stream.token.key)
        self._open.discard(stream)
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]
        self.metrics.streams.set(len(self._open))
        self.metrics.stream_ends[why].inc()

    def end(self, why: StreamEnd, which: Callable[[Token, str], bool]) -> None:
        """End the streams, by token and room, of which this is true."""
        for stream in list(self._open):
            if which(stream.token, stream.room):
                stream.end(why)


class EventStream(Response):
    """A room's events from a place on, until somebody ends it. It is an ASGI application, as any response."""

    media_type = "text/event-stream"

    def __init__(
        self, streams: Streams, token: Token, room: str, listener: FeedReader, after: Cursor | None
    ) -> None:
        """``room``: as it is in paths. The listener has not begun. Raises TooManyStreams."""
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]  # nobody knows
        self.token = token
        self.room = room
        self._streams = streams
        self._listener = listener
        self._after = after
        self._why: StreamEnd | None = None
        self._begin: Position | None = None
        self._is_open = True
        streams.open(self)

    def end(self, why: StreamEnd) -> None:
        """Let it end as soon as what is on its way is written."""
        if self._why is None:
            self._why = why
            self._listener.wake.set()

    def close(self) -> None:
        """Give back what it has."""
        if self._is_open:
            self._is_open = False
            self._listener.end()
            self._streams.close(self, self._why or StreamEnd.FAILED)

    async def begin(self) -> None:
        """Find the place from which it is to go on. Raises StoreAway; then it is closed."""
        try:
            after = self._after
            self._begin = await self._listener.begin(None if after is None else after.position)
        except BaseException:
            self.end(StreamEnd.CLIENT)
            self.close()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write it."""
        if scope.get(HEAD):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            self.end(StreamEnd.CLIENT)
            self.close()
            return
        abort = scope.get("state", {}).get("abort", lambda: None)
        gone = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for piece in self._pieces():
                async with asyncio.timeout(STUCK_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            if self._why is not StreamEnd.TOO_SLOW:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            self.end(StreamEnd.TOO_SLOW)
        finally:
            gone.cancel()
            if self._why is StreamEnd.TOO_SLOW:
                abort()
            self.close()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end(StreamEnd.CLIENT)

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Give what is to be written, as it comes."""
        assert self._begin is not None
        within = self._after.within if self._after is not None else 0
        yield event_stream.hello(self._begin, within)
        backoff = Backoff()
        while self._why is None:
            try:
                items = await self._listener.items(_WRITE_BYTES)
            except TooSlow:
                self.end(StreamEnd.TOO_SLOW)
                return
            except StoreAway:
                await backoff.wait()
                continue
            backoff.reset()
            if items:
                if piece := b"".join(self._rendered(items, within)):
                    yield piece
                within = 0
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._listener.wake.wait()
            except TimeoutError:
                yield event_stream.HEARTBEAT

    def _rendered(self, items: Sequence[Item], within: int) -> Iterator[bytes]:
        """Render items. ``within``: how many events of the first one were read before."""
        metrics = self._streams.metrics
        for item in items:
            if isinstance(item, Entry):
                told, count = event_stream.entry_events(item, within)
                metrics.events.inc(count)
                yield told
            else:
                metrics.gaps.inc()
                yield event_stream.gap(item)
            within = 0
