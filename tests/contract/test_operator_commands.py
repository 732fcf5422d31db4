"""What operators order: one step in Redis, once, heard by every node in the order of the log."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from contract.chat_stores import RedisStores
from contract.lossy_proxy import LossyProxy
from contract.node import WITHIN
from harness.waiting import until
from tertulia.domain.bans import BanKind
from tertulia.domain.events import Closed, Kicked, Left, Said
from tertulia.domain.operator_commands import MOST_AUDITED, Action
from tertulia.operators.chats import chats
from tertulia.operators.commands import Operator
from tertulia.operators.overview import Overview
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway


class Carla:
    """Somebody who gives commands over a wire of his own."""

    def __init__(self, stores: RedisStores, proxy: LossyProxy, name: str = "carla") -> None:
        self.wire = proxy
        self.redis = Client.to(Access.to(proxy.url), stores.keys.meta, "tertulia-admin", 5.0)
        self.operator = Operator(stores.chat, self.redis, name, 30.0)
        self.overview = Overview(stores.chat, self.redis)


@pytest.fixture
async def carla(chat_stores: RedisStores) -> AsyncIterator[Carla]:
    proxy = await LossyProxy("127.0.0.1", chat_stores.server.port).start()
    operator = Carla(chat_stores, proxy)
    yield operator
    operator.redis.link.disconnect()
    await proxy.close()


async def test_a_kick_is_one_entry_on_every_node(chat_stores: RedisStores, carla: Carla) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    (andy,) = await one.enter("Andy")
    await two.sees(lambda it: it.nicknames == ["Andy"], "andy")
    assert await carla.operator.kick("aNDY", "too loud") == (True, False)
    for node in (one, two):
        await node.sees(lambda it: it.lefts() == [andy.session], "andy to be gone")
        entry = node.follower.entries[-1]
        assert list(entry.events) == [Kicked("G", "-", "aNDY"), Left("Andy", andy.session)]
        (command,) = entry.operator_commands
        assert (command.action, command.subject, command.text) == (Action.KICK, "andy", "too loud")
        assert command.by == "carla"
    assert await carla.overview.people() == []
    control, keys = chat_stores.server.control, chat_stores.keys
    assert not control.exists(keys.members, keys.nick("andy"), keys.nicks(one.store.node))
    said = andy.say("still here?")  # comes to nothing
    await one.store.settle()
    assert said.outcome is not None
    assert one.follower.said == []
    await two.enter("andy")  # the nickname is free
    await one.sees(lambda it: it.nicknames == ["andy"], "the other andy")


async def test_who_is_not_there_is_not_kicked(chat_stores: RedisStores, carla: Carla) -> None:
    one = await chat_stores.node("one")
    with pytest.raises(CommandRefused, match="andy is not in the chat"):
        await carla.operator.kick("andy", "")
    assert one.follower.operator_commands == []
    assert await carla.overview.audited(10) == []


async def test_an_order_whose_answer_is_lost_is_carried_out_once(
    chat_stores: RedisStores, carla: Carla
) -> None:
    """It is sent again, and the answer is the same."""
    one = await chat_stores.node("one")
    await one.enter("andy")
    await carla.overview.now()
    lost = carla.wire.lose("EVALSHA")
    await carla.operator.say("hello")
    assert lost.struck.is_set()
    lost = carla.wire.lose("EVALSHA")
    assert await carla.operator.kick("andy", "") == (True, False)
    assert lost.struck.is_set()
    await one.sees(lambda it: len(it.lefts()) == 1, "andy to be gone")
    assert one.follower.said == ["hello"]
    assert [it.action for it in one.follower.operator_commands] == [Action.SAY, Action.KICK]
    assert [it.command.action for it in await carla.overview.audited(10)] == [
        Action.SAY,
        Action.KICK,
    ]


async def test_redis_is_waited_for_only_so_long(chat_stores: RedisStores, carla: Carla) -> None:
    await chat_stores.node("one")
    await carla.overview.now()
    carla.operator = Operator(chat_stores.chat, carla.redis, "carla", 0.3)
    await carla.wire.close()
    with pytest.raises(StoreAway):
        await asyncio.wait_for(carla.operator.say("hello"), WITHIN)


async def test_what_the_server_says(chat_stores: RedisStores, carla: Carla) -> None:
    one = await chat_stores.node("one")
    await carla.operator.say('"quoted" \\ ñ')
    await one.sees(lambda it: it.events == [Said("G", "-", '"quoted" \\ ñ')], "it")


async def test_nobody_to_hear_it(chat_stores: RedisStores, carla: Carla) -> None:
    with pytest.raises(CommandRefused, match="no node has ever served it"):
        await carla.operator.say("hello")
    one = await chat_stores.node("one")
    await asyncio.wait_for(one.store.stop(), WITHIN)
    chat_stores.leave_to_end(one)
    with pytest.raises(CommandRefused, match="no node serves the chat"):
        await carla.operator.say("hello")
    await carla.operator.ban(BanKind.NICKNAME, "troll", None, "")  # which the next one reads
    two = await chat_stores.node("two")
    assert [ban.name for ban in two.follower.bans] == ["nickname:troll"]
    await one.wire.close()


async def test_a_closing(chat_stores: RedisStores, carla: Carla) -> None:
    one = await chat_stores.node("one")
    await one.enter("andy", "betty")
    assert await carla.operator.close() == 2
    await one.sees(lambda it: it.nicknames == [], "an empty room")
    assert one.follower.events[-1] == Closed("G", "-")
    assert await carla.overview.people() == []
    await one.enter("andy")
    assert [it.nickname for it in await carla.overview.people()] == ["andy"]


async def test_bans_are_in_the_log_and_read_at_the_start(
    chat_stores: RedisStores, carla: Carla
) -> None:
    one = await chat_stores.node("one")
    assert one.follower.bans == []
    made = await carla.operator.ban(BanKind.NETWORK, "192.0.2.0/24", None, "spam")
    short = await carla.operator.ban(BanKind.NICKNAME, "troll", 150, "")
    await one.sees(lambda it: len(it.operator_commands) == 2, "both")
    assert [command.ban for command in one.follower.operator_commands] == [made, short]
    assert made.by == "carla"
    two = await chat_stores.node("two")
    assert made in two.follower.bans
    await until(lambda: over(carla), WITHIN, "the short one to end")
    assert await carla.overview.bans() == [made]
    with pytest.raises(CommandRefused, match="no ban on the nickname troll"):
        await carla.operator.unban(BanKind.NICKNAME, "troll")
    await carla.operator.unban(BanKind.NETWORK, "192.0.2.0/24")
    with pytest.raises(CommandRefused, match="no ban on the network"):
        await carla.operator.unban(BanKind.NETWORK, "192.0.2.0/24")
    assert await carla.overview.bans() == []


async def over(carla: Carla) -> bool:
    return len(await carla.overview.bans()) < 2


async def test_what_is_over_is_swept(chat_stores: RedisStores, carla: Carla) -> None:
    await chat_stores.node("one")
    for name in ("a", "b", "c"):
        await carla.operator.ban(BanKind.NICKNAME, name, 1, "")
    await carla.operator.ban(BanKind.NICKNAME, "a", None, "")  # in place of the earlier one
    await until(lambda: nobody_else(carla), WITHIN, "the others to end")
    await carla.operator.ban(BanKind.NICKNAME, "d", 60_000, "")
    control, keys = chat_stores.server.control, chat_stores.keys
    assert set(cast(dict[str, str], control.hgetall(keys.bans))) == {"nickname:a", "nickname:d"}
    assert cast(list[str], control.zrange(keys.ban_ends, 0, -1)) == ["nickname:d"]


async def nobody_else(carla: Carla) -> bool:
    return [ban.subject for ban in await carla.overview.bans()] == ["a"]


async def test_an_account_that_is_not_there_is_not_banned(
    chat_stores: RedisStores, carla: Carla
) -> None:
    await chat_stores.node("one")
    with pytest.raises(CommandRefused, match="no account ada"):
        await carla.operator.ban(BanKind.ACCOUNT, "ada", None, "")
    assert await carla.overview.bans() == []


async def test_operator_commands_are_read_up_after_a_lost_bus(
    chat_stores: RedisStores, carla: Carla
) -> None:
    one = await chat_stores.node("one")
    await one.enter("andy")
    one.wire.stall("bus")
    await carla.operator.ban(BanKind.NICKNAME, "troll", None, "")
    await carla.operator.kick("andy", "")
    one.wire.cut("bus")
    one.wire.flow()
    await one.sees(lambda it: len(it.operator_commands) == 2, "both")
    assert [it.action for it in one.follower.operator_commands] == [Action.BAN, Action.KICK]
    assert len(one.follower.lefts()) == 1


async def test_the_audit_log_is_bounded(chat_stores: RedisStores, carla: Carla) -> None:
    await chat_stores.node("one")
    control, keys = chat_stores.server.control, chat_stores.keys
    with control.pipeline() as pipeline:
        for _ in range(MOST_AUDITED + 2000):
            pipeline.xadd(keys.audit, {"e": "{}"})
        pipeline.execute()
    await carla.operator.say("hello")
    assert control.xlen(keys.audit) < MOST_AUDITED + 200


async def test_a_node_tells_of_itself_and_is_forgotten(chat_stores: RedisStores) -> None:
    told = {"state": "up", "version": "9", "started": 5, "lag": 0.25, "host": "h", "ops": "h:1"}
    one = await chat_stores.prepare("one")
    one.store._node_info = lambda: told  # type: ignore[attr-defined]
    await asyncio.wait_for(one.store.start(one.follower), WITHIN)
    control, name = chat_stores.server.control, chat_stores.keys.node_info(one.store.node)
    await until(lambda: control.exists(name), WITHIN, "what the node says of itself")
    assert 0 < control.pttl(name) <= 3_600_000
    told = {**told, "state": "draining"}
    await until(lambda: control.hget(name, "state") == "draining", WITHIN, "the other state")
    await asyncio.wait_for(one.store.stop(), WITHIN)
    chat_stores.leave_to_end(one)
    await one.wire.close()
    assert not control.exists(name)


async def test_chats_are_found(chat_stores: RedisStores) -> None:
    await chat_stores.node("one")
    chat_stores.server.control.set("{other}:thing", "x")
    found = await chats(Access.to(chat_stores.server.url), "test", WITHIN)
    assert chat_stores.chat in found
    assert "other" not in found
