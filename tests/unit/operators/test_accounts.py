"""Accounts as operators make, change and copy them."""

from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from tertulia.operators import accounts
from tertulia.operators.accounts import AccountBook, Copied
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.store.keys import Keys

KEYS = Keys("main")
DAY_MS = 86_400_000
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def book(redis: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AccountBook]:
    monkeypatch.setattr(Client, "to", lambda *_: redis)
    monkeypatch.setattr(accounts, "PasswordHasher", lambda: CHEAP)
    async with AccountBook.to("main", Access.to("redis://127.0.0.1"), 1.0) as book:
        yield book


async def test_an_account_is_made_once(redis: Client, book: AccountBook) -> None:
    await book.add("Dan", "a secret")
    with pytest.raises(CommandRefused, match="there is an account dan already"):
        await book.add("dan", "another")
    with pytest.raises(CommandRefused, match="Andy is in the chat as a guest"):
        await book.add("Andy", "a secret")
    with pytest.raises(CommandRefused, match="is no nickname"):
        await book.add("no nickname", "a secret")
    (dan,) = await book.all()
    assert (dan.nickname, dan.is_logged_in, dan.pending) == ("Dan", False, 0)
    seconds, _ = await redis.time()
    assert abs(dan.since.timestamp() - seconds) < 60


async def test_a_password_is_changed_where_there_is_an_account(
    redis: Client, book: AccountBook
) -> None:
    await book.add("dan", "a secret")
    before = await redis.hget(KEYS.account("dan"), "hash")
    await book.set_password("DAN", "another")
    after = await redis.hget(KEYS.account("dan"), "hash")
    assert str(after).startswith("$argon2id$")
    assert after != before
    with pytest.raises(CommandRefused, match="there is no account 'eve'"):
        await book.set_password("eve", "another")


async def test_an_account_is_deleted_with_what_waits_for_it(
    redis: Client, book: AccountBook
) -> None:
    await book.add("dan", "a secret")
    await redis.hset(KEYS.device("dan"), "nickname", "dan")
    await book.delete("dan")
    assert await book.all() == []
    assert not await redis.exists(KEYS.device("dan"))
    with pytest.raises(CommandRefused):
        await book.delete("dan")


async def test_only_what_was_not_used_is_pruned(redis: Client, book: AccountBook) -> None:
    seconds, _ = await redis.time()
    for name, days in (("old", 100), ("new", 1)):
        used = str(seconds * 1000 - days * DAY_MS)
        await redis.hset(KEYS.account(name), mapping={"nickname": name, "since": "1", "used": used})
    ninety = 90 * 86_400
    assert [it.nickname for it in await book.unused(ninety)] == ["old"]
    assert [name for name in ("old", "new") if await book.prune(name, ninety)] == ["old"]


async def test_a_copy_is_what_was_copied(redis: Client, book: AccountBook) -> None:
    await book.add("Dan", "a secret")
    await redis.hset(KEYS.account("dan"), "used", "7")
    copies = await book.copies()
    assert [(it.nickname, it.used) for it in copies] == [("Dan", 7)]
    await book.delete("dan")
    for copied in copies:
        await book.put(copied)
    assert await book.copies() == copies
    with pytest.raises(CommandRefused, match="its hash is none of argon2"):
        await book.put(Copied("eve", "x", 1))
