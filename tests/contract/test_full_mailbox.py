"""One address with 520 guests' names fills an account's mailbox with empty messages: nobody else notices."""

from typing import cast

import pytest

from contract.chat_stores import RedisStores
from contract.node import Guest
from contract.test_pending import collect, enter, leave, left
from harness.stopwatch import MOST_ONCE_MILLISECONDS, Stopwatch
from tertulia.chat.ports import Outcome
from tertulia.store.chat_store import ChatStore

pytestmark = pytest.mark.slow

NAMES = 520
MOST = 1_048_576 / 2 / 64
"""What can be in the guests' half of a mailbox at the most."""


async def test_a_mailbox_that_strangers_fill(chat_stores: RedisStores) -> None:
    node = await chat_stores.node(lease_seconds=60, redis_timeout_seconds=30)
    store = cast(ChatStore, node.store)
    chat_stores.give_password("dan", "x")
    chat_stores.give_password("friend", "x")
    friend = await enter(node, "friend")
    strangers = await node.enter(*(f"stranger-{number}" for number in range(NAMES)))
    count = 0
    while kept := await from_each(strangers):
        count += kept
    assert NAMES < count < MOST
    guest = await node.enter_one("honest")
    assert await left(guest, "dan", "hello") == [Outcome.FULL]
    assert await left(friend, "dan", "hello", "x" * 60_000) == [Outcome.KEPT, Outcome.KEPT]

    with Stopwatch(chat_stores.server) as stopwatch:
        hanging = await store.accounts.hanging("dan", 65_535 // 32)
        shown = await store.accounts.pending("dan", "stranger-7", 65_535)
        assert stopwatch.longest(b"") < MOST_ONCE_MILLISECONDS
        assert (len(hanging), sum(it.messages for it in hanging)) == (NAMES + 1, count + 2)
        assert {it.text for it in shown} == {""}
        dan = await enter(node, "dan")
        stopwatch.reset()
        steps = await collect(dan)
        assert stopwatch.longest(b"") < MOST_ONCE_MILLISECONDS
    assert max(steps) <= 100
    assert sum(steps) == count + 2 == len(node.follower.letters)


async def from_each(guests: list[Guest]) -> int:
    """Have each leave dan an empty message; return how many were kept."""
    ops = [leave(guest, "dan", "") for guest in guests]
    await guests[0].node.store.settle()
    return [op.outcome for op in ops].count(Outcome.KEPT)
