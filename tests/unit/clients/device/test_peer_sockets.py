"""The sockets of a live chat: where a peer is dialled from, and that a fast one waits."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from harness.waiting import until
from tertulia.clients.device import peer_sockets
from tertulia.clients.device.effects import (
    Came,
    Locate,
    NoPlace,
    Parting,
    PeerPlace,
    Slowed,
    Told,
    Went,
)
from tertulia.clients.device.hearing import MAX_HEARD
from tertulia.clients.device.live_chat import LiveChat
from tertulia.clients.device.peer import Partner
from tertulia.clients.device.peer_sockets import PeerSockets
from tertulia.clients.device.wire import integer, string


class Listening:
    """Bob's device, which takes in whoever dials."""

    def __init__(self) -> None:
        self.came_from: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came_from.append(writer.get_extra_info("peername")[0])
        self.writers.append(writer)
        writer.write(integer(0))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIAL_SECONDS", "CONNECT_SECONDS"):
        monkeypatch.setattr(peer_sockets, name, 60.0)


@pytest.fixture
async def bob() -> AsyncIterator[Listening]:
    it = Listening()
    server = await asyncio.start_server(it.serve, "127.0.0.3", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        for writer in it.writers:
            writer.close()
        server.close()


async def dials(sockets: PeerSockets, bob: Listening) -> list[Told]:
    """Let anna dial bob, and return what she is told."""
    told: list[Told] = []
    chat = LiveChat(Partner("anna", 5000), "bob")

    async def locate(asked: Locate) -> PeerPlace | NoPlace:
        return PeerPlace("127.0.0.3", bob.port)

    sockets.attach(chat, locate, told.append)
    sockets.carry_out(chat.dial(bob.port, asyncio.get_running_loop().time()))
    await until(lambda: told, 30, "an end")
    return told


async def test_a_peer_is_dialled_from_where_the_service_is_called(bob: Listening) -> None:
    sockets = PeerSockets(lambda: "127.0.0.2")
    assert await dials(sockets, bob) == [Came("bob", group=False)]
    assert bob.came_from == ["127.0.0.2"]
    await sockets.close()


async def test_from_anywhere_where_that_address_leads_nowhere(
    bob: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_sockets, "source_to", lambda _own, _host: "192.0.2.1")
    sockets = PeerSockets(lambda: "192.0.2.1")
    assert await dials(sockets, bob) == [Came("bob", group=False)]
    assert bob.came_from == ["127.0.0.1"]
    await sockets.close()


async def test_a_peer_that_does_not_read_is_dropped_and_that_is_said(
    bob: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_sockets, "MAX_BACKLOG", -1)
    sockets = PeerSockets()
    told = await dials(sockets, bob)
    assert sockets._chat is not None
    sockets.carry_out(sockets._chat.say("ciao"))
    await until(lambda: Went("bob", Parting.DEAF) in told, 30, "bob to be dropped")
    await sockets.close()


@pytest.mark.slow
async def test_what_is_not_shown_yet_is_not_read_either(bob: Listening) -> None:
    sockets = PeerSockets()
    told = await dials(sockets, bob)
    (writer,) = bob.writers
    writer.transport.set_write_buffer_limits(0)
    words = string("x" * 40) * 1000
    sent = 0
    while sent < 2 * MAX_HEARD:
        writer.write(words)
        sent += len(words)
        try:
            async with asyncio.timeout(1):
                await writer.drain()
        except TimeoutError:  # as it is not read, or as the machine is busy
            if Slowed("bob") in told:
                break
    assert Slowed("bob") in told
    assert sent < MAX_HEARD, "who says it waits"
    await sockets.close()
