"""Reading a room's log for people and programs: its last entries, and those that are added from then on."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tertulia.chat.ports import Entry
from tertulia.domain.events import Redacted
from tertulia.domain.moderation import Rules
from tertulia.domain.position import LogEnd, Onward, Position, go_on, missing
from tertulia.redis.client import Client
from tertulia.redis.hot import Argument
from tertulia.store.keys import LogKeys
from tertulia.store.wire import parse_logged, parse_rules

_PAGE_ENTRIES: Final = 100
_FORK_ENTRIES: Final = 32
_PAGE_BYTES: Final = 262_144
"""Of entries that are read at once, about: of large ones, there are fewer."""
_LATE_SECONDS: Final = 0.5
"""An answer that took longer may be of a server that was replaced meanwhile."""
_HEARD: Final = 512
"""Entries of which it is known when they were committed: where a log was rewound, it is among them."""

_Page = Sequence[tuple[bytes, Sequence[bytes]]]


class Gap(msgspec.Struct, frozen=True):
    """Something was in the log, or may have been, that nobody can read any more."""

    position: Position
    """Where the log goes on behind it."""
    entries: int | None
    """How many; None: Redis lost data, and nobody knows."""


class LogReader:
    """The log of one room: a chat's lobby, or a further room. Raises StoreAway if Redis does not answer.

    Entries come once, in order, whatever becomes of Redis. What is missing is told in its place.
    """

    def __init__(self, keys: LogKeys, redis: Client, *, is_replicated: bool = False) -> None:
        """``is_replicated``: nothing is read before a replica has it."""
        self._keys = keys
        self._link = redis.link
        self._is_replicated = is_replicated
        self._end = 0
        self._page_entries = 16
        self._rules = Rules()
        self._heard: deque[tuple[int, bytes]] = deque(maxlen=_HEARD)
        self.position = Position("", 0)
        """The last entry that was read; of no epoch where the log was not there."""

    async def begin(self) -> None:
        """Note where the log ends now: ``back`` reads backwards from there, ``further`` forwards."""
        end = await self._read_end()
        await self._read_redacted()
        self._end = end.offset
        self.resume(Position(end.epoch, end.offset))

    def resume(self, position: Position) -> None:
        """Go on behind a place, whichever epoch it is of."""
        self.position = position
        self._heard.clear()

    async def back(self, before: int | None) -> list[Entry]:
        """Return a page of entries, newest first; ``before``: the offset where the last page ended."""
        last = self._end if before is None else before - 1
        (page,) = await self._ask(
            ("XREVRANGE", self._keys.log, f"{last}-0", "-", "COUNT", self._page_entries)
        )
        return self._entries(self.position.epoch, page)

    async def further(self) -> list[Entry]:
        """Return the entries that were added since the last call, oldest first: at most a page of them."""
        while found := await self.read_on():
            if entries := [it for it in found if isinstance(it, Entry)]:
                return entries
        return []

    async def read_on(self) -> list[Entry | Gap]:
        """Return what comes next, a page at most; nothing where the log has nothing more to show."""
        have = self.position
        told, page = await self._ask(
            ("HMGET", self._keys.meta, *_END),
            ("XRANGE", self._keys.log, f"{have.offset}-0", "+", "COUNT", self._page_entries + 1),
        )
        end = self._told(told)
        if not end.epoch:
            return []  # nobody has served it, or not since Redis lost all
        at, stamp = _stamped(page[0]) if page else (0, b"")
        is_other = bool(self._heard) and at == have.offset and self._heard[-1] != (at, stamp)
        match go_on(have, end, is_other=is_other):
            case Onward.ON:
                return await self._take(have.epoch, end.offset, page)
            case Onward.REST:
                return await self._read_rest(end.base)
            case Onward.REWOUND:
                fork = await self._fork(min(have.offset, end.offset))
                return [await self._cross(Position(end.epoch, fork))]
            case Onward.OTHER:
                return [await self._cross(Position(end.epoch, end.base))]
            case Onward.FIRST:
                self.resume(Position(end.epoch, end.base))
                return await self.read_on()

    async def _read_rest(self, base: int) -> list[Entry | Gap]:
        """Read on in an epoch that is over, up to the base of the next one."""
        epoch, fork = self.position.epoch, await self._fork(min(self.position.offset, base))
        if fork < self.position.offset:
            self.resume(Position(epoch, fork))
        (page,) = await self._ask(
            ("XRANGE", self._keys.log, f"{fork}-0", f"{base}-0", "COUNT", self._page_entries + 1)
        )
        return await self._take(epoch, base, page)

    async def _take(self, epoch: str, end: int, page: _Page) -> list[Entry | Gap]:
        """Take entries behind the one that was read last, up to the log's end."""
        have = self.position.offset
        fresh = []
        for name, fields in page:
            offset, stamp = _stamped((name, fields))
            if have <= offset <= end and (not self._heard or offset > self._heard[-1][0]):
                self._heard.append((offset, stamp))
            if have < offset <= end:
                fresh.append((name, fields))
        entries = self._entries(epoch, fresh)
        first = entries[0].position.offset if entries else None
        if lost := missing(have, first, end):
            return [await self._cross(Position(epoch, have + lost), lost)]
        if entries:
            self.position = entries[-1].position
        return [*entries]

    async def _cross(self, position: Position, entries: int | None = None) -> Gap:
        """Go on behind what is missing."""
        await self._read_redacted()
        self.resume(position)
        return Gap(position, entries)

    async def _fork(self, last: int) -> int:
        """Return the last offset, of those up to one, at which the log has what was read there."""
        known = dict(self._heard)
        if not known:
            return last
        first, at = min(known), last
        while at >= first:
            (page,) = await self._ask(
                ("XREVRANGE", self._keys.log, f"{at}-0", f"{first}-0", "COUNT", _FORK_ENTRIES)
            )
            if not page:
                break
            for offset, stamp in map(_stamped, page):
                if known.get(offset) == stamp:
                    return offset
                at = offset - 1
        return first - 1

    async def _ask(self, *commands: Sequence[Argument]) -> list[Any]:
        """Ask the master, and make sure that it still is one when it took its time."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        replies = await self._link.ask(*commands)
        if loop.time() - asked > _LATE_SECONDS:
            await self._link.confirm()
        return replies

    async def _read_end(self) -> LogEnd:
        (told,) = await self._ask(("HMGET", self._keys.meta, *_END))
        return self._told(told)

    def _told(self, told: Sequence[bytes | None]) -> LogEnd:
        epoch, base, before, offset, shown = ((it or b"").decode() for it in told)
        end = int(offset or 0)
        if self._is_replicated and shown:
            # What was read was shown. A master that was a replica a moment ago may not know so much of it.
            read = self.position.offset if self.position.epoch == epoch else 0
            end = min(end, max(int(shown), read))
        return LogEnd(epoch, end, int(base or 0), before)

    async def _read_redacted(self) -> None:
        (redacted,) = await self._ask(("ZRANGE", self._keys.redacted, 0, -1))
        self._rules = parse_rules((), redacted)

    def _entries(self, epoch: str, page: _Page) -> list[Entry]:
        if page:
            largest = max(sum(map(len, fields)) for _, fields in page)
            self._page_entries = max(1, min(_PAGE_ENTRIES, _PAGE_BYTES // largest))
        entries = [parse_logged(epoch, name, fields).entry for name, fields in page]
        for entry in entries:
            for event in entry.events:
                if isinstance(event, Redacted):
                    self._rules.take(event)
        return [
            replace(it, events=self._rules.without_redacted(it.position.offset, it.events))
            for it in entries
        ]


_END: Final = ("epoch", "base", "before", "offset", "shown")


def _stamped(logged: tuple[bytes, Sequence[bytes]]) -> tuple[int, bytes]:
    """Return an entry's offset, and when it was committed, as the log has it."""
    name, fields = logged
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    return int(name.partition(b"-")[0]), named.get(b"p", b"")
