"""Streams of events: how they are written, what ends them, and how many there may be."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from harness.waiting import until
from tertulia.api import streams as module
from tertulia.api.event_stream import Cursor
from tertulia.api.guard import HEAD
from tertulia.api.metrics import ApiMetrics, StreamEnd
from tertulia.api.streams import EventStream, Streams, TooManyStreams
from tertulia.api.tokens import Scope, Token
from tertulia.chat.ports import Entry
from tertulia.domain.events import Said
from tertulia.domain.position import Position
from tertulia.operators.following import FeedReader, Item, TooSlow
from tertulia.operators.log_reader import Gap
from tertulia.redis.errors import StoreAway
from tertulia.telemetry.metrics import RetryCause

BEGIN = Position("e", 4)
AWAY = StoreAway(RetryCause.CONNECTION, "gone")


class FakeReader:
    """Gives what a test has put there."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.coming: list[Sequence[Item] | Exception] = []
        self.after: Position | None = None
        self.has_ended = False

    def put(self, *coming: Sequence[Item] | Exception) -> None:
        self.coming += coming
        self.wake.set()

    async def begin(self, after: Position | None) -> Position:
        self.after = after
        if self.coming and isinstance(self.coming[0], Exception):
            raise self.coming.pop(0)  # type: ignore[misc]
        return after or BEGIN

    async def items(self, _most: int) -> list[Item]:
        self.wake.clear()
        if not self.coming:
            return []
        it = self.coming.pop(0)
        if isinstance(it, Exception):
            raise it
        return list(it)

    def end(self) -> None:
        self.has_ended = True


class Client:
    """Who reads a stream, as far as an ASGI server lets it."""

    def __init__(self, stream: EventStream, *, is_head: bool = False) -> None:
        self.told = b""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_complete = False
        self.is_aborted = False
        self.takes = asyncio.Event()
        self.takes.set()
        self._gone = asyncio.Event()
        scope = {"type": "http", "state": {"abort": self._abort}, HEAD: is_head}
        self.task = asyncio.create_task(stream(scope, self._receive, self._send))

    def _abort(self) -> None:
        self.is_aborted = True

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): it.decode() for name, it in message["headers"]}
        else:
            self.told += message["body"]
            self.is_complete = not message.get("more_body")

    def go(self) -> None:
        self._gone.set()

    async def reads(self, text: str) -> None:
        await until(lambda: text.encode() in self.told, 30, lambda: f"{text}: {self.told!r}")

    async def ends(self) -> None:
        async with asyncio.timeout(30):
            await self.task


class Open:
    """Streams, and how they ended."""

    def __init__(self, most: int = 3, most_per_token: int = 2) -> None:
        self.metrics = ApiMetrics(CollectorRegistry())
        self.streams = Streams(most, most_per_token, self.metrics)

    def stream(
        self, reader: FakeReader, name: str = "bot", after: Cursor | None = None
    ) -> EventStream:
        token = Token(name=name, sha256="0" * 64, scopes=frozenset({Scope.READ}))
        return EventStream(self.streams, token, "ops", cast(FeedReader, reader), after)

    def ended(self, why: StreamEnd) -> float:
        return float(self.metrics.stream_ends[why]._value.get())


@pytest.fixture
def it() -> Open:
    return Open()


@pytest.fixture
async def reader() -> FakeReader:
    return FakeReader()


def said(offset: int, *texts: str) -> Entry:
    return Entry(Position("e", offset), [Said("anna", "x:1", text) for text in texts])


async def begun(it: Open, reader: FakeReader, after: Cursor | None = None) -> Client:
    stream = it.stream(reader, after=after)
    await stream.begin()
    return Client(stream)


async def test_what_comes_is_written_as_it_comes(it: Open, reader: FakeReader) -> None:
    client = await begun(it, reader)
    await client.reads("event: hello\nid: e:4")
    assert client.status == 200
    assert client.headers["content-type"].startswith("text/event-stream")
    assert client.headers["cache-control"] == "no-store"
    assert "content-length" not in client.headers
    reader.put([said(5, "a", "b"), Gap(Position("e", 9), 4)])
    await client.reads('"entries":4')
    reader.put([said(10, "c")])
    await client.reads("id: e:10\n")
    assert it.metrics.events._value.get() == 3
    assert it.metrics.gaps._value.get() == 1
    client.go()
    await client.ends()
    assert reader.has_ended
    assert it.ended(StreamEnd.CLIENT) == 1
    assert len(it.streams) == 0


