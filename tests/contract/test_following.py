"""A room's log as listeners of the API follow it: exactly, whatever becomes of the bus and of Redis' data."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.in_rooms import enter, open_room
from contract.lossy_proxy import LossyProxy
from contract.node import WITHIN
from harness.waiting import until
from tertulia.chat.ports import Entry
from tertulia.domain.events import Said
from tertulia.domain.position import Position
from tertulia.operators.following import Feed, FeedReader, Following, Item, TooSlow
from tertulia.operators.log_reader import Gap
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link, Subscriptions
from tertulia.redis.multiplexer import Multiplexer
from tertulia.store.keys import Keys, LogKeys, RoomKeys

MOST_BYTES = 1 << 20


class Listening:
    """Somebody who takes what comes, at once."""

    def __init__(self, feed: Feed) -> None:
        self._reader = FeedReader(feed)
        self.begun = Position("", 0)
        self.items: list[Item] = []
        self._task: asyncio.Task[None] | None = None

    async def begin(self, after: Position | None = None) -> "Listening":
        self.begun = await self._reader.begin(after)
        self._task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        while True:
            try:
                items = await self._reader.items(MOST_BYTES)
            except StoreAway:
                await asyncio.sleep(0.02)
                continue
            self.items += items
            if not items:
                await self._reader.wake.wait()

    @property
    def said(self) -> list[str]:
        return said(self.items)

    @property
    def gaps(self) -> list[int | None]:
        return [it.entries for it in self.items if isinstance(it, Gap)]

    @property
    def last(self) -> Position:
        return self.items[-1].position

    async def reads(self, *texts: str) -> None:
        await until(lambda: self.said == list(texts), WITHIN, lambda: f"{texts}: {self.said}")

    async def end(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._reader.end()


def said(items: Sequence[Item]) -> list[str]:
    entries = [it for it in items if isinstance(it, Entry)]
    return [event.text for it in entries for event in it.events if isinstance(event, Said)]


class Process:
    """What an API has: feeds over a wire of its own."""

    def __init__(self, stores: RedisStores, wire: LossyProxy) -> None:
        self.wire = wire
        self._stores = stores
        self._multiplexer = Multiplexer(Access.to(wire.url), WITHIN)
        self._feeds: list[Feed] = []
        self._listening: list[Listening] = []

    def feed(self, room: str | None = None, most_bytes: int = MOST_BYTES) -> Feed:
        keys: LogKeys = Keys(self._stores.chat)
        if room is not None:
            keys = RoomKeys(self._stores.chat, room)
        masters = self._multiplexer.masters(keys.meta)
        reads = Client(Link(masters, "tertulia-reads", self._multiplexer))
        bus = Subscriptions(masters, "tertulia-bus", self._multiplexer)
        following = Following(keys, reads, bus, is_replicated=self._stores.is_replicated)
        feed = Feed(following, most_bytes, lambda _: None)
        self._feeds.append(feed)
        return feed

    async def listen(self, feed: Feed, after: Position | None = None) -> Listening:
        listening = await Listening(feed).begin(after)
        self._listening.append(listening)
        return listening

    async def close(self) -> None:
        for it in self._listening:
            await it.end()
        for feed in self._feeds:
            await feed.close()
        await self.wire.close()


@pytest.fixture
async def process(chat_stores: RedisStores) -> AsyncIterator[Process]:
    made = Process(chat_stores, await LossyProxy("127.0.0.1", chat_stores.server.port).start())
    yield made
    await made.close()


async def talking(node: RedisNode, *texts: str) -> None:
    (andy,) = await node.enter("andy")
    for text in texts:
        andy.say(text)
        await node.store.settle()


async def test_listeners_share_what_is_read(chat_stores: RedisStores, process: Process) -> None:
    node = await chat_stores.node("one")
    (andy,) = await node.enter("andy")
    andy.say("before")
    await node.store.settle()
    feed = process.feed()
    one = await process.listen(feed)
    andy.say("first")
    await one.reads("first")
    two = await process.listen(feed, one.begun)
    three = await process.listen(feed, Position(one.begun.epoch, 0))
    andy.say("second")
    for it, texts in ((one, ["first"]), (two, ["first"]), (three, ["before", "first"])):
        await it.reads(*texts, "second")
        assert it.gaps == []
        assert it.last == one.last
    assert process.wire.names.count("bus") == 1, process.wire.names


async def test_a_lost_bus_loses_nothing(chat_stores: RedisStores, process: Process) -> None:
    node = await chat_stores.node("one")
    (andy,) = await node.enter("andy")
    listening = await process.listen(process.feed())
    texts = [f"{number}" for number in range(60)]
    for number, text in enumerate(texts):
        andy.say(text)
        if number % 10 == 5:
            assert process.wire.cut("bus") or number > 5
        if number % 20 == 15:
            process.wire.cut("reads")
        await node.store.settle()
    await listening.reads(*texts)
    assert listening.gaps == []
    process.wire.cut_off()
    andy.say("unheard")
    await node.store.settle()
    process.wire.restore()
    await listening.reads(*texts, "unheard")
    assert listening.gaps == []


async def test_what_is_trimmed_is_told_as_a_gap(chat_stores: RedisStores, process: Process) -> None:
    node = await chat_stores.node("one")
    await talking(node, *"abcdef")
    position = node.follower.entries[-1].position
    first = position.offset - 2
    chat_stores.server.control.xtrim(chat_stores.keys.log, minid=f"{first}-0", approximate=False)
    listening = await process.listen(process.feed(), Position(position.epoch, 1))
    await listening.reads("d", "e", "f")
    assert listening.gaps == [first - 2]
    assert isinstance(listening.items[0], Gap)


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "back"])
async def test_an_epoch_that_ends_is_told(
    chat_stores: RedisStores, process: Process, is_live: bool
) -> None:
    node = await chat_stores.node("one")
    (andy,) = await node.enter("andy")
    andy.say("before")
    await node.store.settle()
    feed = process.feed()
    listening = await process.listen(feed, Position(node.follower.entries[-1].position.epoch, 0))
    await listening.reads("before")
    have = listening.last
    if not is_live:
        await listening.end()
    node.follower.trimmed = True
    chat_stores.server.control.delete(chat_stores.keys.meta, chat_stores.keys.log)
    andy.say("after")
    await node.store.settle()
    if not is_live:
        listening = await process.listen(process.feed(), have)
    await until(lambda: "after" in listening.said, WITHIN, lambda: f"{listening.items}")
    assert listening.gaps == [None]
    assert listening.said == ["before", "after"] if is_live else ["after"]
    assert listening.last.epoch != have.epoch


async def test_a_log_that_was_rewound_is_read_from_where_it_parts(
    chat_stores: RedisStores, process: Process
) -> None:
    """Redis comes back older, and somebody goes on writing in the same epoch."""
    control, keys = chat_stores.server.control, chat_stores.keys
    control.hset(keys.meta, mapping={"epoch": "e", "offset": 0, "base": 0})

    def write(offset: int, text: str) -> None:
        entry = {"p": f"17000000000000{offset:02}{len(text)}", "b": "n 1"}
        entry["e"] = f'{{"t":"said","n":"andy","s":"n:1","x":"{text}"}}'
        control.xadd(keys.log, entry, id=f"{offset}-0")  # type: ignore[arg-type]
        control.hset(keys.meta, "offset", offset)
        control.publish(keys.room, "1 r")

    feed = process.feed()
    listening = await process.listen(feed, Position("e", 0))
    await until(lambda: feed.number_behind(Position("e", 0)) is not None, WITHIN, "the feed")
    for offset, text in enumerate("abcdef", 1):
        write(offset, text)
    await listening.reads(*"abcdef")
    # In one step, as far as a reader can see.
    pipe = control.pipeline()
    kept = control.xrange(keys.log, "-", "4-0")
    pipe.delete(keys.log)
    for name, fields in kept:  # type: ignore[union-attr]
        pipe.xadd(keys.log, fields, id=name)  # type: ignore[arg-type]
    for offset in (5, 6, 7):
        event = f'{{"t":"said","n":"andy","s":"n:1","x":"new {offset}"}}'
        pipe.xadd(
            keys.log, {"p": f"180000000000000{offset}", "b": "n 2", "e": event}, id=f"{offset}-0"
        )
    pipe.hset(keys.meta, "offset", 7)
    pipe.publish(keys.room, "1 r")
    pipe.execute()
    await listening.reads(*"abcdef", "new 5", "new 6", "new 7")
    assert listening.gaps == [None]


async def test_a_reader_that_is_late_is_told_so(chat_stores: RedisStores, process: Process) -> None:
    node = await chat_stores.node("one")
    (andy,) = await node.enter("andy")
    feed = process.feed(most_bytes=5_000)
    quick = await process.listen(feed)
    slow = FeedReader(feed)
    await slow.begin(None)
    andy.say("a")
    await quick.reads("a")
    assert said(await slow.items(MOST_BYTES)) == ["a"]
    assert await slow.items(MOST_BYTES) == [], "from here on, it is told by the feed"
    texts = [f"{number} {'x' * 500}" for number in range(20)]
    for text in texts:
        andy.say(text)
        await node.store.settle()
    await quick.reads("a", *texts)
    with pytest.raises(TooSlow):
        await slow.items(MOST_BYTES)
    slow.end()


async def test_a_further_room_and_one_that_is_made_anew(
    chat_stores: RedisStores, process: Process
) -> None:
    node = await chat_stores.node("one")
    room = open_room(node, "ops")
    (andy,) = await enter(node, room, "andy")
    listening = await process.listen(process.feed("ops"))
    andy.say("hello")
    await listening.reads("hello")
    assert listening.gaps == []
    andy.leave()


async def test_what_replicas_do_not_have_is_not_told(
    chat_stores: RedisStores, process: Process
) -> None:
    control, keys = chat_stores.server.control, chat_stores.keys
    chat_stores.is_replicated = True
    meta = {"epoch": "e", "offset": 2, "base": 0, "shown": 1}
    control.hset(keys.meta, mapping=meta)  # type: ignore[arg-type]
    for offset in (1, 2):
        event = f'{{"t":"said","n":"andy","s":"n:1","x":"{offset}"}}'
        control.xadd(keys.log, {"p": "1700000000000000", "b": "n 1", "e": event}, id=f"{offset}-0")
    feed = process.feed()
    listening = await process.listen(feed, Position("e", 0))
    await listening.reads("1")
    now = await process.listen(feed)
    assert now.begun.offset == 1
    control.hset(keys.meta, "shown", 2)
    control.publish(keys.room, "1 r e 2 1700000000000000 n 1\n")
    await listening.reads("1", "2")
    await now.reads("2")
    # Who is master now had the entry, and not yet that it was shown.
    control.hset(keys.meta, "shown", 1)
    late = await process.listen(feed, Position("e", 2))
    event = '{"t":"said","n":"andy","s":"n:1","x":"3"}'
    control.xadd(keys.log, {"p": "1700000000000001", "b": "n 2", "e": event}, id="3-0")
    control.hset(keys.meta, "offset", 3)
    reader = feed.following.reader()
    reader.resume(Position("e", 2))
    assert await reader.read_on() == [], "it looked, and nothing more is shown"
    control.hset(keys.meta, "shown", 3)
    control.publish(keys.room, "1 r e 3 1700000000000001 n 2\n")
    await listening.reads("1", "2", "3")
    await late.reads("3")
    assert [*listening.gaps, *late.gaps, *now.gaps] == []
