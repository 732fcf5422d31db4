"""Which way of finding the master a URL asks for."""

from tertulia.redis_url import Kind
from tertulia.store.access import Access
from tertulia.store.cluster import Cluster
from tertulia.store.keys import Keys
from tertulia.store.sentinels import Sentinels
from tertulia.store.servers import OneServer, Servers


def servers_of(access: Access, keys: Keys) -> Servers:
    """Return what finds the master that has a chat's keys."""
    match access.url.kind:
        case Kind.SENTINEL:
            return Sentinels(access)
        case Kind.CLUSTER:
            return Cluster(access, keys.meta)
        case Kind.SINGLE:
            return OneServer(access)
