"""What nodes read of accounts, and what they note."""

from typing import Any

import pytest

from fakes.redis import fake_client
from tertulia.chat.accounts import Correspondent, Login, Pending
from tertulia.chat.guessing import Failures
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.store.accounts import StoredAccounts
from tertulia.store.keys import Keys
from tertulia.telemetry.metrics import RetryCause

KEYS = Keys("main")
NETWORK = "192.0.2.1"


@pytest.fixture
def redis() -> Client:
    return fake_client()


@pytest.fixture
def accounts(redis: Client) -> StoredAccounts:
    return StoredAccounts(KEYS, redis, 60.0)


async def test_nobody_is_known_at_first(accounts: StoredAccounts) -> None:
    assert await accounts.password_hash("dan") is None
    assert await accounts.login("dan") is None
    assert await accounts.online() == []
    assert not await accounts.is_in_room("dan")
    assert (await accounts.failures("dan", NETWORK))[0] == Failures(0, 0.0, 0)


async def test_a_login_is_read(redis: Client, accounts: StoredAccounts) -> None:
    await redis.hset(KEYS.account("dan"), "hash", "h")
    device: dict[Any, Any] = {"nickname": "Dan", "address": "::1", "port": "7", "onchat": "carl"}
    await redis.hset(KEYS.device("dan"), mapping=device)
    await redis.zadd(KEYS.devices, {"dan": 1e15, "late": 1, "gone": 1e15})
    assert await accounts.password_hash("dan") == "h"
    assert await accounts.login("dan") == Login("Dan", "::1", 7, "carl", "")
    assert await accounts.online() == ["Dan"]
    await redis.hset(KEYS.nick("dan"), "sitting", "0")
    assert await accounts.is_in_room("dan")


async def test_wrong_passwords_are_counted_and_forgiven(accounts: StoredAccounts) -> None:
    for count in (1, 2):
        await accounts.note_failure("dan", NETWORK)
        failures, now = await accounts.failures("dan", NETWORK)
        assert (failures.of_account, failures.of_network) == (count, count)
        assert 0 <= now - failures.at < 60
    await accounts.forgive("dan", NETWORK)
    failures, _ = await accounts.failures("dan", NETWORK)
    assert (failures.of_account, failures.of_network) == (0, 2)


async def test_turns_to_sign_up_come_back(accounts: StoredAccounts) -> None:
    waits = [await accounts.sign_up_wait(NETWORK, 2, take=True) for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert 1700 < waits[2] <= 1800


async def test_what_waits_is_given_up_to_a_length(redis: Client, accounts: StoredAccounts) -> None:
    texts = ("first ñ", "second", "third")
    lines = [f"{number} 1000 0 Carl {text}" for number, text in enumerate(texts, 1)]
    await redis.rpush(KEYS.pending("dan", "carl"), *lines)
    await redis.hset(KEYS.mailbox("dan"), "carl", "3 99 99 1000 6 Carl")
    await redis.zadd(KEYS.senders("dan"), {"carl": 1})
    assert await accounts.pending("dan", "carl", 1000) == [
        Pending(1, "ñ", 6),
        Pending(2, "second", 0),
        Pending(3, "third", 0),
    ]
    assert len(await accounts.pending("dan", "carl", 0)) == 1
    assert await accounts.oldest_senders("dan") == ["carl"]
    (hanging,) = await accounts.hanging("dan", 10)
    assert hanging == Correspondent("Carl", 3, hanging.last)
    assert hanging.last.timestamp() == 1


async def test_redis_is_asked_until_it_answers(
    redis: Client, accounts: StoredAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hget, away = redis.hget, 3

    async def seldom(*args: str) -> object:
        nonlocal away
        if away:
            away -= 1
            raise StoreAway(RetryCause.CONNECTION, "away")
        return await hget(*args)

    await redis.hset(KEYS.account("dan"), "hash", "h")
    monkeypatch.setattr(redis, "hget", seldom)
    assert await accounts.password_hash("dan") == "h"
    assert away == 0
