"""A program says something: one step in Redis, once however often it is sent, by the shipped rights."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.in_rooms import enter, open_room
from contract.lossy_proxy import Loss, LossyProxy
from contract.node import WITHIN
from harness.redis_groups import denied, shipped_user
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from tertulia.domain.bans import BanKind
from tertulia.domain.events import Said
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from tertulia.operators.commands import Operator, RoomOperator
from tertulia.operators.posting import NotPosted, Poster, WhyNot
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys, LogKeys, RoomKeys
from tertulia.store.scripts import POST

SHIPPED = "shipped"
KEY = "a key"


class Program:
    """What posts, over a wire of its own, logged in as the user that is shipped."""

    def __init__(self, stores: RedisStores, wire: LossyProxy, *, is_replicated: bool) -> None:
        self._stores = stores
        self.wire = wire
        self._is_replicated = is_replicated
        self.waits(WITHIN)

    def waits(self, seconds: float) -> None:
        """Wait for Redis, and for replicas, no longer than that from now on."""
        url = self.wire.url.replace("//", f"//{SHIPPED}:any@")
        self.redis = Client.to(Access.to(url), self._stores.keys.meta, "tertulia-api", seconds)
        self._patience = seconds

    def poster(self, room: str | None = None, **settings: Any) -> Poster:
        keys: LogKeys = Keys(self._stores.chat)
        if room is not None:
            keys = RoomKeys(self._stores.chat, room)
        cluster = ClusterSettings.model_validate(settings)
        return Poster(
            keys, self.redis, self.redis, cluster, self._patience, is_replicated=self._is_replicated
        )


@pytest.fixture
async def program(chat_stores: RedisStores) -> AsyncIterator[Program]:
    chat_stores.server.do("ACL", "SETUSER", SHIPPED, *shipped_user()[2:-1], "nopass")
    chat_stores.server.do("ACL", "LOG", "RESET")
    wire = await LossyProxy("127.0.0.1", chat_stores.server.port).start()
    made = Program(chat_stores, wire, is_replicated=False)
    chat_stores.give_password("bot", "a password")
    yield made
    made.redis.link.disconnect()
    await wire.close()
    assert denied([chat_stores.server]) == []
    chat_stores.server.do("ACL", "DELUSER", SHIPPED)


async def reads(node: RedisNode, *texts: str) -> None:
    await node.sees(lambda it: it.said == list(texts), f"{texts}")


async def refused(poster: Poster, text: str = "no", key: str = "another key") -> NotPosted:
    with pytest.raises(NotPosted) as error:
        await poster.post("bot", text, key)
    return error.value


async def test_it_is_said_once_on_every_node(chat_stores: RedisStores, program: Program) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    poster = program.poster()
    first, *again = [await poster.post("bot", "hello", KEY) for _ in range(3)]
    assert first.is_new
    assert not any(it.is_new for it in again)
    assert {it.position for it in again} == {first.position}
    await poster.post("bot", "hello", "another key")
    for node in (one, two):
        await reads(node, "hello", "hello")
        entry = node.follower.entries[-2]
        assert entry.events == [Said("bot", "-", "hello", is_account=True)]
        assert entry.position == first.position
        assert entry.position.at == first.position.at
    assert (await refused(poster, "something else", KEY)).why is WhyNot.REUSED
    with pytest.raises(NotPosted, match=WhyNot.NO_ACCOUNT.value):
        await poster.post("nobody", "hello", KEY)
    # Whose key it is, is a part of it.
    chat_stores.give_password("other", "a password")
    assert (await poster.post("other", "hello", KEY)).is_new
    control: Any = chat_stores.server.control
    names = control.keys(chat_stores.keys.posted("*"))
    assert len(names) == 3
    for name in names:
        assert 86_000_000 < control.pttl(name) <= 86_400_000


async def test_a_lost_answer_is_no_second_message(
    chat_stores: RedisStores, program: Program
) -> None:
    node = await chat_stores.node("one")
    for loss in (Loss.REPLY, Loss.REQUEST):
        fault = program.wire.lose(POST.plain.sha, loss=loss)
        posted = await asyncio.wait_for(
            program.poster().post("bot", f"{loss}", f"key {loss}"), WITHIN
        )
        assert fault.struck.is_set()
        assert posted.is_new == (loss is Loss.REQUEST)
    await reads(node, f"{Loss.REPLY}", f"{Loss.REQUEST}")


async def test_many_at_once_with_one_key_are_one(
    chat_stores: RedisStores, program: Program
) -> None:
    node = await chat_stores.node("one")
    poster = program.poster()
    told = await asyncio.gather(*(poster.post("bot", "once", KEY) for _ in range(50)))
    assert [it.is_new for it in told].count(True) == 1
    await poster.post("bot", "last", "last")
    await reads(node, "once", "last")


async def test_what_moderators_set_holds_for_it(chat_stores: RedisStores, program: Program) -> None:
    node = await chat_stores.node("one")
    poster, operator = (
        program.poster(),
        Operator(chat_stores.chat, program.redis, "carla", WITHIN),
    )
    await poster.post("bot", "before", KEY)
    await operator.moderate(Moderation(Action.MUTE, "bot", 60))
    muted = await refused(poster)
    assert muted.why is WhyNot.MUTED
    assert 0 < muted.until - muted.now <= 60_000
    assert not (await poster.post("bot", "before", KEY)).is_new, "what was said stays said"
    await operator.moderate(Moderation(Action.MUTE, "bot"))
    assert (await refused(poster)).until == 0
    await operator.moderate(Moderation(Action.UNMUTE, "bot"))
    await operator.moderate(Moderation(Action.ACCOUNTS_ONLY, value=1))
    await operator.moderate(Moderation(Action.SLOW, value=100))
    await poster.post("bot", "in slow mode", "slow")
    slow = await refused(poster)
    assert slow.why is WhyNot.SLOW
    assert 90_000 < slow.until - slow.now <= 100_000
    await operator.moderate(Moderation(Action.APPOINT, "bot"))
    await poster.post("bot", "as a moderator", "moderator")
    for kind in (BanKind.ACCOUNT, BanKind.NICKNAME):
        await operator.ban(kind, "bot", 60_000, "")
        assert (await refused(poster)).why is WhyNot.BANNED
        await operator.unban(kind, "bot")
    chat_stores.give_password("bot", None)
    assert (await refused(poster)).why is WhyNot.NO_ACCOUNT
    await reads(node, "before", "in slow mode", "as a moderator")


async def test_a_further_room(chat_stores: RedisStores, program: Program) -> None:
    node = await chat_stores.node("one")
    poster = program.poster("ops")
    assert (await refused(poster)).why is WhyNot.ABSENT
    room = open_room(node, "ops")
    (andy,) = await enter(node, room, "andy")
    keys, control = RoomKeys(chat_stores.chat, "ops"), chat_stores.server.control
    assert control.hget(keys.meta, "used") is None
    await poster.post("bot", "hello", KEY)
    assert control.hget(keys.meta, "used") == "1"
    await until(lambda: room.follower.said == ["hello"], WITHIN, "it to be heard")
    operator = RoomOperator(keys, program.redis, program.redis, "carla", WITHIN)
    await operator.moderate(Moderation(Action.SLOW, value=100))
    await poster.post("bot", "slowly", "slow")
    assert (await refused(poster)).why is WhyNot.SLOW
    await operator.moderate(Moderation(Action.APPOINT, "bot"))
    await poster.post("bot", "as a moderator", "moderator")
    # Another account of that name is no moderator.
    control.hset(chat_stores.keys.account("bot"), "since", "2")
    assert (await refused(poster)).why is WhyNot.SLOW
    chat_stores.give_password("bot", None)
    assert (await refused(poster)).why is WhyNot.NO_ACCOUNT
    andy.leave()


async def test_it_trims_the_log_where_nobody_else_does(
    chat_stores: RedisStores, program: Program
) -> None:
    keys, control = chat_stores.keys, chat_stores.server.control
    control.hset(keys.meta, mapping={"epoch": "e", "offset": 0, "base": 0})
    poster = program.poster(log_bytes=1_048_576)
    # A mark is made with each mebibyte.
    for number in range(6):
        control.hincrby(keys.meta, "bytes", 700_000)
        await poster.post("bot", f"{number}", f"{number}")
    assert 0 < int(control.xlen(keys.log)) < 6
    assert int(control.hget(keys.meta, "offset") or 0) == 6


@pytest.fixture
def replica(shared_redis: RedisServer) -> Iterator[RedisServer]:
    options = ("--replicaof", "127.0.0.1", str(shared_redis.port))
    with running_redis(fsync="no", options=options) as server:
        yield server


async def test_nothing_is_acknowledged_before_a_replica_has_it(
    replica: RedisServer, chat_stores: RedisStores, program: Program
) -> None:
    told = replica.control
    await until(lambda: told.info("replication")["master_link_status"] == "up", WITHIN, "it")
    chat_stores.is_replicated = True
    node = await chat_stores.node("one")
    program._is_replicated = True
    await program.poster().post("bot", "both have it", "first")
    await reads(node, "both have it")
    replica.freeze()
    program.redis.link.disconnect()
    program.waits(0.7)
    with pytest.raises(StoreAway):
        await program.poster().post("bot", "waits", KEY)
    log = chat_stores.server.control.xlen(chat_stores.keys.log)
    # On another connection, what was written on this one would not be waited for.
    program.redis.link.disconnect()
    with pytest.raises(StoreAway):
        await program.poster().post("bot", "waits", KEY)
    assert chat_stores.server.control.xlen(chat_stores.keys.log) == log, "it is there once"
    assert node.follower.said == ["both have it"]
    replica.thaw()
    program.redis.link.disconnect()
    program.waits(WITHIN)
    assert not (await program.poster().post("bot", "waits", KEY)).is_new
    await reads(node, "both have it", "waits")
