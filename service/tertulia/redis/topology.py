"""Which way of finding the master a URL asks for."""

from tertulia.redis.access import Access
from tertulia.redis.cluster import Cluster
from tertulia.redis.masters import OneServer, Servers
from tertulia.redis.sentinel import Sentinels
from tertulia.settings.redis_url import Kind


def servers_of(access: Access, key: str) -> Servers:
    """Return what finds the master that has a key, and with it all of its chat's."""
    match access.url.kind:
        case Kind.SENTINEL:
            return Sentinels(access)
        case Kind.CLUSTER:
            return Cluster(access, key)
        case Kind.SINGLE:
            return OneServer(access)
