"""Where clients come in: how a node sends to everybody, and how much it reads at once."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from fakes.house import House
from harness.certificates import make
from harness.waiting import until
from tertulia.chat.fanout import OneByOne
from tertulia.dialects.browser import BrowserEncoder
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import connection
from tertulia.edge.broadcast import UringBroadcast
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.serving import Connections, Listener, Patience
from tertulia.edge.websocket import IRC_BINARY, IRC_TEXT
from tertulia.node import listeners
from tertulia.settings.model import Settings
from tertulia.telemetry.metrics import Metrics


def forbidden(sockets: int) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def granted(sockets: int) -> object:
    return object()


@pytest.mark.parametrize(
    ("io_uring", "ring", "kind", "reasons"),
    [
        (True, granted, UringBroadcast, []),
        (True, forbidden, OneByOne, ["no io_uring: Operation not permitted"]),
        (False, granted, OneByOne, ["io_uring is off"]),
    ],
)
async def test_a_ring_is_used_where_it_is_wanted_and_allowed(
    io_uring: bool,
    ring: object,
    kind: type[object],
    reasons: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "IoUring", ring)
    metrics = Metrics(CollectorRegistry(), dialects=["chatte"], chats=["main"], version="x")
    with capture_logs() as logs:
        made = listeners.Listeners(
            Settings(io_uring=io_uring), {}, metrics, asyncio.get_running_loop()
        )
    assert type(made.broadcast()) is kind
    assert [
        line["reason"] for line in logs if line["event"] == "sending to one after the other"
    ] == reasons


def made(settings: Settings) -> listeners.Listeners:
    metrics = Metrics(CollectorRegistry(), dialects=["browser", "irc"], chats=["main"], version="x")
    encoders = {"browser": lambda it: BrowserEncoder(it.history)}
    return listeners.Listeners(settings, encoders, metrics, asyncio.get_running_loop())


async def test_what_a_listener_of_irc_is_called_and_lets_in_is_in_its_encoder() -> None:
    given = {
        "listeners": [
            {"dialect": "irc", "channel": "hall", "joins_lobby": False, "history": 7},
            {"dialect": "browser", "irc": True, "channel": "hall", "network": "Irc.Example"},
        ],
        "accounts": {"registration": "invited"},
    }
    it = made(Settings.model_validate(given))
    plain, page = it._settings.listeners
    lines = it._irc(plain).server
    assert (lines.lobby, lines.joins_lobby, lines.history) == ("hall", False, 7)
    assert (lines.accounts, lines.version) == ("invited", version("tertulia"))
    assert not lines.is_websocket
    text, binary = (it._irc(page, kind).server for kind in (IRC_TEXT, IRC_BINARY))
    assert (lines.name, text.name) == ("tertulia", "Irc.Example")
    assert (text.lobby, text.joins_lobby, text.history) == ("hall", True, 50)
    assert (text.is_websocket, text.is_binary) == (True, False)
    assert (binary.is_websocket, binary.is_binary) == (True, True)


async def test_silent_clients_of_irc_are_asked_by_lines_and_pages_by_their_protocol() -> None:
    settings = Settings.model_validate(
        {"listeners": [{"dialect": "irc"}, {"dialect": "browser", "irc": True}]}
    )
    it, room = made(settings), House().room()
    plain, page = settings.listeners
    lines = it._listener(plain, room, None)
    assert (lines.dialect, lines.ping) == ("irc", b"PING :tertulia\r\n")
    on_page = it._listener(page, room, None, it._irc(page, IRC_TEXT))
    assert (on_page.dialect, on_page.ping) == ("irc", b"")
    assert on_page.counts is it._listener(page, room, None).counts


class Reader(asyncio.Protocol):
    """Reads nothing more after its first byte, until it is told to."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.reads:
            self.transport.pause_reading()
        self.reads.append(len(data))


def sealed(port: int, certificate: Path, count: int) -> tuple[socket.socket, bytes]:
    """Connect over TLS, send a byte, and return so many more, each a record of its own."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=certificate).wrap_bio(
        incoming, outgoing, server_hostname="localhost"
    )
    client = socket.create_connection(("127.0.0.1", port))
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            client.sendall(outgoing.read())
            incoming.write(client.recv(65_536))
    tls.write(b"x")
    client.sendall(outgoing.read())
    for _ in range(count):
        tls.write(b"x")
    return client, outgoing.read()


async def _read_records(folder: Path) -> list[int]:
    made, loop, reader = make(folder), asyncio.get_running_loop(), Reader()
    listener = {"dialect": "chatte", "port": 0, "certificate": str(made.both)}
    settings = Settings.model_validate({"listeners": [listener]})
    metrics = Metrics(
        CollectorRegistry(), dialects=["chatte"], chats=["main"], version="x",
        certificates=["chatte:0"],
    )  # fmt: skip
    door = Listener(
        cast(Any, None), "chatte", None, Patience(600.0, False, Disconnect.ENTER_TIMEOUT),
        settings.limits, ConnectionCounts(9, 9), metrics, loop, Connections(), None, False,
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        async with contextlib.AsyncExitStack() as node:
            listening = listeners.Listeners(settings, {}, metrics, loop)
            listening.bind(node)
            _, (sock,), gate = listening._bound[0]
            server = await connection.serve(door, sock, cast(Any, lambda client: reader), gate)
            port = sock.getsockname()[1]
            client, records = await asyncio.to_thread(sealed, port, made.certificate, 40_000)
            stack.enter_context(client)
            await until(lambda: reader.reads, 30, "the first byte")
            sending = asyncio.create_task(asyncio.to_thread(client.sendall, records[:-1]))
            await asyncio.wait([sending], timeout=0.5)  # as much as the system takes
            reader.transport.resume_reading()
            await sending
            await until(lambda: sum(reader.reads) == 40_000, 30, "all records but the last")
            reader.transport.abort()
            server.close()
    return reader.reads


@pytest.mark.slow
def test_a_read_over_tls_holds_few_records(tmp_path: Path) -> None:
    """All of a read is taken apart in one turn, and a record may hold a single byte."""
    assert max(uvloop.run(_read_records(tmp_path))) < 3000
