"""What clients, proxies and whoever asks for the operator's pages send, through all that stands at the edge.

The sockets are not there; all else is, down to a room in memory.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast

from prometheus_client import CollectorRegistry, Counter
from websockets.frames import CloseCode

from fakes.clock import HandClock
from fakes.house import House
from fuzz.target import Pieces, Target, check, folder
from harness.issuer import CLIENT, Key, id_token
from harness.proxy_headers import LOCAL, SIGNATURE, raw_v2, tlv, v1, v2
from tertulia.chat import devices
from tertulia.chat.door import Door
from tertulia.chat.room import RoomLimits
from tertulia.dialects.browser import MAX_FRAME, BrowserEncoder
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.dialects.contract import Encoder
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.encoder import IrcEncoder
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain.commands import Acknowledge, Ask, Excerpt
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import ops, preamble, pump, tcp, websocket
from tertulia.edge.connection import Connection
from tertulia.edge.frames import Frames, LineFrames
from tertulia.edge.id_tokens import IdTokens
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.page import PageFiles
from tertulia.edge.preamble import Preamble, PreambleRules
from tertulia.edge.proxy_header import V2_MOST, BadHeader, HeaderReader
from tertulia.edge.serving import Client, Connections, Listener, Patience
from tertulia.edge.websocket import IRC_BINARY, IRC_TEXT, Site, WebSocketInbound
from tertulia.settings.oidc import OidcSettings
from tertulia.settings.sections import LimitSettings

_LIMITS = LimitSettings(
    bytes_per_second=1 << 30,
    bytes_burst=1 << 30,
    commands_per_second=1 << 30,
    commands_burst=1 << 30,
    messages_per_second=1 << 30,
    messages_burst=1 << 30,
    long_lines=1 << 20,
)
"""Who is slowed down is not read meanwhile: that is another affair."""
_ROOM = RoomLimits(enter_tries=20, outbox_bytes=1 << 24, may_be_closed=False, confirm_seconds=30.0)
"""A chat that is closed answers what was on its way or not, as it comes: that is another affair, too."""
_RENEWED_AFTER = 500
"""Inputs, after which a room begins anew: it keeps what was said."""
_STATUS = re.compile(rb"HTTP/1.1 (\d+)")


_SOCKET = SimpleNamespace(setsockopt=lambda *_: None, fileno=lambda: -1)


class _Loud:
    """A log in which an exception is no line but a finding."""

    def exception(self, *_: object, **__: object) -> NoReturn:
        raise

    def warning(self, *_: object, **__: object) -> None:
        """What is worth a line is no finding."""


@contextmanager
def loud() -> Iterator[None]:
    """Let what would be logged as a defect be raised, as long as the block lasts."""
    modules = [cast(Any, it) for it in (pump, preamble, ops, devices)]
    logs = [it._log for it in modules]
    for module in modules:
        module._log = _Loud()
    try:
        yield
    finally:
        for module, log in zip(modules, logs, strict=True):
            module._log = log


class _Transport:
    """A connection's other side: it keeps what is written, and knows whether it is read from."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.protocol: Any = None
        self.written: list[bytes] = []
        self.is_reading = True
        self.is_closed = False
        self.is_ended = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> object:
        return {"peername": ("192.0.2.1", 50_000), "socket": _SOCKET}.get(name)

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        self.is_ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None) -> None:
        """All is written at once."""

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def feed(self, pieces: Pieces) -> None:
        """Have the protocol read, and everything happen that comes of it."""
        self._clock.run()
        for piece in pieces:
            for _ in range(200):
                if self.is_reading or self.is_closed:
                    break
                self._clock.advance(0.1)
            if self.is_closed or not self.is_reading:
                break
            self.protocol.data_received(piece)
            self._clock.run()

    def end(self) -> None:
        """Close the connection from outside."""
        self.protocol.connection_lost(None)
        self._clock.run()


