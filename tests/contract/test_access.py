"""Getting into a real Redis: by TLS, by a Unix socket, as a user, with a password from a file."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hiredis import Reader

from harness.authority import Authority, Certificate
from harness.engines import needs_tls
from harness.redis_server import RedisServer, free_port, running_redis
from tertulia.redis.access import Access
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link
from tertulia.redis.topology import servers_of
from tertulia.store.keys import Keys
from tertulia.telemetry.metrics import RetryCause

SECRET = "opensesame"
TIMEOUT = 2.0
USER = ("--user", "andy", "on", "allkeys", "+@all", ">" + SECRET)


async def get_in(access: Access) -> None:
    """Connect and be answered; nothing that is told of a failure has a password in it."""
    link = Link(servers_of(access, Keys("x").meta), "tertulia-test", TIMEOUT)
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
    named = replace(
        Access.to(f"rediss://localhost:{tls_port}"),
        ca_file=authority.file,
        cert_file=client.file,
        key_file=client.key,
    )
    await get_in(named)
    numbered = replace(named, url=Access.to(f"rediss://127.0.0.1:{tls_port}").url)
    error = await refused(numbered)
    assert "certificate" in str(error).lower()
    await get_in(replace(numbered, verify="chain"))

    stranger = replace(named, ca_file=Authority(tmp_path).file)
    for wrong in (stranger, replace(stranger, verify="chain"), replace(named, ca_file=None)):
        assert "redis_ca_file" in str(await refused(wrong))
    await get_in(replace(stranger, verify="none"))

    await refused(replace(named, cert_file=None, key_file=None))
    missing = await refused(replace(named, ca_file=tmp_path / "nowhere.pem"))
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
    access = replace(Access.to(f"redis://beth:wrong@127.0.0.1:{port}"), password_file=file)
    assert "redis_password_file" in str(await refused(access))
    link = Link(servers_of(access, Keys("x").meta), "tertulia-test", TIMEOUT)
    for password in (SECRET, "another"):
        shared_redis.control.acl_setuser(
            "beth", enabled=True, reset=True, passwords=[f"+{password}"], categories=["+@all"]
        )
        file.write_text(f"{password}\n")
        assert await link.call("ECHO", "hello") == b"hello"
        link.disconnect()
    file.write_bytes(b"\xff")
    assert "no text" in str(await refused(access))


async def test_who_answers_is_another_kind_of_server(shared_redis: RedisServer) -> None:
    place = f"127.0.0.1:{shared_redis.port}"
    for scheme, path, told in (
        ("redis+cluster", "", f"{place} is no Redis Cluster: write redis://"),
        ("redis+sentinel", "/main", f"{place} is no Sentinel"),
    ):
        error = await refused(Access.to(f"{scheme}://{place}{path}"))
        assert told in str(error)


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
