"""Getting into a real Redis: by TLS, by a Unix socket, as a user, with a password from a file."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import uvloop
from hiredis import Reader

from harness.authority import Authority, Certificate
from harness.engines import needs_tls
from harness.redis_server import RedisServer, free_port, running_redis
from tertulia.redis.access import Access, Server
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.script import Script
from tertulia.settings.model import Settings
from tertulia.store.keys import Keys
from tertulia.telemetry.metrics import RetryCause

SECRET = "opensesame"
SEEN_WITH = ("8.0.", "8.1.")
"""The versions of redis-py out of whose hands a connection was taken."""
MOST_CALLS = 8
TIMEOUT = 30.0
USER = ("--user", "andy", "on", "allkeys", "+@all", ">" + SECRET)


async def get_in(access: Access) -> None:
    """Connect and be answered; nothing that is told of a failure has a password in it."""
    link = Client.to(access, Keys("x").meta, "tertulia-test", TIMEOUT).link
    try:
        assert await link.call("ECHO", "hello") == b"hello"
    except StoreAway as error:
        assert SECRET not in f"{error!r} {error.__cause__!r} {access!r}"
        raise
    finally:
        link.disconnect()


async def refused(access: Access) -> StoreAway:
    with pytest.raises(StoreAway) as caught:
        await get_in(access)
    return caught.value


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Certificate:
    return authority.sign("client")


@pytest.fixture(scope="module")
def tls_port(authority: Authority) -> Iterator[int]:
    """Run a Redis that is also there over TLS, and wants to see certificates; its name is localhost."""
    needs_tls()
    server, port = authority.sign("localhost"), free_port()
    options = (
        *("--tls-port", str(port), "--tls-ca-cert-file", str(authority.file)),
        *("--tls-cert-file", str(server.file), "--tls-key-file", str(server.key)),
    )
    with running_redis(fsync="no", options=options):
        yield port


async def test_redis_over_tls(
    tls_port: int, authority: Authority, client: Certificate, tmp_path: Path
) -> None:
    url, numbered = f"rediss://localhost:{tls_port}", f"rediss://127.0.0.1:{tls_port}"
    ours = Settings(
        redis_ca_file=authority.file, redis_cert_file=client.file, redis_key_file=client.key
    )

    def but(url: str, **others: Any) -> Access:
        return Access.to(url, ours.model_copy(update=others))

    await get_in(but(url))
    error = await refused(but(numbered))
    assert "certificate" in str(error).lower()
    await get_in(but(numbered, redis_verify="chain"))

    theirs = Authority(tmp_path).file
    for wrong in (
        but(url, redis_ca_file=theirs),
        but(url, redis_ca_file=theirs, redis_verify="chain"),
        but(url, redis_ca_file=None),
    ):
        assert "redis_ca_file" in str(await refused(wrong))
    await get_in(but(url, redis_ca_file=theirs, redis_verify="none"))

    await refused(but(url, redis_cert_file=None, redis_key_file=None))
    missing = await refused(but(url, redis_ca_file=tmp_path / "nowhere.pem"))
    assert f"redis_ca_file {tmp_path}/nowhere.pem can't be read" in str(missing)
    assert missing.is_final


async def test_a_user_on_a_unix_socket() -> None:
    with running_redis(unix=True, fsync="no", options=USER) as server:
        path = server.url.removeprefix("unix://")
        await get_in(Access.to(f"unix://andy:{SECRET}@{path}?db=3"))
        error = await refused(Access.to(f"unix://andy:{SECRET}x@{path}"))
        assert error.cause is RetryCause.OTHER
        assert "redis_password_file" in str(error)
        error = await refused(Access.to(f"unix://{path}.not"))
        assert error.cause is RetryCause.CONNECTION


async def test_a_password_from_a_file_is_read_for_each_connection(
    shared_redis: RedisServer, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    port = shared_redis.port
    settings = Settings(redis_password_file=file)
    access = Access.to(f"redis://beth:wrong@127.0.0.1:{port}", settings)
    assert "redis_password_file" in str(await refused(access))
    link = Client.to(access, Keys("x").meta, "tertulia-test", TIMEOUT).link
    for password in (SECRET, "another"):
        shared_redis.control.acl_setuser(
            "beth", enabled=True, reset=True, passwords=[f"+{password}"], categories=["+@all"]
        )
        file.write_text(f"{password}\n")
        assert await link.call("ECHO", "hello") == b"hello"
        link.disconnect()
    file.write_bytes(b"\xff")
    assert "no text" in str(await refused(access))


async def test_who_answers_says_what_no_redis_does() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = Reader()
        while data := await reader.read(4096):
            asked.feed(data)
            while asked.gets() is not False:
                writer.write(b"*1\r\n:1\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for scheme, path, kind in (
            ("redis", "", "Redis"),
            ("redis+cluster", "", "Redis Cluster"),
            ("redis+sentinel", "/main", "Sentinel"),
        ):
            error = await refused(Access.to(f"{scheme}://{place}{path}"))
            assert str(error) == f"what answers at {place} is no {kind}"
            assert error.is_final


async def test_what_redis_py_has_connected_can_be_taken_over(shared_redis: RedisServer) -> None:
    """It uses one private name of redis-py: with a new version, look, and then add it."""
    assert redis.__version__.startswith(SEEN_WITH)
    access, server = Access.to(shared_redis.url), Server("127.0.0.1", shared_redis.port)
    connection = await access.connect(server, "tertulia-test", TIMEOUT)
    assert await connection.ask(TIMEOUT, ("ECHO", "x" * 70_000), ("PING",)) == [
        b"x" * 70_000,
        b"PONG",
    ]
    connection.end()


async def test_who_connects_can_be_cancelled_at_any_moment(shared_redis: RedisServer) -> None:
    """Before Python 3.12, asyncio.wait_for may swallow it: redis-py's own timeouts are built on that."""
    access, server = Access.to(shared_redis.url), Server("127.0.0.1", shared_redis.port)
    client = Client.to(access, "x", "tertulia-test", TIMEOUT)

    async def connect() -> None:
        (await access.connect(server, "tertulia-test", TIMEOUT)).end()

    async def ask() -> None:
        await client.echo("hello")
        await asyncio.gather(client.echo("hello"), client.echo("hello"))
        await client.link.call("PING")
        client.link.disconnect()

    for work in (connect, ask):
        for after in range(80):
            task = asyncio.create_task(work())
            for _ in range(after):
                await asyncio.sleep(0)
            was_cancelled = task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() == was_cancelled, f"after {after} turns of the loop"
    client.link.disconnect()


def test_a_script_costs_few_calls(shared_redis: RedisServer) -> None:
    """Of Python's functions, for each batch: over redis-py's connection they are six times as many."""
    calls, rounds = 0, 100

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    async def ask() -> None:
        link = Client.to(Access.to(shared_redis.url), "x", "tertulia-test", TIMEOUT).link
        script = Script("return redis.call('PUBLISH', KEYS[1], ARGV[1])", str)
        await link.run(script, ["{x}:room"], ["hello"])
        sys.setprofile(count)
        try:
            for _ in range(rounds):
                await link.run(script, ["{x}:room"], ["hello"])
        finally:
            sys.setprofile(None)
        link.disconnect()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask())
    assert calls / rounds <= MOST_CALLS + 0.5
