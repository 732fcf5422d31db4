"""What waits for accounts, as Redis holds it: read in pages, taken over from earlier versions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tertulia.domain.nicknames import fold
from tertulia.redis.link import Link
from tertulia.store.keys import Keys
from tertulia.store.scripts import DELETE_ACCOUNT, MIGRATE

_T = TypeVar("_T")

STEP_SENDERS: Final = 100
"""Senders with whom a script has to do at once."""
_STEP_MESSAGES = 100
_STEP_BYTES = 65_536
_PAGE_SENDERS = 500
_PAGE_MESSAGES = 16
"""Messages that are read at once; each may have 64 KiB."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What somebody has left for an account."""

    key: str
    """The nickname, folded."""
    nickname: str
    messages: int
    first: int
    """When the oldest came that waits, in milliseconds since 1970; about, where many came at once."""
    last: int
    """When the newest came."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that waits."""

    number: int
    """It ascends over all that waits for an account."""
    at: int
    """When it came, in milliseconds since 1970."""
    sender: str
    """His nickname as shown."""
    text: bytes


async def _at_once(ask: Callable[[], Awaitable[_T]]) -> _T:
    return await ask()


class Mailboxes:
    """What waits for the accounts of a chat. No request is large, whatever waits."""

    def __init__(
        self,
        keys: Keys,
        link: Link,
        patiently: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]] = _at_once,
    ) -> None:
        """``patiently`` makes each request, and may wait for its turn. Without it StoreAway is raised."""
        self._keys = keys
        self._link = link
        self._patiently = patiently

    async def oldest(self, key: str) -> list[str]:
        """Return the senders, folded, of what waits for longest; as many as are seen to at once."""
        await self.take_over(key)
        found = await self._ask(("ZRANGE", self._keys.senders(key), 0, STEP_SENDERS - 1))
        return [name.decode() for name in found[0]]

    async def count(self, key: str) -> int:
        """Return how many messages wait for an account."""
        line, in_stream = await self._ask(
            ("HGET", self._keys.mailbox(key), ""), ("XLEN", self._keys.stream(key))
        )
        return int(line.split(b" ")[1] if line else 0) + int(in_stream)

    async def senders(self, key: str) -> AsyncIterator[Sender]:
        """Give who has left something, in the order of what waits for longest."""
        await self.take_over(key)
        at, given = 0, set[str]()
        while True:
            (page,) = await self._ask(
                ("ZRANGE", self._keys.senders(key), at, at + _PAGE_SENDERS - 1, "WITHSCORES")
            )
            names = [name.decode() for name in page[::2]]
            if not names:
                return
            (lines,) = await self._ask(("HMGET", self._keys.mailbox(key), *names))
            for name, number, line in zip(names, page[1::2], lines, strict=True):
                if line is not None and name not in given:  # else it was taken since
                    given.add(name)
                    messages, _, _, last, _, nickname = line.decode().split(" ")
                    yield Sender(name, nickname, int(messages), int(float(number)), int(last))
            at += len(names)

    async def shown(self, key: str, sender: str) -> int:
        """Return how many bytes were shown of the oldest message of a sender."""
        await self.take_over(key)
        (line,) = await self._ask(("HGET", self._keys.mailbox(key), sender))
        return int(line.split(b" ")[4]) if line else 0

    async def messages(self, key: str, sender: str) -> AsyncIterator[Kept]:
        """Give what a sender has left, oldest first. Each is whole, whatever was shown of it."""
        name, at, last = self._keys.pending(key, sender), 0, 0
        first: bytes | None = None
        while True:
            page, head = await self._ask(
                ("LRANGE", name, at, at + _PAGE_MESSAGES - 1), ("LINDEX", name, 0)
            )
            if at and head != first:  # something was taken out since: the places are other ones
                at, first = 0, head
                continue
            first = head
            for item in page:
                number, ms, _, nickname, text = item.split(b" ", 4)
                if int(number) > last:
                    last = int(number)
                    yield Kept(last, int(ms), nickname.decode(), text)
            if len(page) < _PAGE_MESSAGES:
                return
            at += len(page)

    async def everything(self, key: str) -> list[Kept]:
        """Return all that waits for an account, in order of arrival."""
        kept = [
            it async for sender in self.senders(key) async for it in self.messages(key, sender.key)
        ]
        return sorted(kept, key=lambda it: it.number)

    async def delete_account(self, key: str, unused_ms: int = 0) -> bool:
        """Delete an account, its login and what waits for it; say whether there was one.

        With ``unused_ms`` only one that was not used for so long, and as which nobody is connected.
        """
        keys = self._keys
        fixed = [keys.meta, keys.account(key), keys.device(key), keys.devices]
        fixed += [keys.mailbox(key), keys.senders(key), keys.stream(key), keys.nick(key)]
        while True:
            names = await self.oldest(key)
            lists = [keys.pending(key, name) for name in names]
            answer = await self._run(DELETE_ACCOUNT, [*fixed, *lists], [key, unused_ms, *names])
            if answer != b"more":
                return bool(answer)

    async def take_over(self, key: str) -> None:
        """Turn what an earlier version kept for an account into lists, if there is anything."""
        keys, stream = self._keys, self._keys.stream(key)
        while True:
            (page,) = await self._ask(("XREVRANGE", stream, "+", "-", "COUNT", _STEP_MESSAGES))
            if not page:
                return
            names = list(dict.fromkeys(fold(fields[1].decode()) for _, fields in page))
            fixed = [keys.meta, stream, keys.counts(key), keys.mailbox(key), keys.senders(key)]
            pairs = [name for it in names for name in (keys.pending(key, it), keys.account(it))]
            await self._run(MIGRATE, [*fixed, *pairs], [_STEP_MESSAGES, _STEP_BYTES, *names])

    async def _ask(self, *commands: Sequence[str | int]) -> list[Any]:
        found: list[Any] = await self._patiently(lambda: self._link.call_many(commands))
        return found

    async def _run(self, script: Any, names: Sequence[str], args: Sequence[str | int]) -> Any:
        return await self._patiently(lambda: self._link.run(script, names, args))
