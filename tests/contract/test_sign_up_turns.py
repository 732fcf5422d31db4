"""Turns to make an account, asked of the store on a real Redis."""

import asyncio

import pytest

from contract.chat_stores import RedisNode, RedisStores
from tertulia.chat.accounts import Accounts
from tertulia.store.chat_store import ChatStore

HERE, THERE = "192.0.2.1", "2001:db8::/64"
DAY_MS = 86_400_000


def accounts(node: RedisNode) -> Accounts:
    assert isinstance(node.store, ChatStore)
    return node.store.accounts


def now_ms(stores: RedisStores) -> int:
    seconds, micros = stores.server.control.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def test_a_network_has_so_many_turns_an_hour_over_all_nodes(chat_stores: RedisStores) -> None:
    one, two = [accounts(await chat_stores.node(name)) for name in ("one", "two")]
    for turn in range(4):
        assert await one.sign_up_wait(HERE, 4, take=False) == 0
        assert await (one if turn % 2 else two).sign_up_wait(HERE, 4, take=True) == 0
    for each in (one, two):
        assert 800 < await each.sign_up_wait(HERE, 4, take=True) <= 900
        assert await each.sign_up_wait(THERE, 4, take=False) == 0


async def test_turns_come_back_one_by_one_and_nothing_is_kept_of_who_has_all(
    chat_stores: RedisStores,
) -> None:
    it, control = accounts(await chat_stores.node()), chat_stores.server.control
    key = chat_stores.keys.sign_ups(HERE)
    for _ in range(4):
        await it.sign_up_wait(HERE, 4, take=True)
    assert 0 < control.pttl(key) <= 3_600_000
    control.set(key, int(control.get(key) or 0) - 900_000)  # a quarter of an hour later
    assert await it.sign_up_wait(HERE, 4, take=True) == 0
    assert await it.sign_up_wait(HERE, 4, take=True) > 0
    control.delete(key)  # as its end does
    assert await it.sign_up_wait(HERE, 4, take=True) == 0
    assert 0 < control.pttl(key) <= 900_000


async def test_who_asks_all_at_once_gets_no_more(chat_stores: RedisStores) -> None:
    nodes = [accounts(await chat_stores.node(name)) for name in ("one", "two")]
    asked = [nodes[i % 2].sign_up_wait(HERE, 5, take=True) for i in range(40)]
    assert (await asyncio.gather(*asked)).count(0) == 5


async def test_a_clock_that_was_set_back_keeps_nobody_longer(chat_stores: RedisStores) -> None:
    it, key = accounts(await chat_stores.node()), chat_stores.keys.sign_ups(HERE)
    chat_stores.server.control.set(key, now_ms(chat_stores) + 1000 * DAY_MS)
    assert 800 < await it.sign_up_wait(HERE, 4, take=True) <= 900


@pytest.mark.parametrize("per_hour", [1, 3_600_001, 10**12])
async def test_any_rate_can_be_asked_for(chat_stores: RedisStores, per_hour: int) -> None:
    it = accounts(await chat_stores.node())
    assert await it.sign_up_wait(HERE, per_hour, take=True) == 0
    assert (await it.sign_up_wait(HERE, per_hour, take=True) > 0) is (per_hour == 1)
