"""The API as a process: TLS, who is turned away, what happens without Redis, and how it ends."""

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.api_process import OPERATOR, ApiProcess
from harness.certificates import Made, make, trusting
from harness.event_listener import EventListener
from harness.log_schema import problems
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from tertulia.api.tokens import digest

pytestmark = pytest.mark.slow

WITHIN = 60.0


def serve(server: RedisServer) -> None:
    """Have a chat, as if a node had served it, and the account of the token."""
    meta: Any = {"epoch": "e", "offset": 0, "base": 0}
    server.control.hset("{main}:meta", mapping=meta)
    account = {"nickname": "operator", "hash": "x", "since": "1"}
    server.control.hset("{main}:account:operator", mapping=account)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as it:
        serve(it)
        yield it


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> Iterator[ApiProcess]:
    """Run one process for all tests here: the last one ends it."""
    settings = {
        "DRAIN_NOTICE_SECONDS": "60",
        "API__CONNECTIONS": "8",
        "API__STREAMS_PER_TOKEN": "2",
    }
    it = ApiProcess(tmp_path_factory.mktemp("api"), server.url, settings=settings)
    yield it
    it.end()


@pytest.fixture
async def api(process: ApiProcess) -> AsyncIterator[ApiProcess]:
    await process.ready()
    yield process
    for line in process.lines:
        assert problems(line) == []


async def say(api: ApiProcess, key: str, text: str) -> int:
    page = await api.ask(
        "POST", "/rooms/lobby/messages", {"text": text}, **{"Idempotency-Key": key}
    )
    return page.status


async def readiness(api: ApiProcess) -> tuple[int, str]:
    def asked() -> tuple[int, str]:
        url = f"http://127.0.0.1:{api.ports['ops']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(asked)


async def raw(api: ApiProcess, sent: bytes) -> bytes:
    """Send bytes, and return all that is answered until the service closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.ports["api"])
    writer.write(sent)
    async with asyncio.timeout(WITHIN):
        answered = await reader.read()
    writer.close()
    return answered


async def test_what_is_no_request_is_refused_and_what_is_too_much(api: ApiProcess) -> None:
    told = await raw(api, b"EHLO mail.example\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 ") and b"urn:tertulia:bad-request" in told
    told = await raw(api, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 4")
    open_ones = [await asyncio.open_connection("127.0.0.1", api.ports["api"]) for _ in range(8)]
    told = await raw(api, b"")
    assert told.startswith(b"HTTP/1.1 503 ") and b"too-many-connections" in told
    for _, writer in open_ones:
        writer.close()

    async def has_place() -> bool:
        return (await api.ask("GET", "/self")).status == 200

    await until(has_place, WITHIN, "a place")
    metrics = {it.name: it.value for it in await api.metrics()}
    assert metrics["tertulia_api_unreadable_requests_total"] == 2
    assert metrics["tertulia_api_turned_away_total"] >= 1
    assert not [it for it in api.lines if "mail.example" in str(it)]


async def test_streams_are_bounded_and_end_with_their_token(api: ApiProcess) -> None:
    first, second = [await EventListener(api.ports["api"]).connect() for _ in range(2)]
    third = await EventListener(api.ports["api"]).connect()
    assert third.status == 429
    await first.close()

    async def has_place() -> bool:
        nonlocal third
        third = await EventListener(api.ports["api"]).connect()
        return third.status == 200

    await until(has_place, WITHIN, "a place")
    before = api.tokens.read_text()
    write(api.tokens, "nonsense")
    await until(lambda: api.events("new tokens can't be used"), WITHIN, "the mistake to be told")
    assert (await api.ask("GET", "/self")).status == 200
    write(api.tokens, tokens_of("say"))
    for it in (second, third):
        await until(lambda it=it: it.is_over, WITHIN, "the stream to end")  # type: ignore[misc]
    assert (await api.ask("GET", "/self")).status == 200
    assert (await api.ask("GET", "/rooms/lobby/messages")).status == 403
    write(api.tokens, "")
    await until(lambda: len(api.events("tokens read")) == 2, WITHIN, "the tokens")
    assert (await api.ask("GET", "/self")).status == 401
    write(api.tokens, before)
    await until(lambda: len(api.events("tokens read")) == 3, WITHIN, "the tokens")


def write(file: Path, text: str) -> None:
    """Write a file at once: who looks meanwhile finds what was there before, and no half of it."""
    whole = file.with_suffix(".new")
    whole.write_text(text)
    whole.replace(file)


def tokens_of(*scopes: str) -> str:
    return f"""
