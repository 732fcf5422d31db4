"""Which way of finding the master a URL asks for."""

from tertulia.redis.access import Access
from tertulia.redis.cluster import Cluster
from tertulia.redis.masters import OneServer, Servers
from tertulia.redis.sentinel import Sentinels
from tertulia.settings.redis_url import Kind
from tertulia.store.keys import Keys


def servers_of(access: Access, keys: Keys) -> Servers:
    """Return what finds the master that has a chat's keys."""
    match access.url.kind:
        case Kind.SENTINEL:
            return Sentinels(access)
        case Kind.CLUSTER:
            return Cluster(access, keys.meta)
        case Kind.SINGLE:
            return OneServer(access)
