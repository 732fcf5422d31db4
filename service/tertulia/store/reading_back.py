"""Reading a room's log back and on, for those who want to know what was said: a little at a time."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from msgspec import structs

from tertulia.chat.ports import Entry
from tertulia.chat.tasks import Tasks
from tertulia.domain.events import Said
from tertulia.domain.position import Position
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import StoreAway
from tertulia.store.keys import Keys, LogKeys
from tertulia.store.ways import Ways
from tertulia.store.wire import parse_logged

PAGE_ENTRIES: Final = 16
"""Entries in one answer of Redis, at most: the largest ones take it 3 ms."""
_PAGE_BYTES: Final = 131_072
_SLICE_SECONDS: Final = 0.004
"""For how long entries are looked at before others have their turn; the largest one takes as long again."""
_PAUSE: Final = 4.0
"""How much of the time is left to others: so many times what was taken."""
MOST_ENTRIES: Final = 2_000
"""Entries that are read at a node's start."""
MOST_SIZE: Final = 1_048_576
"""Characters of messages that are read then."""


_Entries = AsyncGenerator[Entry, None]


class BackwardReader:
    """Reads one room's log. Nobody waits for it: all who read share a fifth of the loop's time."""

    def __init__(self, keys: Keys, ways: Ways) -> None:
        self._keys = keys
        self._ways = ways
        self._turn = asyncio.Lock()
        self._page_entries = 1
        self._tasks = Tasks()

    def look_back(
        self,
        before: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
        keys: LogKeys | None = None,
    ) -> None:
        """Give an entry at a time to ``take``, until it returns False; then call ``done``."""
        self._tasks.start(self._look(before, take, done, keys or self._keys, self._entries))

    def look_on(
        self,
        after: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
        keys: LogKeys | None = None,
    ) -> None:
        """Do the same with later entries."""
        self._tasks.start(self._look(after, take, done, keys or self._keys, self._later))

    def stop(self) -> None:
        """Read nothing more."""
        self._tasks.stop()

    async def last(
        self, end: Position, messages: int, keys: LogKeys | None = None
    ) -> tuple[list[Entry], bool]:
        """Return the last entries up to a place, the oldest first, that have so many messages, if there are.

        ``keys`` are a further room's; else it is the chat's log. Also returned: whether the epoch's log has
        none before them. Raises StoreAway.
        """
        entries: list[Entry] = []
        count = size = 0
        before = structs.replace(end, offset=end.offset + 1)
        async for entry in self._entries(before, keys or self._keys):
            entries.append(entry)
            said = [len(event.text) for event in entry.events if isinstance(event, Said)]
            count, size = count + len(said), size + sum(said)
            if count >= messages or size >= MOST_SIZE or len(entries) >= MOST_ENTRIES:
                return entries[::-1], False
        return entries[::-1], True

    async def _look(
        self,
        place: Position,
        take: Callable[[Entry], bool],
        done: Callable[[bool], None],
        keys: LogKeys,
        entries: Callable[[Position, LogKeys], _Entries],
    ) -> None:
        backoff = Backoff()
        while True:
            async with self._turn:
                began = time.monotonic()
                try:
                    async for entry in entries(place, keys):
                        place = entry.position
                        if not take(entry):
                            done(False)
                            break
                        if (took := time.monotonic() - began) > _SLICE_SECONDS:
                            await asyncio.sleep(took * _PAUSE)
                        began = time.monotonic()
                    else:
                        done(True)
                except StoreAway:
                    pass
                else:
                    await asyncio.sleep((time.monotonic() - began) * _PAUSE)
                    return
            await backoff.wait()  # others, whose shard is there, have their turn meanwhile

    async def _entries(self, before: Position, keys: LogKeys) -> _Entries:
        """Yield the entries of an epoch before a place, the latest first; none where the epoch is over."""
        last = (before.offset or await self._offset_at(before.at, keys)) - 1
        while True:
            (epoch, base, closed), page = await self._ways.ask(
                keys,
                ("HMGET", keys.meta, "epoch", "base", "closed"),
                ("XREVRANGE", keys.log, f"{last}-0", "-", "COUNT", self._page_entries),
            )
            if not page or (epoch or b"").decode() != before.epoch:
                return
            self._note_size(page)
            for name, fields in page:
                entry = parse_logged(before.epoch, name, fields).entry
                last = entry.position.offset - 1
                if last + 1 < _begin(base, closed):
                    return
                yield entry

    async def _later(self, after: Position, keys: LogKeys) -> _Entries:
        """Yield the entries of an epoch behind a place, the earliest first; none where the epoch is over."""
        first = 1 + (after.offset or await self._offset_at(after.at, keys) - 1)
        while True:
            (epoch, base, closed), page = await self._ways.ask(
                keys,
                ("HMGET", keys.meta, "epoch", "base", "closed"),
                ("XRANGE", keys.log, f"{first}-0", "+", "COUNT", self._page_entries),
            )
            if not page or (epoch or b"").decode() != after.epoch:
                return
            begin = _begin(base, closed)
            if first < begin:
                first = begin
                continue
            self._note_size(page)
            for name, fields in page:
                entry = parse_logged(after.epoch, name, fields).entry
                first = entry.position.offset + 1
                yield entry

    async def _offset_at(self, at: float, keys: LogKeys) -> int:
        """Return the offset of the first entry that was committed at a moment, or later."""
        ends = await self._ways.ask(
            keys,
            ("XRANGE", keys.log, "-", "+", "COUNT", 1),
            ("XREVRANGE", keys.log, "+", "-", "COUNT", 1),
        )
        if not all(ends):
            return 1
        (first, _), (last, _) = (_logged(*entry) for (entry,) in ends)
        end, sought = last + 1, round(at * 1e6)
        while first < end:
            middle = (first + end) // 2
            (page,) = await self._ways.ask(
                keys, ("XRANGE", keys.log, f"{middle}-0", "+", "COUNT", 1)
            )
            offset, published = _logged(*page[0]) if page else (middle, sought)
            if published < sought:
                first = offset + 1
            else:
                end = middle
        return first

    def _note_size(self, page: Sequence[tuple[bytes, Sequence[bytes]]]) -> None:
        """Read fewer entries at once where they are large."""
        largest = max(sum(map(len, fields)) for _, fields in page)
        self._page_entries = max(1, min(PAGE_ENTRIES, _PAGE_BYTES // largest))


def _begin(base: bytes | None, closed: bytes | None) -> int:
    """Return the offset of the first entry of a log that may be read."""
    return max(int(base or 0) + 1, int(closed or 0))


def _logged(name: bytes, fields: Sequence[bytes]) -> tuple[int, int]:
    """Return an entry's offset, and when it was committed, in microseconds; 0: of a later version."""
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    published = named.get(b"p", b"")
    return int(name.partition(b"-")[0]), int(published) if published.isdigit() else 0
