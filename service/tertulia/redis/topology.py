"""Which way of finding the master a URL asks for."""

from tertulia.redis.access import Access
from tertulia.redis.cluster import Cluster
from tertulia.redis.masters import Masters, OneServer
from tertulia.redis.sentinel import Sentinels
from tertulia.settings.redis_url import RedisKind


def servers_of(access: Access, key: str) -> Masters:
    """Return what finds the master that has a key, and with it all of its chat's."""
    match access.url.kind:
        case RedisKind.SENTINEL:
            return Sentinels(access)
        case RedisKind.CLUSTER:
            return Cluster(access, key)
        case RedisKind.SINGLE:
            return OneServer(access)
