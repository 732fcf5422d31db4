"""WebSocket, and the few files of the page: HTTP only. Sessions, limits and fan-out are those of TCP.

HTTP ──GET /ws───▶ WebSocket ──▶ a session as on TCP, fed by ``frames``
 ▲ ├──GET /irc──▶ the same, of the dialect ``irc``, where the site has it
 │ └──a file────▶ answered ──anything but a file that is there──▶ closed
 └──────for a moment──┘

Source of ``/irc``: ircv3.net, "WebSocket support".
"""

import asyncio
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State as ProtocolState
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tertulia.dialects.browser import MAX_FRAME, PING
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import connection
from tertulia.edge.connection import Connection
from tertulia.edge.frames import Frames, LineFrames
from tertulia.edge.http import Answer
from tertulia.edge.page import PageFiles
from tertulia.edge.preamble import PreambleRules
from tertulia.edge.pump import LARGE_READ
from tertulia.edge.serving import Client, Listener, Served

_COME_BACK: Final = 4000
_STAY_AWAY: Final = 4001
_KEPT_SECONDS: Final = 5.0
"""For a browser to ask for the next file, on the same connection."""
_FILES: Final = 100
"""Requests that one connection may bring."""
_KEPT: Final = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
_IN_ORDER: Final = (Disconnect.LEFT, Disconnect.CHAT_CLOSED, Disconnect.GONE)

_ALLOWED: Final = Answer(HTTPStatus.OK, b"this origin may connect\n")
_REFUSED: Final = Answer(HTTPStatus.FORBIDDEN, b"this origin may not connect\n")
"""The page knows these words: another's 403 on the way has others."""

