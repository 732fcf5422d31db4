"""What TLS and the socket below it hold back counts as one, in the loop that nodes run on."""

import asyncio
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry

from harness.certificates import make, trusting
from harness.proxy_headers import v1
from harness.waiting import until
from tertulia.domain.disconnects import Disconnect
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.preamble import Preamble, PreambleRules
from tertulia.edge.serving import Client, Connections, Host, Listener, Patience
from tertulia.settings.sections import LimitSettings
from tertulia.telemetry.metrics import Metrics


class Inside(asyncio.Protocol):
    """A client's connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False


class House:
    """A listener with an preamble, and who has come in."""

    def __init__(self, gate: PreambleRules) -> None:
        loop = asyncio.get_running_loop()
        self.gate = gate
        self.inside: list[Inside] = []
        self.clients: list[Client] = []
        self.counts = ConnectionCounts(10, 10)
        self.metrics = Metrics(
            CollectorRegistry(), dialects=["chatte"], chats=["main"], version="x"
        )
        self.listener = Listener(
            cast(Host, None),
            "chatte",
            None,
            Patience(600.0, False, Disconnect.ENTER_TIMEOUT),
            LimitSettings(),
            self.counts,
            self.metrics,
            loop,
            Connections(),
            None,
            has_ring=False,
        )

    async def open(self) -> int:
        """Listen, with as small a buffer in the system as it gives."""
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listening.setblocking(False)
        await asyncio.get_running_loop().create_server(
            lambda: Preamble(self.gate, self.listener, self.begin), sock=listening
        )
        return int(listening.getsockname()[1])

    def begin(self, client: Client) -> Inside:
        self.clients.append(client)
        self.inside.append(Inside())
        return self.inside[-1]


async def test_what_the_socket_holds_back_below_tls_counts_as_not_written(tmp_path: Path) -> None:
    made = make(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(made.both)
    house = House(PreambleRules((), lambda: served))
    port = await house.open()
    client, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, "127.0.0.1", port, ssl=trusting(made), server_hostname="localhost"
    )
    await until(lambda: house.inside, 30, "the client to be let in")
    client.pause_reading()
    (inside,) = house.inside
    transport = inside.transport
    assert transport is not None
    transport.set_write_buffer_limits(high=65_536)
    assert transport.get_write_buffer_size() == 0
    tls = transport._tls  # type: ignore[attr-defined] # what the loop itself would say
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 4096)
        await asyncio.sleep(0)
    assert tls.get_write_buffer_size() == 0, "TLS has passed everything on"
    while not inside.is_paused:
        transport.write(b"x" * 4096)
        assert transport.get_write_buffer_size() < 1 << 18
    client.resume_reading()
    await until(lambda: transport.get_write_buffer_size() == 0, 30, "it to be written")
    assert not inside.is_paused
    client.abort()


async def test_a_client_that_goes_in_the_middle_of_a_handshake_is_forgotten(tmp_path: Path) -> None:
    made = make(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(made.both)
    house = House(PreambleRules((), lambda: served))
    port = await house.open()
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(made).wrap_bio(there, back, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        hello = back.read()
    for cut in (0, 1, 5, len(hello) - 1, len(hello)):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(hello[:cut])
        await until(lambda: house.counts.open == 1, 30, "it to be counted")
        writer.transport.abort()
        await until(lambda: house.counts.open == 0, 30, "it to be forgotten")
        assert not house.gate.waiting
    label = {"reason": "tls_handshake"}
    count = house.metrics.registry.get_sample_value("tertulia_disconnects_total", label)
    assert count == 5
    assert house.inside == []


async def test_who_does_not_say_who_it_is_counts_all_the_same() -> None:
    house = House(PreambleRules([ipaddress.ip_network("127.0.0.1")]))
    house.counts.total = 2
    port = await house.open()
    for comes in (b"", b"PROXY TCP4 203.0.113.7", b"garbage\r\n"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(comes)
        if comes != b"garbage\r\n":
            await until(lambda: house.counts.open == 1, 30, "it to be counted")
        writer.transport.abort()
        await until(lambda: house.counts.open == 0, 30, "it to be forgotten")
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    await until(lambda: house.counts.open == 2, 30, "both to be counted")
    reader, late = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b""
    label = {"reason": "too_many"}
    count = house.metrics.registry.get_sample_value("tertulia_disconnects_total", label)
    assert count == 1
    silent[0][1].write(v1("203.0.113.7", 40_001))
    await until(lambda: house.inside, 30, "the one that said it to come in")
    assert house.counts.open == 2
    house.counts.release("203.0.113.7")  # as the connection of the client does
    assert house.counts.open == 1
    for _, writer in (*silent, (reader, late)):
        writer.close()
    await until(lambda: house.counts.open == 0, 30, "the other one to be forgotten")
