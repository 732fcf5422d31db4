"""A connection to the API, without a socket: what is too long, too late, too much."""

import asyncio
import socket
from typing import Any, cast

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from harness.waiting import until
from tertulia.api import connection as module
from tertulia.api.connection import MOST_HEADER_BYTES, ApiConnection, connections
from tertulia.api.metrics import ApiMetrics

REQUEST = b"GET /x HTTP/1.1\r\nHost: api.example\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""
        self.is_aborted = False
        self._is_closing = False

    def write(self, data: Any) -> None:
        self.told += bytes(data)

    def is_closing(self) -> bool:
        return self._is_closing

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self.is_aborted = self._is_closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def answer(scope: Any, receive: Any, send: Any) -> None:
    assert scope["path"] == "/x"
    scope["state"]["abort"]
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


class HalfClosing(FakeTransport):
    """Has halves, as TCP does."""

    is_half_closed = False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_half_closed = True


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a request without a look at its body."""
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class Server:
    """What makes connections."""

    def __init__(self, most: int = 2, answer: Any = answer) -> None:
        self.metrics = ApiMetrics(CollectorRegistry())
        self._make = connections(self.metrics, most)
        self._config = uvicorn.Config(
            answer, interface="asgi3", ws="none", log_config=None, lifespan="off",
            timeout_keep_alive=600, server_header=False, h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        )  # fmt: skip
        self._config.load()
        self.state = ServerState()

    def make(self) -> ApiConnection:
        return self._make(self._config, self.state, {})

    def connect(self) -> tuple[ApiConnection, FakeTransport]:
        made, transport = self.make(), FakeTransport()
        made.connection_made(transport)
        return made, transport

    def connect_lingering(self) -> HalfClosing:
        transport = HalfClosing()
        self.make().connection_made(transport)
        return transport

    def unreadable(self) -> float:
        return float(self.metrics.unreadable._value.get())


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_requests_are_answered_however_they_come(server: Server, piece: int) -> None:
    made, transport = server.connect()
    sent = REQUEST * 3
    for at in range(0, len(sent), piece):
        made.data_received(sent[at : at + piece])
        await asyncio.sleep(0)
    await until(lambda: transport.told.count(b"ok") == 3, 30, lambda: f"{transport.told!r}")
    assert not transport.is_closing()
    made.connection_lost(None)
    assert server.metrics.connections._value.get() == 0


async def test_a_header_is_bounded_though_it_comes_in_one_read(server: Server) -> None:
    for size, is_refused in ((MOST_HEADER_BYTES // 2, False), (MOST_HEADER_BYTES * 2, True)):
        made, transport = server.connect()
        made.data_received(REQUEST[:-2] + b"X: " + b"x" * size + b"\r\n\r\n")
        await until(lambda it=transport: it.told, 30, "an answer")  # type: ignore[misc]
        assert transport.told.startswith(b"HTTP/1.1 400 " if is_refused else b"HTTP/1.1 200 ")
        assert transport.is_closing() is is_refused
        made.connection_lost(None)
    assert server.unreadable() == 1


async def test_what_is_no_http_is_refused_as_a_problem(server: Server) -> None:
    made, transport = server.connect()
    made.data_received(b"EHLO mail.example\r\n\r\n" + REQUEST)
    assert b"application/problem+json" in transport.told
    assert transport.is_closing()
    assert b"mail.example" not in transport.told


async def test_a_body_that_is_no_http_is_refused_without_one_where_nobody_reads_it(
    server: Server,
) -> None:
    for method in (b"POST", b"HEAD"):
        made, transport = server.connect()
        made.data_received(
            method + b" /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n"
        )
        assert transport.told.startswith(b"HTTP/1.1 400 ")
        assert transport.told.endswith(b"\r\n\r\n") is (method == b"HEAD")
        assert transport.is_closing()
    assert server.unreadable() == 2


async def test_who_sends_no_request_in_time_is_told_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEADER_SECONDS", 0.01)
    silent, slow = server.connect()[1], server.connect()
    slow[0].data_received(REQUEST[:10])
    for transport in (silent, slow[1]):
        await until(transport.is_closing, 30, "it to be closed")
        assert transport.told.startswith(b"HTTP/1.1 408 ")
    assert server.unreadable() == 2


async def test_one_that_was_answered_may_be_idle_for_longer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEADER_SECONDS", 0.2)
    made, transport = server.connect()
    made.data_received(REQUEST)
    await until(lambda: transport.told.endswith(b"ok"), 30, "an answer")
    assert made._waiting is None, "only a request that has begun has to be whole soon"
    made.data_received(REQUEST[:10])
    await until(transport.is_closing, 30, "it to be closed")
    assert b"HTTP/1.1 408 " in transport.told


async def test_there_are_only_so_many(server: Server) -> None:
    first, second, third = (server.connect() for _ in range(3))
    assert third[1].told.startswith(b"HTTP/1.1 503 ")
    assert third[1].is_closing()
    assert not first[1].is_closing() and not second[1].is_closing()
    for made, _ in (first, third):
        made.connection_lost(None)
    _, transport = server.connect()
    assert not transport.is_closing()
    assert cast(Any, server.metrics.turned_away)._value.get() == 1


REFUSED = [
    pytest.param(
        REQUEST[:-2] + b"X: " + b"x" * MOST_HEADER_BYTES, b"400 ", id="its header is too long"
    ),
    pytest.param(
        b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2097152\r\n\r\n",
        b"413 ",
        id="nobody wants its body",
    ),
]


@pytest.mark.parametrize(("begins", "status"), REFUSED)
async def test_who_goes_on_sending_reads_why_it_was_refused(begins: bytes, status: bytes) -> None:
    """Else the system resets the connection, as something is unread, and the answer is lost."""
    server, loop = Server(answer=refuse), asyncio.get_running_loop()
    listening = await loop.create_server(server.make, "127.0.0.1", 0)
    client = socket.socket()
    client.setblocking(False)
    async with listening:
        await loop.sock_connect(client, listening.sockets[0].getsockname())
        await loop.sock_sendall(client, begins)
        told = await asyncio.wait_for(loop.sock_recv(client, 100_000), 30)
        for _ in range(32):
            await loop.sock_sendall(client, b"x" * 65_536)
            await asyncio.sleep(0)
        client.shutdown(socket.SHUT_WR)
        while more := await asyncio.wait_for(loop.sock_recv(client, 100_000), 30):
            told += more
        client.close()
    assert told.startswith(b"HTTP/1.1 " + status)


async def test_who_never_ends_is_closed_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.01)
    server, loop = Server(), asyncio.get_running_loop()
    listening = await loop.create_server(server.make, "127.0.0.1", 0)
    async with listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        writer.write(b"EHLO mail.example\r\n\r\n")
        await asyncio.wait_for(reader.read(), 30)
        await until(lambda: not server.state.connections, 30, "it to be closed")
        writer.close()


async def test_a_flood_does_not_keep_more_open_than_that() -> None:
    server = Server(most=1)
    made = [server.connect_lingering() for _ in range(4)]
    assert [it.is_half_closed for it in made] == [False, True, False, False]
    assert [it.is_closing() for it in made] == [False, False, True, True]