[[tokens]]
name = "operator"
sha256 = "{digest(OPERATOR)}"
scopes = {list(scopes)}
"""


async def test_without_redis_it_says_so_and_the_same_key_says_it_once(
    api: ApiProcess, server: RedisServer
) -> None:
    assert await say(api, "first", "before") == 201
    listener = await EventListener(api.ports["api"]).connect()
    server.kill()

    async def is_unready() -> bool:
        status, body = await readiness(api)
        return status == 503 and "redis" in body

    await until(is_unready, WITHIN, "it to be unready")
    assert await say(api, "second", "meanwhile") == 503
    server.start()

    async def is_ready() -> bool:
        return (await readiness(api))[0] == 200

    await until(is_ready, WITHIN, "it to be ready")
    assert await say(api, "first", "before") == 200
    assert await say(api, "second", "meanwhile") in (200, 201)
    assert await say(api, "second", "meanwhile") == 200
    await listener.hears("meanwhile")
    assert listener.said() == ["meanwhile"]
    assert not listener.is_over, "it was open all the time"
    await listener.close()
    for event in ("redis is away", "redis answers"):
        await until(lambda event=event: api.events(event), WITHIN, event)  # type: ignore[misc]


async def test_tls_and_a_new_certificate(tmp_path: Path, server: RedisServer) -> None:
    made, other = make(tmp_path, "first"), make(tmp_path, "second")
    settings = {"API__CERTIFICATE": str(made.certificate), "API__KEY": str(made.key)}
    api = ApiProcess(tmp_path / "api", server.url, settings=settings)

    async def shown(trusted: Made, name: str | None) -> int:
        """Ask over TLS; ``name``: what is named in the handshake."""
        context = trusting(trusted)
        context.check_hostname = False
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", api.ports["api"], ssl=context, server_hostname=name
        )
        request = f"GET /v1/self HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPERATOR}\r\n\r\n"
        writer.write(request.encode())
        status = (await reader.readline()).split()[1]
        writer.close()
        return int(status)

    try:
        await api.ready()
        (line,) = [it for it in api.events("listening") if it["dialect"] == "api"]
        assert line["tls"] is True and line["url"].startswith("https://")
        for name in ("localhost", "127.0.0.1"):  # an address is not named in a handshake
            assert await shown(made, name) == 200
            with pytest.raises(ssl.SSLCertVerificationError):
                await shown(other, name)
        made.key.write_bytes(other.key.read_bytes())
        made.certificate.write_bytes(other.certificate.read_bytes())
        await until(lambda: api.events("certificate taken"), WITHIN, "the new certificate")
        for name in ("localhost", "127.0.0.1"):
            assert await shown(other, name) == 200
        assert await api.stop() == 0
    finally:
        api.end()


async def test_it_goes_in_order(api: ApiProcess) -> None:
    listener = await EventListener(api.ports["api"]).connect()
    api.process.terminate()

    async def is_unready() -> bool:
        status, body = await readiness(api)
        return status == 503 and "stopping" in body

    await until(is_unready, WITHIN, "it to be unready")
    assert await say(api, "k", "in the notice") == 201, "it serves while the balancer looks"
    await listener.hears("in the notice")
    api.process.terminate()  # a second signal ends the notice
    await until(lambda: listener.is_over, WITHIN, "the stream to end")
    await until(lambda: api.process.poll() is not None, WITHIN, "the process to end")
    assert api.process.wait() == 0
    api._reader.join(30)
    assert [it["event"] for it in api.lines][-4:] == [
        *("signalled", "draining", "signalled", "stopped"),
    ]
