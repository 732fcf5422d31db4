"""WebSocket, and the few files of the page: HTTP only. Sessions, limits and fan-out are those of TCP.

HTTP ──GET /ws──▶ WebSocket ──▶ a session as on TCP, fed by ``frames``
  └───a file────▶ answered, closed
"""

import asyncio
import logging
import socket
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State as ProtocolState
from websockets.server import ServerProtocol

from tertulia.dialects.browser import MAX_FRAME
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import connection
from tertulia.edge.connection import Connection
from tertulia.edge.frames import Frames
from tertulia.edge.http import Answer, Pages, fixed
from tertulia.edge.preamble import PreambleRules
from tertulia.edge.pump import LARGE_READ
from tertulia.edge.serving import Client, Listener, Served

PING_SECONDS: Final = 20.0
_UNANSWERED_PINGS: Final = 2
_COME_BACK: Final = 4000
_STAY_AWAY: Final = 4001
_IN_ORDER: Final = (Disconnect.LEFT, Disconnect.CHAT_CLOSED, Disconnect.GONE)

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a new version is seen at once; the files are few and small
}
_SECURE: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""A year of TLS only, for the name that was asked for; RFC 6797 lets it be said over TLS alone."""

# websockets would log what clients send.
_silent = logging.getLogger("tertulia.edge.websocket.protocol")
_silent.disabled = True


def page() -> Pages:
    """Return the files that come with the package, by the path under which they are served."""
    found = {}
    for file in files("tertulia.web").iterdir():
        content_type = _TYPES.get(file.name[file.name.rfind(".") :])
        if content_type is not None:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            found[path] = (content_type, file.read_bytes())
    return fixed(found)


def close_code(reason: Disconnect) -> int:
    """Return the status code with which a WebSocket is closed for a reason: browser.md, The end."""
    if reason in _IN_ORDER:
        return int(CloseCode.NORMAL_CLOSURE)
    return _COME_BACK if reason.may_retry else _STAY_AWAY


@dataclass(frozen=True, slots=True)
class Site:
    """What all connections to one address of the page share beside their listener."""

    listener: Listener
    page: Pages
    origins: tuple[str, ...]
    """Origins that may connect besides the host itself."""
    hosts: tuple[str, ...] = ()
    """The names, in small letters, by which a browser may call it; any, where there are none."""
    is_tls: bool = False


class WebSocketInbound:
    """Reads what one browser asks for, and then its frames."""

    __slots__ = (
        "_connection",
        "_heard",
        "_last",
        "_listener",
        "_ping",
        "_protocol",
        "_pump",
        "_site",
        "_unanswered",
    )

    def __init__(self, site: Site, connection: Connection) -> None:
        self._site = site
        self._listener = site.listener
        self._connection = connection
        self._pump = connection.pump
        self._protocol = ServerProtocol(max_size=MAX_FRAME, logger=_silent)
        self._last = b""  # the last three bytes of the request so far
        self._heard = True
        self._unanswered = 0  # pings
        self._ping: asyncio.TimerHandle | None = None

    def opened(self) -> None:
        """The session begins with the WebSocket, not with the connection."""

    def received(self, data: bytes) -> None:
        pump = self._pump
        if pump.is_over:
            return  # only our half is closed; what still comes is thrown away
        self._heard = True
        if pump.session is None:
            data = self._shake_hands(data)
            if pump.session is None:
                return
        if len(data) >= LARGE_READ:
            pump.leave_rest()
        pump.decoder.feed(data)
        pump.charge_bytes(len(data))
        pump.go_on(pump.session)

    def ended(self) -> bool:
        # Half a WebSocket is none, and what is written from here on reaches nobody.
        if self._pump.session is not None:
            reason = Disconnect.GONE if self._pump.is_ended else Disconnect.BROKEN
            self._listener.host.lost(self._pump.session, reason)
        return False

    def closing(self, reason: Disconnect) -> None:
        if self._protocol.state is ProtocolState.OPEN:
            self._protocol.send_close(close_code(reason), reason.label)
        self._send_protocol()

    def woken(self) -> bool:
        """The transport reads it always: browsers acknowledge nothing."""
        return False

    def lost(self) -> None:
        if self._ping is not None:
            self._ping.cancel()
        del self._connection

    # --- HTTP ------------------------------------------------------------------------------------

    def _shake_hands(self, data: bytes) -> bytes:
        """Take what there is of the request; return what came behind it."""
        if not self._last:
            self._listener.look_for_header(data, self._connection.address)
        rest = b""
        # The protocol does not expect anything behind a request before it is answered.
        end = (self._last + data).find(b"\r\n\r\n")
        if end >= 0:
            end += 4 - len(self._last)
            data, rest = data[:end], data[end:]
        self._last = (self._last + data)[-3:]
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            assert isinstance(event, Request)
            self._answer(event)
        if self._pump.session is None and not self._pump.is_over:
            self._refuse_garbage()
        return rest

    def _answer(self, request: Request) -> None:
        is_head = request.method == "HEAD"
        if not self._is_named(request.headers):
            body = b"this is not served under that name\n"
            self._respond(Answer(HTTPStatus.MISDIRECTED_REQUEST, body, "text/plain"))
        elif request.path.partition("?")[0] == "/ws":
            self._upgrade(request)
        else:
            self._respond(self._site.page.answer(request.method, request.path), is_head=is_head)

    def _refuse_garbage(self) -> None:
        """Close on what is no request. (The protocol itself answers some of it.)"""
        self._send_protocol()
        if self._protocol.handshake_exc is not None:
            self._connection.close(Disconnect.GONE)

    def _upgrade(self, request: Request) -> None:
        if not self._is_allowed(request.headers):
            self._respond(Answer(HTTPStatus.FORBIDDEN, b"this origin may not connect\n"))
            return
        versions = request.headers.get_all("Sec-WebSocket-Version")
        if versions and versions != ["13"]:
            # RFC 6455, 4.2.2: say which one there is
            more = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            body = b"only version 13\n"
            self._respond(Answer(HTTPStatus.UPGRADE_REQUIRED, body, more=more))
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._send_protocol()
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._connection.close(Disconnect.GONE)
            return
        self._ping = self._listener.loop.call_later(PING_SECONDS, self._send_ping)
        self._connection.begin_session()
        pump = self._pump
        pump.decoder = Frames(self._protocol, pump.decoder)
        pump.carried_out = self._carried_out

    def _is_named(self, headers: Headers) -> bool:
        """Check the name: that of another site may have been pointed here, to pass for its own host."""
        if not self._site.hosts:
            return True
        hosts = headers.get_all("Host")
        try:
            return len(hosts) == 1 and urlsplit(f"//{hosts[0]}").hostname in self._site.hosts
        except ValueError:
            return False

    def _is_allowed(self, headers: Headers) -> bool:
        """Check the origin: a page of another site must not speak in its visitor's name."""
        origins = headers.get_all("Origin")
        if not origins:
            return True  # no browser
        if len(origins) > 1:
            return False
        if origins[0] in self._site.origins:
            return True
        hosts = headers.get_all("Host")
        try:
            asked = urlsplit(origins[0]).netloc.lower()
        except ValueError:
            return False
        return bool(asked) and len(hosts) == 1 and asked == hosts[0].lower()

    def _respond(self, answer: Answer, *, is_head: bool = False) -> None:
        secure = _SECURE if self._site.is_tls else {}
        headers = Headers({**answer.headers(), "Connection": "close", **_HEADERS, **secure})
        body = b"" if is_head else answer.body
        status = answer.status
        self._protocol.send_response(Response(status.value, status.phrase, headers, body))
        self._send_protocol()
        self._connection.close(Disconnect.GONE)

    # --- WebSocket -------------------------------------------------------------------------------

    def _carried_out(self, session: Served) -> None:
        """Say what the protocol has to say to what was carried out, and see whether the client closed."""
        pump = self._pump
        if self._protocol.state is ProtocolState.OPEN:
            self._send_protocol()
        elif pump.is_over or pump.is_ended or pump.decoder.buffered:
            pass  # what was said before the end is carried out first
        elif self._protocol.close_rcvd is None:
            self._listener.host.lost(session, Disconnect.GONE)
        else:
            pump.is_ended = True
            pump.carry_out(session)  # the close is answered after what was said before it

    def _send_ping(self) -> None:
        session = self._pump.session
        if session is None or self._pump.is_over:
            return
        if self._heard or not self._pump.reading:
            self._unanswered = 0
        elif self._unanswered >= _UNANSWERED_PINGS:
            self._listener.host.lost(session, Disconnect.SILENT)
            return
        self._heard = False
        self._unanswered += 1
        self._connection.write(Frame(Opcode.PING, b"").serialize(mask=False))
        self._ping = self._listener.loop.call_later(PING_SECONDS, self._send_ping)

    def _send_protocol(self) -> None:
        """Send what the protocol has to say: handshakes, pongs, closes."""
        for data in self._protocol.data_to_send():
            if data:
                self._connection.write(data)


def connect(site: Site, client: Client | None = None) -> Connection:
    """Return what a browser's socket is given to."""
    return Connection(site.listener, partial(WebSocketInbound, site), client)


async def serve(
    site: Site, listening: socket.socket, rules: PreambleRules | None = None
) -> asyncio.Server:
    """Accept browsers on a listening socket, through a preamble if there are rules for one."""
    return await connection.serve(site.listener, listening, partial(connect, site), rules)