class _Recorder:
    """The way into a room, that notes what is brought there."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.told: list[object] = []
        self.session: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)

    def connect(self, outbox: Any, address: str, port: int) -> Any:
        self.session = self._door.connect(outbox, address, port)
        return self.session

    def command(self, session: Any, command: Any) -> None:
        # How many of these come as commands depends on how they are cut; their count does not.
        if not isinstance(command, Acknowledge):
            # What is told later is a function, and no two of those are equal.
            asks = isinstance(command, Ask | Excerpt)
            self.told.append(type(command) if asks else command)
        self._door.command(session, command)

    def lost(self, session: Any, reason: Disconnect) -> None:
        self.told.append(reason)
        self._door.lost(session, reason)


class _Frames(Frames):
    """Those of a connection that knows whether it closed because of what came."""

    def _fail(self, code: CloseCode, reason: str) -> None:
        cast(Any, self._protocol).has_refused = True
        super()._fail(code, reason)


class _LineFrames(LineFrames, _Frames):
    """The same of lines."""


cast(Any, websocket).Frames = _Frames
cast(Any, websocket).LineFrames = _LineFrames


def _has_failed(inbound: WebSocketInbound) -> bool:
    protocol = inbound._protocol
    is_cut = protocol.close_sent is not None and protocol.close_rcvd is None
    return is_cut or hasattr(protocol, "has_refused")


class _Edge:
    """A listener, and a room behind it that is made anew now and then."""

    def __init__(self, encoder: Encoder, *, has_header: bool = False) -> None:
        self._encoder = encoder
        self._has_header = has_header
        self._left = 0
        self._door: Door
        self._house: House
        self._listener: Listener

    def read(self, pieces: Pieces) -> object:
        if self._left == 0:
            self._renew()
        self._left -= 1
        recorder = self._listener.host = _Recorder(self._door)
        transport = _Transport(self._house.clock)
        protocol = transport.protocol = self._protocol()
        protocol.connection_made(transport)
        transport.feed(pieces)
        if not transport.is_closed:
            transport.protocol.eof_received()
            self._house.clock.run()
        transport.end()
        check(not self._house.nicknames(), "somebody is still in the room")
        check(self._listener.counts.open == 0, "a connection is still counted")
        inbound = protocol._inbound if isinstance(protocol, Connection) else None
        if isinstance(inbound, WebSocketInbound) and _has_failed(inbound):
            # What was not carried out by then is not carried out any more, however much that is.
            return ["failed"]
        status = _STATUS.match(b"".join(transport.written))
        session = recorder.session
        acknowledged = session.receipts.acknowledged if session is not None else None
        return [*recorder.told, acknowledged, int(status[1]) if status else None]

    def _renew(self) -> None:
        self._left = _RENEWED_AFTER
        self._house = house = House(_ROOM)
        self._door = Door(house.room(), self._encoder)
        metrics = house.metrics
        encoder = self._encoder
        by_frames = isinstance(encoder, IrcEncoder) and encoder.server.is_websocket
        is_page = by_frames or isinstance(encoder, BrowserEncoder)
        self._listener = Listener(
            host=self._door,
            dialect=self._encoder.name,
            acknowledgement=self._encoder.acknowledgement,
            patience=Patience(10.0, False, Disconnect.ENTER_TIMEOUT),
            limits=_LIMITS,
            counts=ConnectionCounts(100, 100),
            metrics=metrics,
            loop=cast(Any, house.clock),
            connections=Connections(),
            idle_readers=None,
            has_ring=False,
            ping=b"PING :x\r\n" if isinstance(encoder, IrcEncoder) else b"",
        )
        irc = {IRC_TEXT: self._listener, IRC_BINARY: self._listener} if by_frames else {}
        self._site = Site(self._listener, **_SITE, irc=irc) if is_page else None
        self._gate = PreambleRules((ipaddress.ip_network("0.0.0.0/0"),))

    def _protocol(self) -> Any:
        if self._site is not None:
            return websocket.connect(self._site)
        begin: Callable[[Client], Connection] = partial(tcp.connect, self._listener)
        if self._has_header:
            return Preamble(self._gate, self._listener, begin)
        return tcp.connect(self._listener)


_SITE: dict[str, Any] = {
    "page": PageFiles({"/": b"<!doctype html>"}),
    "origins": ("https://chat.example",),
    "hosts": ("chat.example",),
}


def _header(pieces: Pieces) -> object:
    reader = HeaderReader()
    rest = iter(pieces)
    fed = 0
    for piece in rest:
        fed += len(piece)
        try:
            header = reader.feed(piece)
        except BadHeader as error:
            return str(error)
        if header is not None:
            return (header.client, header.rest + b"".join(rest))
        check(fed < V2_MOST, "a header has no end")
    return None


_ISSUER = "https://id.example"
_KEY_OF_ISSUER = Key("first")
_FOLDER = folder()


class _IdTokens:
    """ID tokens, of an issuer whose keys are in a file."""

    def __init__(self) -> None:
        keys = Path(_FOLDER.name) / "keys.json"
        keys.write_text(json.dumps({"keys": [_KEY_OF_ISSUER.jwk()]}))
        settings = {"issuer": _ISSUER, "client_id": CLIENT, "jwks": str(keys)}
        self._tokens = IdTokens(OidcSettings.model_validate(settings))

    def read(self, pieces: Pieces) -> object:
        found = self._tokens.verified(b"".join(pieces).decode(errors="replace"))
        check(found is None or found.nickname == "anna", f"somebody else: {found}")
        return found is not None


class _Ops:
    """The operator's pages."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        Counter("lamps", "Lamps that were lit.", registry=registry)
        self._pages = ops.pages(registry, list)

    def read(self, pieces: Pieces) -> object:
        clock = HandClock()
        transport = _Transport(clock)
        protocol = transport.protocol = ops.OpsConnection(self._pages, {}, clock)
        protocol.connection_made(cast(Any, transport))
        transport.feed(pieces)
        if not transport.is_closed:
            protocol.eof_received()
            clock.run()
        protocol.connection_lost(None)
        data = b"".join(pieces)
        if b"chunked" in data.lower() or len(data) > ops.MOST_HEADER_BYTES:
            # A body that is not all there is not waited for; a header that is all there may be longer.
            return []
        return [int(it) for it in _STATUS.findall(b"".join(transport.written))]


