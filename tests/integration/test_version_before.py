"""A node of the version that knew no rooms, on one Redis with nodes that do: it serves the lobby on."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.chatte_client import ChatteClient
from harness.crowd import come_as, gather, left_at, listeners, saw_all_leave, seats, start_nodes
from harness.load import assert_promises_kept, connect_many, lost, settle, stood_still, under_load
from harness.node import QUICK, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from tertulia.operators.posting import Poster
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys

pytestmark = pytest.mark.slow

BEFORE = "31af9c12311b67778a8542736e8325e073229f14"
"""The last commit without rooms."""
ROOT = Path(__file__).parents[2]
BURIED_SECONDS = 4.5
BACK_SECONDS = 60.0


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the package of the version before, or skip the test where git does not have it."""
    packed = subprocess.run(
        ["git", "archive", BEFORE, "service/tertulia"], cwd=ROOT, capture_output=True
    )
    if packed.returncode:
        pytest.skip(f"git does not have {BEFORE[:7]} here: git fetch --unshallow")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "service"


async def both(factory: NodeFactory, before: Path) -> tuple[Node, Node]:
    """Start a node of the version before, and one of this version."""
    older = factory.launch(listeners=listeners(irc=False), settings=QUICK, version=before)
    newer = factory.launch(listeners=listeners(), settings=QUICK)
    for node in (older, newer):
        await node.ready()
    assert knows_rooms(await older.get("/metrics")) is False
    assert knows_rooms(await newer.get("/metrics")) is True
    return older, newer


def knows_rooms(page: object) -> bool:
    return "tertulia_rooms" in str(page)


async def test_nobody_is_harmed_on_either(
    node_factory: NodeFactory, redis_server: RedisServer, before: Path
) -> None:
    older, newer = await both(node_factory, before)
    at_older = await connect_many([older.port()], 4, "older")
    at_newer = await gather([newer], 6, "newer")
    everybody = [*at_older, *at_newer]
    await settle(everybody)

    async def outages() -> None:
        await elapse(1)
        for _ in range(4):
            for connection in redis_server.connections():
                redis_server.cut(connection)
            await elapse(0.5)
        redis_server.kill()
        await elapse(1)
        redis_server.start()

    whispered_to = [client.nickname for client in everybody]
    await under_load(everybody, outages(), per_second=15, whisper_to=whispered_to)
    for node in (older, newer):
        await node.becomes_ready(BACK_SECONDS)
    await settle(everybody, BACK_SECONDS)
    assert all(client.connected for client in everybody)
    pages = [*await older.metrics(), *await newer.metrics()]
    assert not sum(it.value for it in pages if it.name == "tertulia_bus_lost_entries_total")
    await assert_promises_kept(everybody)


async def test_redis_loses_its_data_under_both(
    node_factory: NodeFactory, redis_server: RedisServer, before: Path
) -> None:
    older, newer = await both(node_factory, before)
    everybody = [
        *await connect_many([older.port()], 4, "older"),
        *await gather([newer], 6, "newer"),
    ]
    await settle(everybody)
    redis_server.control.flushall()
    for client in everybody:
        client.say()
    await settle(everybody, BACK_SECONDS)
    await under_load(everybody, elapse(2), per_second=10)
    await settle(everybody, BACK_SECONDS)
    assert all(client.connected for client in everybody)
    await assert_promises_kept(everybody)


async def test_the_older_one_buries_the_newer_one_and_who_comes_next_its_rooms(
    node_factory: NodeFactory, before: Path
) -> None:
    """It knows nothing of rooms: what it leaves undone there, another one of this version does."""
    older, newer = await both(node_factory, before)
    at_older = await connect_many([older.port()], 3, "older")
    doomed = await gather([newer], 6, "newer")
    await node_factory.seasoned()
    (second,) = await start_nodes(node_factory, 1, **QUICK)
    staying = [*at_older, *await gather([second], 3, "second")]
    await settle([*staying, *doomed])
    lost(doomed)
    killed_at = newer.kill()
    buried = until(
        lambda: all(saw_all_leave(client, doomed) for client in staying),
        BACK_SECONDS,
        lambda: f"all to go: {[left_at(client, doomed) for client in staying]}",
    )
    await under_load(at_older, buried, per_second=10)
    slowest = max(at for client in at_older for at in left_at(client, doomed).values())
    late = stood_still(at_older, killed_at, slowest)
    assert slowest - killed_at < BURIED_SECONDS + late
    back = [await come_as(client, second) for client in doomed]
    everybody = [*staying, *back]
    await under_load(everybody, elapse(1), per_second=10)
    await settle(everybody)
    await assert_promises_kept([*doomed, *everybody])


async def test_a_node_of_this_version_buries_an_older_one(
    node_factory: NodeFactory, before: Path
) -> None:
    older, newer = await both(node_factory, before)
    doomed = await connect_many([older.port()], 4, "older")
    staying = await gather([newer], 6, "newer")
    await node_factory.seasoned()
    await settle([*staying, *doomed])
    lost(doomed)
    older.kill()
    await until(
        lambda: all(saw_all_leave(client, doomed) for client in staying),
        BACK_SECONDS,
        lambda: f"all to go: {[left_at(client, doomed) for client in staying]}",
    )
    heir = await ChatteClient.enter_chat(newer.port(), doomed[0].nickname)
    assert seats(heir) == {("", doomed[0].nickname)}
    await settle([*staying, heir])
    await assert_promises_kept([*doomed, *staying, heir])


async def test_what_a_program_says_is_read_once_on_both(
    node_factory: NodeFactory, redis_server: RedisServer, before: Path
) -> None:
    older, newer = await both(node_factory, before)
    clients = [
        await ChatteClient.enter_chat(it.port(), f"at-{it.node_id}") for it in (older, newer)
    ]
    keys = Keys("main")
    account = {"nickname": "bot", "hash": "x", "since": "1"}
    redis_server.control.hset(keys.account("bot"), mapping=account)  # type: ignore[arg-type]
    redis = Client.to(Access.to(redis_server.url), keys.meta, "tertulia-api", 3.0)
    poster = Poster(keys, redis, redis, ClusterSettings(), 3.0, is_replicated=False)
    told = [await poster.post("bot", "disk is full", "a key") for _ in range(2)]
    assert [it.is_new for it in told] == [True, False]
    redis.link.disconnect()
    await settle(clients)
    for client in clients:
        assert client.lines.count("100 bot disk is full") == 1
        client.close()
