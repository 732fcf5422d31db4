"""Webhooks: what is said reaches receivers that fail, by processes that die: all of it, in order."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.api_process import ApiProcess
from harness.chatte_client import ChatteClient
from harness.hook_receiver import SECRET, HookReceiver
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow

WITHIN = 60.0
KEY = "{main}:webhook:tickets"
OTHER_SECRET = "of a file, and long enough"
QUICK = {"API__WEBHOOK_TIMEOUT_SECONDS": "2"}


class Apis:
    """Processes of the API with one file of webhooks."""

    def __init__(self, directory: Path, redis: RedisServer) -> None:
        self.file = directory / "webhooks.toml"
        self._directory = directory
        self._redis = redis
        self.started: list[ApiProcess] = []

    def write(self, url: str, **more: Any) -> None:
        """Write a webhook for the lobby and #ops."""
        hook = {"name": "tickets", "url": url, "secret": SECRET, "rooms": ["lobby", "ops"], **more}
        lines = [f"{k} = {json.dumps(v)}" for k, v in hook.items() if v is not None]
        self.file.write_text("[[webhooks]]\n" + "\n".join(lines) + "\n")

    async def start(self, **settings: str) -> ApiProcess:
        """Start one more, and wait until it listens."""
        directory = self._directory / f"api-{len(self.started)}"
        settings = QUICK | {"API__WEBHOOKS": str(self.file)} | settings
        api = ApiProcess(directory, self._redis.url, settings=settings)
        self.started.append(api)
        await api.ready()
        return api


@pytest.fixture
def apis(tmp_path: Path, redis_server: RedisServer) -> Iterator[Apis]:
    apis = Apis(tmp_path, redis_server)
    yield apis
    for api in apis.started:
        api.end()


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with HookReceiver() as receiver:
        yield receiver


@pytest.fixture
async def node(node_factory: NodeFactory) -> Node:
    node = node_factory.launch()
    await node.ready()
    return node


async def relayed(redis: RedisServer, *rooms: str) -> None:
    """Wait until the webhook has begun in some rooms."""
    await until(
        lambda: all(redis.control.hexists(KEY, f"at:{room}") for room in rooms), WITHIN, "a relay"
    )


async def test_who_fails_in_every_way_gets_all_in_order_and_a_stop_hands_over(
    node: Node, redis_server: RedisServer, apis: Apis, receiver: HookReceiver
) -> None:
    andy = await ChatteClient.enter_chat(node.port(), "andy")
    betty = await ChatteClient.enter_chat(node.port(), "betty@ops")
    andy.say("before there was a webhook")
    await andy.answered()
    apis.write(receiver.url())
    api = await apis.start()
    await relayed(redis_server, "lobby", "ops")
    receiver.ways.extend(["500 Oops", "hang", "cut", "late", "302 Found\r\nLocation: /other"])
    said: dict[str, list[str]] = {"lobby": [], "ops": []}
    for _ in range(8):
        said["lobby"].append(andy.say())
        said["ops"].append(betty.say())
        await asyncio.gather(andy.answered(), betty.answered())
    for room, texts in said.items():
        await until(
            lambda room=room, texts=texts: receiver.texts(room) == texts,  # type: ignore[misc]
            WITHIN,
            lambda room=room: f"all of {room}: {receiver.texts(room)}",  # type: ignore[misc]
        )
    assert {it.path for it in receiver.received} == {"/hook?key=private"}
    assert all(it.is_signed() and not it.is_signed("another one") for it in receiver.received)
    for it in receiver.received:  # what is tried again is the same
        assert {i.body for i in receiver.received if i.delivery == it.delivery} == {it.body}
        assert it.told["id"] == it.delivery
    first = receiver.taken[0].told
    assert (first["hook"], first["chat"]) == ("tickets", "main")
    (event, *_) = first["events"]
    assert event["nickname"] in ("andy", "betty")
    assert {"event", "at", "place", "text", "is_account"} <= event.keys()
    page = await api.ask("GET", "/webhooks")
    states = {it["room"]: it for it in page.json()["items"]}
    assert {room: it["dead"] for room, it in states.items()} == {"lobby": 0, "ops": 0}
    tries = {
        it.labels["outcome"]: it.value
        for it in await api.metrics()
        if it.name == "tertulia_webhook_tries_total"
    }
    assert tries["again"] == 4 == len(receiver.received) - len(receiver.taken)
    assert "private" not in json.dumps(api.lines)
    assert SECRET not in json.dumps(api.lines)
    failed = [it for it in receiver.received if not any(it is taken for taken in receiver.taken)]
    refused = "a webhook does not take a delivery"
    deliveries = sorted({it.delivery for it in failed})
    await until(lambda: len(api.events(refused)) >= len(deliveries), WITHIN, "the log to say so")
    assert sorted(it["delivery"] for it in api.events(refused)) == deliveries

    # It stops: what is under way is waited for, its lease is not, and the next one begins behind it.
    came = len(receiver.received)
    receiver.ways.append("late")
    said["lobby"] += await talk(andy, 1)
    await until(lambda: len(receiver.received) > came, WITHIN, "a request")
    assert await api.stop() == 0
    assert redis_server.control.hget(KEY, "holder") is None
    assert receiver.texts("lobby") == said["lobby"]
    said["lobby"] += await talk(andy, 1)
    await apis.start()
    await has_all(receiver, "lobby", said["lobby"])
    assert len(receiver.received) == came + 2


