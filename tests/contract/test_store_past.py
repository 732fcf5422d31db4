"""The contract of the store for who wants to know what was said: every implementation, the same tests."""

import asyncio

import pytest

from contract.chat_stores import RedisStores
from contract.follower import RecordingFollower
from contract.node import Guest, Node, StoreFactory
from contract.test_chat_store_epochs import epoch_changed
from tertulia.chat.ports import Entry
from tertulia.domain.events import Closed, Said
from tertulia.domain.position import Position
from tertulia.store import reading_back


@pytest.fixture
def wants_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecordingFollower, "history", 10)


def said(entries: list[Entry]) -> list[str]:
    return [it.text for entry in entries for it in entry.events if isinstance(it, Said)]


async def say(guest: Guest, *texts: str) -> None:
    for text in texts:
        guest.say(text)
        await guest.node.store.settle()


def after(node: Node) -> Position:
    last = node.follower.entries[-1].position
    return Position(last.epoch, last.offset + 1)


# Looking back


async def test_the_log_is_read_backwards_until_it_is_enough(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    await say(andy, "one", "two", "three")
    entries, is_all = await node.look_back(after(node), 2)
    assert (said(entries), is_all) == (["three", "two"], False)
    assert entries == node.follower.entries[:1:-1]
    entries, is_all = await node.look_back(entries[-1].position)
    assert (said(entries), is_all) == (["one"], True)
    assert [entry.position.offset for entry in entries] == [2, 1]


async def test_before_the_first_entry_there_is_nothing(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    await say(andy, "one")
    for place in (node.follower.entries[0].position, Position("another", 9)):
        assert await node.look_back(place) == ([], True)


async def test_many_may_look_back_at_once(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    await say(andy, *"abcdefghij")
    read = await asyncio.gather(*(node.look_back(after(node)) for _ in range(5)))
    assert [said(entries) for entries, _ in read] == [[*"jihgfedcba"]] * 5


# Reading on


async def test_the_log_is_read_on_until_it_is_enough(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    await say(andy, "one", "two", "three")
    entries, is_all = await node.look_on(node.follower.entries[0].position, 2)
    assert (said(entries), is_all) == (["one", "two"], False)
    assert entries == node.follower.entries[1:3]
    entries, is_all = await node.look_on(entries[-1].position)
    assert (said(entries), is_all) == (["three"], True)
    for place in (entries[-1].position, after(node), Position("another", 1)):
        assert await node.look_on(place) == ([], True)


async def test_it_is_read_back_and_on_from_a_moment(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    texts = [*"abcdefghi"]
    await say(andy, *texts)
    epoch = node.follower.entries[0].position.epoch
    for index, entry in enumerate(node.follower.entries[1:]):
        at = entry.position.at
        back, _ = await node.look_back(Position(epoch, 0, at))
        assert said(back) == texts[:index][::-1]
        on, _ = await node.look_on(Position(epoch, 0, at))
        assert said(on) == texts[index:]
        assert (
            said((await node.look_on(Position(epoch, 0, at + 1e-6), 1))[0])
            == (texts[index + 1 : index + 2])
        )
    for at, count in ((0.0, 0), (9e9, len(texts))):
        assert len(said((await node.look_back(Position(epoch, 0, at)))[0])) == count
        assert len(said((await node.look_on(Position(epoch, 0, at)))[0])) == len(texts) - count


async def test_nothing_is_read_on_from_before_the_closing(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    await say(andy, "before")
    andy.close_chat()
    await node.store.settle()
    betty = await node.enter_one("betty")
    await say(betty, "after")
    first = node.follower.entries[0].position
    for place in (first, Position(first.epoch, 0, first.at)):
        entries, is_all = await node.look_on(place)
        assert (said(entries), is_all) == (["after"], True)
        assert isinstance(entries[0].events[-1], Closed)


async def test_nor_where_an_operator_closed_it(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    await say(andy, "before")
    await chat_stores.close()
    await node.sees(lambda it: any(isinstance(e, Closed) for e in it.events), "the closing")
    betty = await node.enter_one("betty")
    await say(betty, "after")
    entries, _ = await node.look_on(node.follower.entries[0].position)
    assert said(entries) == ["after"]
    assert isinstance(entries[0].events[-1], Closed)


async def test_of_an_epoch_no_more_is_read_on_than_looking_back(chat_stores: RedisStores) -> None:
    """A key is lost, and the log is still there."""
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    await say(andy, "before")
    chat_stores.server.control.delete(chat_stores.keys.meta)
    await epoch_changed(node)
    await say(andy, "after")
    epoch = after(node).epoch
    for place in (Position(epoch, 1), Position(epoch, 0)):
        entries, is_all = await node.look_on(place)
        assert (said(entries), is_all) == (["after"], True)


async def test_a_moment_is_found_in_a_log_that_was_cut(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    await say(andy, *"abcd")
    places = [entry.position for entry in node.follower.entries]
    oldest = f"{places[3].offset}-0"
    chat_stores.server.control.xtrim(chat_stores.keys.log, minid=oldest, approximate=False)
    for at in (0.0, places[1].at, places[3].at):
        entries, is_all = await node.look_on(Position(places[0].epoch, 0, at))
        assert (said(entries), is_all) == (["c", "d"], True)
        assert await node.look_back(Position(places[0].epoch, 0, at)) == ([], True)
    assert said((await node.look_back(Position(places[0].epoch, 0, places[4].at)))[0]) == ["c"]


# Which log it is


async def test_another_epoch_s_log_is_not_read(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    await say(andy, "before")
    past = after(node)
    chat_stores.server.control.flushall()
    await epoch_changed(node)
    await say(andy, "after")
    entries, is_all = await node.look_back(after(node))
    assert (said(entries), is_all) == (["after"], True)
    assert await node.look_back(past) == ([], True)


async def test_of_an_epoch_that_goes_on_in_the_same_log_nothing_earlier_is_read(
    chat_stores: RedisStores,
) -> None:
    """A key is lost, and the log is still there."""
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    await say(andy, "before")
    chat_stores.server.control.delete(chat_stores.keys.meta)
    await epoch_changed(node)
    await say(andy, "after")
    entries, is_all = await node.look_back(after(node))
    assert (said(entries), is_all) == (["after"], True)
    assert chat_stores.server.control.xlen(chat_stores.keys.log) > len(entries)


async def test_the_loop_is_never_held_up(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the largest entries, with a look at each that takes its time, none but one is in one step."""
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    for _ in range(30):
        for _ in range(60):
            andy.say("x" * 4000)
        await node.store.settle()
    steps: list[int] = []
    looked = 0

    async def sleep(_: float) -> None:
        nonlocal looked
        steps.append(looked)
        looked = 0

    monkeypatch.setattr(reading_back, "_SLICE_SECONDS", 0.0)
    monkeypatch.setattr("tertulia.store.reading_back.asyncio.sleep", sleep)
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def take(entry: Entry) -> bool:
        nonlocal looked
        looked += 1
        return True

    node.store.look_back(after(node), take, done.set_result)
    assert await done
    assert len(steps) >= 30
    assert max(steps) == 1


# A node's start


@pytest.mark.usefixtures("wants_history")
async def test_a_node_that_starts_is_told_the_last_messages(store_factory: StoreFactory) -> None:
    one = await store_factory.node("one")
    assert one.follower.calls == ["seated", "past"]
    assert (one.follower.before, one.follower.is_whole) == ([], True)
    andy = await one.enter_one("andy")
    await say(andy, "one", "two")
    two = await store_factory.node("two")
    assert (said(two.follower.before), two.follower.is_whole) == (["one", "two"], True)
    await say(andy, "three")
    await two.sees(lambda it: it.said == ["three"], "what is said from now on")


@pytest.mark.usefixtures("wants_history")
async def test_it_is_told_no_more_than_it_wants(chat_stores: RedisStores) -> None:
    one = await chat_stores.node("one")
    andy = await one.enter_one("andy")
    await say(andy, *map(str, range(30)))
    two = await chat_stores.node("two")
    assert said(two.follower.before) == [str(i) for i in range(20, 30)]
    assert not two.follower.is_whole
    assert "past" not in (await chat_stores.node("three")).follower.calls[2:]


@pytest.mark.usefixtures("wants_history")
async def test_people_who_come_and_go_do_not_make_a_start_slow(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_back, "MOST_ENTRIES", 20)
    one = await chat_stores.node("one")
    andy = await one.enter_one("andy")
    await say(andy, "long ago")
    for i in range(30):
        await one.enter_one(f"a{i}")
    two = await chat_stores.node("two")
    assert len(two.follower.before) == 20
    assert not two.follower.is_whole
