"""WebSocket and the page's files: over a real loopback socket, to a room without Redis, timers by hand."""

import asyncio
import contextlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from hashlib import sha1
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from contract.memory_store import MemoryChat
from fakes.accounts import KnownPasswords, NoAccounts
from harness.cases import each
from harness.waiting import until
from tertulia.chat.devices import Devices
from tertulia.chat.door import Door
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.room import Room, RoomLimits
from tertulia.chat.signing_up import AccountRules
from tertulia.dialects.browser import MAX_FRAME, BrowserEncoder
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import websocket
from tertulia.edge.binding import bind
from tertulia.edge.connection import Connection
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.page import PageFiles
from tertulia.edge.serving import Connections, Listener, Patience
from tertulia.edge.websocket import Site
from tertulia.settings.sections import LimitSettings
from tertulia.telemetry.metrics import Metrics

WITHIN = 30.0
HOST = "chat.example:8080"
KEY = b64encode(b"sixteen bytes ok").decode()
ACCEPT = b64encode(
    sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # RFC 6455, 4.2.2
).decode()
FILES = {
    "/": b"<!doctype html><title>x</title>",
    "/page.js": b"'use strict';\n" * 20_000,
    "/worker.js": b"self",
}
TYPES = {"/": "text/html; charset=utf-8", "/page.js": "text/javascript; charset=utf-8"}
KEPT_SECONDS = 5.0
FILES_OF_A_CONNECTION = 100
PING_SECONDS = 12.0
LIMITS = LimitSettings()
CLOSING_SECONDS = 5.0


# What is tested, and how it is spoken to


class Timer:
    """Something to be called at a time, unless it is cancelled."""

    def __init__(self, when: float, callback: Callable[..., object], args: Sequence[Any]) -> None:
        self.when = when
        self.call = partial(callback, *args)
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandLoop:
    """A real loop, but that its timers wait until the test lets time pass."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = 1000.0
        self._timers: list[Timer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        timer = Timer(self._now + delay, callback, args)
        self._timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and call back whatever falls due, each at its time."""
        end = self._now + seconds
        while due := [it for it in self._timers if it.when <= end and not it.cancelled]:
            timer = min(due, key=lambda it: it.when)
            self._timers.remove(timer)
            self._now = max(self._now, timer.when)
            timer.call()
        self._now = end


class Service:
    """A listener of the page, with a room of its own."""

    def __init__(self, *origins: str, limits: LimitSettings = LIMITS, **site: Any) -> None:
        loop = asyncio.get_running_loop()
        self.loop = HandLoop(loop)
        metrics = Metrics(CollectorRegistry(), dialects=["browser"], chats=["main"], version="x")
        self._store = MemoryChat(loop.call_soon).node("node")
        passwords, orders = KnownPasswords(), OperatorCommands("main")
        self.room = Room(
            "main",
            self._store,
            loop,
            RoomLimits(20, 1 << 22, True, 30.0),
            passwords,
            Devices(self._store, NoAccounts(), passwords, orders, AccountRules(), metrics),
            OwnAccounts(self._store, NoAccounts(), passwords, orders, AccountRules(), metrics),
            orders,
            metrics,
        )
        self.connections = Connections()
        listener = Listener(
            Door(self.room, BrowserEncoder()),
            "browser",
            None,
            Patience(LimitSettings().enter_seconds, False, Disconnect.ENTER_TIMEOUT),
            limits,
            ConnectionCounts(100, 50),
            metrics,
            cast(asyncio.AbstractEventLoop, self.loop),
            self.connections,
            None,
            False,
        )
        self.site = Site(listener, PageFiles(FILES), origins, **site)
        self.port = 0

    async def start(self) -> None:
        await self._store.start(self.room)
        listening = bind("127.0.0.1", 0)
        self._server = await websocket.serve(self.site, listening)
        self.port = listening.getsockname()[1]

    def timeouts(self) -> float:
        """Return how many clients were too slow."""
        counter = self.site.listener.metrics.disconnects(Disconnect.ENTER_TIMEOUT)
        return cast(float, counter._value.get())  # the library has no other way

    async def stop(self) -> None:
        self._server.close()
        for connection in self.connections:
            connection.abort()
        await asyncio.wait_for(self.connections.wait_for_none(), WITHIN)


