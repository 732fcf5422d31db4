"""A connection to the API: uvicorn's, with bounds on how long a request may take, and in our words."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from tertulia.api.metrics import ApiMetrics
from tertulia.api.problems import MEDIA_TYPE

HEADER_SECONDS: Final = 10.0
"""Within which a connection's next request has to come, from its first byte to the end of its headers."""
MOST_HEADER_BYTES: Final = 16_384
_PIECE: Final = 8_192
"""Bytes that h11 is given at once."""
IDLE_SECONDS: Final = 30
"""For which a connection may be open between two requests."""
LINGER_SECONDS: Final = 2.0
"""For which what still comes is thrown away, before a connection is closed."""

log = structlog.get_logger(__name__)


class _Lingering:
    """A transport that reads on for a moment when it is closed.

    Closed with something unread, as of a body that nobody wants, the system resets the connection: the client
    loses what it was answered.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.lingers = True
        self.is_ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self.is_ended:
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self.is_ended or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self.is_ended = True
        if not self.lingers or not self._transport.can_write_eof():  # TLS has no halves
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)


class ApiConnection(H11Protocol):
    """One client of the API."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        metrics: ApiMetrics,
        most: int,
    ) -> None:
        """``most``: connections that may be open at once."""
        super().__init__(config, server_state, {**app_state, "abort": self.abort})
        self._metrics = metrics
        self._most = most
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        lingering = _Lingering(transport)
        super().connection_made(lingering)  # type: ignore[arg-type]  # it is one, by its methods
        self._metrics.connections.set(len(self.connections))
        lingering.lingers = len(self.connections) <= 2 * self._most
        if len(self.connections) > self._most:
            self._metrics.turned_away.inc()
            self._refuse(
                503, "too-many-connections", "too many connections are open: come back later"
            )
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)
        self._metrics.connections.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._is_between_requests() and self._waiting is None:
            self._arm()
        # h11 bounds only headers that are not whole: those in one read would have any length.
        for at in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + _PIECE])
        if not self._is_between_requests():
            self._disarm()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, "bad-request", "this is no HTTP request, or its header is too long")

    def abort(self) -> None:
        """End it at once: what is written and not sent is lost."""
        self.transport.abort()

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _arm(self) -> None:
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._late)

    def _disarm(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _late(self) -> None:
        self._waiting = None
        if self._is_between_requests() and not self.transport.is_closing():
            self._refuse(408, "request-timeout", f"no request came within {HEADER_SECONDS:g} s")

    def _refuse(self, status: int, kind: str, detail: str) -> None:
        if status != 503:
            self._metrics.unreadable.inc()
        body = json.dumps(
            {
                "type": f"urn:tertulia:{kind}",
                "title": kind.replace("-", " ").capitalize(),
                "status": status,
                "detail": detail,
            }
        ).encode()
        is_head = not self._is_between_requests() and self.scope["method"] == "HEAD"
        head = f"HTTP/1.1 {status} {kind}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        head += "Connection: close\r\n\r\n"
        self.transport.write(head.encode() + (b"" if is_head else body))
        self.transport.close()


def connections(metrics: ApiMetrics, most: int) -> Callable[..., ApiConnection]:
    """Return what makes a connection, as uvicorn asks for one."""

    def make(
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> ApiConnection:
        return ApiConnection(config, server_state, app_state, metrics, most)

    return make
