"""Where the master of a chat is, and that all of a chat's connections are to the same one.

A master that comes back after a failover still says that it is one, and takes what is published. So its
role is not enough: when one connection is led to another server, all others of the chat are dropped, and
find their way anew.
"""

from abc import ABC, abstractmethod
from typing import Protocol
from weakref import WeakSet

import structlog

from tertulia.redis.access import Access, Server
from tertulia.redis.errors import StoreAway
from tertulia.telemetry.metrics import RetryCause

log = structlog.get_logger(__name__)


class Connected(Protocol):
    """A connection, as far as it can be dropped."""

    def disconnect(self) -> None:
        """Drop it; whoever waits for something on it learns that it is lost."""
        ...


def replaced(server: Server) -> StoreAway:
    """Say that a server may believe to be the master, and is not."""
    return StoreAway(RetryCause.READ_ONLY, f"{server} is not the master any more")


class Servers(ABC):
    """Finds the server to connect to, each time anew."""

    is_cluster = False
    asked_at_once = 0
    """How many are asked where the master is, each on a connection of its own."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.now: Server | None = None
        """The master that was connected to last."""
        self._identity: tuple[Server, bytes] | None = None
        self._links: WeakSet[Connected] = WeakSet()

    def add(self, link: Connected) -> None:
        """Drop ``link`` as well, when another one is led elsewhere."""
        self._links.add(link)

    def met(self, link: Connected, server: Server, run_id: bytes) -> None:
        """Take note that a link found a master; drop those that are not connected to the same one.

        ``run_id`` is another one for each start of a server: behind one address there may be several.
        """
        before, self._identity, self.now = self._identity, (server, run_id), server
        if before in (None, self._identity):
            return
        log.warning("redis is another server", server=str(server), before=str(before and before[0]))
        for other in list(self._links):
            if other is not link:
                other.disconnect()

    def sent_to(self, server: Server) -> None:  # noqa: B027 (only who finds by shards has a use for it)
        """Take note that a server said who has what it was asked for."""

    @abstractmethod
    async def find(self, seconds: float) -> Server:
        """Return where the master is, within so many seconds. Raises StoreAway."""

    async def successor(self, server: Server, seconds: float) -> Server | None:
        """Return who has replaced a server; None where nobody did, or nobody told within so many seconds.

        Where nothing else knows of masters, what a server says of itself is all there is.
        """
        return None

    async def confirm(self, seconds: float) -> None:
        """Make sure, within so many seconds, that what is connected is still the master.

        Where it is another one by now, all links are dropped. Raises StoreAway then.
        """
        now = self.now
        if now is None:
            return
        successor = await self.successor(now, seconds)
        if successor is not None and now == self.now:
            log.warning("the master is another one", named=str(successor), left=str(now))
            self.drop_links()
            raise replaced(now)

    def drop_links(self) -> None:
        """Drop all links: each finds its way anew."""
        for link in list(self._links):
            link.disconnect()


class OneServer(Servers):
    """It is where the URL says."""

    async def find(self, seconds: float) -> Server:
        url = self.access.url
        return Server(url.socket) if url.socket else Server(*url.hosts[0])
