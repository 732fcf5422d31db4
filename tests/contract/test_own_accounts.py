"""An account that is made before somebody enters, by the store on a real Redis."""

import asyncio

from contract.chat_stores import RedisNode, RedisStores
from tertulia.chat.accounts import Accounts, Changed, Holder
from tertulia.chat.ports import Outcome
from tertulia.domain.operator_commands import Action
from tertulia.store.chat_store import ChatStore

ON_THE_WAY_IN = Holder("", "anna", "Anna", "", Action.REGISTER)


def accounts(node: RedisNode) -> Accounts:
    assert isinstance(node.store, ChatStore)
    return node.store.accounts


async def test_it_is_made_only_where_nobody_holds_the_nickname(chat_stores: RedisStores) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guest = one.guest("anna")
    guest.join()
    await one.store.settle()
    assert await accounts(two).change(ON_THE_WAY_IN, "", "hash") == (Changed.GONE, 0)
    assert await accounts(two).password_hash("anna") is None
    guest.leave()
    await one.store.settle()
    changed, since = await accounts(two).change(ON_THE_WAY_IN, "", "hash")
    assert (changed, since > 0) == (Changed.DONE, True)
    assert await accounts(one).password_hash("anna") == "hash"
    join = one.guest("anna").join()
    await one.store.settle()
    assert join.outcome is Outcome.TAKEN, "it takes a proof now"


async def test_of_two_at_once_one_makes_it(chat_stores: RedisStores) -> None:
    nodes = [await chat_stores.node(name) for name in ("one", "two")]
    asked = [accounts(it).change(ON_THE_WAY_IN, "", f"hash {i}") for i, it in enumerate(nodes)]
    found = [changed for changed, _ in await asyncio.gather(*asked)]
    assert sorted(it.value for it in found) == ["done", "taken"]
    kept = await accounts(nodes[0]).password_hash("anna")
    assert kept == f"hash {found.index(Changed.DONE)}"