_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; img-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What documents and workers obey; a script or a picture obeys its document's."""
_SECURE: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""A year of TLS only, for the name that was asked for; RFC 6797 lets it be said over TLS alone."""

_PING: Final = Frame(Opcode.PING, b"").serialize(mask=False)
"""A browser answers it, and tells its page nothing."""
_BEAT: Final = _PING + PING
"""The page sees the second, and answers nothing."""
_PONG_HEAD: Final = b"\x8a\x80"
"""Whole, a pong, masked, and nothing in it (RFC 6455, 5.2); the mask follows."""
_PONG_LENGTH: Final = 6

IRC_TEXT: Final = "text.ircv3.net"
IRC_BINARY: Final = "binary.ircv3.net"
"""Subprotocols: what kind of frames each of the lines is in."""

# websockets would log what clients send.
_silent = logging.getLogger("tertulia.edge.websocket.protocol")
_silent.disabled = True


def close_code(reason: Disconnect) -> int:
    """Return the status code with which a WebSocket is closed for a reason: browser.md, The end."""
    if reason in _IN_ORDER:
        return int(CloseCode.NORMAL_CLOSURE)
    return _COME_BACK if reason.may_retry else _STAY_AWAY


@dataclass(frozen=True, slots=True)
class Site:
    """What all connections to one address of the page share beside their listener."""

    listener: Listener
    page: PageFiles
    origins: tuple[str, ...]
    """Origins that may connect besides the host itself."""
    hosts: tuple[str, ...] = ()
    """The names, in small letters, by which a browser may call it; any, where there are none."""
    is_tls: bool = False
    issuers: tuple[str, ...] = ()
    """Origins that the page asks when somebody signs in."""
    irc: Mapping[str, Listener] = field(default_factory=dict)
    """Where clients of ``irc`` come in, by subprotocol, with the limits of ``listener``; empty: nowhere."""

    def scripted(self) -> dict[str, str]:
        """Return the headers for what runs scripts."""
        policy = _POLICY.format(connect=" ".join(("'self'", *self.issuers)))
        return {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}


class WebSocketInbound:
    """Reads what one browser asks for, and then its frames."""

    __slots__ = (
        "_asked",
        "_connection",
        "_deadline",
        "_heard",
        "_last",
        "_listener",
        "_may_miss",
        "_protocol",
        "_pump",
        "_site",
        "_slot",
    )

    def __init__(self, site: Site, connection: Connection) -> None:
        self._site = site
        self._listener = site.listener
        self._connection = connection
        self._pump = connection.pump
        self._protocol = _new_protocol()
        self._last = b""  # the last three bytes of the request so far
        self._asked = 0  # files
        self._deadline = 0.0  # for a session to begin, or the last file to be asked for
        self._heard = True
        self._may_miss = 1  # how many pings may come to be unanswered
        self._slot: int | None = None  # of the heartbeat

    def opened(self) -> None:
        """The session begins with the WebSocket, not with the connection."""
        self._deadline = self._listener.loop.time() + self._listener.patience.seconds

    def received(self, data: bytes) -> None:
        pump = self._pump
        if pump.is_over:
            return  # only our half is closed; what still comes is thrown away
        if (
            not self._heard
            and len(data) == _PONG_LENGTH
            and data.startswith(_PONG_HEAD)
            and isinstance(pump.decoder, Frames)
            and pump.decoder.is_between
        ):
            # The answer to our ping is all that most clients send, and asks for nothing.
            self._heard = True
            return
        self._heard = True
        try:
            if pump.session is None:
                data = self._shake_hands(data)
                if pump.session is None:
                    return
            if len(data) >= LARGE_READ:
                pump.leave_rest()
            pump.decoder.feed(data)
        except Exception:
            pump.fail()
            return
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
        if self._slot is not None:
            self._listener.heartbeat.discard(self, self._slot)
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
            self._answer(event, is_last=bool(rest))
        if self._pump.session is None and not self._pump.is_over:
            self._refuse_garbage()
        return rest

    def _answer(self, request: Request, *, is_last: bool) -> None:
        path, _, query = request.path.partition("?")
        if not self._is_named(request.headers):
            body = b"this is not served under that name\n"
            self._respond(Answer(HTTPStatus.MISDIRECTED_REQUEST, body, "text/plain"))
        elif path == "/ws" and query.startswith("origin=") and "Upgrade" not in request.headers:
            self._judge(request, query)
        elif path == "/ws":
            self._upgrade(request)
        elif path == "/irc" and self._site.irc:
            self._upgrade(request, is_irc=True)
        else:
            # Who does not wait for an answer gets no more than one behind it.
            is_kept = not is_last and self._connection.is_flushed() and _asks_on(request)
            self._give_file(request, is_kept=is_kept)

    def _give_file(self, request: Request, *, is_kept: bool) -> None:
        codings, known = (
            ",".join(request.headers.get_all(name)) for name in ("Accept-Encoding", "If-None-Match")
        )
        answer = self._site.page.answer(request.method, request.path, codings, known)
        self._asked += 1
        left = self._deadline - self._listener.loop.time()
        is_kept = is_kept and answer.status in _KEPT and self._asked < _FILES
        self._respond(answer, is_head=request.method == "HEAD", is_kept=is_kept)
        if is_kept:
            self._protocol = _new_protocol()
            self._last = b""
            self._connection.wait_on(min(_KEPT_SECONDS, left))

    def _refuse_garbage(self) -> None:
        """Close on what is no request. (The protocol itself answers some of it.)"""
        self._send_protocol()
        if self._protocol.handshake_exc is not None:
            self._connection.close(Disconnect.GONE)

    def _judge(self, request: Request, query: str) -> None:
        """Tell a page whether it may connect: of its WebSocket it learns only that it did not open."""
        asked = [
            value for name, value in parse_qsl(query, keep_blank_values=True) if name == "origin"
        ]
        self._respond(_ALLOWED if self._is_allowed(asked, request.headers) else _REFUSED)

    def _upgrade(self, request: Request, *, is_irc: bool = False) -> None:
        if not self._is_allowed(request.headers.get_all("Origin"), request.headers):
            self._listener.refused_origin()
            self._respond(_REFUSED)
            return
        versions = request.headers.get_all("Sec-WebSocket-Version")
        if versions and versions != ["13"]:
            # RFC 6455, 4.2.2: say which one there is
            more = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            body = b"only version 13\n"
            self._respond(Answer(HTTPStatus.UPGRADE_REQUIRED, body, more=more))
            return
        if is_irc:
            chosen = _subprotocol(request, self._site.irc)
            self._protocol.available_subprotocols = [chosen] if chosen else None
            self._listener = self._site.irc[chosen or IRC_TEXT]
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._send_protocol()
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._connection.close(Disconnect.GONE)
            return
        self._slot = self._listener.heartbeat.add(self)
        if self._asked:
            self._connection.stop_patience()  # that for another file; the session has its own
        self._connection.begin_session(self._listener)
        pump = self._pump
        if is_irc:
            opcode = Opcode.BINARY if self._protocol.subprotocol == IRC_BINARY else Opcode.TEXT
            pump.decoder = LineFrames(self._protocol, pump.decoder, opcode)
        else:
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

    def _is_allowed(self, origins: list[str], headers: Headers) -> bool:
        """Check the origin: a page of another site must not speak in its visitor's name."""
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

    def _respond(self, answer: Answer, *, is_head: bool = False, is_kept: bool = False) -> None:
        secure = _SECURE if self._site.is_tls else {}
        scripted = {} if answer.is_part else self._site.scripted()
        headers = Headers({**_HEADERS, **scripted, **answer.headers(), **secure})
        if not is_kept:
            headers["Connection"] = "close"
        body = b"" if is_head else answer.body
        status = answer.status
        self._connection.write(Response(status.value, status.phrase, headers, body).serialize())
        if not is_kept:
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

    def beat(self) -> None:
        """Ping the client, or let it go where it has not answered the last ping."""
        session = self._pump.session
        if session is None or self._pump.is_over:
            return
        if not self._pump.reading:
            self._may_miss = 2  # its answer may be there, and has to be read first
        elif self._heard:
            self._may_miss = 1
        elif not self._may_miss:
            self._listener.host.lost(session, Disconnect.SILENT)
            return
        self._heard = False
        self._may_miss -= 1
        has_page = session.is_active and self._listener is self._site.listener
        self._connection.write(_BEAT if has_page else _PING)

    def _send_protocol(self) -> None:
        """Send what the protocol has to say: handshakes, pongs, closes."""
        for data in self._protocol.data_to_send():
            if data:
                self._connection.write(data)


