"""Finding the names of all chats in a Redis, or in all shards of a cluster."""

from tertulia.redis.access import Access, Server
from tertulia.redis.client import Client
from tertulia.redis.cluster import masters
from tertulia.redis.masters import Masters
from tertulia.redis.topology import servers_of
from tertulia.store.keys import Keys

_ANY_CHAT = Keys("main")
_STEP = 500


class _Shard(Masters):
    """One master of a cluster."""

    is_cluster = True

    def __init__(self, access: Access, server: Server) -> None:
        super().__init__(access)
        self._server = server

    async def find(self, seconds: float) -> Server:
        return self._server


async def chats(access: Access, name: str, seconds: float) -> list[str]:
    """Return the names of all chats, in alphabetical order. ``name`` is the name of the connections.

    Raises StoreAway if a server does not answer within so many seconds.
    """
    servers = servers_of(access, _ANY_CHAT.meta)
    first = Client(servers, name, seconds)
    clients = [first]
    found: set[str] = set()
    try:
        await first.connect()
        if servers.is_cluster:
            assert servers.now is not None
            others = await masters(first, servers.now) - {servers.now}
            clients += [Client(_Shard(access, it), name, seconds) for it in others]
        for client in clients:
            async for key in client.scan_iter("{*}:meta", _STEP):
                found.add(str(key)[1 : -len("}:meta")])
    finally:
        for client in clients:
            client.disconnect()
    return sorted(found)
