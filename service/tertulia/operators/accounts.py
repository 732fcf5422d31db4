"""Accounts, for operators: make, list, copy and delete them, and set passwords, directly in Redis."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError

from tertulia.chat.identities import IDENTITY
from tertulia.domain.nicknames import fold, is_valid, is_well_formed
from tertulia.domain.passwords import MAX_PASSWORD, MIN_PASSWORD
from tertulia.operators.book import Book
from tertulia.operators.refusals import CommandRefused, NotThere
from tertulia.redis.client import Client
from tertulia.store.pending import Mailboxes
from tertulia.store.scripts import ADD_ACCOUNT

_LATEST: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_COARSE_SECONDS = 86_400
"""By how many seconds the stored last use may be before the real one: see in_use.lua."""


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """One line of the list."""

    nickname: str
    since: datetime
    used: datetime
    """When somebody last entered or logged in with it. The real time may be up to a day later."""
    is_logged_in: bool
    """From a device."""
    pending: int
    """How many messages wait for it."""


class Copied(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An account outside Redis: all that is kept of it, except for its pending messages."""

    nickname: str
    hash: str
    """The argon2id hash of the password: with it, one can try passwords. Or whom an issuer vouches for."""
    since: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]
    """Milliseconds since 1970."""
    used: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)] | None = None
    """When it was last used, in milliseconds since 1970; None: never since it was made."""


class AccountBook(Book):
    """The accounts of one chat. Raises CommandRefused, and StoreAway if Redis can't be reached."""

    def __init__(self, chat: str, redis: Client) -> None:
        super().__init__(chat, redis)
        self._mailboxes = Mailboxes(self._keys, self._redis)

    async def add(self, nickname: str, password: str) -> None:
        """Make an account."""
        await self._add(nickname, await _hashed(password))

    async def put(self, copied: Copied) -> None:
        """Make an account from a copy: with the same hash and times."""
        _require_nickname(copied.nickname)
        if not copied.hash.startswith(IDENTITY):
            try:
                extract_parameters(copied.hash)
            except InvalidHashError:
                raise CommandRefused(f"{copied.nickname}: its hash is none of argon2") from None
        used = () if copied.used is None else (copied.used,)
        await self._add(copied.nickname, copied.hash, copied.since, *used)

    async def _add(self, nickname: str, *rest: str | int) -> None:
        _require_nickname(nickname)
        keys, key = self._keys, fold(nickname)
        names = [keys.meta, keys.account(key), keys.nick(key)]
        answer = await self._redis.run(ADD_ACCOUNT, names, [nickname, *rest])
        if answer == "taken":
            raise CommandRefused(
                f"there is an account {nickname} already", "account passwd changes its password"
            )
        if answer == "held":
            raise CommandRefused(
                f"{nickname} is in the chat as a guest: wait until that one has left, or kick it first"
            )

    async def set_password(self, nickname: str, password: str) -> None:
        """Change the password of an account. Logins and sessions of the account stay."""
        await self._require(nickname)
        await self._redis.hset(self._keys.account(fold(nickname)), "hash", await _hashed(password))

    async def delete(self, nickname: str) -> None:
        """Delete an account, its login, and its pending messages."""
        await self._require(nickname)
        await self._mailboxes.delete_account(fold(nickname))

    async def prune(self, nickname: str, unused_for: int) -> bool:
        """Delete an account as ``delete`` does. False if it is in use, or was within so many seconds."""
        return await self._mailboxes.delete_account(fold(nickname), _milliseconds(unused_for))

    async def all(self) -> list[AccountSeen]:
        """Return all accounts, by name."""
        return [await self._account(key) for key in await self._names()]

    async def find(self, nickname: str) -> AccountSeen:
        """Return one account."""
        await self._require(nickname)
        return await self._account(fold(nickname))

    async def page(self, after: str, most: int) -> tuple[list[AccountSeen], bool]:
        """Return the next accounts by name after a folded nickname; and whether there are more."""
        names = [name for name in await self._names() if name > after]
        return [await self._account(key) for key in names[:most]], len(names) > most

    async def unused(self, seconds: int) -> list[AccountSeen]:
        """Return, by name, the accounts that were not used for so long and have no login now."""
        now, _ = await self._redis.time()
        until = datetime.fromtimestamp(now - _milliseconds(seconds) / 1000, UTC)
        return [
            account
            for account in await self.all()
            if account.used <= until and not account.is_logged_in
        ]

    async def copies(self) -> list[Copied]:
        """Return copies of all accounts, by name, to be kept elsewhere."""
        copied = []
        for key in await self._names():
            nickname, its_hash, since, used = await self._redis.hmget(
                self._keys.account(key), ["nickname", "hash", "since", "used"]
            )
            if its_hash is not None:  # else deleted just now
                last = None if used is None else int(used)
                copied.append(Copied(nickname or key, its_hash, int(since or 0), last))
        return copied

    async def _names(self) -> Sequence[str]:
        prefix = self._keys.account("")
        found = {it.removeprefix(prefix) async for it in self._redis.scan_iter(f"{prefix}*", 500)}
        return sorted(found)

    async def _account(self, key: str) -> AccountSeen:
        (nickname, since, used), login = await asyncio.gather(
            self._redis.hmget(self._keys.account(key), ["nickname", "since", "used"]),
            self._redis.exists(self._keys.device(key)),
        )
        pending = await self._mailboxes.count(key)
        made, last = (datetime.fromtimestamp(int(it or 0) / 1000, UTC) for it in (since, used))
        return AccountSeen(nickname or key, made, max(made, last), bool(login), pending)

    async def _require(self, nickname: str) -> None:
        if not is_well_formed(nickname) or not await self._redis.exists(
            self._keys.account(fold(nickname))
        ):
            raise NotThere("account", f"there is no account {nickname!r}", "account list shows all")


def _require_nickname(nickname: str) -> None:
    if not is_valid(nickname):
        raise CommandRefused(
            f"{nickname!r} is no nickname: 1 to 32 of A-Z a-z 0-9 . _ + - and not a reserved word"
        )


def _milliseconds(unused_for: int) -> int:
    """Return how old a stored last use must be, so that the account was surely unused for so many seconds."""
    return (unused_for + _COARSE_SECONDS) * 1000


async def _hashed(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise CommandRefused(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters, this one {len(password)}"
        )
    return await asyncio.to_thread(PasswordHasher().hash, password)
