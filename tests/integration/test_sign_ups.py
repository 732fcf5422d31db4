"""Sign-ups, many of them: nobody else waits for them, and one network has so many an hour."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from functools import partial

import pytest

from harness.device_client import (
    BINARY,
    PASSWORD,
    TEXT,
    DeviceClient,
    Framing,
    log_in,
    sign_up,
)
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until
from tertulia.operators.accounts import AccountBook
from tertulia.redis.access import Access

pytestmark = pytest.mark.slow

HOME, MANY, OTHERS = "127.0.0.3", "127.0.0.2", "127.0.0.4"
"""Each IPv4 address is a network."""
DEVICES = (Listener("device"),)
ANY = {"ACCOUNTS__SIGN_UPS_PER_HOUR": "1000000"}
PATIENCE = 60.0
"""Seconds: passwords give way to whatever else the machine does, and here it does much."""
MOST_BEFORE = 20
"""Passwords of others that may be hashed while one logs in: each network has a turn for each core at work."""


async def value(node: Node, name: str, **labels: str) -> float:
    return sum(it.value for it in await node.metrics() if it.name == name and it.labels == labels)


def made(redis: RedisServer, name: str) -> int:
    return len(list(redis.control.scan_iter(f"{{main}}:account:{name}*", count=1000)))


@contextlib.asynccontextmanager
async def asking_for(
    node: Node, count: int, name: str, source: str
) -> AsyncIterator[list[DeviceClient]]:
    """Ask for so many accounts at once, each on a connection of its own."""
    devices = [
        await DeviceClient.connect(node.port("device"), TEXT, source=source) for _ in range(count)
    ]
    for number, device in enumerate(devices):
        device.send(1, f"{name}{number}", PASSWORD, 5001)
    try:
        yield devices
    finally:
        for device in devices:
            device.close_at_once()


async def test_199_sign_ups_make_no_login_from_another_network_wait(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """With the bound on sign-ups lifted: it is turns that the networks take."""
    node = node_factory.launch(listeners=DEVICES, settings=ANY, in_earnest=True)
    await node.ready()
    await sign_up(node.port("device"), "anna", source=HOME)
    async with asking_for(node, 199, "x", MANY):
        waiting = partial(value, node, "tertulia_passwords_waiting")

        async def all_wait() -> bool:
            return await waiting() + made(redis_server, "x") > 190

        await until(all_wait, 60, "them to wait")
        # On a busy machine many more may be made before the test itself comes to count them.
        for _ in range(3):
            before = made(redis_server, "x")
            assert await log_in(node.port("device"), "anna", source=HOME, within=PATIENCE) == [
                1,
                0,
                0,
                0,
            ]
            if made(redis_server, "x") - before < MOST_BEFORE:
                break
        else:
            pytest.fail("each login waited for many of them")
        assert await waiting() > MOST_BEFORE, "they should have been waiting all the time"


@contextlib.asynccontextmanager
async def asking_again_and_again(
    node: Node, at_once: int, name: str, source: str
) -> AsyncIterator[None]:
    """Ask for accounts, so many at once: whoever is answered, or closed, is followed by another."""
    numbers = itertools.count()

    async def ask() -> None:
        while True:
            with contextlib.suppress(OSError):
                device = await DeviceClient.connect(node.port("device"), TEXT, source=source)
                device.send(1, f"{name}{next(numbers)}", PASSWORD, 5001)
                await device.rest(60)
                device.close_at_once()

    tasks = [asyncio.create_task(ask()) for _ in range(at_once)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_nor_do_those_of_two_networks_that_take_every_place_again_and_again(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    most = 60
    settings = {**ANY, "LIMITS__LOGINS_WAITING": str(most)}
    node = node_factory.launch(listeners=DEVICES, settings=settings, in_earnest=True)
    await node.ready()
    await sign_up(node.port("device"), "anna", source=HOME)
    half = most // 2 + 5
    async with (
        asking_again_and_again(node, half, "x", MANY),
        asking_again_and_again(node, half, "y", OTHERS),
    ):

        async def is_full() -> bool:
            return await value(node, "tertulia_passwords_waiting") == most

        waited = []
        for _ in range(3):
            await until(is_full, 60, "every place to be taken")
            before = made(redis_server, "[xy]")
            assert await log_in(node.port("device"), "anna", source=HOME, within=PATIENCE) == [
                1,
                0,
                0,
                0,
            ]
            waited.append(made(redis_server, "[xy]") - before)
        # As above: where the machine was busy, more are counted than were before it.
        assert min(waited) < MOST_BEFORE, waited


async def refused(port: int, name: str, framing: Framing, source: str) -> bytes:
    """Ask for an account, and return all that is answered after the acknowledgement."""
    async with await DeviceClient.connect(port, framing, source=source) as device:
        device.send(1, name)
        assert await device.integer() == 1
        return await device.rest()


async def test_one_network_makes_so_many_accounts_on_all_nodes_together(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    settings = {"ACCOUNTS__SIGN_UPS_PER_HOUR": "3"}
    nodes = [node_factory.launch(listeners=DEVICES, settings=settings) for _ in range(2)]
    for node in nodes:
        await node.ready()
    one, two = (node.port("device") for node in nodes)
    for number in range(3):
        await sign_up((one, two)[number % 2], f"x{number}", source=MANY)
    for port in (one, two):
        assert await refused(port, "late", BINARY, MANY) == BINARY.write(1)
        told = (await refused(port, "late", TEXT, MANY)).decode()
        assert told == "1\ntroppe iscrizioni dalla tua rete: riprova tra 20 minuti\n"
    await sign_up(two, "anna", source=HOME)
    assert await log_in(one, "x0", source=MANY) == [1, 0, 0, 0], "this is no sign-up"
    outcomes = [
        {
            outcome: await value(node, "tertulia_sign_ups_total", outcome=outcome)
            for outcome in ("made", "too_many", "closed")
        }
        for node in nodes
    ]
    assert outcomes == [
        {"made": 2, "too_many": 2, "closed": 0},
        {"made": 2, "too_many": 2, "closed": 0},
    ]


async def test_who_asks_for_many_at_once_gets_no_more(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """All of them are let in to give a password before the first is made. No further one is hashed."""
    settings = {"ACCOUNTS__SIGN_UPS_PER_HOUR": "5"}
    nodes = [
        node_factory.launch(listeners=DEVICES, settings=settings, in_earnest=True) for _ in range(2)
    ]
    for node in nodes:
        await node.ready()
    async with (
        asking_for(nodes[0], 30, "x", MANY) as here,
        asking_for(nodes[1], 30, "y", MANY) as there,
    ):
        told = await asyncio.gather(*(device.rest(60) for device in (*here, *there)))
    assert sum(answer == b"1\n0\n0\n0\n" for answer in told) == 5
    assert made(redis_server, "[xy]") == 5


@pytest.mark.parametrize("framing", [BINARY, TEXT], ids=["binary", "text"])
async def test_where_registration_is_closed_only_operators_make_accounts(
    node_factory: NodeFactory, redis_server: RedisServer, framing: Framing
) -> None:
    node = node_factory.launch(listeners=DEVICES, settings={"ACCOUNTS__REGISTRATION": "closed"})
    await node.ready()
    port = node.port("device")
    answer = await refused(port, "anna", framing, HOME)
    assert answer == framing.write(1) + (b"le iscrizioni sono chiuse\n" if framing is TEXT else b"")
    assert not redis_server.control.keys("{main}:account:*")
    assert not redis_server.control.keys("{main}:sign-ups:*")
    async with AccountBook.to("main", Access.to(redis_server.url), 5.0) as book:
        await book.add("anna", PASSWORD)
    assert await log_in(port, "anna", framing=framing, source=HOME) == [1, 0, 0, 0]
    assert await value(node, "tertulia_sign_ups_total", outcome="closed") == 1
