"""Pending messages of accounts in Redis: read in pages, and converted from earlier versions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import MOST_AUDITED
from tertulia.redis.client import Client
from tertulia.redis.hot import Argument
from tertulia.redis.script import Script
from tertulia.store.keys import Keys
from tertulia.store.scripts import DELETE_ACCOUNT, MIGRATE

_T = TypeVar("_T")

STEP_SENDERS: Final = 100
"""How many senders a script handles at once."""
_STEP_MESSAGES = 100
_STEP_BYTES = 65_536
_PAGE_SENDERS = 500
_PAGE_MESSAGES = 16
"""How many messages are read at once; each may have 64 KiB."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The messages that one sender has left for an account, in sum."""

    key: str
    """The nickname, folded."""
    nickname: str
    messages: int
    first: int
    """When the oldest pending message came, in ms since 1970; roughly, if many came at once."""
    last: int
    """When the newest came."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that waits."""

    number: int
    """It ascends over all messages that wait for an account."""
    at: int
    """When it came, in milliseconds since 1970."""
    sender: str
    """The sender's nickname as shown."""
    text: bytes


async def _at_once(ask: Callable[[], Awaitable[_T]]) -> _T:
    return await ask()


class Mailboxes:
    """The pending messages of a chat's accounts. No request is large, however much waits."""

    def __init__(
        self,
        keys: Keys,
        redis: Client,
        patiently: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]] = _at_once,
    ) -> None:
        """``patiently`` makes each request, and may make it again. Without it StoreAway is raised."""
        self._keys = keys
        self._redis: Any = redis  # the types of redis-py don't say that replies are text
        self._patiently = patiently

    async def oldest(self, key: str) -> list[str]:
        """Return the senders, folded, whose messages have waited longest; at most ``STEP_SENDERS``."""
        await self.take_over(key)
        found: list[str] = await self._ask(
            self._redis.zrange, self._keys.senders(key), 0, STEP_SENDERS - 1
        )
        return found

    async def count(self, key: str) -> int:
        """Return how many messages wait for an account."""
        line, in_stream = await self._together(
            lambda it: (it.hget(self._keys.mailbox(key), ""), it.xlen(self._keys.stream(key)))
        )
        return int(line.split(" ")[1] if line else 0) + int(in_stream)

    async def senders(self, key: str) -> AsyncIterator[Sender]:
        """Yield the senders of pending messages, the one whose message has waited longest first."""
        await self.take_over(key)
        at, given = 0, set[str]()
        while True:
            last = at + _PAGE_SENDERS - 1
            page = await self._ask(
                self._redis.zrange, self._keys.senders(key), at, last, withscores=True
            )
            if not page:
                return
            names = [name for name, _ in page]
            lines = await self._ask(self._redis.hmget, self._keys.mailbox(key), names)
            for (name, number), line in zip(page, lines, strict=True):
                if line is not None and name not in given:  # else its messages were taken since
                    given.add(name)
                    messages, _, _, newest, _, nickname = line.split(" ")
                    yield Sender(name, nickname, int(messages), int(number), int(newest))
            at += len(page)

    async def shown(self, key: str, sender: str) -> int:
        """Return how many bytes of a sender's oldest message were shown."""
        await self.take_over(key)
        line = await self._ask(self._redis.hget, self._keys.mailbox(key), sender)
        return int(line.split(" ")[4]) if line else 0

    async def messages(self, key: str, sender: str) -> AsyncIterator[Kept]:
        """Yield a sender's messages, oldest first. Each is whole, even if a part of it was shown."""
        name, at, last = self._keys.pending(key, sender), 0, 0
        first: str | None = None
        while True:
            until = at + _PAGE_MESSAGES - 1
            page, head = await self._together(
                lambda it, at=at, until=until: (it.lrange(name, at, until), it.lindex(name, 0))  # type: ignore[misc]
            )
            if at and head != first:  # a message was taken out since: the indexes have changed
                at, first = 0, head
                continue
            first = head
            for item in page:
                number, ms, _, nickname, text = item.split(" ", 4)
                if int(number) > last:
                    last = int(number)
                    yield Kept(last, int(ms), nickname, text.encode(errors="surrogateescape"))
            if len(page) < _PAGE_MESSAGES:
                return
            at += len(page)

    async def everything(self, key: str) -> list[Kept]:
        """Return all that waits for an account, in order of arrival."""
        kept = [
            message
            async for sender in self.senders(key)
            async for message in self.messages(key, sender.key)
        ]
        return sorted(kept, key=lambda it: it.number)

    async def delete_account(
        self, key: str, unused_ms: int = 0, *, token: str = "", audited: str = ""
    ) -> bool:
        """Delete an account, its login and its pending messages; return whether there was one.

        With ``unused_ms``, delete it only if it was not used for so long and nobody is connected as it.
        ``token``: the key of a token that proves its holder to be a guest from then on. ``audited``: what is
        to stand in the audit log.
        """
        keys = self._keys
        fixed = [keys.meta, keys.account(key), keys.device(key), keys.devices]
        fixed += [keys.mailbox(key), keys.senders(key), keys.stream(key), keys.nick(key)]
        fixed += [keys.token(token) if token else keys.nobodys, keys.audit]
        while True:
            names = await self.oldest(key)
            lists = [keys.pending(key, name) for name in names]
            head: list[Argument] = [key, unused_ms, audited, MOST_AUDITED]
            answer = await self._run(DELETE_ACCOUNT, [*fixed, *lists], [*head, *names])
            if answer != "more":
                return bool(answer)

    async def take_over(self, key: str) -> None:
        """Turn the messages that an earlier version kept for an account into lists, if there are any."""
        keys, stream = self._keys, self._keys.stream(key)
        while True:
            page = await self._ask(self._redis.xrevrange, stream, count=_STEP_MESSAGES)
            if not page:
                return
            names = list(dict.fromkeys(fold(it["f"]) for _, it in page))
            fixed = [keys.meta, stream, keys.counts(key), keys.mailbox(key), keys.senders(key)]
            pairs = [
                name
                for sender in names
                for name in (keys.pending(key, sender), keys.account(sender))
            ]
            await self._run(MIGRATE, [*fixed, *pairs], [_STEP_MESSAGES, _STEP_BYTES, *names])

    async def _ask(self, command: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        return await self._patiently(partial(command, *args, **options))

    async def _together(self, ask: Callable[[Any], Iterable[Awaitable[Any]]]) -> list[Any]:
        found: list[Any] = await self._patiently(lambda: asyncio.gather(*ask(self._redis)))
        return found

    async def _run(self, script: Script, names: Sequence[str], args: Sequence[Argument]) -> Any:
        return await self._ask(self._redis.run, script, names, args)
