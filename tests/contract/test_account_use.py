"""When an account was last used, and those that were not; of the store on a real Redis."""

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.node import WITHIN
from tertulia.chat.accounts import Accounts
from tertulia.chat.device_ops import RequestOp, SignUpOp
from tertulia.domain.requests import LogIn
from tertulia.operators.accounts import AccountBook
from tertulia.redis.access import Access
from tertulia.store.chat_store import ChatStore

HERE = "192.0.2.1"
DAY_MS = 86_400_000


def accounts(node: RedisNode) -> Accounts:
    assert isinstance(node.store, ChatStore)
    return node.store.accounts


def now_ms(stores: RedisStores) -> int:
    seconds, micros = stores.server.control.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def used(node: RedisNode, stores: RedisStores, how: str) -> None:
    """Use andy's account."""
    guest = node.guest("andy")
    if how == "entered":
        guest.join(proven=True)
    elif how == "resumed":
        guest.join("a" * 32, resumed=True)
    elif how == "logged in":
        node.store.submit(RequestOp("n:d1", "andy", LogIn("andy", 5001), HERE))
    elif how == "went on":
        await accounts(node).refresh("andy")
    await node.store.settle()


@pytest.mark.parametrize("how", ["entered", "resumed", "logged in", "went on"])
async def test_an_account_says_on_which_day_it_was_used(chat_stores: RedisStores, how: str) -> None:
    node, control = await chat_stores.node(), chat_stores.server.control
    key = chat_stores.keys.account("andy")
    chat_stores.give_password("andy", "a hash")
    if how == "resumed":
        andy = node.guest("andy")
        andy.join("a" * 32, proven=True)
        await node.store.settle()
        control.hdel(key, "used")
    await used(node, chat_stores, how)
    first = int(control.hget(key, "used") or 0)
    assert 0 <= now_ms(chat_stores) - first < WITHIN * 1000
    control.hset(key, "used", first - DAY_MS // 2)
    await used(node, chat_stores, how)
    assert int(control.hget(key, "used") or 0) == first - DAY_MS // 2, "a write a day is enough"
    control.hset(key, "used", first - 2 * DAY_MS)
    await used(node, chat_stores, how)
    assert int(control.hget(key, "used") or 0) >= first


async def test_a_guest_or_an_account_that_is_gone_is_not_made_by_being_used(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node()
    await node.enter("betty")
    await accounts(node).refresh("andy")
    node.store.submit(RequestOp("n:d1", "andy", LogIn("andy", 5001), HERE))
    await node.store.settle()
    assert not chat_stores.server.control.exists(
        chat_stores.keys.account("betty"), chat_stores.keys.account("andy")
    )


async def test_what_is_said_costs_no_note(chat_stores: RedisStores) -> None:
    node, control = await chat_stores.node(), chat_stores.server.control
    chat_stores.give_password("andy", "a hash")
    andy = node.guest("andy")
    andy.join(proven=True)
    await node.store.settle()
    control.hset(chat_stores.keys.account("andy"), "used", 5)
    andy.say("hello")
    andy.leave()
    await node.store.settle()
    assert control.hget(chat_stores.keys.account("andy"), "used") == "5"


# Those that were not used


async def test_only_who_was_not_used_and_is_not_here_is_pruned(chat_stores: RedisStores) -> None:
    """Also where that changes between the look and the deletion."""
    node, control, keys = await chat_stores.node(), chat_stores.server.control, chat_stores.keys
    for name in ("old", "entered", "logged", "used", "fresh"):
        chat_stores.give_password(name, "a hash")
    now = now_ms(chat_stores)
    control.hset(keys.account("used"), "used", now - 3 * DAY_MS - 60_000)
    control.hset(keys.account("fresh"), "since", now)
    control.hset(keys.account("old"), "used", now - 100 * DAY_MS)
    async with AccountBook.to(chat_stores.chat, Access.to(chat_stores.server.url), WITHIN) as book:
        ninety, three, two = 90 * 86_400, 3 * 86_400, 2 * 86_400
        shown = [it.nickname for it in await book.unused(ninety)]
        assert shown == ["entered", "logged", "old"]
        assert [it.nickname for it in await book.unused(two)] == [
            "entered",
            "logged",
            "old",
            "used",
        ]
        assert [it.nickname for it in await book.unused(three)] == shown, "it is known to the day"
        node.guest("entered").join(proven=True)
        node.store.submit(SignUpOp("n:d1", "new", "New", "hash", HERE, 5001))
        node.store.submit(RequestOp("n:d2", "logged", LogIn("logged", 5001), HERE))
        await node.store.settle()
        for name in ("entered", "logged"):
            control.hset(keys.account(name), "used", 5)
        found = {name: await book.prune(name, ninety) for name in (*shown, "used", "new", "nobody")}
        assert [name for name, gone in found.items() if gone] == ["old"]
        assert not control.exists(keys.account("old"))
        assert control.exists(
            keys.account("entered"), keys.account("logged"), keys.device("logged")
        )
