"""What was said in a room, a page at a time, from the log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tertulia.chat.ports import Entry
from tertulia.domain.events import Closed, Said
from tertulia.domain.past import PastMessage
from tertulia.domain.position import Position
from tertulia.redis.client import Client
from tertulia.store.keys import LogKeys
from tertulia.store.wire import parse_logged, parse_rules

_MOST_ENTRIES: Final = 2_000
"""Entries that are looked at for one page: in some logs there is little but joins."""
_FIRST_ENTRIES: Final = 16
_PAGE_ENTRIES: Final = 100
_PAGE_BYTES: Final = 262_144
"""Of entries that are read at once, about."""


class EpochOver(Exception):
    """A position is of an epoch that is over: Redis has lost data since, and the log is another one."""


@dataclass(frozen=True, slots=True)
class Before:
    """Where a page ends: before an entry, or before a message in it."""

    position: Position
    index: int = 0


@dataclass(frozen=True, slots=True)
class PastPage:
    """Messages, the oldest first."""

    messages: list[PastMessage]
    before: Before | None
    """Where the page before this one ends; None: there is none, as the log begins here."""


class PastTalk:
    """What was said in one room. Raises StoreAway."""

    def __init__(self, keys: LogKeys, redis: Client, *, is_replicated: bool) -> None:
        self._keys = keys
        self._link = redis.link
        self._is_replicated = is_replicated

    async def page(self, before: Before | None, most: int) -> PastPage | None:
        """Return a page of so many messages at most; None where there is no such room.

        It may have fewer, or none, and yet not be the last one. Raises EpochOver.
        """
        keys = self._keys
        (epoch, base, closed, offset, shown), redacted = await self._link.ask(
            ("HMGET", keys.meta, "epoch", "base", "closed", "offset", "shown"),
            ("ZRANGE", keys.redacted, 0, -1),
        )
        if epoch is None:
            return None
        end = int(offset or 0)
        if self._is_replicated and shown is not None:
            end = min(end, int(shown))
        here = epoch.decode()
        if before is None:
            before = Before(Position(here, end + 1))
        elif before.position.epoch != here:
            raise EpochOver
        first, hidden = (
            max(int(base or 0) + 1, int(closed or 0)),
            parse_rules((), redacted).redacted,
        )
        found: list[PastMessage] = []
        looked = 0
        last = min(before.position.offset - (before.index == 0), end)
        count = _FIRST_ENTRIES
        while last >= first:
            page = await self._link.call(
                "XREVRANGE", keys.log, f"{last}-0", f"{first}-0", "COUNT", count
            )
            if not page:
                return PastPage(found[::-1], None)
            for name, fields in page:
                entry = parse_logged(here, name, fields).entry
                for message in _backwards(entry, before):
                    if len(found) == most:
                        oldest = found[-1]
                        return PastPage(found[::-1], Before(oldest.position, oldest.index))
                    is_redacted = (message.position.offset, message.index) in hidden
                    found.append(_marked(message) if is_redacted else message)
                last = entry.position.offset - 1
            looked += len(page)
            if looked >= _MOST_ENTRIES and last >= first:
                return PastPage(found[::-1], Before(Position(here, last + 1)))
            largest = max(sum(map(len, fields)) for _, fields in page)
            count = max(1, min(_PAGE_ENTRIES, _PAGE_BYTES // largest))
        return PastPage(found[::-1], None)


def _backwards(entry: Entry, before: Before) -> Iterator[PastMessage]:
    """Give the messages of an entry before a place, since the chat was closed last; the last first."""
    said: list[PastMessage] = []
    index = 0
    for event in entry.events:
        if isinstance(event, Closed):
            said.clear()
        elif isinstance(event, Said):
            said.append(PastMessage(entry.position, index, event))
            index += 1
    within = before.index if entry.position.offset == before.position.offset else index
    return (it for it in reversed(said) if it.index < within)


def _marked(message: PastMessage) -> PastMessage:
    """Return a message that was redacted, without what nobody is to read."""
    said = Said(message.said.nickname, message.said.session, is_account=message.said.is_account)
    return PastMessage(message.position, message.index, said, is_redacted=True)