@contextlib.asynccontextmanager
async def serving(
    *origins: str, limits: LimitSettings = LIMITS, **site: Any
) -> AsyncIterator[Service]:
    """Serve, and see to it that nothing went wrong behind the scenes."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, it: failures.append(it))
    service = Service(*origins, limits=limits, **site)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
    assert failures == []


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with serving() as service:
        yield service


class Client:
    """A connection that can be told to send anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.frames: list[Frame] = []
        self.is_in = False
        self._protocol = ClientProtocol(parse_uri("ws://chat.example/ws"), state=State.OPEN)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def send_byte_by_byte(self, data: bytes) -> None:
        for byte in data:
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(0)

    # HTTP

    async def answer(self, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Read an answer; 0 where the connection closes without one."""
        try:
            async with asyncio.timeout(WITHIN):
                raw = await self.reader.readuntil(b"\r\n\r\n")
                status, *lines = raw.decode().split("\r\n")[:-2]
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                length = 0 if head else int(headers.get("content-length", "0"))
                return int(status.split()[1]), headers, await self.reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            assert error.partial == b""
            return 0, {}, b""

    async def is_closed(self) -> bool:
        """Wait for the end; whether there was nothing before it."""
        async with asyncio.timeout(WITHIN):
            return await self.reader.read() == b""

    # WebSocket

    def say_frame(self, **fields: Any) -> None:
        self.send(text(json.dumps(fields)))

    async def frame(self) -> Frame:
        """Read the next frame. Raises EOFError at the connection's end."""
        async with asyncio.timeout(WITHIN):
            while not self.frames:
                data = await self.reader.read(65_536)
                if not data:
                    raise EOFError
                self._protocol.receive_data(data)
                self.frames += cast(list[Frame], self._protocol.events_received())
        return self.frames.pop(0)

    async def message(self) -> dict[str, Any]:
        frame = await self.frame()
        assert frame.opcode is Opcode.TEXT, frame
        return cast(dict[str, Any], json.loads(bytes(frame.data)))

    async def enter(self, nickname: str) -> dict[str, Any]:
        self.say_frame(type="enter", nickname=nickname)
        welcome = await self.message()
        assert welcome["type"] == "welcome"
        self.is_in = True
        return welcome

    async def answer_ping(self, service: Service) -> None:
        """Let time pass until the service pings, and see to it that it has the answer."""
        service.loop.advance(PING_SECONDS)
        ping = await self.pinged()
        # The answer has come when the answer to the client's own ping has.
        self.send(masked(Opcode.PONG, bytes(ping.data)) + masked(Opcode.PING, b"?"))
        assert (await self.frame()).opcode is Opcode.PONG

    async def pinged(self) -> Frame:
        """Read a ping: the protocol's, and once the client is in, also the one that its page sees."""
        ping = await self.frame()
        assert ping.opcode is Opcode.PING
        if self.is_in:
            assert await self.message() == {"type": "ping"}
        return ping

    async def close_frame(self) -> tuple[int, str]:
        """Read up to the service's close frame, answer it, and wait for the end."""
        while (frame := await self.frame()).opcode is not Opcode.CLOSE:
            pass
        close = Close.parse(bytes(frame.data))
        self.send(masked(Opcode.CLOSE, bytes(frame.data)))
        assert await self.is_closed()
        return int(close.code), close.reason


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


def text(message: str) -> bytes:
    return masked(Opcode.TEXT, message.encode())


def say(number: int, words: str = "ciao") -> bytes:
    return text(json.dumps({"type": "say", "id": number, "text": words}))


@contextlib.asynccontextmanager
async def connected(service: Service) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def request(method: str = "GET", path: str = "/", *headers: tuple[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (("Host", HOST), *headers))
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


UPGRADE = (
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
)


@contextlib.asynccontextmanager
async def opened(service: Service) -> AsyncIterator[Client]:
    """Connect and shake hands."""
    async with connected(service) as client:
        client.send(request("GET", "/ws", *UPGRADE))
        status, _, _ = await client.answer()
        assert status == 101
        yield client


# The handshake


async def test_the_handshake(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/ws", *UPGRADE))
        status, headers, _ = await client.answer()
        assert status == 101
        assert headers["upgrade"].lower() == "websocket"
        assert headers["sec-websocket-accept"] == ACCEPT
        assert (await client.enter("anna"))["members"] == ["anna"]


async def test_compression_is_off_though_it_is_offered(service: Service) -> None:
    async with connected(service) as client:
        offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
        client.send(request("GET", "/ws", *UPGRADE, offer))
        status, headers, _ = await client.answer()
        assert status == 101
        assert "sec-websocket-extensions" not in headers


async def test_a_query_changes_nothing(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/ws?x=1", *UPGRADE))
        assert (await client.answer())[0] == 101


async def test_the_handshake_and_frames_may_come_byte_by_byte(service: Service) -> None:
    async with connected(service) as client:
        await client.send_byte_by_byte(request("GET", "/ws", *UPGRADE))
        assert (await client.answer())[0] == 101
        await client.send_byte_by_byte(text('{"type":"enter","nickname":"anna"}') + say(1, "città"))
        assert (await client.message())["type"] == "welcome"
        assert (await client.message())["events"][0]["text"] == "città"
        assert await client.message() == {"type": "sent", "id": 1}


async def test_frames_may_come_with_the_handshake(service: Service) -> None:
    async with connected(service) as client:
        enter = text('{"type":"enter","nickname":"anna"}')
        client.send(request("GET", "/ws", *UPGRADE) + enter + say(1) + say(2))
        assert (await client.answer())[0] == 101
        assert (await client.message())["type"] == "welcome"
        said: list[str] = []
        while len(said) < 2:
            frame = await client.message()
            said += [event["text"] for event in frame.get("events", ())]
        assert said == ["ciao", "ciao"]


@each("missing", [name for name, _ in UPGRADE])
async def test_no_handshake_without_all_that_it_takes(service: Service, missing: str) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/ws", *(it for it in UPGRADE if it[0] != missing)))
        status, _, _ = await client.answer()
        assert 400 <= status < 500
        assert await client.is_closed()


@pytest.mark.parametrize(
    ("name", "value"), [("Sec-WebSocket-Version", "8"), ("Sec-WebSocket-Key", "short")]
)
async def test_no_handshake_with_wrong_values(service: Service, name: str, value: str) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/ws", *({**dict(UPGRADE), name: value}.items())))
        status, _, _ = await client.answer()
        assert 400 <= status < 500
        assert await client.is_closed()


@each(
    "garbage",
    [
        b"\r\n",
        b"ciao\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3\r\n\r\n",
        b"anna\r\nG\r\nciao\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",  # TLS
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nciao",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_and_closed_at_once(
    service: Service, garbage: bytes
) -> None:
    async with connected(service) as client:
        client.send(garbage)
        status, _, _ = await client.answer()
        assert status == 0 or 400 <= status < 500
        assert await client.is_closed()


async def test_who_never_asks_is_closed_in_time(service: Service) -> None:
    async with connected(service) as client:
        client.send(b"GET / HT")
        await until(lambda: list(service.connections), WITHIN, "the connection")
        service.loop.advance(61)
        assert await client.is_closed()


# The name by which it is called


@each("path", ["/", "/ws"])
@each(
    ("host", "status"),
    [
        ("chat.example", None),
        ("CHAT.example:8080", None),
        ("evil.example:8080", 421),
        ("chat.example.evil.example", 421),
        ("evil.example@[", 421),
        ("", 421),
    ],
)
async def test_another_sites_name_that_was_pointed_here_is_not_served(
    path: str, host: str, status: int | None
) -> None:
    async with serving(hosts=("chat.example",)) as service, connected(service) as client:
        head = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}"]
        head += [f"{name}: {value}" for name, value in UPGRADE if path == "/ws"]
        client.send("\r\n".join([*head, "", ""]).encode())
        answered, _, _ = await client.answer()
        assert answered == (status or (200 if path == "/" else 101))


async def test_a_version_that_is_not_spoken_is_told_which_one_is(service: Service) -> None:
    async with connected(service) as client:
        head = [(n, "12" if n == "Sec-WebSocket-Version" else v) for n, v in UPGRADE]
        client.send(request("GET", "/ws", *head))
        status, headers, _ = await client.answer()
        assert status == 426
        assert headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("is_tls", [False, True])
async def test_over_tls_a_browser_is_told_to_keep_to_it(is_tls: bool) -> None:
    async with serving(is_tls=is_tls) as service, connected(service) as client:
        client.send(request("GET", "/"))
        _, headers, _ = await client.answer()
        assert ("strict-transport-security" in headers) is is_tls


# The origin

ALLOWED = [
    (),
    (f"http://{HOST}",),
    (f"https://{HOST}",),  # where a proxy in front ends TLS
    ("http://CHAT.example:8080",),
    ("https://friends.example",),
]
REFUSED = [
    ("http://evil.example",),
    ("http://evil.example:8080",),
    ("http://chat.example",),
    ("http://chat.example:8081",),
    ("http://chat.example:8080.evil.example",),
    ("http://evil.example/chat.example:8080",),
    ("http://chat.example:8080@evil.example",),
    ("http://friends.example",),  # of the list, but for the scheme
    ("https://friends.example.evil.example",),
    ("null",),
    ("",),
    ("chat.example:8080",),
    ("http://[",),
    ("http://[::1",),
    ("//",),
    (f"http://{HOST}", f"http://{HOST}"),
    (f"http://{HOST}", "http://evil.example"),
    ("https://friends.example", "https://friends.example"),
]


@each(
    ("origins", "status"),
    [*((it, 101) for it in ALLOWED), *((it, 403) for it in REFUSED)],
)
async def test_a_page_of_another_site_may_not_connect(
    origins: tuple[str, ...], status: int
) -> None:
    async with serving("https://friends.example") as service, connected(service) as client:
        client.send(request("GET", "/ws", *UPGRADE, *(("Origin", it) for it in origins)))
        assert (await client.answer())[0] == status
        if status == 403:
            assert await client.is_closed()
            assert len(service.room) == 0


@each(
    ("origin", "status"),
    [
        *((it[0], 200) for it in ALLOWED if it),
        *((it[0], 403) for it in REFUSED if len(it) == 1),
    ],
)
async def test_a_page_that_was_refused_may_ask_why(origin: str, status: int) -> None:
    with capture_logs() as logs:
        async with serving("https://friends.example") as service, connected(service) as client:
            client.send(request("GET", f"/ws?{urlencode({'origin': origin})}"))
            got, _, body = await client.answer()
            assert await client.is_closed()
    words = {200: b"this origin may connect\n", 403: b"this origin may not connect\n"}
    assert (got, body) == (status, words[status])
    assert logs == []  # the WebSocket's refusal was


async def test_what_a_page_says_of_its_origin_lets_no_websocket_in(service: Service) -> None:
    asked = urlencode({"origin": f"http://{HOST}"})
    async with connected(service) as client:
        client.send(request("GET", f"/ws?{asked}", *UPGRADE, ("Origin", "http://evil.example")))
        assert (await client.answer())[0] == 403


async def test_that_is_logged_once_a_minute_and_without_what_the_page_said() -> None:
    with capture_logs() as logs:
        async with serving() as service:
            for seconds in (0.0, 1.0, 60.0):
                service.loop.advance(seconds)
                async with connected(service) as client:
                    client.send(request("GET", "/ws", *UPGRADE, ("Origin", "http://evil.example")))
                    assert (await client.answer())[0] == 403
    told = {"event": "a page of another origin was refused", "log_level": "warning"}
    assert logs == [
        {**told, "dialect": "browser", "count": 1},
        {**told, "dialect": "browser", "count": 2},
    ]


@each("hosts", [(), ("",), (HOST, HOST), (HOST, "evil.example")])
@each("origin", ["http://evil.example", "null", "http://"])
async def test_an_origin_is_not_the_host_where_the_host_is_not_clear(
    service: Service, hosts: tuple[str, ...], origin: str
) -> None:
    headers = "".join(
        f"{name}: {value}\r\n"
        for name, value in [*(("Host", it) for it in hosts), *UPGRADE, ("Origin", origin)]
    )
    async with connected(service) as client:
        client.send(f"GET /ws HTTP/1.1\r\n{headers}\r\n".encode())
        status, _, _ = await client.answer()
        assert status in (400, 403)


# The files


@pytest.mark.parametrize("path", ["/", "/page.js", "/?lang=it"])
async def test_a_file(service: Service, path: str) -> None:
    name = path.partition("?")[0]
    async with connected(service) as client:
        client.send(request("GET", path))
        status, headers, got = await client.answer()
        assert status == 200
        assert got == FILES[name]
        assert headers["content-type"] == TYPES[name]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/worker.js"])
async def test_every_document_and_worker_has_the_headers_that_keep_a_page_to_itself(
    service: Service, path: str
) -> None:
    async with connected(service) as client:
        client.send(request("GET", path))
        _, headers, _ = await client.answer()
    policy = {
        name: rest.split()
        for name, _, rest in (
            part.strip().partition(" ") for part in headers["content-security-policy"].split(";")
        )
    }
    assert policy["default-src"] == ["'none'"]
    for name in ("script-src", "style-src", "connect-src"):
        assert policy[name] == ["'self'"]
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[name] == ["'none'"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


@each(
    "path",
    ["/nowhere", "/../settings.py", "/%2e%2e/settings.py", "//", "/page.js/", "/page", "/index.html",
     "/ws/", "/WS", "*", "http://chat.example/", "/page.js%00"],
)  # fmt: skip
async def test_any_other_path_is_not_found(service: Service, path: str) -> None:
    async with connected(service) as client:
        client.send(request("GET", path))
        assert (await client.answer())[0] == 404
        assert await client.is_closed()


async def test_head_is_get_without_the_body(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("HEAD", "/page.js"))
        status, headers, _ = await client.answer(head=True)
        assert status == 200
        assert headers["content-length"] == str(len(FILES["/page.js"]))
        client.send(request("HEAD", "/"))
        assert (await client.answer(head=True))[0] == 200
    async with connected(service) as client:
        client.send(request("HEAD", "/nowhere"))
        assert (await client.answer(head=True))[0] == 404
        assert await client.is_closed()


@each("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"])
async def test_files_can_only_be_got(service: Service, method: str) -> None:
    async with connected(service) as client:
        client.send(request(method, "/"))
        status, headers, _ = await client.answer()
        assert status == 405
        assert headers["allow"].replace(" ", "").split(",") == ["GET", "HEAD"]  # RFC 9110, 15.5.6
        assert await client.is_closed()


async def test_the_handshake_is_a_get(service: Service) -> None:
    for method in ("POST", "HEAD"):
        async with connected(service) as client:
            client.send(request(method, "/ws", *UPGRADE))
            status, _, _ = await client.answer(head=True)
            assert 400 <= status < 500


# Connections that are kept


async def test_one_connection_brings_many_files_and_then_the_websocket(service: Service) -> None:
    async with connected(service) as client:
        for path in ("/", "/page.js", "/page.js", "/"):
            await client.send_byte_by_byte(request("GET", path))
            status, headers, body = await client.answer()
            assert (status, body) == (200, FILES[path])
            assert "connection" not in headers
        client.send(request("GET", "/ws", *UPGRADE))
        assert (await client.answer())[0] == 101
        service.loop.advance(
            2 * KEPT_SECONDS
        )  # the wait for a file is over, that for a name begins
        await client.enter("anna")


async def test_who_asks_for_two_at_once_gets_one(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/") * 2)
        status, headers, _ = await client.answer()
        assert status == 200
        assert headers["connection"] == "close"
        assert await client.is_closed()


async def test_who_does_not_read_gets_no_third(service: Service) -> None:
    async with connected(service) as client:
        client.reader._limit = 1 << 10  # type: ignore[attr-defined]  # it stops reading soon
        for _ in range(50):
            client.send(request("GET", "/page.js"))
            await client.writer.drain()
            await asyncio.sleep(0.005)
        asked = sum(1 for _ in iter_answers(await everything(client)))
        assert asked < 50


async def everything(client: Client) -> bytes:
    async with asyncio.timeout(WITHIN):
        return await client.reader.read()


def iter_answers(data: bytes) -> list[bytes]:
    return data.split(b"HTTP/1.1 200")[1:]


async def test_a_kept_connection_is_closed_soon_and_is_nobodys_fault(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/"))
        assert (await client.answer())[0] == 200
        service.loop.advance(KEPT_SECONDS - 0.1)
        assert len(service.connections) == 1
        client.send(request("GET", "/")[:-2])  # a request that does not end keeps nothing open
        await asyncio.sleep(0)
        service.loop.advance(0.2)
        assert await client.is_closed()
    assert service.timeouts() == 0


async def test_asking_again_and_again_keeps_no_connection_for_longer_than_silence_does(
    service: Service,
) -> None:
    async with connected(service) as client:
        for _ in range(int(LIMITS.enter_seconds / KEPT_SECONDS * 1.25)):
            client.send(request("GET", "/"))
            assert (await client.answer())[0] == 200
            service.loop.advance(KEPT_SECONDS * 0.8)
        client.send(request("GET", "/"))
        assert (await client.answer())[0] == 0


async def test_a_connection_brings_so_many_files(service: Service) -> None:
    async with connected(service) as client:
        for number in range(1, FILES_OF_A_CONNECTION + 1):
            client.send(request("GET", "/"))
            status, headers, _ = await client.answer()
            assert status == 200
            assert ("connection" in headers) == (number == FILES_OF_A_CONNECTION)
        assert await client.is_closed()


async def test_who_wants_no_more_is_not_kept(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/", ("Connection", "Close")))
        assert (await client.answer())[0] == 200
        assert await client.is_closed()


async def test_what_is_known_is_not_sent_again(service: Service) -> None:
    async with connected(service) as client:
        client.send(request("GET", "/page.js"))
        _, headers, _ = await client.answer()
        client.send(request("GET", "/page.js", ("If-None-Match", headers["etag"])))
        status, headers, _ = await client.answer()
        assert status == 304
        assert "content-length" not in headers
        client.send(request("GET", "/"))  # nothing of a body is in between
        assert (await client.answer())[0] == 200


# Messages


@pytest.mark.parametrize("cuts", [1, 2, 7, 40])
async def test_a_message_may_come_in_fragments(service: Service, cuts: int) -> None:
    message = json.dumps({"type": "say", "id": 1, "text": "città 🎉"}, ensure_ascii=False).encode()
    step = -(-len(message) // cuts)
    parts = [message[i : i + step] for i in range(0, len(message), step)]
    async with opened(service) as client:
        await client.enter("anna")
        for i, part in enumerate(parts):
            opcode = Opcode.CONT if i else Opcode.TEXT
            client.send(masked(opcode, part, fin=i == len(parts) - 1))
            client.send(masked(Opcode.PING, b"?"))  # may come between fragments
        for _ in parts:
            assert (await next_but_pongs(client, pong=True)).opcode is Opcode.PONG
        frame = await next_but_pongs(client)
        assert json.loads(bytes(frame.data))["events"][0]["text"] == "città 🎉"


async def next_but_pongs(client: Client, *, pong: bool = False) -> Frame:
    """The next frame that is a pong, or that is none; the others are kept."""
    kept = []
    while ((frame := await client.frame()).opcode is Opcode.PONG) is not pong:
        kept.append(frame)
    client.frames[:0] = kept
    return frame


async def test_a_message_as_long_as_may_be_and_one_byte_more(service: Service) -> None:
    message = b'{"type":"leave"}'
    async with opened(service) as client:
        await client.enter("anna")
        client.send(masked(Opcode.TEXT, b" " * (MAX_FRAME - len(message)) + message))
        assert await client.close_frame() == (1000, "left")
    async with opened(service) as client:
        await client.enter("anna")
        client.send(masked(Opcode.TEXT, b" " * (MAX_FRAME + 1 - len(message)) + message))
        code, _ = await client.close_frame()
        assert code == 1009


async def test_a_message_too_long_is_refused_by_its_head_alone(service: Service) -> None:
    async with opened(service) as client:
        client.send(masked(Opcode.TEXT, b"x" * 1_000_000)[:14])
        assert (await client.close_frame())[0] == 1009


async def test_fragments_past_the_bound_are_too_long(service: Service) -> None:
    async with opened(service) as client:
        client.send(masked(Opcode.TEXT, b" " * MAX_FRAME, fin=False))
        client.send(masked(Opcode.CONT, b" "))
        assert (await client.close_frame())[0] == 1009


async def test_a_message_of_fragments_without_end_is_too_long() -> None:
    """Even if nothing is in them: each costs something."""
    patient = LimitSettings(commands_burst=10 * MAX_FRAME)
    async with serving(limits=patient) as service, opened(service) as client:
        client.send(masked(Opcode.TEXT, b"", fin=False))
        client.send(masked(Opcode.CONT, b"", fin=False) * (2 * MAX_FRAME))
        assert (await client.close_frame())[0] == 1009


@pytest.mark.parametrize("fin", [True, False])
async def test_binary_is_refused(service: Service, fin: bool) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        client.send(masked(Opcode.BINARY, b'{"type":"leave"}', fin=fin))
        client.send(say(1) if fin else b"")
        assert (await client.close_frame())[0] == 1003


@pytest.mark.parametrize(
    "parts", [(b"\xff",), (b"\xc3",), (b'"\xed\xa0\x80"',), (b"\xc3", b"x"), (b"x", b"\xa0")]
)
async def test_bad_utf_8_is_refused(service: Service, parts: tuple[bytes, ...]) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        for i, part in enumerate(parts):
            opcode = Opcode.CONT if i else Opcode.TEXT
            client.send(masked(opcode, part, fin=i == len(parts) - 1))
        assert (await client.close_frame())[0] == 1007


@pytest.mark.parametrize(
    "bad", [masked(Opcode.TEXT, b"\xff"), masked(Opcode.BINARY, b"x")], ids=["no text", "binary"]
)
async def test_what_stands_behind_a_refused_message_is_not_carried_out(
    service: Service, bad: bytes
) -> None:
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        assert (await witness.message())["events"] == [{"type": "joined", "nickname": "anna"}]
        client.send(say(1) + bad + say(2))  # one read, mostly
        told: list[str] = []
        while "left" not in told:
            told += [it["type"] for it in (await witness.message())["events"]]
        assert told == ["said", "left"]


BAD_FRAMES = {
    "unmasked": Frame(Opcode.TEXT, b"{}").serialize(mask=False),
    "reserved bit": b"\xc1\x80\0\0\0\0",
    "unknown opcode": b"\x83\x80\0\0\0\0",
    "long ping": b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126,
    "ping in fragments": b"\x09\x80\0\0\0\0",
    "continuation of nothing": masked(Opcode.CONT, b"x"),
    "message within a message": masked(Opcode.TEXT, b"x", fin=False) + text("x"),
    "close of one byte": masked(Opcode.CLOSE, b"\x03"),
    "close with a code of nobody": masked(Opcode.CLOSE, b"\x03\xed"),
}


@pytest.mark.parametrize("bad", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
async def test_what_the_protocol_forbids_closes_the_connection(
    service: Service, bad: bytes
) -> None:
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        assert (await witness.message())["events"] == [{"type": "joined", "nickname": "anna"}]
        client.send(bad)
        assert (await client.close_frame())[0] == 1002
        assert (await witness.message())["events"] == [{"type": "left", "nickname": "anna"}]


async def test_a_wrong_frame_is_answered_and_the_connection_stays(service: Service) -> None:
    async with opened(service) as client:
        client.send(text("ciao"))
        assert (await client.message())["type"] == "error"
        await client.enter("anna")
        client.send(text("") + text("[]"))
        assert (await client.message())["type"] == "error"
        assert (await client.message())["type"] == "error"
        client.send(say(1))
        assert (await client.message())["type"] == "events"


# Pings


async def test_a_ping_is_answered_with_what_it_carried(service: Service) -> None:
    async with opened(service) as client:
        for payload in (b"", b"x" * 125, b"\xff\x00"):
            client.send(masked(Opcode.PING, payload))
            frame = await client.frame()
            assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, payload)


async def test_who_answers_pings_stays(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        for _ in range(10):
            await client.answer_ping(service)
        assert len(service.room) == 1


async def test_who_sends_anything_is_not_silent(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        for number in range(1, 6):
            service.loop.advance(PING_SECONDS)
            await client.pinged()
            client.send(say(number))
            assert (await client.message())["type"] == "events"
            assert await client.message() == {"type": "sent", "id": number}


async def test_who_does_not_answer_a_ping_is_gone_in_25_seconds(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        service.loop.advance(PING_SECONDS)
        await client.pinged()
        service.loop.advance(PING_SECONDS - 0.5)
        assert len(service.room) == 1
        service.loop.advance(1.0)
        assert await client.close_frame() == (4000, "silent")
        assert len(service.room) == 0


async def test_what_looks_like_an_answer_within_a_frame_is_a_part_of_it(service: Service) -> None:
    looks = b"\x8a\x80\0\0\0\0"
    async with opened(service) as client:
        await client.enter("anna")
        service.loop.advance(PING_SECONDS)
        await client.pinged()
        client.send(b"\x89\x88" + b"\0" * 4 + b"ab")  # a ping, masked with zeros
        await asyncio.sleep(0.01)
        service.loop.advance(PING_SECONDS)  # so that an answer is waited for
        await client.pinged()
        client.send(looks)
        pong = await client.frame()
        assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"ab" + looks)


async def test_who_is_not_read_may_have_answered(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        (connection,) = service.connections
        assert isinstance(connection, Connection)
        connection.pump.reading = False
        for _ in range(3):
            service.loop.advance(PING_SECONDS)
            await client.pinged()
        connection.pump.reading = True
        service.loop.advance(PING_SECONDS)  # there was no time yet to read the answer
        await client.pinged()
        service.loop.advance(PING_SECONDS)
        assert await client.close_frame() == (4000, "silent")


async def test_a_ping_of_the_page_is_answered_at_once(service: Service) -> None:
    async with opened(service) as client:
        client.say_frame(type="ping")
        assert await client.message() == {"type": "pong"}
        await client.enter("anna")
        client.send(say(1) + text('{"type":"ping"}'))
        assert await client.message() == {"type": "pong"}, "it does not wait for the store"


# The end


async def test_who_leaves_is_told_1000(service: Service) -> None:
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        await witness.message()
        client.say_frame(type="leave")
        assert await client.close_frame() == (1000, "left")
        assert (await witness.message())["events"] == [{"type": "left", "nickname": "anna"}]


async def test_the_closing_of_the_chat_is_1000(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        client.say_frame(type="close")
        assert (await client.message())["events"] == [{"type": "closed", "nickname": "anna"}]
        assert await client.close_frame() == (1000, "chat_closed")


@pytest.mark.parametrize("reason", [it for it in Disconnect if it is not Disconnect.SLOW_READER])
async def test_every_reason_has_its_code(service: Service, reason: Disconnect) -> None:
    in_order = (Disconnect.LEFT, Disconnect.CHAT_CLOSED, Disconnect.GONE)
    expected = 1000 if reason in in_order else 4000 if reason.may_retry else 4001
    async with opened(service) as client:
        await client.enter("anna")
        (connection,) = service.connections
        assert isinstance(connection, Connection)
        connection.close(reason)
        assert await client.close_frame() == (expected, reason.label)


async def test_who_never_enters_is_told_so(service: Service) -> None:
    async with opened(service) as client:
        for _ in range(4):
            await client.answer_ping(service)
        service.loop.advance(PING_SECONDS + 1)
        assert await client.close_frame() == (4000, "enter_timeout")


async def test_too_many_refused_nicknames_are_the_end(service: Service) -> None:
    async with opened(service) as client:
        for _ in range(20):
            client.say_frame(type="enter", nickname="G")
            assert await client.message() == {"type": "refused", "reason": "invalid_nickname"}
        assert await client.close_frame() == (4000, "enter_tries")


async def test_too_many_long_texts_are_the_end(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        for number in range(1, 7):
            client.send(say(number, "x" * 5000))
        assert await client.close_frame() == (4001, "long_lines")


@pytest.mark.parametrize("data", [b"", b"\x03\xe8", b"\x03\xe9going away", b"\x0f\xa0bye"])
async def test_a_clients_close_is_answered_with_the_same(service: Service, data: bytes) -> None:
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        await witness.message()
        client.send(masked(Opcode.CLOSE, data))
        frame = await client.frame()
        assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, data)
        assert await client.is_closed()
        assert (await witness.message())["events"] == [{"type": "left", "nickname": "anna"}]


@pytest.mark.parametrize("end", ["close frame", "end of stream"])
async def test_what_was_sent_before_the_end_is_said(service: Service, end: str) -> None:
    """As of any client: its commands take effect in their order, then it is gone."""
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        await witness.message()
        client.send(
            say(1, "uno") + say(2, "due") + (masked(Opcode.CLOSE, b"") if end[0] == "c" else b"")
        )
        if end == "end of stream":
            client.writer.write_eof()
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["type"] != "left":
            seen += (await witness.message())["events"]
        assert [event.get("text") for event in seen] == ["uno", "due", None]


async def test_a_client_that_never_closes_is_cut_off(service: Service) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        client.say_frame(type="leave")
        while (await client.frame()).opcode is not Opcode.CLOSE:
            pass
        (connection,) = service.connections
        service.loop.advance(CLOSING_SECONDS - 0.1)
        assert list(service.connections) == [connection]
        service.loop.advance(0.2)
        await asyncio.wait_for(service.connections.wait_for_none(), WITHIN)


async def test_a_client_that_goes_on_after_the_end_is_not_heard(service: Service) -> None:
    """Its frames may have been under way: they break nothing, and do nothing."""
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        await witness.message()
        client.say_frame(type="leave")
        while (await client.frame()).opcode is not Opcode.CLOSE:
            pass
        assert (await witness.message())["events"] == [{"type": "left", "nickname": "anna"}]
        client.send(say(1) + masked(Opcode.PING, b"?") + masked(Opcode.TEXT, b"\xff"))
        client.send(masked(Opcode.BINARY, b"x") + b"\xff" * 100 + masked(Opcode.CLOSE, b""))
        client.writer.write_eof()
        assert await client.is_closed()
        witness.send(say(1, "after"))
        assert (await witness.message())["events"][0]["text"] == "after"


@pytest.mark.parametrize(
    "last", [masked(Opcode.PING, b"?"), masked(Opcode.CLOSE, b"\x03\xe8")], ids=["ping", "close"]
)
async def test_a_frame_that_crosses_the_services_close_breaks_nothing(
    service: Service, last: bytes
) -> None:
    async with opened(service) as client:
        await client.enter("anna")
        (connection,) = service.connections
        assert isinstance(connection, Connection)
        connection.close(Disconnect.DRAINED)
        client.send(last)
        assert (await client.frame()).opcode is Opcode.CLOSE
        client.send(masked(Opcode.CLOSE, b"\x0f\xa0"))
        client.writer.write_eof()
        assert await client.is_closed()


async def test_a_broken_connection_is_a_leaving(service: Service) -> None:
    async with opened(service) as witness, opened(service) as client:
        await witness.enter("bruno")
        await client.enter("anna")
        await witness.message()
        client.writer.transport.abort()
        assert (await witness.message())["events"] == [{"type": "left", "nickname": "anna"}]


async def test_too_many_connections_are_refused() -> None:
    async with serving() as service:
        service.site.listener.counts = ConnectionCounts(1, 1)
        async with opened(service), connected(service) as refused:
            refused.send(request("GET", "/ws", *UPGRADE))
            assert (await refused.answer())[0] in (0, 429, 503)
            assert len(list(service.connections)) <= 2
