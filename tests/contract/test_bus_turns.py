"""What comes over the bus together is told together."""

from contract.chat_stores import RedisStores
from contract.node import WITHIN
from harness.waiting import until
from tertulia.domain.events import Said, encode


async def test_entries_of_one_read_are_flushed_once(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    control, keys = chat_stores.server.control, chat_stores.keys
    epoch, offset = control.hget(keys.meta, "epoch"), control.hget(keys.meta, "offset")
    assert isinstance(epoch, str)
    assert isinstance(offset, str)
    node.follower.calls.clear()
    with control.pipeline(transaction=True) as together:
        for at in (1, 2, 3):
            event = encode(Said("andy", "other:1", str(at))).decode()
            head = f"1 r {epoch} {int(offset) + at} 1 other {at}"
            together.publish(keys.room, f"{head}\n{event}")
        together.execute()
    await until(lambda: len(node.follower.said) == 3, WITHIN, "three entries")
    calls = [it for it in node.follower.calls if not it.startswith("event")]
    first = calls.index("entry")
    assert calls[first : first + 4] == ["entry", "entry", "entry", "flush"]
    assert node.follower.said == ["1", "2", "3"]
