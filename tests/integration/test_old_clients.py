"""What the authors' own programs of long ago can read, byte for byte, on two nodes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self, cast

import pytest

from harness.chatte_client import ChatteClient
from harness.device_client import PASSWORD, log_out, sign_up
from harness.dialects import launch, listener, port, until_empty
from harness.node import QUICK, Node, NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until

WITHIN = 30.0
DEAF_SECONDS = 2.0
BURIED_SECONDS = 60.0
DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}
LISTED = b"Utenti collegati: "

Split = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def by_byte(data: bytes) -> Iterator[bytes]:
    for byte in data:
        yield bytes([byte])


each_split = pytest.mark.parametrize("split", [whole, by_byte])
each_end = pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])


class Bytes(asyncio.Protocol):
    """A connection that keeps what it read."""

    def __init__(self) -> None:
        self.got = b""
        self.closed = False
        self._transport: asyncio.Transport

    @classmethod
    async def connect(cls, port: int) -> Self:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, "127.0.0.1", port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.got += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def send(self, data: bytes, split: Split = whole) -> None:
        for part in split(data):
            self._transport.write(part)

    def close(self) -> None:
        self._transport.close()

    async def read(self, expected: bytes, within: float = WITHIN) -> None:
        """Wait for exactly these bytes, and forget them."""
        await self.read_first(expected, within)
        assert self.got == b""

    async def read_first(self, expected: bytes, within: float = WITHIN) -> None:
        """Wait for these bytes, and forget them; others may be behind them already."""
        await until(
            lambda: len(self.got) >= len(expected), within, lambda: f"{expected!r}: {self.got!r}"
        )
        assert self.got.startswith(expected), self.got
        self.got = self.got.removeprefix(expected)


@dataclass
class House:
    """One chat on two nodes, which speak the two wordings of protocollo, and its guests."""

    nodes: list[Node]
    redis: RedisServer
    guests: list[ChatteClient | Bytes] = field(default_factory=list)

    async def enter(self, kind: type[ChatteClient], name: str, node: int) -> ChatteClient:
        client = await kind.enter_chat(port(self.nodes[node], kind), name)
        self.guests.append(client)
        return client

    async def connect(self, dialect: str, node: int, chat: str = "main") -> Bytes:
        client = await Bytes.connect(self.nodes[node].port(dialect, chat))
        self.guests.append(client)
        return client

    async def heard(self, speaker: ChatteClient, text: str, *witnesses: ChatteClient) -> None:
        """Say something, and wait until others on the same nodes have read it."""
        speaker.say(text)
        for witness in witnesses:
            await witness.expect_line(lambda line: line.endswith(f"> {text}"))


def old_desktop(factory: NodeFactory) -> list[Node]:
    kinds: list[tuple[type[ChatteClient], ...]] = [(ClassicClient,), (ProtocolloClient,)]
    nodes = [
        launch(
            factory,
            [*map(listener, own), DEVICES, listener(ChatteClient, "old", wording="classic")],
            **QUICK,
        )
        for own in kinds
    ]
    for node in nodes:
        node.ready_sync()
    return nodes


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            yield old_desktop(factory), server
        finally:
            factory.end()


@pytest.fixture
async def house(shared: tuple[list[Node], RedisServer]) -> AsyncIterator[House]:
    house = House(*shared)
    yield house
    for guest in house.guests:
        guest.close()
    for chat in ("main", "old"):
        await until_empty(house.nodes, chat)
    for kind in (
        "account:*",
        "device:*",
        "devices",
        "pending:*",
        "mailbox:*",
        "senders:*",
        "failures:*",
    ):
        for key in house.redis.control.keys(f"{{main}}:{kind}"):
            house.redis.control.delete(key)


@pytest.fixture
def own(node_factory: NodeFactory, redis_server: RedisServer) -> House:
    """Nodes that a test may end."""
    return House(old_desktop(node_factory), redis_server)


# protocollo, classic: "everything after the user list is held back until its `null` line came"


@each_split
@each_end
async def test_nothing_is_written_before_the_old_client_can_read(
    house: House, split: Split, end: bytes
) -> None:
    """Messages that waited for its account, and a busy room; in the order of things afterwards."""
    await sign_up(house.nodes[0].port("device"), "anna")
    await log_out(house.nodes[0].port("device"), "anna")
    bruno = await house.enter(ProtocolloClient, "bruno", 1)
    carla = await house.enter(ClassicClient, "carla", 0)
    for text in ("sei là?", "a dopo"):
        bruno.whisper("anna", text)
        await bruno.expect_line("G> messaggio conservato per anna")
    anna = await house.connect("protocollo", 0)
    began = time.monotonic()
    anna.send(f"anna:{PASSWORD}".encode() + end, split)
    await anna.read_first(LISTED + b"bruno, carla, \n")

    def is_silent() -> bool:
        return not anna.got or time.monotonic() - began >= DEAF_SECONDS  # on a busy machine

    await bruno.expect_line("G.@g> anna si è unito")
    await house.heard(bruno, "uno", carla)
    await house.heard(bruno, "due", carla)
    bruno.whisper("anna", "tre")
    dora = await house.enter(ProtocolloClient, "dora", 1)
    await carla.expect_line("G.@G> Membro entrato nella chat: Benvenuto dora")
    dora.close()
    await carla.expect_line("G.@G> dora ha abbandonato il gruppo")
    # What it asks for itself is answered then, too.
    anna.send(b"nessuno" + end + b"ciao" + end, split)
    await house.heard(bruno, "quattro", carla)
    assert is_silent()
    anna.send(b"null" + end, split)
    await house.heard(bruno, "cinque", carla)
    assert is_silent(), "half of it is not it"
    anna.send(end + b"G" + end + b"eccomi" + end + b"nessuno" + end, split)
    await carla.expect_line("anna.@G> eccomi")
    expected = [
        *(
            b"bruno> sei l\xe0?",
            b"bruno> a dopo",
            b"bruno.@G> uno",
            b"bruno.@G> due",
            b"bruno> tre",
        ),
        *(b"G.@G> Membro entrato nella chat: Benvenuto dora", b""),
        *(b"G.@G> dora ha abbandonato il gruppo", b""),
        *(b"G> destinatario sconosciuto: nessuno", b"bruno.@G> quattro", b"bruno.@G> cinque"),
    ]
    await until(lambda: anna.got.count(b"\n") >= len(expected), WITHIN, lambda: f"{anna.got!r}")
    got = anna.got.split(b"\n")[:-1]
    assert sorted(got) == sorted(expected)
    # Letters and answers come when they come; of either and of the room each is in order.
    for some in ([b"bruno.@G> ", b"G.@G> "], [b"bruno> "]):
        assert [it for it in got if it.startswith(tuple(some))] == [
            it for it in expected if it.startswith(tuple(some))
        ]
    anna.got = b""
    bruno.whisper("anna", "adesso")
    await anna.read(b"bruno> adesso\n")


@each_end
@each_split
async def test_name_and_first_line_may_come_in_one_packet(
    house: House, split: Split, end: bytes
) -> None:
    anna = await house.connect("protocollo", 0)
    anna.send(end.join([b"anna", b"null", b"", b"anna", b"nota", b"fine", b""]), split)
    first = b"Sei il primo utente ad accedere, sei amministratore del gruppo\n"
    await until(lambda: anna.closed or anna.got.endswith(b"close\n"), WITHIN, "the end")
    assert anna.got in (
        LISTED + first + b"anna> nota\nclose\n",
        LISTED + first + b"close\n",  # the note came when it was gone
    )


async def test_after_two_seconds_it_is_written_all_the_same(house: House) -> None:
    bruno = await house.enter(ProtocolloClient, "bruno", 1)
    anna = await house.connect("protocollo", 0)
    began = time.monotonic()  # before the node's two seconds begin
    anna.send(b"anna\n")
    await anna.read(LISTED + b"bruno, \n")
    await bruno.expect_line("G.@g> anna si è unito")
    bruno.say("uno")
    bruno.whisper("anna", "due")
    await until(lambda: len(anna.got) >= 25, DEAF_SECONDS + WITHIN, lambda: f"{anna.got!r}")
    assert time.monotonic() - began > DEAF_SECONDS - 0.1
    assert sorted(anna.got.splitlines()) == [b"bruno.@G> uno", b"bruno> due"]


async def test_the_page_s_wording_waits_for_nothing(house: House) -> None:
    bruno = await house.enter(ProtocolloClient, "bruno", 1)
    anna = await house.connect("protocollo", 1)
    anna.send(b"anna\n")
    await anna.read(LISTED + b"bruno\n")
    bruno.say("uno")
    await anna.read(b"bruno.@g> uno\n")


@pytest.mark.parametrize("dies", ["closes", "is killed"])
async def test_a_letter_that_is_held_back_is_reported_or_kept_where_the_session_dies(
    own: House, dies: str
) -> None:
    """Though its system would have taken it: to a guest's sender, and for an account."""
    other = own.nodes[1]
    await sign_up(other.port("device"), "anna")
    bruno = await own.enter(ProtocolloClient, "bruno", 1)
    anna, carla = await own.connect("protocollo", 0), await own.connect("protocollo", 0)
    anna.send(f"anna:{PASSWORD}\n".encode())
    await anna.read(LISTED + b"bruno, \n")
    carla.send(b"carla\n")
    await carla.read(LISTED + b"bruno, anna, \n")
    bruno.whisper("anna", "per anna")
    bruno.whisper("carla", "per carla")
    inbox = own.redis.control.keys("{main}:node:*:inbox")

    def both_are_there() -> bool:
        inbox[:] = own.redis.control.keys("{main}:node:*:inbox")
        return sum(own.redis.control.llen(it) for it in inbox) == 2

    await until(both_are_there, WITHIN, "both letters")
    assert anna.got == carla.got == b""
    if dies == "closes":
        anna.close()
        carla.close()
    else:
        own.nodes[0].kill()
    await bruno.expect_line("G> messaggio non recapitato a carla: per carla", BURIED_SECONDS)
    again = await own.connect("protocollo", 1)
    again.send(f"anna:{PASSWORD}\n".encode())
    await again.read(LISTED + b"bruno\nbruno> per anna\n", BURIED_SECONDS)


