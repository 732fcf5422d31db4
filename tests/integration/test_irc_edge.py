"""Where clients of irc come in: TLS, WebSocket, PROXY, bans, limits, the end. Lines as they are written."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from harness.admin import Admin
from harness.certificates import make, trusting
from harness.chatte_client import WITHIN, ChatteClient
from harness.dialects import launch, listener
from harness.node import Node, NodeFactory
from harness.proxy_headers import v2
from harness.redis_server import RedisServer

pytestmark = [pytest.mark.server]

FAR = "203.0.113.7"
IRC = {"dialect": "irc", "host": "127.0.0.1", "port": 0}
PAGE = {"dialect": "browser", "host": "127.0.0.1", "port": 0, "irc": True}
KINDS = [Subprotocol("text.ircv3.net"), Subprotocol("binary.ircv3.net"), None]


class Lines:
    """One client: lines out, lines in; it answers pings, and knows the end."""

    def __init__(
        self,
        write: Callable[[bytes], Awaitable[None]],
        read: Callable[[], Awaitable[bytes]],
        nickname: str,
    ) -> None:
        self._write = write
        self._read = read
        self.nickname = nickname
        self.lines: list[str] = []

    async def send(self, *lines: str) -> None:
        for line in lines:
            await self._write(line.encode())

    async def until(self, pattern: str) -> str:
        """Read up to a line in which a pattern is found, and return it. Raises EOFError at the end."""
        async with asyncio.timeout(WITHIN):
            while True:
                line = (await self._read()).decode()
                self.lines.append(line)
                if line.startswith("PING "):
                    await self.send(f"PONG {line[5:]}")
                if re.search(pattern, line):
                    return line

    async def register(self, *before: str) -> None:
        await self.send(*before, f"NICK {self.nickname}", f"USER {self.nickname} 0 * :Anna")
        await self.until(rf" 366 {self.nickname} #lobby ")

    async def say(self, text: str) -> None:
        await self.send(f"PRIVMSG #lobby :{text}")

    async def ends(self) -> str:
        """Read up to the end; return the last line."""
        with pytest.raises(EOFError):
            await self.until("a^")
        return self.lines[-1] if self.lines else ""


@asynccontextmanager
async def on_a_socket(
    port: int, nickname: str = "anna", *, header: bytes = b"", **options: object
) -> AsyncIterator[Lines]:
    async with asyncio.timeout(WITHIN):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)  # type: ignore[arg-type]
    writer.write(header)

    async def write(line: bytes) -> None:
        writer.write(line + b"\r\n")

    async def read() -> bytes:
        line = await reader.readline()
        if not line:
            raise EOFError
        assert line.endswith(b"\r\n"), line
        return line[:-2]

    try:
        yield Lines(write, read, nickname)
    finally:
        writer.close()


@asynccontextmanager
async def on_a_page(
    port: int, kind: Subprotocol | None, nickname: str = "anna", origin: str | None = None
) -> AsyncIterator[Lines]:
    is_binary = kind == "binary.ircv3.net"
    options = {} if kind is None else {"subprotocols": [kind]}
    async with connect(
        f"ws://127.0.0.1:{port}/irc",
        origin=None if origin is None else Origin(origin),
        compression=None,
        proxy=None,
        **options,  # type: ignore[arg-type]
    ) as socket:
        assert socket.subprotocol == kind

        async def write(line: bytes) -> None:
            await socket.send(line if is_binary else line.decode())

        yield Lines(write, lambda: _frame(socket, is_binary=is_binary), nickname)


async def _frame(socket: ClientConnection, *, is_binary: bool) -> bytes:
    try:
        frame = await socket.recv()
    except ConnectionClosed:
        raise EOFError from None
    assert isinstance(frame, bytes) is is_binary
    line = frame if isinstance(frame, bytes) else frame.encode()
    assert not re.search(rb"[\r\n]", line)
    return line


async def start(
    factory: NodeFactory, *listeners: dict[str, object], **settings: str
) -> tuple[Node, ChatteClient]:
    """Start a node with such listeners, and somebody in the room who speaks chatte."""
    node = launch(factory, [*listeners, listener(ChatteClient)], **settings)
    await node.ready()
    return node, await ChatteClient.enter_chat(node.port(), "bruno")


async def hear(bruno: ChatteClient, irc: Lines) -> None:
    """Have them talk, both ways."""
    await irc.say("è già qui?")
    await bruno.expect_line(f"100 {irc.nickname} è già qui?")
    bruno.send("100 già\n".encode())
    await irc.until("^:bruno!bruno@tertulia PRIVMSG #lobby :già$")


async def test_it_speaks_tls(node_factory: NodeFactory, tmp_path: Path) -> None:
    made = make(tmp_path)
    private = {"certificate": str(made.certificate), "key": str(made.key)}
    node, bruno = await start(node_factory, {**IRC, **private})
    async with on_a_socket(
        node.port("irc"), ssl=trusting(made), server_hostname="localhost"
    ) as anna:
        await anna.register()
        await hear(bruno, anna)
        await anna.send("QUIT :bye")
        assert re.match("ERROR :", await anna.ends())
    await bruno.expect_line("151 anna just left the chat")


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_it_is_on_the_page_by_websocket(
    node_factory: NodeFactory, kind: Subprotocol | None
) -> None:
    node, bruno = await start(node_factory, PAGE)
    async with on_a_page(node.port("browser"), kind) as anna:
        await anna.register()
        await hear(bruno, anna)
        await anna.send("PING a\r\nPING b", "", "PING c")  # a line is a line
        for word in "abc":
            await anna.until(rf"PONG .*{word}$")
        await anna.send("QUIT")
        assert re.match("ERROR :", await anna.ends())
    await bruno.expect_line("151 anna just left the chat")


async def test_only_pages_of_its_own_site_may_connect_and_none_where_it_is_off(
    node_factory: NodeFactory,
) -> None:
    node, _ = await start(
        node_factory,
        {**PAGE, "origins": ["https://a.example"]},
        {**PAGE, "irc": False, "chat": "b"},
    )
    port = node.port("browser")
    for origin in ("https://a.example", f"http://127.0.0.1:{port}"):
        async with on_a_page(port, KINDS[0], "anna", origin) as anna:
            await anna.register("CAP END")
            await anna.send("QUIT")
            await anna.ends()
    for where, foreign, status in (
        (port, "https://evil.example", 403),
        (node.port("browser", "b"), None, 404),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with on_a_page(where, KINDS[0], origin=foreign):
                pass
        assert refused.value.response.status_code == status


async def test_a_client_is_where_its_proxy_says(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    node = launch(node_factory, [IRC], TRUSTED_PROXIES='["127.0.0.1"]')
    await node.ready()
    async with on_a_socket(node.port("irc"), header=v2(FAR, 40_001)) as anna:
        await anna.register()
        kept = cast(dict[str, str], redis_server.control.hgetall("{main}:nick:anna"))
        assert (kept["address"], kept["port"]) == (FAR, "40001")
        await anna.send("WHOIS anna")
        await anna.until(" 318 ")
        assert not any(FAR in line for line in anna.lines), "no address of a person is shown"
    async with on_a_socket(node.port("irc")) as stranger:
        # In one piece: what comes after the node has closed is answered with a reset.
        await stranger.send("NICK berta\r\nUSER b 0 * :B")
        assert await stranger.ends() == ""
    assert await node.disconnects("proxy_header") == 1


async def test_a_ban_shuts_out_and_keeps_out(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    node, bruno = await start(node_factory, IRC, PAGE)
    async with AsyncExitStack() as stack:
        anna = await stack.enter_async_context(on_a_socket(node.port("irc"), "anna"))
        berta = await stack.enter_async_context(on_a_page(node.port("browser"), KINDS[0], "berta"))
        for it in (anna, berta):
            await it.register()
        admin = Admin(redis_server.url)
        banned = await admin("ban", "anna", "--reason", "too loud")
        assert banned.status == 0, banned
        assert "too loud" in await anna.ends()
        await bruno.expect_line("151 anna just left the chat")
        again = await stack.enter_async_context(on_a_socket(node.port("irc"), "anna"))
        await again.send("NICK anna", "USER anna 0 * :A")
        await again.until(" 465 ")
        await hear(bruno, berta)


async def test_who_floods_is_told_and_slowed_and_all_of_it_is_said(
    node_factory: NodeFactory,
) -> None:
    limits = {"LIMITS__MESSAGES_PER_SECOND": "50", "LIMITS__MESSAGES_BURST": "5"}
    node, bruno = await start(node_factory, IRC, **limits)
    async with on_a_socket(node.port("irc")) as anna:
        await anna.register()
        for number in range(20):
            await anna.say(f"line {number}")
        await anna.until("NOTICE anna :You write too fast")
        await bruno.expect_line("100 anna line 19")
    said = [line for line in bruno.lines if line.startswith("100 anna line")]
    assert said == [f"100 anna line {number}" for number in range(20)]


async def test_lines_too_long_are_refused_and_then_the_end(node_factory: NodeFactory) -> None:
    node, bruno = await start(node_factory, IRC, LIMITS__LONG_LINES="2")
    async with on_a_socket(node.port("irc")) as anna:
        await anna.register()
        for _ in range(2):
            await anna.say("x" * 600)
            await anna.until(" 417 anna ")
        await hear(bruno, anna)
        await anna.say("x" * 600)
        assert re.match("ERROR :", await anna.ends())
    assert await node.disconnects("long_lines") == 1


async def test_who_never_registers_is_let_go(node_factory: NodeFactory) -> None:
    node = launch(node_factory, [IRC], LIMITS__ENTER_SECONDS="2")
    await node.ready()
    async with on_a_socket(node.port("irc")) as anna:
        await anna.send("CAP LS 302", "NICK anna", "USER anna 0 * :A")  # and no CAP END
        assert " CAP * LS " in await anna.ends()
    assert await node.disconnects("enter_timeout") == 1


async def test_an_address_has_so_many_connections_over_both_ways_in(
    node_factory: NodeFactory,
) -> None:
    node, bruno = await start(node_factory, IRC, PAGE, LIMITS__CONNECTIONS_PER_ADDRESS="3")
    async with (
        on_a_socket(node.port("irc"), "anna") as anna,
        on_a_page(node.port("browser"), KINDS[0], "berta") as berta,
    ):
        await anna.register()
        await berta.register()
        async with on_a_socket(node.port("irc"), "carla") as carla:
            assert await carla.ends() == ""
        await hear(bruno, anna)
    assert await node.disconnects("too_many_from_address") == 1


async def test_a_node_that_drains_says_so(node_factory: NodeFactory) -> None:
    node, _ = await start(node_factory, IRC, PAGE)
    async with (
        on_a_socket(node.port("irc"), "anna") as anna,
        on_a_page(node.port("browser"), KINDS[1], "berta") as berta,
    ):
        await anna.register()
        await berta.register()
        node.terminate()
        for it in (anna, berta):
            assert "The server restarts" in await it.ends()
    assert await node.exit_status(60) == 0


async def test_sessions_and_messages_are_counted_as_those_of_irc(
    node_factory: NodeFactory,
) -> None:
    node, bruno = await start(node_factory, IRC, PAGE)
    async with (
        on_a_socket(node.port("irc"), "anna") as anna,
        on_a_page(node.port("browser"), KINDS[0], "berta") as berta,
    ):
        for it in (anna, berta):
            await it.register()
            await hear(bruno, it)
        found = {
            it.name: it.value
            for it in await node.metrics()
            if it.labels.get("dialect") == "irc" and it.labels.get("kind", "public") == "public"
        }
        assert found["tertulia_sessions"] == 2
        assert found["tertulia_joins_total"] == 2
        assert found["tertulia_messages_total"] == 2