async def talk(client: ChatteClient, count: int) -> list[str]:
    """Say something so many times, each as an entry of its own."""
    said = []
    for _ in range(count):
        said.append(client.say())
        await client.answered()
    return said


async def has_all(receiver: HookReceiver, room: str, texts: list[str]) -> None:
    await until(
        lambda: receiver.texts(room) == texts,
        WITHIN,
        lambda: f"all of {room}: {receiver.texts(room)} of {texts}",
    )


async def test_processes_that_freeze_and_die_lose_nothing_and_turn_nothing_back(
    node: Node, redis_server: RedisServer, apis: Apis, receiver: HookReceiver
) -> None:
    andy = await ChatteClient.enter_chat(node.port(), "andy")
    apis.write(receiver.url(), rooms=["lobby"])
    both = await asyncio.gather(apis.start(), apis.start())
    await relayed(redis_server, "lobby")
    relays = "a webhook is relayed here"
    await until(lambda: any(it.events(relays) for it in both), WITHIN, "the log to say which")
    first, second = sorted(both, key=lambda it: not it.events(relays))
    assert not second.events(relays)
    said = await talk(andy, 5)
    await has_all(receiver, "lobby", said)

    async def is_under_way() -> None:
        """Wait until a request hangs; what is said meanwhile waits."""
        tried = len(receiver.received)
        receiver.ways.append("hang")
        said.extend(await talk(andy, 5))
        await until(lambda: len(receiver.received) > tried, WITHIN, "the request that hangs")

    await is_under_way()
    first.process.send_signal(signal.SIGSTOP)
    said += await talk(andy, 5)
    await has_all(receiver, "lobby", said)
    at = redis_server.control.hget(KEY, "at:lobby")
    await is_under_way()
    first.process.send_signal(signal.SIGCONT)
    second.kill()
    receiver.ways.append("cut")
    said += await talk(andy, 5)
    await has_all(receiver, "lobby", said)
    await until(lambda: len(first.events(relays)) == 2, WITHIN, "the log to say so")
    await until(lambda: redis_server.control.hget(KEY, "at:lobby") != at, WITHIN, "that it is told")
    # What came twice came under the same id, and what is behind another delivery begins where that ended.
    by_id = {it.delivery: it.body for it in receiver.received}
    assert by_id.keys() == {it.delivery for it in receiver.taken}
    assert len(by_id) == len(set(by_id.values())) < len(receiver.received)
    assert [it.body for it in receiver.received] == [by_id[it.delivery] for it in receiver.received]
    places = [
        tuple(map(int, event["place"].split(".")))
        for it in {it.delivery: it for it in receiver.taken}.values()
        for event in it.told["events"]
    ]
    assert all(one < two for one, two in pairwise(places))


async def test_a_new_file_holds_what_nobody_takes_is_kept_and_who_is_gone_is_left_alone(
    node: Node, redis_server: RedisServer, apis: Apis, receiver: HookReceiver
) -> None:
    andy = await ChatteClient.enter_chat(node.port(), "andy")
    apis.file.write_text("")
    api = await apis.start(API__WEBHOOK_TRIES="2")
    apis.write(receiver.url("169.254.169.254"), rooms=["lobby"])
    await until(lambda: api.events("new webhooks can't be used"), WITHIN, "a complaint")
    assert "allow_http" in api.events("new webhooks can't be used")[0]["error"]
    (apis.file.parent / "secret").write_text(f"{OTHER_SECRET}\n")
    apis.write(receiver.url("localhost"), rooms=["lobby"], secret=None, secret_file="secret")
    await relayed(redis_server, "lobby")
    receiver.ways.extend(["500 Oops", "503 Later\r\nRetry-After: 1"])
    dead = await talk(andy, 1)
    await until(lambda: api.events("a delivery of a webhook is given up"), WITHIN, "a dead letter")
    page = await api.ask("GET", "/webhooks/tickets/dead-letters")
    (letter,) = page.json()["items"]
    assert [it["text"] for it in letter["events"]] == dead
    assert (letter["room"], letter["tries"], letter["why"]) == ("lobby", 2, "it answered 503")
    said = await talk(andy, 1)
    await has_all(receiver, "lobby", said)
    kept = redis_server.control.lrange(f"{KEY}:dead", 0, -1)
    assert len(kept) == 1
    assert dead[0] not in kept[0], "what people say is in the log alone"
    counted = {it.name: it.value for it in await api.metrics()}
    assert counted["tertulia_webhook_dead_letters_total"] == 1

    receiver.ways.append("410 Gone")
    said += await talk(andy, 1)
    await until(lambda: api.events("a webhook is disabled"), WITHIN, "the end")
    said += await talk(andy, 1)
    (state,) = (await api.ask("GET", "/webhooks")).json()["items"]
    assert (state["is_disabled"], state["dead"]) == (True, 1)
    came = len(receiver.received)
    assert (await api.ask("POST", "/webhooks/tickets/enable")).status == 204
    await has_all(receiver, "lobby", said)
    assert len(receiver.received) > came
    for path in ("/webhooks/other/dead-letters", "/webhooks/%23/dead-letters"):
        assert (await api.ask("GET", path)).status == 404
    redis_server.control.xtrim("{main}:log", maxlen=1, approximate=False)
    page = await api.ask("GET", "/webhooks/tickets/dead-letters")
    assert [it["events"] for it in page.json()["items"]] == [None]
    assert all(it.is_signed(OTHER_SECRET) for it in receiver.received)
