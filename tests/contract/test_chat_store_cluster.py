"""The real store on a Redis Cluster, whatever its way of publishing."""

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from contract.follower import RecordingFollower
from contract.node import DIALECT, WITHIN, Node, stop
from harness.engines import needs_redis_7
from harness.redis_groups import ClusterRedis
from harness.waiting import until
from tertulia.redis import masters
from tertulia.redis.access import Access
from tertulia.redis.multiplexer import Multiplexer
from tertulia.settings.sections import ClusterSettings
from tertulia.store.chat_store import ChatStore
from tertulia.telemetry.metrics import Metrics

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterRedis]:
    group = ClusterRedis()
    try:
        yield group.start()
    finally:
        group.close()


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "before Redis 7"])
async def test_nodes_hear_each_other(
    cluster: ClusterRedis, monkeypatch: pytest.MonkeyPatch, sharded: bool
) -> None:
    if sharded:
        needs_redis_7()
    else:
        monkeypatch.setattr(masters, "_SHARDED_SINCE", 1000)
    nodes = []
    chat = f"chat-{sharded}".lower()
    for name in ("one", "two"):
        metrics = Metrics(CollectorRegistry(), dialects=[DIALECT], chats=[chat], version="test")
        settings = ClusterSettings()
        redis = Multiplexer(Access.to(cluster.url), settings.redis_timeout_seconds)
        store = ChatStore(chat, redis, name, settings, metrics)
        node = Node(store, RecordingFollower(name))
        await asyncio.wait_for(store.start(node.follower), WITHIN)
        nodes.append(node)
    one, two = nodes
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    await one.sees(lambda it: len(it.roster) == 2, "betty")
    andy.say("hello")
    andy.whisper("betty", "psst")
    await two.sees(lambda it: it.said == ["hello"] and it.letter_texts == ["psst"], "both")
    if cluster.servers[0].engine.version >= (7,):
        sharded_channels = [it.do("PUBSUB SHARDCHANNELS") for it in cluster.servers]
        assert any(sharded_channels) == sharded
    await until(lambda: all(all(it.store.health().values()) for it in nodes), WITHIN, "health")
    betty.leave()
    andy.leave()
    for node in nodes:
        await asyncio.wait_for(stop(node), WITHIN)
        assert not node.follower.broken
