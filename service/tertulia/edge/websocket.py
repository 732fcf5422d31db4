"""WebSocket, and the few files of the page: HTTP only. Sessions, limits and fan-out are those of TCP.

HTTP ──GET /ws──▶ WebSocket ──▶ a session as on TCP, fed by ``frames``
  └───a file────▶ answered, closed
"""

import asyncio
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State as ProtocolState
from websockets.server import ServerProtocol

from tertulia.dialects.browser import MAX_FRAME
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import tcp
from tertulia.edge.frames import Frames
from tertulia.edge.preamble import PreambleRules
from tertulia.edge.serving import Client, Listener, Served
from tertulia.edge.tcp import LARGE_READ, Connection

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


@dataclass(frozen=True, slots=True)
class Page:
    """The files of the page, by the path under which they are served."""

    files: dict[str, tuple[str, bytes]]

    @classmethod
    def load(cls) -> "Page":
        """Read the files that come with the package."""
        found = {}
        for file in files("tertulia.web").iterdir():
            content_type = _TYPES.get(file.name[file.name.rfind(".") :])
            if content_type is not None:
                path = "/" if file.name == "index.html" else f"/{file.name}"
                found[path] = (content_type, file.read_bytes())
        return cls(found)


@dataclass(slots=True)
class WebListener(Listener):
    """What all connections to one address of the page share."""

    page: Page
    origins: tuple[str, ...]
    """Origins that may connect besides the host itself."""
    hosts: tuple[str, ...] = ()
    """The names, in small letters, by which a browser may call it; any, where there are none."""
    is_tls: bool = False


