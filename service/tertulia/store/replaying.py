"""Reading the past of a room for a client that comes back."""

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tertulia.chat.ports import KNOWN_REFUSED, Entry, Remembered, Replay
from tertulia.chat.tasks import Tasks
from tertulia.domain.position import Position
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import StoreAway
from tertulia.store.keys import Keys, RoomKeys
from tertulia.store.ways import Ways
from tertulia.store.wire import parse_logged

_T = TypeVar("_T")

MOST_ENTRIES = 2_000
MOST_BYTES = 1_048_576
"""Bytes of the log in one answer, however large its entries are."""
_PAGE_ENTRIES = 50


class Replayer:
    """Reads the log for one client at a time, the latest entries first, up to a bound."""

    def __init__(self, keys: Keys, ways: Ways) -> None:
        self._keys = keys
        self._ways = ways
        self._turn = asyncio.Lock()
        self._page_entries = (
            _PAGE_ENTRIES  # fewer if entries are large: then a page is about one answer
        )
        self._tasks = Tasks()

    def replay(
        self,
        after: Position,
        before: Position,
        token: str,
        done: Callable[[Replay], None],
        room: RoomKeys | None = None,
    ) -> None:
        """Read the log between two positions, both exclusive; call ``done`` with the result.

        ``room``: of a further room, not of the chat's lobby.
        """
        self._tasks.start(self._replay(after, before, token, done, room))

    def recall(self, token: str, done: Callable[[Remembered | None], None]) -> None:
        """Look up a token; call ``done`` with what it stands for, or None."""
        self._tasks.start(self._recall(token, done))

    def since(self, keys: Sequence[str], done: Callable[[Sequence[int]], None]) -> None:
        """Look up since when accounts are there; call ``done`` with it, 0 for those that are not."""
        self._tasks.start(self._since(keys, done))

    def stop(self) -> None:
        """Read nothing more."""
        self._tasks.stop()

    async def _recall(self, token: str, done: Callable[[Remembered | None], None]) -> None:
        done(await self._patiently(lambda: self._remembered(token)))

    async def _since(self, keys: Sequence[str], done: Callable[[Sequence[int]], None]) -> None:
        ask = [("HGET", self._keys.account(key), "since") for key in keys]
        found = await self._patiently(lambda: self._ways.ask(None, *ask))
        done([int(since or 0) for since in found])

    async def _remembered(self, token: str) -> Remembered | None:
        """Read what a token stands for, by the same rules as the commit script: see there."""
        fields = ("key", "first", "as", "joins")
        (told,) = await self._ways.ask(None, ("HMGET", self._keys.token(token), *fields))
        key, first, proof, joins = told
        if key is None or first is None:
            return None
        name = key.decode()
        stored, ended = await self._ways.ask(
            None,
            ("HGET", self._keys.account(name), "hash"),
            ("HGET", self._keys.ended(name), "joins"),
        )
        needed = b"guest"
        if stored is not None:
            needed = hashlib.sha1(stored, usedforsecurity=False).hexdigest().encode()
        is_over = ended is not None and int(joins or 0) <= int(ended)
        if is_over or (proof or b"guest") != needed:
            return None
        return Remembered(name, int(first), is_account=stored is not None)

    async def _replay(
        self,
        after: Position,
        before: Position,
        token: str,
        done: Callable[[Replay], None],
        room: RoomKeys | None,
    ) -> None:
        done(await self._patiently(lambda: self._read(after, before, token, room)))

    async def _patiently(self, read: Callable[[], Awaitable[_T]]) -> _T:
        backoff = Backoff()
        while True:
            try:
                async with self._turn:
                    return await read()
            except StoreAway:
                await backoff.wait()

    async def _token(self, token: str, room: RoomKeys | None) -> tuple[int, int, list[int]]:
        """Return the first offset that the token's holder may read, the last tag, and refused tags."""
        if room is not None:
            (told,) = await self._ways.ask(room, ("HGET", room.tokens, token))
            if told is None:
                return sys.maxsize, 0, []
            begin, last, tags = told.split(b" ")
            return int(begin), int(last), [int(tag) for tag in tags.split(b",") if tag]
        (told,) = await self._ways.ask(None, ("HGETALL", self._keys.token(token)))
        known = dict(zip(told[::2], told[1::2], strict=True))
        refused = [int(tag) for name, tag in known.items() if name.startswith(b"refused")]
        return int(known.get(b"first", 1)), int(known.get(b"done", 0)), refused

    async def _read(
        self, after: Position, before: Position, token: str, room: RoomKeys | None
    ) -> Replay:
        begin, done, tags = await self._token(token, room)
        same_log = after.epoch == before.epoch and after.offset < before.offset
        first = after.offset + 1 if same_log else begin
        if room is not None and begin > first:  # who was not there then may not read it
            first, same_log = begin, False
        keys = room or self._keys
        entries: list[Entry] = []
        size, last = 0, before.offset - 1
        while last >= first and len(entries) < MOST_ENTRIES and size <= MOST_BYTES:
            ids = f"{last}-0", f"{first}-0"
            (page,) = await self._ways.ask(
                keys, ("XREVRANGE", keys.log, *ids, "COUNT", self._page_entries)
            )
            if not page:
                break
            largest = max(sum(map(len, fields)) for _, fields in page)
            self._page_entries = max(1, min(_PAGE_ENTRIES, MOST_BYTES // largest))
            for name, fields in page:
                size += sum(map(len, fields))
                if size > MOST_BYTES:
                    break
                entry = parse_logged(before.epoch, name, fields).entry
                last = entry.position.offset - 1
                if entry.events:  # else all of it is of a later version
                    entries.append(entry)
        entries.reverse()
        refused = sorted(tag for tag in tags if tag > done - KNOWN_REFUSED)
        return Replay(entries, same_log and last < first, done, refused)