async def test_it_goes_on_within_an_entry(it: Open, reader: FakeReader) -> None:
    client = await begun(it, reader, Cursor(Position("e", 4), 2))
    assert reader.after == Position("e", 4)
    await client.reads("event: hello\nid: e:5.2\n")  # who is cut right then comes back to there
    reader.put([said(5, "a", "b", "c"), said(6, "d", "e")])
    await client.reads('"text":"e"')
    assert b'"text":"b"' not in client.told and b'"text":"a"' not in client.told
    assert b'"text":"c"' in client.told and b'"text":"d"' in client.told
    client.go()
    await client.ends()


async def test_redis_away_is_waited_for(it: Open, reader: FakeReader) -> None:
    client = await begun(it, reader)
    reader.put(AWAY, AWAY, [said(5, "at last")])
    await client.reads("at last")
    client.go()
    await client.ends()


async def test_a_heartbeat_keeps_it_open(
    it: Open, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    client = await begun(it, reader)
    await client.reads(":\n\n:\n\n")
    client.go()
    await client.ends()


@pytest.mark.parametrize("why", [StreamEnd.STOPPING, StreamEnd.TOKEN])
async def test_it_ends_in_order(it: Open, reader: FakeReader, why: StreamEnd) -> None:
    client = await begun(it, reader)
    await client.reads("hello")
    it.streams.end(why, lambda token, room: (token.name, room) == ("bot", "other"))
    reader.put([said(5, "still there")])
    await client.reads("still there")
    it.streams.end(why, lambda token, room: (token.name, room) == ("bot", "ops"))
    await client.ends()
    assert client.is_complete
    assert not client.is_aborted
    assert it.ended(why) == 1


async def test_who_is_too_slow_is_cut_off(it: Open, reader: FakeReader) -> None:
    client = await begun(it, reader)
    reader.put(TooSlow())
    await client.ends()
    assert client.is_aborted and not client.is_complete
    assert it.ended(StreamEnd.TOO_SLOW) == 1
    assert reader.has_ended


async def test_who_takes_nothing_is_cut_off(
    it: Open, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.02)
    client = await begun(it, reader)
    await client.reads("hello")
    client.takes.clear()
    reader.put([said(5, "never taken")])
    await client.ends()
    assert client.is_aborted
    assert it.ended(StreamEnd.TOO_SLOW) == 1


async def test_a_defect_gives_everything_back(it: Open, reader: FakeReader) -> None:
    client = await begun(it, reader)
    reader.put(RuntimeError("a defect"))
    with pytest.raises(RuntimeError):
        await client.ends()
    assert it.ended(StreamEnd.FAILED) == 1
    assert reader.has_ended and len(it.streams) == 0


async def test_who_asks_for_the_head_alone_has_no_stream(it: Open, reader: FakeReader) -> None:
    stream = it.stream(reader)
    await stream.begin()
    client = Client(stream, is_head=True)
    await client.ends()
    assert (client.status, client.told, client.is_complete) == (200, b"", True)
    assert reader.has_ended and len(it.streams) == 0


async def test_a_stream_that_can_not_begin_takes_no_place(it: Open, reader: FakeReader) -> None:
    reader.put(AWAY)
    with pytest.raises(StoreAway):
        await it.stream(reader).begin()
    assert reader.has_ended and len(it.streams) == 0


async def test_there_are_only_so_many(it: Open, reader: FakeReader) -> None:
    first, _ = it.stream(reader), it.stream(reader)
    with pytest.raises(TooManyStreams, match="per_token"):
        it.stream(reader)
    it.stream(reader, "other")
    with pytest.raises(TooManyStreams, match=r"api\.streams$"):
        it.stream(reader, "third")
    first.end(StreamEnd.CLIENT)
    first.close()
    first.close()
    it.stream(reader, "third")
    assert it.metrics.streams._value.get() == 3
