"""Choosing, by the URL, how to find the master."""

from tertulia.redis.access import Access
from tertulia.redis.cluster import Cluster
from tertulia.redis.masters import Masters, OneServer
from tertulia.redis.sentinel import Sentinels
from tertulia.settings.redis_url import RedisKind


def servers_of(access: Access, key: str) -> Masters:
    """Return the Masters that finds the master with a key, and so with all keys of its chat."""
    match access.url.kind:
        case RedisKind.SENTINEL:
            return Sentinels(access)
        case RedisKind.CLUSTER:
            return Cluster(access, key)
        case RedisKind.SINGLE:
            return OneServer(access)
