"""Which link leads to a log: the chat's own, or that of a further room's shard."""

from collections.abc import Sequence
from typing import Any, Final

from tertulia.redis.errors import StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.store.keys import LogKeys, RoomKeys
from tertulia.store.room_shards import RoomShards
from tertulia.telemetry.metrics import RetryCause


class Ways:
    """Reads what keys of a chat and of its further rooms hold, each where it is.

    Asked on another shard's link, a key would be refused, and that link led to the key's shard.
    """

    def __init__(self, link: Link, shards: RoomShards | None = None) -> None:
        """``link`` leads to the chat; without ``shards`` only the chat is asked for."""
        self._link: Final = link
        self._shards = shards

    async def ask(self, keys: LogKeys | None, *commands: Sequence[Argument]) -> list[Any]:
        """Ask for what keys hold: those of a further room, or the chat's. Raises StoreAway."""
        if not isinstance(keys, RoomKeys) or self._shards is None:
            return await self._link.ask(*commands)
        try:
            return await (await self._shards.of(keys)).reads.ask(*commands)
        except StoreAway as away:
            if away.cause is RetryCause.CLUSTER:
                await self._shards.moved()
            raise
