"""Reading a room's log for people: its last entries, and those that are added from then on."""

from collections.abc import Sequence
from typing import Any

from tertulia.chat.ports import Entry
from tertulia.redis.client import Client, flat
from tertulia.store.keys import Keys
from tertulia.store.wire import parse_logged

_PAGE_ENTRIES = 100


class LogReader:
    """The log of one chat. Raises StoreAway if Redis does not answer."""

    def __init__(self, chat: str, redis: Client) -> None:
        self._keys = Keys(chat)
        self._redis: Any = redis  # the types of redis-py don't say that replies are text
        self._epoch = ""
        self._offset = 0

    async def begin(self) -> None:
        """Note where the log ends now: ``back`` reads backwards from there, ``further`` forwards."""
        epoch, offset = await self._redis.hmget(self._keys.meta, ["epoch", "offset"])
        self._epoch, self._offset = epoch or "", int(offset or 0)

    async def back(self, before: int | None) -> list[Entry]:
        """Return a page of entries, newest first; ``before``: the offset where the last page ended."""
        last = self._offset if before is None else before - 1
        page = await self._redis.xrevrange(self._keys.log, f"{last}-0", count=_PAGE_ENTRIES)
        return self._entries(page)

    async def further(self) -> list[Entry]:
        """Return the entries that were added since the last call, oldest first: at most a page of them."""
        epoch, base, offset = await self._redis.hmget(self._keys.meta, ["epoch", "base", "offset"])
        if (epoch or "") != self._epoch or int(offset or 0) < self._offset:
            # Redis lost its data, and the log goes on from an earlier place.
            self._epoch, self._offset = epoch or "", min(self._offset, int(base or 0))
        page = await self._redis.xrange(
            self._keys.log, f"{self._offset + 1}-0", count=_PAGE_ENTRIES
        )
        entries = self._entries(page)
        if entries:
            self._offset = entries[-1].position.offset
        return entries

    def _entries(self, page: Sequence[tuple[str, dict[str, str]]]) -> list[Entry]:
        return [
            parse_logged(self._epoch, name.encode(), flat(fields)).entry for name, fields in page
        ]
