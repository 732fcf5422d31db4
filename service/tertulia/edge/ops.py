"""Ops over HTTP: is the node alive, is it ready, what does it count.

Answers as long as its server is open, also while the chat drains. A connection has one timer and
serves one request at a time. A client that sends slowly, reads slowly or asks for much delays no other.

    idle ──first byte──▶ reading ──answered, may stay──▶ idle
     │                      └──answered, must close; error; time-out──▶ lingering ─┐
     └──time-out──▶ closed ◀──────────────────client closed; time-out──────────────┘
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol, cast

import h11
import msgspec
import structlog
from prometheus_client import CollectorRegistry, exposition

from tertulia.edge.binding import BACKLOG, Servers, bind_all
from tertulia.edge.http import Answer, Pages, bare

TIMEOUT: Final = 10.0
"""Seconds for a request to begin, for its header to come whole, and for its answer to be read."""
MOST_CONNECTIONS: Final = 64
"""Connections at once: a balancer and a few scrapers need less. One more, and the idlest is closed: a
client that holds them and asks nothing must not keep a probe from its answer."""
MOST_HEADER_BYTES: Final = 8192
"""Bytes in a request line and its headers."""

_PIECE: Final = 1024
"""Bytes that h11 is given at once."""

_OPENMETRICS: Final = "application/openmetrics-text"

_log = structlog.get_logger(__name__)


class Timer(Protocol):
    """What a clock hands back for something that it is to call."""

    def cancel(self) -> None:
        """Don't call it any more."""
        ...


class Scheduler(Protocol):
    """The part of an event loop that a connection needs."""

    def call_soon(self, callback: Callable[[], None], /) -> Timer:
        """Call it after what else is due now."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Call it after so many seconds."""
        ...


def pages(registry: CollectorRegistry, not_ready: Callable[[], Sequence[str]]) -> Pages:
    """Return what there is to ask for: ready is a node while ``not_ready`` gives no reasons."""

    def livez(_accept: str) -> Answer:
        return Answer(HTTPStatus.OK, b"ok")

    def readyz(_accept: str) -> Answer:
        reasons = list(not_ready())
        return Answer(
            HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK,
            msgspec.json.encode({"ready": not reasons, "reasons": reasons}),
            "application/json",
        )

    def metrics(accept: str) -> Answer:
        # Not the client's own words: from those the encoder would copy its version to the answer.
        wanted = _OPENMETRICS if _OPENMETRICS in accept else ""
        encode, content_type = exposition.choose_encoder(wanted)
        return Answer(HTTPStatus.OK, encode(registry), content_type)

    return Pages({"/livez": livez, "/readyz": readyz, "/metrics": metrics})


