"""Finding out which chats there are in a Redis, or in all shards of a cluster."""

from tertulia.redis.access import Access, Server
from tertulia.redis.cluster import named
from tertulia.redis.link import Link
from tertulia.redis.masters import Servers
from tertulia.redis.topology import servers_of
from tertulia.store.keys import Keys

_ANY_CHAT = Keys("main")
_STEP = 500


class _Shard(Servers):
    """One master of a cluster."""

    is_cluster = True

    def __init__(self, access: Access, server: Server) -> None:
        super().__init__(access)
        self._server = server

    async def find(self, seconds: float) -> Server:
        return self._server


async def chats(access: Access, name: str, seconds: float) -> list[str]:
    """Return the names of all chats, in alphabetical order; ``name`` is the connections'.

    Raises StoreAway where a server does not answer within so many seconds.
    """
    servers = servers_of(access, _ANY_CHAT.meta)
    first = Link(servers, name, seconds)
    links = [first]
    found: set[str] = set()
    try:
        await first.connect()
        if servers.is_cluster:
            assert servers.now is not None
            slots = await first.call("CLUSTER", "SLOTS")
            masters = {named(shard[2], servers.now.host) for shard in slots} - {servers.now}
            links += [Link(_Shard(access, master), name, seconds) for master in masters]
        for link in links:
            found |= await _scan(link)
    finally:
        for link in links:
            link.disconnect()
    return sorted(found)


async def _scan(link: Link) -> set[str]:
    found: set[str] = set()
    cursor = b"0"
    while True:
        cursor, names = await link.call("SCAN", cursor, "MATCH", "{*}:meta", "COUNT", _STEP)
        found.update(name.decode()[1 : -len("}:meta")] for name in names)
        if cursor == b"0":
            return found
