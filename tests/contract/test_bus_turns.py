"""What comes over the bus together is told together, and what others say gathers for a moment."""

import asyncio

import pytest

from contract.chat_stores import PATIENT, RedisNode, RedisStores
from contract.node import WITHIN
from harness.waiting import until
from tertulia.domain.events import Joined, PublicEvent, Said, encode
from tertulia.store import coalescing
from tertulia.store.chat_store import ChatStore

WHILE = 5.0
"""Seconds that are enough for what a test does meanwhile, and to wait for."""
AGES = 3600.0


@pytest.fixture(autouse=True)
def _no_bus_is_lost(chat_stores: RedisStores) -> None:
    """Which would have written what gathered."""
    chat_stores.settings = PATIENT


@pytest.fixture
def for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what others say gather for longer than it does in production."""
    monkeypatch.setattr(coalescing, "PATIENCE", 1e12)
    monkeypatch.setattr(coalescing, "MOST", WHILE)


@pytest.fixture
def for_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what others say gather until something else has it written."""
    monkeypatch.setattr(coalescing, "PATIENCE", 1e12)
    monkeypatch.setattr(coalescing, "MOST", AGES)


def publish(chat_stores: RedisStores, *events: PublicEvent) -> None:
    """Have another node, which is none, commit an entry for each event, in one go."""
    control, keys = chat_stores.server.control, chat_stores.keys
    epoch, offset = control.hmget(keys.meta, "epoch", "offset")
    assert isinstance(epoch, str)
    assert isinstance(offset, str)
    with control.pipeline(transaction=True) as together:
        for at, event in enumerate(events, int(offset) + 1):
            written = encode(event).decode()
            together.xadd(keys.log, {"p": "1", "b": f"other {at}", "e": written}, f"{at}-0")
            together.publish(keys.room, f"1 r {epoch} {at} 1 other {at}\n{written}")
        together.hset(keys.meta, "offset", int(offset) + len(events))
        together.execute()


def said(*texts: str) -> list[Said]:
    return [Said("andy", "other:1", text) for text in texts]


def calls(node: RedisNode) -> list[str]:
    """Return what the follower was told, without what it was about."""
    return [it for it in node.follower.calls if " " not in it]


async def written(node: RedisNode) -> list[str]:
    """Wait until the node has written to its clients, and return what the follower was told."""
    await until(lambda: "flush" in node.follower.calls, WITHIN, "the write")
    return calls(node)


async def gathering(chat_stores: RedisStores, node: RedisNode) -> None:
    """Have the node written to its clients just now, and keep what another said after that."""
    await node.enter_one("betty")  # which is written at once, and begins the time
    node.follower.calls.clear()
    publish(chat_stores, *said("one"))
    await until(lambda: node.follower.said == ["one"], WITHIN, "the first")
    publish(chat_stores, *said("two"))
    await until(lambda: node.follower.said == ["one", "two"], WITHIN, "the second")
    assert "flush" not in node.follower.calls


async def test_entries_of_one_read_are_flushed_once(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    node.follower.calls.clear()
    publish(chat_stores, *said("1", "2", "3"))
    await until(lambda: len(node.follower.said) == 3, WITHIN, "three entries")
    told = await written(node)
    first = told.index("entry")
    assert told[first : first + 4] == ["entry", "entry", "entry", "flush"]
    assert node.follower.said == ["1", "2", "3"]


@pytest.mark.usefixtures("for_a_while")
async def test_what_others_say_gathers_and_is_written_in_time(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    await gathering(chat_stores, node)
    assert await written(node) == ["entry", "entry", "flush"]


class Noting:
    """A tracer that notes deliveries among what the follower was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def committed(self, *_: object, **__: object) -> None:
        """Learn nothing of commits."""

    def delivered(self, *_: object) -> None:
        """Note it."""
        self.calls.append("traced")

    async def stop(self) -> None:
        """There is nothing to export."""


@pytest.mark.usefixtures("for_a_while")
async def test_what_gathers_is_traced_when_it_is_written(chat_stores: RedisStores) -> None:
    chat_stores.tracer = tracer = Noting()
    node = await chat_stores.node()
    tracer.calls = node.follower.calls
    await gathering(chat_stores, node)
    await until(lambda: node.follower.calls.count("traced") == 2, WITHIN, "the spans")
    assert calls(node) == ["entry", "entry", "flush", "traced", "traced"]


@pytest.mark.usefixtures("for_a_while")
async def test_a_defect_in_a_late_write_ends_the_store(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that goes on would have lost for its clients what it could not write."""
    node = await chat_stores.node()
    await gathering(chat_stores, node)

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(node.follower, "flush", broken)
    assert isinstance(node.store, ChatStore)
    await asyncio.wait_for(node.store.failed(), WITHIN)
    chat_stores.leave_to_end(node)
    await node.store.stop()
    await node.wire.close()


@pytest.mark.usefixtures("for_ages")
async def test_what_is_said_here_is_written_at_once_and_takes_along_what_gathered(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node()
    await gathering(chat_stores, node)
    betty = node.guest("betty")
    betty.session = node.follower.joins()[-1]
    betty.say("three")
    await node.store.settle()
    assert node.follower.said == ["one", "two", "three"]
    assert calls(node)[:5] == ["entry", "entry", "entry", "settled", "flush"]


@pytest.mark.usefixtures("for_ages")
async def test_a_private_message_is_written_at_once(chat_stores: RedisStores) -> None:
    node, other = await chat_stores.node("node"), await chat_stores.node("other")
    carol = await other.enter_one("carol")
    await gathering(chat_stores, node)
    carol.whisper("betty", "psst")
    assert await written(node) == ["entry", "entry", "deliveries", "flush"]


@pytest.mark.usefixtures("for_ages")
async def test_who_comes_is_told_at_once(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    await gathering(chat_stores, node)
    publish(chat_stores, Joined("carol", "other:2", "chatte"))
    assert await written(node) == ["entry", "entry", "entry", "flush"]


@pytest.mark.usefixtures("for_ages")
async def test_what_gathered_is_written_when_the_bus_is_lost(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    await gathering(chat_stores, node)
    node.wire.cut("bus")
    assert (await written(node))[:3] == ["entry", "entry", "flush"]


@pytest.mark.usefixtures("for_ages")
async def test_what_gathered_is_written_when_the_node_is_fenced(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    await gathering(chat_stores, node)
    chat_stores.condemn(node.store.node)
    await until(lambda: node.follower.fencings, WITHIN, "the fencing")
    assert calls(node)[:4] == ["entry", "entry", "flush", "fenced"]


@pytest.mark.usefixtures("for_ages")
async def test_what_gathered_is_written_when_the_node_stops(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    await gathering(chat_stores, node)
    chat_stores.leave_to_end(node)
    await node.store.stop()
    await node.wire.close()
    assert calls(node)[:3] == ["entry", "entry", "flush"]
