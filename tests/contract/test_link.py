"""A connection to a real Redis: its failures are all of one kind, and it can be let go of at any time."""

import asyncio

import pytest

from contract.lossy_proxy import Loss, LossyProxy
from contract.node import WITHIN
from harness.redis_server import RedisServer, free_port
from harness.waiting import until
from tertulia.redis.access import Access
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link
from tertulia.redis.masters import OneServer
from tertulia.store.scripts import REGISTER
from tertulia.telemetry.metrics import RetryCause

TIMEOUT = 0.2


def link_to(url: str) -> Link:
    return Link(OneServer(Access.to(url)), "tertulia-test", TIMEOUT)


def connections(server: RedisServer) -> list[int]:
    return [it.id for it in server.connections() if it.name == "tertulia-test"]


async def test_a_command_is_answered(shared_redis: RedisServer) -> None:
    link = link_to(shared_redis.url)
    assert await link.call("ECHO", "hello") == b"hello"
    assert await link.call_many([("ECHO", "one"), ("ECHO", "two")]) == [b"one", b"two"]
    assert await link.call_many([]) == []
    assert connections(shared_redis)
    link.disconnect()
    await until(lambda: not connections(shared_redis), WITHIN, "the connection to be closed")


async def test_a_script_is_loaded_where_it_is_not_known(shared_redis: RedisServer) -> None:
    shared_redis.control.script_flush()
    link = link_to(shared_redis.url)
    keys = [f"{{x}}:{i}" for i in range(8)]
    args: list[str | int] = ["n", 1000, "epoch", "", 0, "", ""]
    for _ in range(2):
        reply = await link.run(REGISTER, keys, args)
        assert reply[:2] == [b"ok", b"epoch"]
    assert shared_redis.control.script_exists(REGISTER.plain.sha) == [True]
    link.disconnect()


async def test_an_error_is_a_reason_to_connect_again(shared_redis: RedisServer) -> None:
    link = link_to(shared_redis.url)
    shared_redis.control.set("{x}:text", "text")
    for failing in (link.call("LLEN", "{x}:text"), link.call_many([("LLEN", "{x}:text")])):
        with pytest.raises(StoreAway) as caught:
            await failing
        assert caught.value.cause is RetryCause.OTHER
        await until(lambda: not connections(shared_redis), WITHIN, "the connection to be closed")
    assert await link.call("ECHO", "sound again") == b"sound again"
    link.disconnect()


async def test_nobody_there_is_a_failed_connection() -> None:
    link = link_to(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(StoreAway) as caught:
        await link.connect()
    assert caught.value.cause is RetryCause.CONNECTION


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY, Loss.STALLED])
async def test_a_reply_that_does_not_come_is_waited_for_no_longer_than_told(
    shared_redis: RedisServer, loss: Loss
) -> None:
    proxy = await LossyProxy("127.0.0.1", shared_redis.port).start()
    link = link_to(proxy.url)
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
    link = link_to(shared_redis.url)
    await link.subscribe(["{x}:channel"], TIMEOUT)
    await link_to(shared_redis.url).publish("{x}:channel", "hello")
    assert await link.receive(TIMEOUT) == [[b"message", b"{x}:channel", b"hello"]]
    with pytest.raises(StoreAway) as caught:
        await link.receive(0.05)
    assert caught.value.cause is RetryCause.TIMEOUT
    with pytest.raises(StoreAway, match="given up"):
        await link.receive(TIMEOUT)


async def test_a_replica_is_refused(shared_redis: RedisServer) -> None:
    link = link_to(shared_redis.url)
    shared_redis.control.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreAway) as caught:
            await link.connect()
        assert caught.value.cause is RetryCause.READ_ONLY
    finally:
        shared_redis.control.replicaof("NO", "ONE")
    await link.connect()
    link.disconnect()


@pytest.mark.parametrize("turns", range(8))
async def test_a_task_can_be_cancelled_at_any_moment(shared_redis: RedisServer, turns: int) -> None:
    """Whoever stops or starts over cancels its tasks: one that goes on is never got rid of."""
    for after in range(turns * 10, turns * 10 + 10):
        link = link_to(shared_redis.url)
        await link.connect()
        asked = 0

        async def ask(link: Link = link) -> None:
            nonlocal asked
            while True:
                await link.call("PING")
                asked += 1

        task = asyncio.create_task(ask())
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()
        before = asked
        while not task.done() and asked < before + 10:  # noqa: ASYNC110 - turns are what is counted
            await asyncio.sleep(0)
        was_stopped = task.done()
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        link.disconnect()
        assert was_stopped, f"cancelled after {after} turns of the loop, it went on"