_KEY = b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\n"
_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + _KEY
    + b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def _frame(payload: bytes, first: int = 0x81) -> bytes:
    """Make a client's frame, with the mask that changes nothing."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((first,)) + length + b"\0\0\0\0" + payload


_ENTER = _frame(b'{"type":"enter","nickname":"andy"}')
_CHATTE = (
    b"andy\n100 Hola!\n" + b"101 Message received.\n" * 3 + b"102 bob hi\n",
    b"andy\r\n" + b"101 Message received.\r\n" * 3 + b"100 x\r\n101 Message received.\n101 \n",
    b"fine\nandy\n",
)
_IRC_UPGRADE = _UPGRADE.replace(b"/ws", b"/irc")
_REGISTER = _frame(b"NICK andy") + _frame(b"USER a 0 * :A")
_IRC = (
    b"NICK andy\r\nUSER a 0 * :A\r\nPRIVMSG #lobby :Hola!\r\nQUIT\r\n",
    b"CAP LS 302\nCAP REQ :batch labeled-response\nNICK andy\nUSER a 0 * :A\nCAP END\n"
    b"@label=1 JOIN #a\nPRIVMSG #a :x\nPART #a\n",
)
_IRC_WORDS = (b"NICK bob\n", b"CAP END\n", b"PING x\n", b"WHO *\n", b"@label=2 ", b"#lobby", b"\n")
_CHATTE_WORDS = (
    b"101 Message received.\n",
    b"101 Message received.\r\n",
    b"101 ",
    b"100 hi\n",
    b"101",
)
TARGETS = (
    Target("chatte's connections", _Edge(ChatteEncoder()).read, _CHATTE, _CHATTE_WORDS),
    Target(
        "protocollo's connections",
        _Edge(ProtocolloEncoder()).read,
        (b"andy\nG\nciao\nbob\nhi\nfine\n", b"G\nandy\nnull\n\nG\nx\nstop\n"),
        (b"G\n", b"null\n\n", b"fine\n", b"stop\n"),
    ),
    Target(
        "proxied connections",
        _Edge(ChatteEncoder(), has_header=True).read,
        tuple(head + _CHATTE[0] for head in (v1("203.0.113.7", 4711), v2("2001:db8::7", 4711))),
        (b"PROXY ", b"TCP6 ", b"UNKNOWN", *_CHATTE_WORDS),
    ),
    Target(
        "PROXY headers",
        _header,
        (
            v1("203.0.113.7", 4711) + b"andy\n",
            v1("2001:db8::7", 4711),
            b"PROXY UNKNOWN ffff::1 ::1 1 2\r\nx",
            v2("203.0.113.7", 4711) + b"andy\n",
            v2("2001:db8::7", 4711, tlv(4, b"x" * 40)),
            raw_v2(0, b"", LOCAL) + b"andy\n",
            raw_v2(0x31, b"/tmp/x".ljust(216, b"\0")),
        ),
        (
            b"PROXY ",
            b"TCP4 ",
            b"TCP6 ",
            b"UNKNOWN",
            b"\r\n",
            b"::ffff:192.0.2.1",
            b"%eth0",
            b"65535",
            SIGNATURE,
        ),
        longest=6_000,
    ),
    Target(
        "WebSocket",
        _Edge(BrowserEncoder()).read,
        (
            _UPGRADE + _ENTER + _frame(b'{"type":"say","text":"hi","id":1}') + _frame(b"", 0x89),
            _UPGRADE + _ENTER + _frame(b'{"type":"say",', 0x01) + _frame(b'"text":"hi"}', 0x80),
            _UPGRADE + _frame(b"x" * 200) + _ENTER + _frame(b'{"type":"leave"}'),
            _UPGRADE + _ENTER + _frame(b"\x03\xe8bye", 0x88),
            _UPGRADE
            + _ENTER
            + b"".join(_frame(b"", it) for it in (0x01, 0x00, 0x89, 0x8A, 0x00, 0x80)),
            _UPGRADE.replace(b": 13", b": 12"),
            _UPGRADE.replace(_KEY, b"Origin: https://chat.example\r\n" + _KEY) + _ENTER,
            b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n",
            b"HEAD /x?y HTTP/1.1\r\nHost: CHAT.example:80\r\n\r\n",
        ),
        (
            _ENTER,
            _frame(b"", 0x89),
            _frame(b"", 0x8A),
            _frame(b"x" * 126),
            b"\r\n",
            b"\xff" * 9,
            b"Host: [::1",
            b"Origin: ",
            b"Content-Length: 5\r\n",
            _frame(b'{"type":"say","text":"hi","id":2}'),
            b"\x81\xfe\x40\x01",
        ),
        longest=MAX_FRAME,
    ),
    Target("irc's connections", _Edge(IrcEncoder(IrcServer())).read, _IRC, _IRC_WORDS),
    Target(
        "irc by WebSocket",
        _Edge(IrcEncoder(IrcServer(is_websocket=True))).read,
        (
            _IRC_UPGRADE + _REGISTER + _frame(b"PRIVMSG #lobby :hi") + _frame(b"", 0x89),
            _IRC_UPGRADE + _REGISTER + _frame(b"JOIN #a,#b\r\nPART #a") + _frame(b"QUIT"),
            _IRC_UPGRADE + _frame(b"") + _frame(b"PI", 0x01) + _frame(b"NG x", 0x80) + _REGISTER,
            _IRC_UPGRADE.replace(_KEY, _KEY + b"Sec-WebSocket-Protocol: binary.ircv3.net\r\n")
            + _frame(b"NICK andy\nUSER a 0 * :A\xff", 0x82),
            _IRC_UPGRADE + _REGISTER + _frame(b"\x03\xe8bye", 0x88),
        ),
        (
            _REGISTER,
            _frame(b"", 0x8A),
            _frame(b"PONG"),
            _frame(b"x", 0x82),
            _frame(b"NAMES #lobby"),
            b"Sec-WebSocket-Protocol: text.ircv3.net\r\n",
            b"\x81\xfe\x40\x01",
        ),
        longest=MAX_FRAME,
    ),
    Target(
        "ID token",
        _IdTokens().read,
        tuple(
            id_token(_ISSUER, _KEY_OF_ISSUER, sub="u-1", preferred_username="anna", **more).encode()
            for more in ({"exp": 4_000_000_000}, {"aud": [CLIENT, "another"]}, {"exp": 1})
        ),
        (b".", b"e30", b"eyJhbGciOiJub25lIn0", b"W1tbW1tb", b"bnVsbA", b"=", b"_-"),
        is_cut=False,
        longest=12_288,
    ),
    Target(
        "operators' HTTP",
        _Ops().read,
        (
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 2,
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n",
            b"HEAD /readyz HTTP/1.0\r\n\r\n",
            b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            b"PUT /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        (
            b"\r\n",
            b"\n",
            b"Content-Length: ",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"Upgrade: h2c\r\n",
            b"HTTP/2.0",
            b"CONNECT x:1 ",
        ),
        longest=10_000,
    ),
)
