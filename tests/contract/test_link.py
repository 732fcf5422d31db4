"""A connection to a real Redis: its failures are all of one kind, and it can be let go of at any time."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from contract.lossy_proxy import Loss, LossyProxy
from contract.node import WITHIN
from harness.redis_server import RedisServer
from harness.waiting import until
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Call, Link, Subscription
from tertulia.redis.multiplexer import Multiplexer
from tertulia.store.scripts import REGISTER
from tertulia.telemetry.metrics import RetryCause

CALL: Call = ([f"{{x}}:{i}" for i in range(8)], ["n", 1000, "epoch", "", 0, "", ""])
"""Of the script by which a node enters a chat."""
TIMEOUT = 1.0
"""Where it is to be over. Elsewhere who answers may stand still for a moment."""


def link_to(url: str, seconds: float = WITHIN) -> Link:
    return Client.to(Access.to(url), "x", "tertulia-test", seconds).link


@pytest.fixture
async def link(shared_redis: RedisServer) -> AsyncIterator[Link]:
    link = link_to(shared_redis.url)
    yield link
    link.disconnect()


def connections(server: RedisServer) -> list[int]:
    return [it.id for it in server.connections() if it.name == "tertulia-test"]


async def test_a_command_is_answered(shared_redis: RedisServer, link: Link) -> None:
    assert await link.call("ECHO", "hello") == b"hello"
    assert await link.ask(("ECHO", "one"), ("ECHO", "two")) == [b"one", b"two"]
    assert await link.ask() == []
    (connection,) = connections(shared_redis)
    shared_redis.control.client_kill_filter(_id=str(connection))
    await until(lambda: link._shared is None or link._shared.connection.is_over, WITHIN, "the end")
    assert await link.call("ECHO", "three") == b"three"
    link.disconnect()
    await until(lambda: not connections(shared_redis), WITHIN, "the connection to be closed")


async def test_a_script_is_loaded_where_it_is_not_known(
    shared_redis: RedisServer, link: Link
) -> None:
    shared_redis.control.script_flush()
    for _ in range(2):
        reply = await link.run(REGISTER, *CALL)
        assert reply[:2] == [b"ok", b"epoch"]
    assert shared_redis.control.script_exists(REGISTER.plain.sha) == [True]


async def test_who_runs_a_script_now_is_told_once_how_it_went(
    shared_redis: RedisServer, link: Link
) -> None:
    told: list[list[Any] | StoreAway] = []

    async def next_told() -> list[Any] | StoreAway:
        await until(lambda: told, WITHIN, "to be told")
        return told.pop()

    run = partial(link.run_now, REGISTER, [CALL, CALL], told.append)
    shared_redis.control.script_flush()
    assert run() is None  # it is not connected
    await link.connect()
    assert run() is not None
    replies = await next_told()
    assert isinstance(replies, list)
    assert [it.word for it in replies] == ["NOSCRIPT", "NOSCRIPT"]
    await link.run(REGISTER, *CALL)
    assert run() is not None
    replies = await next_told()
    assert isinstance(replies, list)
    assert [it[:2] for it in replies] == [[b"ok", b"epoch"]] * 2
    dropped = run()
    assert dropped is not None
    dropped.drop()
    run()
    await next_told()
    assert not told
    run()
    assert link._shared is not None
    link._shared.connection.end()
    away = await next_told()
    assert isinstance(away, StoreAway)
    assert run() is None


async def test_what_a_server_says_that_was_left_is_told_as_no_reply(
    shared_redis: RedisServer, link: Link
) -> None:
    told: list[list[Any] | StoreAway] = []
    await link.connect()
    assert link._shared is not None
    other = object()  # else the connection would end with the link
    link._shared.holders.add(other)
    shared = link._shared
    assert link.run_now(REGISTER, [CALL], told.append) is not None
    link.disconnect()
    await until(lambda: told, WITHIN, "to be told")
    shared.let_go(other)
    (away,) = told
    assert isinstance(away, StoreAway)


async def test_an_error_is_a_reason_to_connect_again(shared_redis: RedisServer, link: Link) -> None:
    shared_redis.control.set("{x}:text", "text")
    for failing in (link.call("LLEN", "{x}:text"), link.ask(("LLEN", "{x}:text"))):
        with pytest.raises(StoreAway) as caught:
            await failing
        assert caught.value.cause is RetryCause.OTHER
        await until(lambda: not connections(shared_redis), WITHIN, "the connection to be closed")
    assert await link.call("ECHO", "sound again") == b"sound again"


async def test_a_refused_question_costs_no_connection(
    shared_redis: RedisServer, link: Link
) -> None:
    """The shipped user may not ask for settings, which every chat tries: the connection is sound."""
    await link.connect()
    before = connections(shared_redis)
    shared_redis.control.acl_setuser("default", enabled=True, commands=["-config"])
    try:
        with pytest.raises(StoreAway) as caught:
            await link.call("CONFIG", "GET", "maxmemory")
    finally:
        shared_redis.control.acl_setuser("default", enabled=True, commands=["+@all"])
    assert caught.value.cause is RetryCause.NO_PERMISSION
    assert link.refusal
    assert await link.call("ECHO", "hello") == b"hello"
    assert connections(shared_redis) == before


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY, Loss.STALLED])
async def test_a_reply_that_does_not_come_is_waited_for_no_longer_than_told(
    shared_redis: RedisServer, loss: Loss
) -> None:
    proxy = await LossyProxy("127.0.0.1", shared_redis.port).start()
    link = link_to(proxy.url, TIMEOUT if loss is Loss.STALLED else WITHIN)
    proxy.lose("ECHO", loss=loss)
    with pytest.raises(StoreAway) as caught:
        await asyncio.wait_for(link.call("ECHO", "hello"), WITHIN)
    stalled = loss is Loss.STALLED
    assert caught.value.cause is (RetryCause.TIMEOUT if stalled else RetryCause.CONNECTION)
    assert await link.call("ECHO", "hello") == b"hello"
    link.disconnect()
    await proxy.close()


async def test_silence_where_a_message_is_due_is_a_lost_connection(
    shared_redis: RedisServer,
) -> None:
    multiplexer = Multiplexer(Access.to(shared_redis.url), WITHIN)
    link = Subscription(multiplexer.masters("x"), "tertulia-test", multiplexer)
    await link.subscribe(["{x}:channel"])
    await link_to(shared_redis.url).publish("{x}:channel", "hello")
    assert await link.receive(WITHIN) == [[b"message", b"{x}:channel", b"hello"]]
    with pytest.raises(StoreAway) as caught:
        await link.receive(0.05)
    assert caught.value.cause is RetryCause.TIMEOUT
    with pytest.raises(StoreAway, match="given up"):
        await link.receive(WITHIN)


async def test_a_frozen_server_is_waited_for_no_longer_than_told(shared_redis: RedisServer) -> None:
    link = link_to(shared_redis.url, TIMEOUT)
    await link.connect()
    shared_redis.freeze()
    try:
        for _ in range(2):  # when it was connected, and when it has to connect
            with pytest.raises(StoreAway) as caught:
                await asyncio.wait_for(link.call("ECHO", "hello"), WITHIN)
            assert caught.value.cause is RetryCause.TIMEOUT
    finally:
        shared_redis.thaw()
    assert await link.call("ECHO", "hello") == b"hello"
    link.disconnect()


async def test_a_replica_is_refused(shared_redis: RedisServer, link: Link) -> None:
    shared_redis.control.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreAway) as caught:
            await link.connect()
        assert caught.value.cause is RetryCause.READ_ONLY
    finally:
        shared_redis.control.replicaof("NO", "ONE")
    await link.connect()
