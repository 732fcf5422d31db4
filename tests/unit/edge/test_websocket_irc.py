"""``/irc`` on a page's listener: ircv3.net, "WebSocket support". In place of the chat, a host hears words."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from structlog.testing import capture_logs
from websockets.frames import Frame, Opcode

from harness.cases import each
from tertulia.chat.receipts import Receipts
from tertulia.dialects.lines import Lines
from tertulia.domain.disconnects import Disconnect
from tertulia.edge.connection import Connection
from tertulia.edge.serving import Host, Listener
from tertulia.edge.websocket import IRC_BINARY, IRC_TEXT
from tertulia.settings.sections import LimitSettings
from unit.edge.test_websocket import (
    HOST,
    LIMITS,
    PING_SECONDS,
    UPGRADE,
    Client,
    Service,
    connected,
    masked,
    request,
    serving,
)

PROTOCOL = "Sec-WebSocket-Protocol"
OPCODES = {IRC_TEXT: Opcode.TEXT, IRC_BINARY: Opcode.BINARY}
protocols = each("protocol", list(OPCODES))


class Words(Lines):
    """Each word of a line is a command."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        super().__init__()
        self._words: list[bytes] = []

    @property
    def buffered(self) -> int:
        return super().buffered + len(self._words)

    def next_command(self) -> bytes | None:
        while not self._words:
            line = self.next_line()
            if line is None:
                return None
            self._words = line.split()
        return self._words.pop(0)


@dataclass
class Hearer:
    """A session that is whatever its client says."""

    outbox: Connection
    decoder: Words = field(default_factory=Words)
    receipts = Receipts(acknowledges_all=False)
    takes_commands = True
    awaiting = 0
    is_active = True
    is_held = False
    is_in_hurry = False
    awaits_end = False


class Echo:
    """A host that writes back what it hears, a frame for a command; others are counted as nothing."""

    def __init__(self, opcode: Opcode) -> None:
        self._opcode = opcode
        self.sessions: list[Hearer] = []
        self.lost_for: list[Disconnect] = []

    def connect(self, outbox: Connection, address: str, port: int) -> Hearer:
        self.sessions.append(Hearer(outbox))
        return self.sessions[-1]

    def command(self, session: Hearer, command: object) -> None:
        if isinstance(command, bytes):
            session.outbox.write(Frame(self._opcode, command).serialize(mask=False))

    def lost(self, session: Hearer, reason: Disconnect) -> None:
        if session in self.sessions:
            self.sessions.remove(session)
            self.lost_for.append(reason)
            session.outbox.close(reason)

    def slowed(self, session: Hearer) -> None:
        pass


@dataclass
class House:
    service: Service
    hosts: dict[str, Echo]


@asynccontextmanager
async def house(
    *origins: str, limits: LimitSettings = LIMITS, hosts: tuple[str, ...] = ()
) -> AsyncIterator[House]:
    doors: dict[str, Listener] = {}
    async with serving(*origins, limits=limits, irc=doors, hosts=hosts) as service:
        echoes = {name: Echo(opcode) for name, opcode in OPCODES.items()}
        for name, host in echoes.items():
            doors[name] = replace(service.site.listener, host=cast(Host, host), dialect="irc")
        yield House(service, echoes)


async def shaken(client: Client, *offered: str) -> tuple[int, str | None]:
    """Ask for ``/irc``; return the status, and the subprotocol that was chosen."""
    client.send(request("GET", "/irc", *UPGRADE, *((PROTOCOL, it) for it in offered)))
    status, headers, _ = await client.answer()
    return status, headers.get(PROTOCOL.lower())


@asynccontextmanager
async def opened(it: House, protocol: str) -> AsyncIterator[Client]:
    async with connected(it.service) as client:
        assert await shaken(client, protocol) == (101, protocol)
        yield client


async def heard(client: Client, count: int, protocol: str = IRC_TEXT) -> list[bytes]:
    frames = [await client.frame() for _ in range(count)]
    assert {frame.opcode for frame in frames} == {OPCODES[protocol]}
    return [bytes(frame.data) for frame in frames]


@each(
    ("offered", "chosen"),
    [
        ([IRC_TEXT], IRC_TEXT),
        ([IRC_BINARY], IRC_BINARY),
        ([f"{IRC_BINARY}, {IRC_TEXT}"], IRC_BINARY),
        ([f"{IRC_TEXT},{IRC_BINARY}"], IRC_TEXT),
        (["chat", IRC_BINARY, IRC_TEXT], IRC_BINARY),
        (["chat"], None),
        ([], None),
    ],
)
async def test_the_client_chooses_the_kind_of_frames(
    offered: Sequence[str], chosen: str | None
) -> None:
    async with house() as it, connected(it.service) as client:
        assert await shaken(client, *offered) == (101, chosen)
        client.send(masked(OPCODES[chosen or IRC_TEXT], b"PING"))
        assert await heard(client, 1, chosen or IRC_TEXT) == [b"PING"]