DEADLY = b" ha abbandonato il gruppo"


@each_end
async def test_what_would_kill_the_reader_gets_a_full_stop(house: House, end: bytes) -> None:
    bruno = await house.connect("protocollo", 1)
    bruno.send(b"bruno" + end)
    first = b"Sei il primo utente ad accedere, sei amministratore del gruppo\n"
    await bruno.read(LISTED + first)
    anna = await house.connect("protocollo", 0)
    anna.send(b"anna" + end + b"null" + end + end)
    await anna.read(LISTED + b"bruno, \n")
    await bruno.read("G.@g> anna si è unito\n".encode())
    bruno.send(end.join([b"G", b"anna" + DEADLY, b"G", b"e poi?", b""]))
    await anna.read(b"bruno.@G> anna" + DEADLY + b".\nbruno.@G> e poi?\n")
    bruno.send(end.join([b"anna", b"G" + DEADLY, b""]))
    await anna.read(b"bruno> G" + DEADLY + b".\n")
    anna.send(end.join([b"G", b"bruno" + DEADLY, b""]))
    await bruno.read(b"anna.@g> bruno" + DEADLY + b"\n")
    bruno.send(b"fine" + end)
    await anna.read(b"G.@G> bruno" + DEADLY + b"\n\nG> Ora sei amministratore\n")


