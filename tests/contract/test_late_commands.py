"""A batch that Redis gets when it has long been done: the network held it back, and lets it through."""

import asyncio
from typing import Any, cast

import pytest

from contract.chat_stores import STALLING, RedisStores
from contract.lossy_proxy import LossyProxy
from contract.node import WITHIN
from harness.waiting import until


class HeldBack:
    """What is under way on a node's present connections for commits, until it is let through."""

    def __init__(self, stores: RedisStores, proxy: LossyProxy) -> None:
        self._ids = commit_connections(stores)
        self._wires = [wire for wire in proxy._wires if wire.name == "commit"]
        assert self._ids
        assert self._wires
        proxy.freeze("commit")

    def is_open(self, stores: RedisStores) -> bool:
        """Say whether Redis still has those connections."""
        return bool(self._ids & commit_connections(stores))

    def let_through(self) -> None:
        """Let Redis have it, though whoever sent it has given that connection up."""
        for wire in self._wires:
            wire.frozen = False
            wire.flow()


@pytest.mark.slow
async def test_a_batch_that_comes_again_after_the_next_one_is_not_done_again(
    chat_stores: RedisStores,
) -> None:
    """As from the kernel's buffer of a connection that was closed while packets were lost."""
    node = await chat_stores.node("node", **STALLING)
    guest = await node.enter_one("anna")
    held_back = HeldBack(chat_stores, node.wire)
    guest.say("one")  # times out, and is sent again over another connection
    await asyncio.wait_for(node.store.settle(), WITHIN)
    guest.say("two")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    held_back.let_through()
    # Redis lets go of the connection when it has read all that came over it.
    await until(lambda: not held_back.is_open(chat_stores), WITHIN, "what was held back to come")
    guest.say("three")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert node.follower.said == ["one", "two", "three"]


def commit_connections(stores: RedisStores) -> set[str]:
    """Return the ids of the connections over which nodes commit."""
    listed = cast(list[dict[str, Any]], stores.server.control.client_list())
    return {it["id"] for it in listed if it["name"] == "tertulia-commit"}
