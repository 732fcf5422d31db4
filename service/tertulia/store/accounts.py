"""Reading accounts, logins and pending messages."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from tertulia.chat.accounts import Login, Pending
from tertulia.chat.guessing import REMEMBERED, Failures
from tertulia.store.backoff import Backoff
from tertulia.store.connection import Argument
from tertulia.store.errors import StoreAway
from tertulia.store.keys import Keys
from tertulia.store.link import Link
from tertulia.store.scripts import REFRESH, SIGN_UP_TURN, Script

_T = TypeVar("_T")

_FAILURES_MS = 60_000
_HOUR_MS = 3_600_000


class StoredAccounts:
    """What ``chat.accounts.Accounts`` promises, over one connection, asked in turn."""

    def __init__(self, keys: Keys, link: Link, login_seconds: float) -> None:
        self._keys = keys
        self._link = link
        self._login_ms = round(login_seconds * 1000)
        self._turn = asyncio.Lock()

    async def password_hash(self, key: str) -> str | None:
        found = await self._ask(("HGET", self._keys.account(key), "hash"))
        return None if found[0] is None else found[0].decode()

    async def login(self, key: str) -> Login | None:
        fields = ("nickname", "address", "port", "onchat", "live")
        (found,) = await self._ask(("HMGET", self._keys.device(key), *fields))
        if found[0] is None:
            return None
        nickname, address, port, onchat, live = ((value or b"").decode() for value in found)
        return Login(nickname, address, int(port), onchat, live)

    async def refresh(self, key: str) -> None:
        keys = [self._keys.device(key), self._keys.devices, self._keys.account(key)]
        await self._run(REFRESH, keys, [key, self._login_ms])

    async def online(self) -> Sequence[str]:
        _, keys = await self._ask(
            ("ZREMRANGEBYSCORE", self._keys.devices, "-inf", _now()),
            ("ZRANGE", self._keys.devices, 0, -1),
        )
        devices = [self._keys.device(key.decode()) for key in keys]
        names = await self._ask(*(("HGET", device, "nickname") for device in devices))
        return sorted(name.decode() for name in names if name is not None)

    async def pending(self, key: str) -> Sequence[Pending]:
        entries, held = await self._ask(
            ("XRANGE", self._keys.pending(key), "-", "+"), ("HGETALL", self._keys.counts(key))
        )
        counts = dict(zip(held[::2], held[1::2], strict=True))
        return [
            _pending(entry.decode(), fields, int(counts.get(b":" + entry, 0)))
            for entry, fields in entries
        ]

    async def is_in_room(self, key: str) -> bool:
        sitting, held = await self._ask(
            ("HGET", self._keys.meta, "sitting"), ("HGET", self._keys.nick(key), "sitting")
        )
        return held is not None and held == (sitting or b"0")

    async def failures(self, key: str, network: str) -> tuple[Failures, float]:
        (count, at), of_network, (seconds, fraction) = await self._ask(
            ("HMGET", self._keys.guesses(network, key), "count", "at"),
            ("GET", self._keys.failures(network)),
            ("TIME",),
        )
        failures = Failures(int(count or 0), int(at or 0) / 1000, int(of_network or 0))
        return failures, int(seconds) + int(fraction) / 1e6

    async def note_failure(self, key: str, network: str) -> None:
        of_network, guesses = self._keys.failures(network), self._keys.guesses(network, key)
        ((seconds, _),) = await self._ask(("TIME",))
        await self._ask(
            ("INCR", of_network),
            ("PEXPIRE", of_network, _FAILURES_MS),
            ("HINCRBY", guesses, "count", 1),
            ("HSET", guesses, "at", int(seconds) * 1000),
            ("PEXPIRE", guesses, round(REMEMBERED * 1000)),
        )

    async def forgive(self, key: str, network: str) -> None:
        await self._ask(("DEL", self._keys.guesses(network, key)))

    async def sign_up_wait(self, network: str, per_hour: int, *, take: bool) -> float:
        each = max(1, _HOUR_MS // per_hour)
        wait = await self._run(
            SIGN_UP_TURN, [self._keys.sign_ups(network)], [per_hour, each, int(take)]
        )
        return float(wait) / 1000

    async def _ask(self, *commands: Sequence[Argument]) -> list[Any]:
        return await self._patiently(lambda: self._link.call_many(commands))

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        return await self._patiently(lambda: self._link.run(script, keys, args))

    async def _patiently(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        backoff = Backoff()
        while True:
            try:
                async with self._turn:
                    return await ask()
            except StoreAway:
                await backoff.wait()


def _now() -> int:
    return round(time.time() * 1000)


def _pending(entry: str, fields: Sequence[bytes], shown: int) -> Pending:
    milliseconds = int(entry.partition("-")[0])
    # The page's date is the service's own, without a zone.
    at = datetime.fromtimestamp(milliseconds / 1000)  # noqa: DTZ006 (local time is what is shown)
    return Pending(entry, fields[1].decode(), fields[3][shown:].decode(), at, shown)