# chatte, classic: "sends `150` to the newcomer as well, and its client shows nothing for `200`"


@each_split
@each_end
async def test_the_old_chatte_client_is_told_what_it_shows(
    house: House, split: Split, end: bytes
) -> None:
    hello = b"0 Hello, nickname please.\n"
    andy = await house.connect("chatte", 0, "old")
    await andy.read(hello)
    andy.send(end.join([b"andy", b"100 hola", b""]), split)
    await andy.read(
        b"200 Welcome to the chatte.\n150 andy just join to the chat\n"
        b"100 andy hola\n101 Message sent.\n"
    )
    bea = await house.connect("chatte", 1, "old")
    await bea.read(hello)
    bea.send(b"bea" + end, split)
    await bea.read(b"200 Welcome to the chatte.\n150 bea just join to the chat\n")
    await andy.read(b"150 bea just join to the chat\n")
    # A line that is too long: in one write, as by byte it is many system calls.
    bea.send(b"100 " + b"x" * 4096 + end + b"101 Message received." + end + b"oops" + end)
    await bea.read(
        b"666 Invalid command. Ignoring.\n102 G Your line was too long.\n"
        b"666 Invalid command. Ignoring.\n"
    )
    bea.close()
    await andy.read(b"151 bea just left the chat\n")
    andy.send(b"x" * 5000 + b"\n100 ya\n")
    await andy.read(
        b"666 Invalid command. Ignoring.\n102 G Your line was too long.\n"
        b"100 andy ya\n101 Message sent.\n"
    )
