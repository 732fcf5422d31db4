"""Passwords are verified in turn, beside the event loop, and not for whoever is gone or guesses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

import pytest
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry

from fakes.accounts import NoAccounts
from tertulia.chat import accounts
from tertulia.chat.accounts import Passwords
from tertulia.chat.guessing import (
    FIRST_DELAY,
    LONGEST_DELAY,
    MOST_FAILURES,
    MOST_OF_NETWORK,
    Failures,
    delay,
)
from tertulia.chat.hashing import Busy, Hashing
from tertulia.telemetry.metrics import Metrics

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HERE = "192.0.2.1"
_NOBODY = accounts._NOBODY


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash at no cost to speak of: here it is seen who has the turn, not how long it takes."""
    monkeypatch.setattr(accounts, "PasswordHasher", lambda: CHEAP)
    monkeypatch.setattr(accounts, "_NOBODY", CHEAP.hash("of nobody"))


class Accounts(NoAccounts):
    """Anna has an account; failures are counted."""

    def __init__(self) -> None:
        self.stored = CHEAP.hash("s3cret")
        self.failed: list[tuple[str, str]] = []
        self.now = 1000.0

    async def password_hash(self, key: str) -> str | None:
        return self.stored if key == "anna" else None

    async def failures(self, key: str, network: str) -> tuple[Failures, float]:
        of_network = [it for it in self.failed if it[1] == network]
        return Failures(of_network.count((key, network)), 1000.0, len(of_network)), self.now

    async def note_failure(self, key: str, network: str) -> None:
        self.failed.append((key, network))

    async def forgive(self, key: str, network: str) -> None:
        self.failed = [it for it in self.failed if it != (key, network)]


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

    def refused(self) -> float | None:
        return self.registry.get_sample_value("tertulia_passwords_refused_total")

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
    assert it.accounts.failed == [("anna", HERE), *[("nobody", HERE)] * 2]


NEIGHBOURS = ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:0:1:2:3:4%eth0")
OUTSIDE = ("2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.1")


async def test_who_guesses_from_a_whole_network_delays_that_network_and_that_account_alone() -> (
    None
):
    it = Place()
    for number in range(MOST_FAILURES):
        assert not await it.passwords.prove("anna", "wrong", NEIGHBOURS[number % 3])
    for address in NEIGHBOURS:
        assert not await it.passwords.prove("anna", "s3cret", address)
    assert len(it.accounts.failed) == MOST_FAILURES  # the last ones were not looked at
    for address in OUTSIDE:
        assert await it.passwords.prove("anna", "s3cret", address)
    assert not await it.passwords.prove("nobody", "s3cret", NEIGHBOURS[0])
    assert it.accounts.failed.count(("nobody", "2001:db8::/64")) == 1  # it was
    it.accounts.now += FIRST_DELAY
    assert await it.passwords.prove("anna", "s3cret", NEIGHBOURS[0])
    assert {key for key, _ in it.accounts.failed} == {"nobody"}


def test_the_delay_grows_and_has_a_bound() -> None:
    def after(count: int, at: float = 0.0) -> float:
        return delay(Failures(count, at, count), 0.0)

    assert [after(count) for count in range(5)] == [0.0] * 5
    assert [after(count) for count in range(5, 11)] == [60, 120, 240, 480, 900, 900]
    assert after(100_000) == LONGEST_DELAY
    assert after(5, at=-59.0) == 1.0
    assert after(5, at=-61.0) == 0.0
    assert after(5, at=1e6) == 60.0  # the clock was set back


def test_beyond_its_networks_bound_an_account_has_one_try_and_everybody_has_that() -> None:
    assert delay(Failures(1, 0.0, MOST_OF_NETWORK), 0.0) == FIRST_DELAY
    assert delay(Failures(0, 0.0, 10 * MOST_OF_NETWORK), 0.0) == 0.0


async def test_what_is_hashed_is_proven() -> None:
    it = Place()
    it.accounts.stored = await it.passwords.hash("another", HERE)
    assert it.accounts.stored.startswith("$argon2id$")
    assert await it.passwords.prove("anna", "another", HERE)


def test_a_password_costs_what_the_library_says_and_nobodys_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    with mock.patch.object(accounts, "PasswordHasher") as made:
        Place()
    made.assert_called_once_with()
    assert not PasswordHasher().check_needs_rehash(_NOBODY)


async def test_of_one_network_whoever_waits_longest_comes_first_and_too_many_are_refused() -> None:
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
        assert it.refused() == 1
        waiting += [asyncio.create_task(prove(4 + i, f"192.0.2.{2 + i}")) for i in range(3)]
        await settled()
        assert done == []
    await asyncio.gather(*waiting)
    assert [it for it in done if it < 3] == [0, 1, 2]
    assert it.waiting() == 0
    assert it.registry.get_sample_value("tertulia_passwords_limit") == 6
    assert len(done) == 6
    await prove(8)


async def test_networks_take_turns_however_many_come_from_one() -> None:
    it = Place(waiting=400)
    done: list[str] = []

    async def prove(address: str) -> None:
        assert await it.passwords.prove("anna", "s3cret", address)
        done.append(address)

    async with it.taken():
        many = [asyncio.create_task(prove(f"2001:db8::{i}")) for i in range(1, 150)]
        await settled()
        other = asyncio.create_task(prove(HERE))
        await settled()
    await other
    assert len(done) <= 2 + it.hashing.workers
    await asyncio.gather(*many)


async def test_two_networks_do_not_close_it_to_a_third() -> None:
    """Who came last from the one with most gives way; who has as many as anybody is refused."""
    it = Place(waiting=6)
    async with it.taken():
        tries = [
            asyncio.create_task(it.passwords.prove("anna", "s3cret", f"192.0.2.{network}"))
            for network in (2, 3)
            for _ in range(3)
        ]
        await settled()
        third = asyncio.create_task(it.passwords.prove("anna", "s3cret", HERE))
        await settled()
        assert [task.done() for task in tries] == [False, False, True, False, False, False]
        fourth = asyncio.create_task(it.passwords.prove("anna", "s3cret", HERE))
        await settled()
        with pytest.raises(Busy):
            await it.passwords.prove("anna", "s3cret", "192.0.2.3")
    assert await third
    assert await fourth
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [outcome is True for outcome in outcomes] == [True, True, False, True, True, False]
    assert it.refused() == 3  # who gave way too


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
