"""What a server says of its cluster."""

from typing import Any, cast

from tertulia.redis.access import Server
from tertulia.redis.cluster import shards_of
from tertulia.redis.commands import Commands


class Telling:
    """A server that says which shards there are."""

    def __init__(self, *shards: list[Any]) -> None:
        self.shards = list(shards)

    async def execute_command(self, *_: str) -> list[Any]:
        return self.shards


async def test_slots_that_no_server_has_are_no_shard() -> None:
    telling = Telling([0, 8191], [8192, 16383, ["", 7000, "id"], ["b", 7001, "id"]])
    found = await shards_of(cast(Commands, telling), Server("a", 6379))
    assert found == [(8192, 16383, [Server("a", 7000), Server("b", 7001)])]
