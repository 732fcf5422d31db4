"""What a node has of a Redis master for the further rooms of a chat that are there."""

import asyncio
from collections.abc import Callable

from tertulia.redis.link import Link, Subscriptions
from tertulia.redis.masters import Masters
from tertulia.redis.multiplexer import Multiplexer
from tertulia.settings.sections import ClusterSettings
from tertulia.store.room import FollowedRoom
from tertulia.store.room_bus import RoomBus
from tertulia.store.room_committer import RoomCommitter
from tertulia.telemetry.metrics import Metrics


class RoomShard:
    """A master: without a cluster the only one. Its connections are shared with the chats that are there."""

    def __init__(
        self,
        masters: Masters,
        redis: Multiplexer,
        settings: ClusterSettings,
        metrics: Metrics,
        late: Callable[[list[FollowedRoom]], object],
        behind: Callable[[list[FollowedRoom]], object],
        *,
        is_replicated: bool,
    ) -> None:
        """See ``RoomBus`` and ``RoomCommitter``."""
        self.masters = masters
        self.reads = Link(masters, "tertulia-reads", redis)
        self._commits = Link(masters, "tertulia-commit", redis)
        self._listening = Subscriptions(masters, "tertulia-bus", redis)
        self.bus = RoomBus(self._listening, settings, metrics, late, behind)
        self.committer = RoomCommitter(
            self._commits, settings, metrics, is_replicated=is_replicated
        )
        self._parts: list[asyncio.Task[None]] = []

    @property
    def links(self) -> tuple[Link, ...]:
        """All of its links."""
        return (self.reads, self._commits, self._listening)

    def start(self, failed: Callable[[BaseException], object]) -> None:
        """Follow and commit; ``failed`` is told why that ended."""

        def done(part: asyncio.Task[None]) -> None:
            if not part.cancelled() and (error := part.exception()) is not None:
                failed(error)

        self._parts = [
            asyncio.create_task(self.bus.run(), name="bus of rooms"),
            asyncio.create_task(self.committer.run(), name="committer of rooms"),
        ]
        for part in self._parts:
            part.add_done_callback(done)

    async def stop(self) -> None:
        """Follow and commit nothing more."""
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        self._parts = []

    def disconnect(self) -> None:
        """Let go of the connections."""
        for link in self.links:
            link.disconnect()