class WebSocketConnection(Connection):
    """One browser's socket."""

    __slots__ = ("_heard", "_last", "_ping", "_protocol", "_unanswered", "_web")

    def __init__(self, listener: WebListener, client: Client | None = None) -> None:
        super().__init__(listener, client)
        self._web = listener
        self._protocol = ServerProtocol(max_size=MAX_FRAME, logger=_silent)
        self._last = b""  # the last three bytes of the request so far
        self._heard = True
        self._unanswered = 0  # pings
        self._ping: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return  # only our half is closed; what still comes is thrown away
        self._heard = True
        if self._session is None:
            data = self._shake_hands(data)
            if self._session is None:
                return
        if len(data) >= LARGE_READ:
            self._leave_rest()
        self._decoder.feed(data)
        self._charge_bytes(len(data))
        self._go_on(self._session)

    def _shake_hands(self, data: bytes) -> bytes:
        """Take what there is of the request; return what came behind it."""
        if not self._last:
            self._listener.look_for_header(data, self._address)
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
        if self._session is None and not self._closing:
            self._refuse_garbage()
        return rest

    def _carry_out(self, session: Served) -> None:
        super()._carry_out(session)
        if self._protocol.state is ProtocolState.OPEN:
            self._send_protocol()
        elif self._closing or self._ended or self._decoder.buffered:
            pass  # what was said before the end is carried out first
        elif self._protocol.close_rcvd is None:
            self._listener.host.lost(session, Disconnect.GONE)
        else:
            self._ended = True
            super()._carry_out(session)  # the close is answered after what was said before it

    def eof_received(self) -> bool:
        # Half a WebSocket is none, and what is written from here on reaches nobody.
        if self._session is not None:
            reason = Disconnect.GONE if self._ended else Disconnect.BROKEN
            self._listener.host.lost(self._session, reason)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ping is not None:
            self._ping.cancel()
        super().connection_lost(exc)

    def close(self, reason: Disconnect) -> None:
        if self._closing or self._gone:
            return
        if self._protocol.state is ProtocolState.OPEN:
            if reason in _IN_ORDER:
                code = int(CloseCode.NORMAL_CLOSURE)
            else:
                code = _COME_BACK if reason.may_retry else _STAY_AWAY
            self._protocol.send_close(code, reason.label)
        self._send_protocol()
        super().close(reason)

    # --- HTTP ------------------------------------------------------------------------------------

    def _opened(self) -> None:
        """The session begins with the WebSocket, not with the connection."""

    def _answer(self, request: Request) -> None:
        if not self._is_named(request.headers):
            body = b"this is not served under that name\n"
            self._respond(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", body)
            return
        path = request.path.partition("?")[0]
        if path == "/ws":
            self._upgrade(request)
            return
        file = self._web.page.files.get(path)
        if file is None:
            head = request.method == "HEAD"
            self._respond(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n", head=head)
        elif request.method not in ("GET", "HEAD"):
            self._respond(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "text/plain",
                b"only GET\n",
                more={"Allow": "GET, HEAD"},
            )
        else:
            self._respond(HTTPStatus.OK, *file, head=request.method == "HEAD")

    def _refuse_garbage(self) -> None:
        """Close on what is no request. (The protocol itself answers some of it.)"""
        self._send_protocol()
        if self._protocol.handshake_exc is not None:
            super().close(Disconnect.GONE)

    def _upgrade(self, request: Request) -> None:
        if not self._is_allowed(request.headers):
            self._respond(HTTPStatus.FORBIDDEN, "text/plain", b"this origin may not connect\n")
            return
        versions = request.headers.get_all("Sec-WebSocket-Version")
        if versions and versions != ["13"]:
            # RFC 6455, 4.2.2: say which one there is
            self._respond(
                HTTPStatus.UPGRADE_REQUIRED,
                "text/plain",
                b"only version 13\n",
                more={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
            )
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._send_protocol()
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            super().close(Disconnect.GONE)
            return
        self._ping = self._listener.loop.call_later(PING_SECONDS, self._send_ping)
        super()._opened()
        self._decoder = Frames(self._protocol, self._decoder)

    def _is_named(self, headers: Headers) -> bool:
        """Check the name: that of another site may have been pointed here, to pass for its own host."""
        if not self._web.hosts:
            return True
        hosts = headers.get_all("Host")
        try:
            return len(hosts) == 1 and urlsplit(f"//{hosts[0]}").hostname in self._web.hosts
        except ValueError:
            return False

    def _is_allowed(self, headers: Headers) -> bool:
        """Check the origin: a page of another site must not speak in its visitor's name."""
        origins = headers.get_all("Origin")
        if not origins:
            return True  # no browser
        if len(origins) > 1:
            return False
        if origins[0] in self._web.origins:
            return True
        hosts = headers.get_all("Host")
        try:
            asked = urlsplit(origins[0]).netloc.lower()
        except ValueError:
            return False
        return bool(asked) and len(hosts) == 1 and asked == hosts[0].lower()

    def _respond(
        self,
        status: HTTPStatus,
        content_type: str,
        body: bytes,
        *,
        head: bool = False,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        headers = Headers(
            {
                "Date": formatdate(usegmt=True),
                "Connection": "close",
                "Content-Type": content_type,
                "Content-Length": str(len(body)),
                **_HEADERS,
                **(_SECURE if self._web.is_tls else {}),
                **more,
            }
        )
        response = Response(status.value, status.phrase, headers, b"" if head else body)
        self._protocol.send_response(response)
        self._send_protocol()
        super().close(Disconnect.GONE)

    # --- WebSocket -------------------------------------------------------------------------------

    def _send_ping(self) -> None:
        if self._closing or self._gone:
            return
        if self._heard or not self._reading:
            self._unanswered = 0
        elif self._unanswered >= _UNANSWERED_PINGS and self._session is not None:
            self._listener.host.lost(self._session, Disconnect.SILENT)
            return
        self._heard = False
        self._unanswered += 1
        self.write(Frame(Opcode.PING, b"").serialize(mask=False))
        self._ping = self._listener.loop.call_later(PING_SECONDS, self._send_ping)

    def _send_protocol(self) -> None:
        """Send what the protocol has to say: handshakes, pongs, closes."""
        for data in self._protocol.data_to_send():
            if data and not self._gone:
                self.write(data)


async def serve(
    listener: WebListener, listening: socket.socket, gate: PreambleRules | None = None
) -> asyncio.Server:
    """Accept browsers on a listening socket, through a gate if there is one."""
    return await tcp.serve(listener, listening, gate, partial(WebSocketConnection, listener))