def _new_protocol() -> ServerProtocol:
    return ServerProtocol(max_size=MAX_FRAME, logger=_silent)


def _subprotocol(request: Request, known: Mapping[str, object]) -> Subprotocol | None:
    """Return the first one that the client names, as it likes that best, of those that are known."""
    names = ",".join(request.headers.get_all("Sec-WebSocket-Protocol")).split(",")
    found = (name for name in map(str.strip, names) if name in known)
    return next(map(Subprotocol, found), None)


def _asks_on(request: Request) -> bool:
    """Whether the client keeps the connection: RFC 9112, 9.3."""
    options = ",".join(request.headers.get_all("Connection")).lower().split(",")
    is_new = getattr(request, "protocol", "HTTP/1.1") == "HTTP/1.1"  # older libraries take no other
    return is_new and "close" not in map(str.strip, options)


def connect(site: Site, client: Client | None = None) -> Connection:
    """Return what a browser's socket is given to."""
    return Connection(site.listener, partial(WebSocketInbound, site), client)


async def serve(
    site: Site, listening: socket.socket, rules: PreambleRules | None = None
) -> asyncio.Server:
    """Accept browsers on a listening socket, through a preamble if there are rules for one."""
    return await connection.serve(site.listener, listening, partial(connect, site), rules)