@each("value", ["text.ircv3.net text", ",,="])
async def test_what_names_no_subprotocol_opens_nothing(value: str) -> None:
    async with house() as it, connected(it.service) as client:
        status, _ = await shaken(client, value)
        assert status == 400
        assert await client.is_closed()
        assert it.hosts[IRC_TEXT].sessions == []


async def test_it_is_not_there_unless_it_is_wanted() -> None:
    async with serving() as service, connected(service) as client:
        assert (await shaken(client, IRC_TEXT))[0] == 404


@protocols
async def test_a_frame_is_a_line_that_may_ask_for_several_things_or_none(protocol: str) -> None:
    opcode = OPCODES[protocol]
    async with house() as it, opened(it, protocol) as client:
        for line in (b"JOIN #a,#b", b"", b"  ", b"PART\r\nQUIT\r\n", "è".encode()):
            client.send(masked(opcode, line))
        client.send(masked(opcode, b"END"))
        assert b" ".join(await heard(client, 6, protocol)).split() == [
            *(b"JOIN", b"#a,#b", b"PART", b"QUIT", "è".encode(), b"END")
        ]


async def test_the_end_of_a_frame_ends_the_line_and_a_fragment_does_not() -> None:
    async with house() as it, opened(it, IRC_TEXT) as client:
        client.send(masked(Opcode.TEXT, b"PI", fin=False) + masked(Opcode.CONT, b"NG"))
        client.send(masked(Opcode.TEXT, b"a") + masked(Opcode.TEXT, b"b"))
        assert await heard(client, 3) == [b"PING", b"a", b"b"]


@each("protocol", list(OPCODES))
async def test_the_other_kind_of_frame_is_refused(protocol: str) -> None:
    (other,) = set(OPCODES.values()) - {OPCODES[protocol]}
    async with house() as it, opened(it, protocol) as client:
        client.send(masked(other, b"PING"))
        assert (await client.close_frame())[0] == 1003


async def test_only_text_has_to_be_utf_8_for_the_protocol() -> None:
    async with house() as it:
        async with opened(it, IRC_TEXT) as client:
            client.send(masked(Opcode.TEXT, b"\xe8"))
            assert (await client.close_frame())[0] == 1007
        async with opened(it, IRC_BINARY) as client:
            client.send(masked(Opcode.BINARY, b"\xe8"))
            assert await heard(client, 1, IRC_BINARY) == [b"\xe8"]


async def test_a_page_of_another_site_may_not_connect() -> None:
    async with house("https://friends.example") as it:
        for origin, status in (
            ("https://friends.example", 101),
            (f"http://{HOST}", 101),
            ("https://evil.example", 403),
        ):
            async with connected(it.service) as client:
                client.send(request("GET", "/irc", *UPGRADE, ("Origin", origin)))
                with capture_logs():
                    assert (await client.answer())[0] == status


async def test_another_name_is_not_served() -> None:
    async with house(hosts=("other.example",)) as it, connected(it.service) as client:
        assert (await shaken(client))[0] == 421


async def test_who_says_nothing_is_pinged_by_the_protocol_alone_and_let_go() -> None:
    async with house() as it, opened(it, IRC_TEXT) as client:
        for _ in range(3):
            await client.answer_ping(it.service)
        it.service.loop.advance(PING_SECONDS)
        assert (await client.frame()).opcode is Opcode.PING
        it.service.loop.advance(PING_SECONDS)
        assert await client.close_frame() == (4000, "silent")
        assert it.hosts[IRC_TEXT].lost_for == [Disconnect.SILENT]


async def test_many_words_of_a_line_are_carried_out_in_steps() -> None:
    count = 2000
    async with house() as it, opened(it, IRC_TEXT) as client:
        client.send(masked(Opcode.TEXT, b"w " * count) + masked(Opcode.TEXT, b"END"))
        assert await heard(client, count + 1) == [b"w"] * count + [b"END"]


async def test_who_closes_is_let_go_after_what_it_said() -> None:
    async with house() as it, opened(it, IRC_TEXT) as client:
        client.send(masked(Opcode.TEXT, b"a b") + masked(Opcode.CLOSE, b"\x03\xe8"))
        assert await heard(client, 2) == [b"a", b"b"]
        assert await client.close_frame() == (1000, "")
        assert it.hosts[IRC_TEXT].lost_for == [Disconnect.GONE]


async def test_the_page_on_the_same_listener_is_as_ever() -> None:
    async with house() as it, connected(it.service) as client:
        client.send(request("GET", "/ws", *UPGRADE, (PROTOCOL, IRC_TEXT)))
        status, headers, _ = await client.answer()
        assert (status, headers.get(PROTOCOL.lower())) == (101, None)
        await client.enter("anna")
        await client.answer_ping(it.service)
