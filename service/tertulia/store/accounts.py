"""Accounts: reading them, their logins and pending messages; and what their owners change in the room."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from tertulia.chat.accounts import Changed, Correspondent, Holder, Login, Pending
from tertulia.chat.guessing import REMEMBERED, Failures
from tertulia.domain.operator_commands import MOST_AUDITED, OperatorCommand
from tertulia.domain.operator_commands import encode as encode_command
from tertulia.redis.backoff import Backoff
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.script import Script
from tertulia.store.keys import Keys
from tertulia.store.pending import Mailboxes
from tertulia.store.scripts import ADD_ACCOUNT, OWN_ACCOUNT, REFRESH, SIGN_UP_TURN

_T = TypeVar("_T")

_FAILURES_MS = 60_000
_HOUR_MS = 3_600_000
_MOST_SHOWN: Final = 500
"""Messages in one answer at most: the script that forgets them looks at each."""


class StoredAccounts:
    """Accounts in Redis, as ``chat.accounts.Accounts`` promises them."""

    def __init__(self, keys: Keys, redis: Client, login_seconds: float) -> None:
        self._keys = keys
        self._redis: Any = redis  # the types of redis-py don't say that replies are text
        self._login_ms = round(login_seconds * 1000)
        self._mailboxes = Mailboxes(keys, redis, self._patiently)

    async def password_hash(self, key: str) -> str | None:
        found: str | None = await self._patiently(
            lambda: self._redis.hget(self._keys.account(key), "hash")
        )
        return found

    async def add_vouched(self, key: str, nickname: str, identity: str) -> None:
        names = [self._keys.meta, self._keys.account(key), self._keys.nick(key)]
        await self._run(ADD_ACCOUNT, names, [nickname, identity])

    async def login(self, key: str) -> Login | None:
        fields = ["nickname", "address", "port", "onchat", "live"]
        found = await self._patiently(lambda: self._redis.hmget(self._keys.device(key), fields))
        if found[0] is None:
            return None
        nickname, address, port, onchat, live = (str(value or "") for value in found)
        return Login(nickname, address, int(port), onchat, live)

    async def refresh(self, key: str) -> None:
        keys = [self._keys.device(key), self._keys.devices, self._keys.account(key)]
        await self._run(REFRESH, keys, [key, self._login_ms])

    async def online(self) -> Sequence[str]:
        _, keys = await self._together(
            lambda it: (
                it.zremrangebyscore(self._keys.devices, "-inf", _now()),
                it.zrange(self._keys.devices, 0, -1),
            )
        )
        names = await self._each("HGET", map(self._keys.device, keys), "nickname")
        return sorted(name.decode() for name in names if name is not None)

    async def hanging(self, key: str, most: int) -> Sequence[Correspondent]:
        found: list[Correspondent] = []
        async for sender in self._mailboxes.senders(key):
            if len(found) == most:
                break
            found.append(Correspondent(sender.nickname, sender.messages, _local(sender.last)))
        return found

    async def pending(self, key: str, sender: str, room: int) -> Sequence[Pending]:
        shown = await self._mailboxes.shown(key, sender)
        found: list[Pending] = []
        async for message in self._mailboxes.messages(key, sender):
            found.append(Pending(message.number, message.text[shown:].decode(), shown))
            room -= len(message.text) - shown + 1
            shown = 0
            if room < 0 or len(found) == _MOST_SHOWN:
                break
        return found

    async def oldest_senders(self, key: str) -> Sequence[str]:
        return await self._mailboxes.oldest(key)

    async def is_in_room(self, key: str) -> bool:
        generation, held = await self._together(
            lambda it: (
                it.hget(self._keys.meta, "sitting"),
                it.hget(self._keys.nick(key), "sitting"),
            )
        )
        return held is not None and held == (generation or "0")

    async def failures(self, key: str, network: str) -> tuple[Failures, float]:
        (count, at), of_network, (seconds, fraction) = await self._together(
            lambda it: (
                it.hmget(self._keys.guesses(network, key), ["count", "at"]),
                it.get(self._keys.failures(network)),
                it.time(),
            )
        )
        failures = Failures(int(count or 0), int(at or 0) / 1000, int(of_network or 0))
        return failures, seconds + fraction / 1e6

    async def note_failure(self, key: str, network: str) -> None:
        of_network, guesses = self._keys.failures(network), self._keys.guesses(network, key)
        seconds, _ = await self._patiently(self._redis.time)
        await self._together(
            lambda it: (
                it.execute_command("INCR", of_network),  # redis-py would say INCRBY
                it.pexpire(of_network, _FAILURES_MS),
                it.hincrby(guesses, "count", 1),
                it.hset(guesses, "at", str(seconds * 1000)),
                it.pexpire(guesses, round(REMEMBERED * 1000)),
            )
        )

    async def forgive(self, key: str, network: str) -> None:
        await self._patiently(lambda: self._redis.delete(self._keys.guesses(network, key)))

    async def sign_up_wait(self, network: str, per_hour: int, *, take: bool) -> float:
        return await self._turn(self._keys.sign_ups(network), per_hour, take=take)

    async def change_wait(self, network: str, per_hour: int) -> float:
        return await self._turn(self._keys.changes(network), per_hour, take=True)

    async def among(self, keys: Sequence[str]) -> set[str]:
        found = await self._each("EXISTS", map(self._keys.account, keys))
        return {key for key, is_it in zip(keys, found, strict=True) if is_it}

    async def change(
        self, holder: Holder, was: str, hashed: str, invitation: str = ""
    ) -> tuple[Changed, int]:
        names, key = self._keys, holder.key
        token = names.token(holder.token) if holder.token else names.nobodys
        keys = [names.meta, names.account(key), names.nick(key), token, names.device(key)]
        keys += [names.devices, names.ended(key), names.invitations, names.audit]
        args: list[Argument] = [holder.session, holder.nickname, key, hashed, was, invitation]
        reply = await self._run(OWN_ACCOUNT, keys, [*args, _audited(holder), MOST_AUDITED])
        return (Changed.DONE, int(reply)) if reply.isdigit() else (Changed(reply), 0)

    async def delete(self, holder: Holder) -> None:
        await self._mailboxes.delete_account(
            holder.key, token=holder.token, audited=_audited(holder)
        )

    async def _turn(self, name: str, per_hour: int, *, take: bool) -> float:
        each = max(1, _HOUR_MS // per_hour)
        wait = await self._run(SIGN_UP_TURN, [name], [per_hour, each, int(take)])
        return float(wait) / 1000

    async def _together(self, ask: Callable[[Any], Iterable[Awaitable[Any]]]) -> list[Any]:
        return await self._patiently(lambda: asyncio.gather(*ask(self._redis)))

    async def _each(self, command: str, keys: Iterable[str], *args: str) -> list[Any]:
        """Ask the same of many keys, by the link itself: redis-py would take five times as long."""
        commands = [(command, key, *args) for key in keys]
        return await self._patiently(lambda: self._redis.link.ask(*commands))

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        return await self._patiently(lambda: self._redis.run(script, keys, args))

    async def _patiently(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        backoff = Backoff()
        while True:
            try:
                return await ask()
            except StoreAway:
                await backoff.wait()


def _audited(holder: Holder) -> str:
    """Return what stands in the audit log; by whom does not name him, so that he can be erased there."""
    command = OperatorCommand(secrets.token_hex(8), "(the owner)", holder.action, holder.key)
    return encode_command(command).decode()


def _now() -> int:
    return round(time.time() * 1000)


def _local(milliseconds: int) -> datetime:
    # The page's date is the service's own, without a zone.
    return datetime.fromtimestamp(milliseconds / 1000)  # noqa: DTZ006 (local time is what is shown)
