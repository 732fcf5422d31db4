"""Finding the names of all chats in a Redis, or in all shards of a cluster."""

from contextlib import nullcontext, suppress

from tertulia.domain.rooms import MARK
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.cluster import shards
from tertulia.redis.errors import StoreAway
from tertulia.settings.redis_url import RedisKind
from tertulia.store.keys import Keys

_ANY_CHAT = Keys("main")
_STEP = 500


async def chats(access: Access, name: str, seconds: float) -> list[str]:
    """Return the names of all chats, in alphabetical order. ``name`` is the name of the connections.

    Without those on a shard that does not answer within so many seconds: the others are to be seen all the
    more. Raises StoreAway if nobody can tell which shards there are.
    """
    link = Client.to(access, _ANY_CHAT.meta, name, seconds).link
    try:
        first = await link.connect()
    finally:
        link.disconnect()
    servers = [first]
    if access.url.kind is RedisKind.CLUSTER:
        servers = [it[0] for *_, it in await shards(access, first, seconds)]
    found: set[str] = set()
    for server in dict.fromkeys(servers):
        with suppress(StoreAway) if len(servers) > 1 else nullcontext():
            async with access.visit(server, name, seconds) as redis:
                async for key in redis.scan_iter("{*}:meta", _STEP):
                    found.add(str(key)[1 : -len("}:meta")])
    return sorted(name for name in found if MARK not in name)  # else a further room of one
