"""Passwords are verified in turn, beside the event loop, and not for whoever is gone or guesses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry

from fakes.accounts import NoAccounts
from tertulia.chat.accounts import MOST_FAILURES, Passwords
from tertulia.chat.hashing import Busy, Hashing
from tertulia.metrics import Metrics

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HERE = "192.0.2.1"


class Accounts(NoAccounts):
    """Anna has an account; failures are counted."""

    def __init__(self) -> None:
        self.stored = CHEAP.hash("s3cret")
        self.failed: list[str] = []

    async def password_hash(self, key: str) -> str | None:
        return self.stored if key == "anna" else None

    async def failures(self, address: str) -> int:
        return self.failed.count(address)

    async def note_failure(self, address: str) -> None:
        self.failed.append(address)


class Place:
    """Passwords, and the place where they are hashed."""

    def __init__(self, waiting: int = 100) -> None:
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, dialects=("device",), chats={"main"}, version="0")
        self.hashing = Hashing(waiting, metrics)
        self.accounts = Accounts()
        self.passwords = Passwords(self.accounts, self.hashing)

    def waiting(self) -> float | None:
        return self.registry.get_sample_value("tertulia_passwords_waiting")

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Take all turns there are."""
        turns = [self.hashing.turn(str(it)) for it in range(self.hashing.workers)]
        for turn in turns:
            await turn.__aenter__()
        yield
        for turn in turns:
            await turn.__aexit__(None, None, None)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_right_password_is_proven_and_a_wrong_one_counted() -> None:
    it = Place()
    assert await it.passwords.prove("anna", "s3cret", HERE)
    assert it.accounts.failed == []
    assert not await it.passwords.prove("anna", "wrong", HERE)
    assert not await it.passwords.prove("nobody", "s3cret", HERE)
    assert not await it.passwords.is_known("nobody", HERE)
    assert it.accounts.failed == [HERE] * 3


async def test_what_is_hashed_is_proven() -> None:
    it = Place()
    it.accounts.stored = await it.passwords.hash("another", HERE)
    assert it.accounts.stored.startswith("$argon2id$")
    assert await it.passwords.prove("anna", "another", HERE)


async def test_whoever_waits_longest_comes_first_and_too_many_are_refused() -> None:
    it = Place(waiting=6)
    done: list[int] = []

    async def prove(number: int, address: str = HERE) -> None:
        assert await it.passwords.prove("anna", "s3cret", address)
        done.append(number)

    async with it.taken():
        waiting = [asyncio.create_task(prove(number)) for number in range(3)]
        await settled()
        assert it.waiting() == 3
        with pytest.raises(Busy):
            await prove(3)  # as many as may from one address
        waiting += [asyncio.create_task(prove(4 + i, f"192.0.2.{2 + i}")) for i in range(3)]
        await settled()
        with pytest.raises(Busy):
            await prove(7, "192.0.2.9")
        assert done == []
    await asyncio.gather(*waiting)
    assert done == sorted(done)
    assert it.waiting() == 0
    assert len(done) == 6
    await prove(8)


async def test_who_is_gone_when_the_turn_comes_is_passed_over() -> None:
    it = Place()
    async with it.taken():
        gone = asyncio.create_task(it.passwords.prove("anna", "wrong", HERE, lambda: False))
        await settled()
    assert not await gone
    assert it.accounts.failed == []


async def test_many_tries_at_once_are_no_more_than_one_after_the_other() -> None:
    it = Place()
    async with it.taken():
        tries = [asyncio.create_task(it.passwords.prove("anna", "wrong", HERE)) for _ in range(20)]
        await settled()
    assert not any(await asyncio.gather(*tries))
    assert len(it.accounts.failed) < MOST_FAILURES + it.hashing.workers


async def test_who_is_cancelled_while_it_waits_takes_no_turn() -> None:
    it = Place()
    async with it.taken():
        waiting = asyncio.create_task(it.passwords.prove("anna", "s3cret", HERE))
        await settled()
        waiting.cancel()
        await settled()
        assert it.waiting() == 0
    assert await it.passwords.prove("anna", "s3cret", HERE)
