"""What the log, or Redis, has lost is told to webhooks in its place; and what is not lost is not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from harness.chatte_client import ChatteClient
from harness.hook_receiver import SECRET, HookReceiver
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until
from tertulia.api.webhooks.relay import Relay
from tertulia.operators import following
from tertulia.operators.deployment import Deployment
from tertulia.operators.following import Feed
from tertulia.operators.webhooks import Attempt, RoomSteps, WebhookProgress, WebhookRecord
from tertulia.redis.errors import StoreAway
from tertulia.settings.api import ApiSettings
from tertulia.settings.model import Settings
from tertulia.telemetry.metrics import RetryCause

WITHIN = 60.0
KEY = "{main}:webhook:tickets"


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with HookReceiver() as receiver:
        yield receiver


@pytest.fixture
async def node(node_factory: NodeFactory) -> Node:
    node = node_factory.launch()
    await node.ready()
    return node


class Place:
    """A webhook for the lobby, and who talks there."""

    def __init__(self, folder: Path, redis: RedisServer, receiver: HookReceiver) -> None:
        self.receiver = receiver
        self.redis = redis
        self.file = folder / "webhooks.toml"
        hook = {"name": "tickets", "url": receiver.url(), "secret": SECRET, "rooms": ["lobby"]}
        lines = [f"{key} = {json.dumps(value)}" for key, value in hook.items()]
        self.file.write_text("\n".join(["[[webhooks]]", *lines]))
        self.settings = Settings(
            redis_url=SecretStr(redis.url), api=ApiSettings(webhooks=self.file)
        )

    @asynccontextmanager
    async def relayed(self) -> AsyncIterator[None]:
        """Relay, once it has begun, as long as this is entered."""
        async with Deployment(self.settings, "api", 5, name="api") as deployment:
            relay = Relay(self.file, self.settings.api, deployment)
            running = asyncio.create_task(relay.run())
            try:
                await until(lambda: self.redis.control.hexists(KEY, "at:lobby"), WITHIN, "a relay")
                yield
            finally:
                relay.stop()
                await running

    def events(self) -> list[dict[str, Any]]:
        """Return what was told, each delivery once."""
        deliveries = {it.delivery: it.told["events"] for it in self.receiver.taken}
        return [event for events in deliveries.values() for event in events]

    async def told(self, *texts: str) -> None:
        """Wait until so much was told, gaps as what they say of how much was lost."""

        def found() -> list[Any]:
            return [it.get("text", it.get("entries")) for it in self.events()]

        await until(lambda: found() == list(texts), WITHIN, lambda: f"{texts}: {found()}")


@pytest.fixture
def place(tmp_path: Path, redis_server: RedisServer, receiver: HookReceiver) -> Place:
    return Place(tmp_path, redis_server, receiver)


async def say(client: ChatteClient, *texts: str) -> None:
    for text in texts:
        client.say(text)
        await client.answered()


async def test_what_was_trimmed_while_nobody_relayed_is_told_as_a_gap(
    place: Place, node: Node, redis_server: RedisServer
) -> None:
    andy = await ChatteClient.enter_chat(node.port(), "andy")
    async with place.relayed():
        await say(andy, "one")
        await place.told("one")
    await say(andy, "two", "three", "four")
    redis_server.control.xtrim("{main}:log", maxlen=1, approximate=False)
    async with place.relayed():
        await say(andy, "five")
        await until(lambda: place.events()[-1].get("text") == "five", WITHIN, "the last one")
    assert [it.get("text", it.get("entries")) for it in place.events()] == [
        "one",
        2,
        "four",
        "five",
    ]


async def test_a_webhook_whose_key_is_deleted_goes_on_where_it_was(
    place: Place, node: Node, redis_server: RedisServer
) -> None:
    andy = await ChatteClient.enter_chat(node.port(), "andy")
    async with place.relayed():
        await say(andy, "one")
        await place.told("one")
        redis_server.control.delete(KEY)
        await say(andy, "two")
        await until(lambda: redis_server.control.hget(KEY, "term") == "1", WITHIN, "a lease")
        await until(lambda: place.events()[-1].get("text") == "two", WITHIN, "the next one")
    texts = [it["text"] for it in place.events()]
    assert texts == ["one", "two"]


async def test_a_redis_that_lost_all_its_data_is_told_as_a_gap(
    place: Place, node: Node, redis_server: RedisServer
) -> None:
    andy = await ChatteClient.enter_chat(node.port(), "andy")
    async with place.relayed():
        await say(andy, "one")
        await place.told("one")
        redis_server.control.flushall()
        await until(lambda: redis_server.control.exists("{main}:meta"), WITHIN, "the node")
        await say(andy, "two")
        await until(lambda: place.events()[-1].get("text") == "two", WITHIN, "the next one")
    assert [it["event"] for it in place.events()] == ["said", "gap", "said"]
    assert place.events()[1]["reason"] == "epoch"


async def test_a_room_whose_progress_is_not_known_for_long_is_told_on(
    place: Place, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then nobody listens any more, and what is followed for listeners has ended."""
    monkeypatch.setattr(following, "_LINGER_SECONDS", 0)
    ended = asyncio.Event()
    close = Feed.close

    async def closed(feed: Feed) -> None:
        await close(feed)
        ended.set()

    pin, read = RoomSteps.pin, WebhookRecord.read

    async def pin_in_vain(*_: object) -> Attempt:
        monkeypatch.setattr(RoomSteps, "pin", pin)
        raise StoreAway(RetryCause.TIMEOUT, "away")

    async def read_when_ended(record: WebhookRecord) -> WebhookProgress:
        if not ended.is_set():
            raise StoreAway(RetryCause.TIMEOUT, "away")
        return await read(record)

    andy = await ChatteClient.enter_chat(node.port(), "andy")
    async with place.relayed():
        await say(andy, "one")
        await place.told("one")
        monkeypatch.setattr(RoomSteps, "pin", pin_in_vain)
        monkeypatch.setattr(WebhookRecord, "read", read_when_ended)
        monkeypatch.setattr(Feed, "close", closed)
        await say(andy, "two")
        await place.told("one", "two")
        await say(andy, "three")
        await place.told("one", "two", "three")
