"""What becomes of a script that a real Redis refuses to run, or to go on with, on every engine at hand."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator

import pytest

from harness import engines
from harness.engines import Engine
from harness.redis_groups import shard
from harness.redis_refusals import Refusals
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from tertulia.redis.access import Access, Server
from tertulia.redis.errors import ErrorReply, translate
from tertulia.redis.hot import HotConnection
from tertulia.telemetry.metrics import RetryCause

SECONDS = 30.0
WRITE = ("EVAL", "return redis.call('SET', KEYS[1], 'x')", 1, "{k}:a")
PUBLISH = ("EVAL", "return redis.call('PUBLISH', ARGV[1], 'x')", 0, "channel")
ENDLESS = ("EVAL", "while true do end", 0)


@pytest.fixture(scope="module", params=engines.at_hand(), ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    engine: Engine = request.param
    with running_redis(fsync="no", program=engine.program) as it:
        yield it


async def connected(server: RedisServer, user: str = "") -> HotConnection:
    url = server.url.replace("//", f"//{user}@")
    return await Access.to(url).connect(Server("127.0.0.1", server.port), "test", SECONDS)


@pytest.fixture
async def connection(server: RedisServer) -> AsyncIterator[HotConnection]:
    connection = await connected(server)
    yield connection
    connection.end()


async def refused(connection: HotConnection, *command: str | int) -> ErrorReply:
    with pytest.raises(ErrorReply) as caught:
        await connection.ask(SECONDS, command)
    return caught.value


@pytest.mark.parametrize(
    ("way", "word", "cause"),
    [
        ("out_of_memory", "OOM", RetryCause.OUT_OF_MEMORY),
        ("no_replicas", "NOREPLICAS", RetryCause.NO_REPLICAS),
        ("misconfigured", "MISCONF", RetryCause.MISCONFIGURED),
        ("readonly", "READONLY", RetryCause.READ_ONLY),
        ("masterdown", "MASTERDOWN", RetryCause.READ_ONLY),
        ("busy", "BUSY", RetryCause.BUSY),
    ],
)
async def test_a_refusal_for_a_while_is_known_within_a_script(
    server: RedisServer, connection: HotConnection, way: str, word: str, cause: RetryCause
) -> None:
    ways = Refusals(server)
    began = getattr(ways, way)()
    try:
        if inspect.isawaitable(began):
            await began
        error = await refused(connection, *WRITE)
    finally:
        ended = getattr(ways, f"{way}_ends")()
        if inspect.isawaitable(ended):
            await ended
    assert error.word == word
    assert str(error).startswith(f"{word} ")
    assert translate(error).cause is cause


@pytest.mark.parametrize(
    ("rights", "command"),
    [
        (("+@all", "~*", "&*", "-set"), WRITE),
        (("+@all", "~{other}*", "&*"), ("EVAL", "return redis.call('GET', ARGV[1])", 0, "x")),
        (("+@all", "~*"), PUBLISH),
        (("+@all", "~*", "&*", "-eval"), WRITE),
    ],
    ids=["command", "key", "channel", "the script"],
)
async def test_a_permission_that_is_missing_is_known_within_a_script(
    server: RedisServer, rights: tuple[str, ...], command: tuple[str | int, ...]
) -> None:
    server.do("ACL", "SETUSER", "andy", "reset", "resetchannels", "on", "nopass", *rights)
    connection = await connected(server, "andy:any")
    try:
        error = await refused(connection, *command)
    finally:
        connection.end()
    assert error.word == "NOPERM"
    assert "deploy/redis/users.acl" in str(translate(error))


async def test_a_script_that_an_operator_ends_may_be_sent_again(
    server: RedisServer, connection: HotConnection
) -> None:
    server.control.config_set("lua-time-limit", 20)
    running = asyncio.create_task(refused(connection, *ENDLESS))
    await until(Refusals(server).is_busy, SECONDS, "the script to be busy")
    server.control.script_kill()
    assert translate(await running).cause is RetryCause.BUSY


async def test_a_cluster_that_is_down_may_be_asked_again() -> None:
    """Where it serves reads then, scripts begin, and are refused when they write."""
    for engine in engines.at_hand():
        server = shard("--cluster-allow-reads-when-down", "yes", program=engine.program)
        try:
            server.start().do("CLUSTER ADDSLOTS", server.do("CLUSTER KEYSLOT", "{k}"))
            connection = await connected(server)
            error = await refused(connection, *WRITE)
            connection.end()
        finally:
            server.close()
        assert translate(error).cause is RetryCause.CLUSTER, (engine, error)


async def test_a_script_that_went_wrong_is_told_alike(
    server: RedisServer, connection: HotConnection
) -> None:
    await connection.ask(SECONDS, ("SET", "{k}:a", "a string"))
    wrong = await refused(connection, "EVAL", "\nreturn redis.call('LLEN', KEYS[1])", 1, "{k}:a")
    assert wrong.word == "WRONGTYPE"
    assert str(wrong).startswith(
        "WRONGTYPE Operation against a key holding the wrong kind of value"
    )
    assert str(wrong).endswith("on @user_script:2.")
    defect = await refused(connection, "EVAL", "return nil .. 'a'", 0)
    assert str(defect).startswith("user_script:1: attempt to concatenate a nil value script: ")
    assert translate(defect).is_final
