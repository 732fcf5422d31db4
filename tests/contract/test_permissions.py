"""A node says what Redis does not let it do: when it starts, and when that changes."""

import asyncio
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from contract.chat_stores import RedisStores
from contract.node import WITHIN
from harness.redis_server import RedisServer
from harness.waiting import until
from tertulia.store.chat_store import StoreFailed
from tertulia.store.keys import Keys
from tertulia.store.permissions import needed_by_a_node

ACL = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
PUBSUB = {"publish", "spublish", "subscribe", "ssubscribe", "unsubscribe", "sunsubscribe"}
"""What of their category is left: Redis 6.2 does not know all of them by name."""
NOT_NEEDED = {"scan", "acl|dryrun", "unsubscribe", "sunsubscribe"}
"""What only `tertulia admin` needs, what a node asks only to give advice, and what it can do without: who may
not unsubscribe reads for nobody what he is subscribed to."""
BY_CONNECTING = {"client|setname", "cluster|slots", "eval", "evalsha", "select"}
"""What is needed before anything can be asked."""


@pytest.fixture
def user(shared_redis: RedisServer) -> Iterator[str]:
    control = shared_redis.control
    control.acl_setuser(
        "node", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"]
    )
    yield "node"
    control.acl_deluser("node")


def names(*, sharded: bool) -> set[str]:
    families = {"pubsub"}
    return {
        f"{command[0]}|{command[1]}" if command[0] in families else str(command[0])
        for command in needed_by_a_node(Keys("c"), sharded=sharded)
    }


def test_what_is_tried_is_what_is_granted() -> None:
    line = next(it for it in ACL.read_text().splitlines() if it.startswith("user tertulia "))
    granted = set(re.findall(r" \+(\S+)", line)) - {"@pubsub"} | PUBSUB
    tried = names(sharded=False) | names(sharded=True)
    assert tried | BY_CONNECTING | NOT_NEEDED == granted


async def test_a_node_that_may_not_do_all_does_not_start(
    chat_stores: RedisStores, user: str
) -> None:
    chat_stores.user = user
    control = chat_stores.server.control
    node = await chat_stores.prepare("one")
    chat_stores.leave_to_end(node)
    control.acl_setuser(user, enabled=True, commands=["-rpush", "-publish", "-xdel"])
    with pytest.raises(StoreFailed, match=r"refuses the user node xdel|rpush, xdel, publish") as it:
        await asyncio.wait_for(node.store.start(node.follower), WITHIN)
    assert it.value.is_final
    assert "grant what deploy/redis/users.acl grants" in str(it.value)
    assert not control.keys("*")
    await node.wire.close()


@pytest.mark.parametrize("command", ["publish", "srem", "subscribe", "evalsha"])
async def test_a_node_is_not_ready_while_it_is_refused_a_command(
    chat_stores: RedisStores, user: str, command: str
) -> None:
    chat_stores.user = user
    control = chat_stores.server.control
    node = await chat_stores.node("one")
    (andy,) = await node.enter("andy")
    assert not node.refused
    control.acl_setuser(user, enabled=True, commands=[f"-{command}"])
    assert node.wire.cut("bus")
    said = andy.say("hello")
    andy.leave()
    await until(lambda: node.refused, WITHIN, "it to be not permitted")
    assert any(command in it for it in node.refused), node.refused
    control.acl_setuser(user, enabled=True, commands=["+@all"])
    await until(lambda: not node.refused, WITHIN, "it to be permitted again")
    await node.store.settle()
    assert said.outcome is not None
    assert not control.exists(chat_stores.keys.nick("andy"))


async def test_channels_are_tried_as_well(chat_stores: RedisStores, user: str) -> None:
    chat_stores.user = user
    node = await chat_stores.node("one")
    chat_stores.server.control.acl_setuser(user, enabled=True, reset_channels=True)
    await until(lambda: node.refused, WITHIN, "it to be refused")
    await until(lambda: {"publish", "subscribe"} <= set(node.refused), WITHIN, "both")
    chat_stores.server.control.acl_setuser(user, enabled=True, channels=["*"])
    await until(lambda: not node.refused, WITHIN, "it to be permitted")


@pytest.mark.parametrize("what", ["keys", "channels"])
async def test_names_of_further_rooms_are_tried(
    chat_stores: RedisStores, user: str, what: str
) -> None:
    version = str(chat_stores.server.control.info("server")["redis_version"])
    if what == "channels" and version.startswith("6."):
        pytest.skip("Redis 6.2 can't be asked about channels")
    chat_stores.user = user
    node = await chat_stores.prepare("one")
    chat_stores.leave_to_end(node)
    own = f"{{{chat_stores.chat}}}:*"
    sign = "~" if what == "keys" else "&"
    chat_stores.server.do("ACL", "SETUSER", user, f"reset{what}", sign + own)
    with pytest.raises(StoreFailed, match="exists" if what == "keys" else "subscribe"):
        await asyncio.wait_for(node.store.start(node.follower), WITHIN)
    await node.wire.close()


async def test_a_refused_subscription_is_told_as_that(chat_stores: RedisStores, user: str) -> None:
    """Redis closes the connection first: that is not the reason that anybody is looking for."""
    chat_stores.user = user
    node = await chat_stores.node("one")
    chat = chat_stores.chat
    assert node.counted("redis_refusals", chat=chat) == 0
    with capture_logs() as lines:
        chat_stores.server.control.acl_setuser(user, enabled=True, reset_channels=True)
        await until(lambda: any(map(is_refusal, lines)), WITHIN, lambda: f"it in the log: {lines}")
        await until(lambda: node.counted("redis_refusals", chat=chat) >= 2, WITHIN, "the metric")
    told = [line for line in lines if is_refusal(line)]
    assert len(told) == 1, "it is tried again and again, and told once"
    assert "channel" in told[0]["error"]
    chat_stores.server.control.acl_setuser(user, enabled=True, channels=["*"])
    await until(lambda: node.counted("redis_refusals", chat=chat) == 0, WITHIN, "permission")


def is_refusal(line: MutableMapping[str, Any]) -> bool:
    return (line["event"], line.get("cause")) == ("bus lost", "no_permission")
