"""Reading a room's log for people: the last of it, and what is added from then on."""

from collections.abc import Sequence
from typing import Any

from tertulia.chat.ports import Entry
from tertulia.redis.link import Link
from tertulia.store.keys import Keys
from tertulia.store.wire import parse_logged

_PAGE_ENTRIES = 100


class LogReader:
    """The log of one chat. Raises StoreAway where Redis does not answer."""

    def __init__(self, chat: str, link: Link) -> None:
        self._keys = Keys(chat)
        self._link = link
        self._epoch = ""
        self._offset = 0

    async def begin(self) -> None:
        """Note where the log ends now: ``back`` reads from there, ``further`` from there on."""
        epoch, offset = await self._link.call("HMGET", self._keys.meta, "epoch", "offset")
        self._epoch, self._offset = (epoch or b"").decode(), int(offset or 0)

    async def back(self, before: int | None) -> list[Entry]:
        """Return a page of entries, newest first; ``before``: the offset where the last page ended."""
        last = self._offset if before is None else before - 1
        page = await self._link.call(
            "XREVRANGE", self._keys.log, f"{last}-0", "-", "COUNT", _PAGE_ENTRIES
        )
        return self._entries(page)

    async def further(self) -> list[Entry]:
        """Return what was added since the last call, oldest first; a bounded page of it."""
        epoch, base, offset = await self._link.call(
            "HMGET", self._keys.meta, "epoch", "base", "offset"
        )
        told = (epoch or b"").decode()
        if told != self._epoch or int(offset or 0) < self._offset:
            # Redis lost its data, and the log goes on from an earlier place.
            self._epoch, self._offset = told, min(self._offset, int(base or 0))
        page = await self._link.call(
            "XRANGE", self._keys.log, f"{self._offset + 1}-0", "+", "COUNT", _PAGE_ENTRIES
        )
        entries = self._entries(page)
        if entries:
            self._offset = entries[-1].position.offset
        return entries

    def _entries(self, page: Sequence[Any]) -> list[Entry]:
        return [parse_logged(self._epoch, name, fields).entry for name, fields in page]