class OpsConnection(asyncio.Protocol):
    """One client of the ops port. Nothing that it sends raises out of here."""

    def __init__(
        self,
        pages: Pages,
        connections: "dict[OpsConnection, None]",
        clock: Scheduler,
        *,
        timeout: float = TIMEOUT,
        most_connections: int = MOST_CONNECTIONS,
        evicting: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve ``pages``; ``connections`` are all that are open, the idlest first.

        Where there are too many of them, the idlest is closed, and ``evicting`` is called.
        """
        self._pages = pages
        self._connections = connections
        self._clock = clock
        self._timeout = timeout
        self._most_connections = most_connections
        self._evicting = evicting
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEADER_BYTES)
        self._unread = b""  # what h11 was not given yet
        self._timer: Timer | None = None
        self._reading = False  # a request has begun and is not answered
        self._is_head = False  # it wants no body
        self._blocked = False  # the client does not read its answers
        self._lingering = False  # answered for the last time; what still comes is thrown away
        self._ended = False  # the client has closed its half
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._arm()
        self._connections[self] = None
        if len(self._connections) > self._most_connections:
            self._evicting()
            next(iter(self._connections))._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.pop(self, None)
        self._lingering = True  # a call that is still scheduled finds nothing to do
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        if not self._reading:
            # From the first byte on, so that a header sent byte by byte gains nothing.
            self._reading = True
            self._arm()
        self._unread += data
        self._advance()

    def eof_received(self) -> bool:
        self._ended = True
        if not self._lingering:
            self._advance()
        return not self._lingering  # what was asked for before the end is still answered

    def pause_writing(self) -> None:
        self._blocked = True
        if not self._lingering:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        self._next()

    def _advance(self) -> None:
        """Serve the next request, if it is here."""
        if self._blocked or self._lingering:
            return
        try:
            event = self._next_event()
            if isinstance(event, h11.Request):
                self._serve(event)
            elif isinstance(event, h11.ConnectionClosed):
                self._linger()
        except h11.RemoteProtocolError as error:
            self._refuse(HTTPStatus(error.error_status_hint))
        except Exception:
            _log.exception("ops connection failed")
            self._abort()

    def _next_event(self) -> object:
        """Return what h11 has, given no more than it takes for that.

        It bounds only what is not whole, so a whole request that came in one read would have any length.
        """
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._unread:
                piece, self._unread = self._unread[:_PIECE], self._unread[_PIECE:]
                self._http.receive_data(piece)
            elif self._ended:
                self._http.receive_data(b"")
            else:
                break
        return event

    def _serve(self, request: h11.Request) -> None:
        self._is_head = request.method == b"HEAD"
        # Nothing here takes a body, so one that does not end at once is not waited for.
        whole = isinstance(self._http.next_event(), h11.EndOfMessage)
        accept = b",".join(value for name, value in request.headers if name == b"accept")
        target = request.target.decode("latin-1")
        try:
            answer = self._pages.answer(
                request.method.decode("latin-1"), target, accept.decode("latin-1")
            )
        except Exception:
            _log.exception("ops page failed", page=target.partition("?")[0].lstrip("/"))
            answer = bare(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._write(answer, close=not whole)
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._linger()
            return
        self._http.start_next_cycle()
        self._is_head = False
        self._reading = bool(self._http.trailing_data[0] or self._unread)
        self._arm()
        if self._reading:
            # One request a turn: a client that sends many at once must not hold up the chat.
            self._transport.pause_reading()
            self._clock.call_soon(self._next)

    def _next(self) -> None:
        if not self._blocked and not self._lingering:
            self._transport.resume_reading()
            self._advance()

    def _write(self, answer: Answer, *, close: bool) -> None:
        headers = [*answer.headers().items(), ("Cache-Control", "no-store")]
        if close:
            headers.append(("Connection", "close"))
        events: list[h11.Event] = [
            h11.Response(
                status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()
            )
        ]
        if not self._is_head:
            events.append(h11.Data(data=answer.body))
        events.append(h11.EndOfMessage())
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))
        # The client answered last is the least idle; one that only sends is not.
        if self._connections.pop(self, self) is None:
            self._connections[self] = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Say what was wrong, where that can still be said, and close."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._write(bare(status), close=True)
        self._linger()

    def _linger(self) -> None:
        """Close our half and wait for the client's: closing on unread bytes can lose the answer."""
        self._lingering = True
        self._arm()
        if self._ended:
            self._transport.close()
        else:
            self._transport.write_eof()
            self._transport.resume_reading()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(self._timeout, self._expire)

    def _expire(self) -> None:
        if self._reading and not self._blocked and not self._lingering:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._abort()

    def _abort(self) -> None:
        # Not close(): a client that does not read would hold the connection open for ever.
        self._lingering = True
        self._connections.pop(self, None)
        self._transport.abort()


async def serve(
    host: str,
    port: int,
    *,
    registry: CollectorRegistry,
    not_ready: Callable[[], Sequence[str]],
    most_connections: int = MOST_CONNECTIONS,
    evicting: Callable[[], None] = lambda: None,
) -> Servers:
    """Serve /livez, /readyz and /metrics until the returned servers are closed.

    ``not_ready`` gives the reasons why the node is not ready; none means that it is. ``evicting`` is told
    when a connection is closed so that there are no more than ``most_connections``. Raises OSError
    where the address can't be had. Connections that are open at the close go within two time-outs.
    """
    loop = asyncio.get_running_loop()
    there = pages(registry, not_ready)
    connections: dict[OpsConnection, None] = {}

    def make() -> OpsConnection:
        return OpsConnection(
            there, connections, loop, most_connections=most_connections, evicting=evicting
        )

    bound = bind_all(host, port)
    return Servers([await loop.create_server(make, sock=sock, backlog=BACKLOG) for sock in bound])
