"""What a client reads that comes back is bounded in bytes, however much there is and however large."""

from contract.chat_stores import RedisNode, RedisStores
from contract.node import Guest
from tertulia.domain.events import Said
from tertulia.store.replaying import MOST_BYTES, MOST_ENTRIES

LONG = "x" * 4000


async def say(node: RedisNode, guest: Guest, entries: int, messages: int, text: str) -> None:
    for _ in range(entries):
        for _ in range(messages):
            guest.say(text)
        await node.store.settle()


def sizes(stores: RedisStores) -> dict[int, int]:
    """Return the bytes of each entry of the log, by its offset."""
    found: list[tuple[str, dict[str, str]]] = stores.server.control.xrange(stores.keys.log)  # type: ignore[assignment]
    return {int(name.partition("-")[0]): len(fields["e"]) for name, fields in found}


async def test_a_replay_of_the_largest_entries_is_no_larger_than_its_bound(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    start = node.follower.entries[-1].position
    await say(node, andy, 60, 60, LONG)
    taken = sizes(chat_stores)
    assert max(taken.values()) > 200_000, "entries should be as large as they can be"
    assert sum(taken.values()) > 10 * MOST_BYTES
    for _ in range(3):
        replay = await node.replay(start, node.follower.entries[-1].position)
        offsets = [it.position.offset for it in replay.entries]
        assert MOST_BYTES / 2 < sum(taken[it] for it in offsets) <= MOST_BYTES
        assert not replay.is_complete
        assert offsets == list(range(offsets[0], offsets[-1] + 1))
        assert offsets[-1] == node.follower.entries[-1].position.offset - 1, "the latest of it"


async def test_after_large_entries_small_ones_are_all_there(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    start = node.follower.entries[-1].position
    await say(node, andy, 10, 60, LONG)
    assert not (await node.replay(start, node.follower.entries[-1].position)).is_complete
    after = node.follower.entries[-1].position
    await say(node, andy, 200, 1, "small")
    replay = await node.replay(after, node.follower.entries[-1].position)
    assert replay.is_complete
    said = [it for entry in replay.entries for it in entry.events if isinstance(it, Said)]
    assert [it.text for it in said] == ["small"] * 199


async def test_a_replay_has_no_more_entries_than_its_bound(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    start = node.follower.entries[-1].position
    await say(node, andy, MOST_ENTRIES + 100, 1, "x")
    replay = await node.replay(start, node.follower.entries[-1].position)
    assert len(replay.entries) == MOST_ENTRIES
    assert not replay.is_complete
