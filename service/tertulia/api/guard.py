"""What holds for every request, around the application: bounds, headers, counting, an answer."""

import asyncio
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tertulia.api.metrics import METHODS, NO_ROUTE, OTHER_METHOD, ApiMetrics
from tertulia.api.problems import Problem

MOST_BODY_BYTES: Final = 65_536
MOST_ALERTS_BYTES: Final = 1_048_576
"""In what Alertmanager sends: all alerts of a group at once."""
_ALERTS: Final = "/alerts"
BODY_SECONDS: Final = 15.0
"""Within which a request's body has to come."""
STUCK_SECONDS: Final = 40.0
"""For which a client may take nothing of an answer; of a stream: streams.py."""
HEAD: Final = "tertulia.head"
"""In a scope: whether the answer's body goes nowhere."""
_EVERYWHERE: Final = ("HEAD", "OPTIONS")

_HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
}
"""Of an answer that has none of its own."""

Stranger = Callable[[Headers], Problem | None]
"""Says, by a request's headers, what to answer where nobody has its token."""

log = structlog.get_logger(__name__)


class Guard:
    """An ASGI application around the API's own."""

    def __init__(self, app: FastAPI, metrics: ApiMetrics, stranger: Stranger) -> None:
        self._app: ASGIApp = app
        self._metrics = metrics
        self._stranger = stranger
        self._methods = [
            (compile_path(path)[0], [it.upper() for it in methods])
            for path, methods in app.openapi()["paths"].items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            await _Answering(self._app, self._metrics, self._allowed, self._stranger, scope).run(
                receive, send
            )

    def _allowed(self, path: str) -> str:
        """Return what may be asked of a path; empty where nothing is there."""
        found = [methods for pattern, methods in self._methods if pattern.match(path)]
        if not found:
            return ""
        named = {it for methods in found for it in methods}
        more = _EVERYWHERE if "GET" in named else _EVERYWHERE[1:]
        return ", ".join(sorted({*named, *more}))


class _Answering:
    """One request on its way."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: ApiMetrics,
        allowed: Callable[[str], str],
        stranger: Stranger,
        scope: Scope,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._allowed = allowed
        self._stranger = stranger
        self._outer = scope
        is_head = scope["method"] == "HEAD"
        # Whoever answers GET answers HEAD: the connection leaves the body out.
        self._scope = {**scope, "method": "GET", HEAD: True} if is_head else scope
        self._began = time.perf_counter()
        self._status = 0
        self._is_whole = False

    async def run(self, receive: Receive, send: Send) -> None:
        """Answer, whatever happens."""
        try:
            if self._scope["method"] == "OPTIONS" and self._allowed(self._scope["path"]):
                await self._options(send)
            elif problem := self._unread():
                await problem.response()(self._scope, receive, self._told(send))
            else:
                await self._app(self._scope, self._bounded(receive), self._told(send))
        except asyncio.CancelledError:  # the process stops, and waits no longer
            if self._status:
                self._abort()
            else:
                await _stopping().response()(self._scope, receive, self._told(send))
        except Exception:
            self._metrics.defects.inc()
            log.exception("an API request failed", route=self._route(), method=self._method())
            if not self._is_whole:
                self._abort()

    def _abort(self) -> None:
        self._outer.get("state", {}).get("abort", lambda: None)()

    async def _options(self, send: Send) -> None:
        headers = [(b"allow", self._allowed(self._scope["path"]).encode())]
        told = self._told(send)
        status = HTTPStatus.NO_CONTENT.value
        await told({"type": "http.response.start", "status": status, "headers": headers})
        await told({"type": "http.response.body", "body": b""})

    def _unread(self) -> Problem | None:
        """Say what to answer to somebody whose body is not even read: anybody could have it kept."""
        headers = Headers(scope=self._scope)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        return self._stranger(headers) if has_body else None

    def _bounded(self, receive: Receive) -> Receive:
        most = MOST_ALERTS_BYTES if self._scope["path"].endswith(_ALERTS) else MOST_BODY_BYTES
        loop = asyncio.get_running_loop()
        until: float | None = loop.time() + BODY_SECONDS
        size = 0

        async def received() -> Message:
            nonlocal until, size
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"the body did not come within {BODY_SECONDS:g} s",
                    headers={"Connection": "close"},
                ) from error
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"a body may have {most} bytes here: send less at once",
                    headers={"Connection": "close"},
                )
            if not message.get("more_body"):
                until = None
            return message

        return received

    def _told(self, send: Send) -> Send:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._with_headers(message)}
                self._note(message["status"])
            elif not message.get("more_body"):
                self._is_whole = True
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    await send(message)
            except TimeoutError:
                self._abort()

        return told

    def _with_headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        headers = list(message.get("headers", ()))
        if message["status"] == HTTPStatus.METHOD_NOT_ALLOWED and (
            allowed := self._allowed(self._scope["path"])
        ):
            headers = [it for it in headers if it[0] != b"allow"]
            headers.append((b"allow", allowed.encode()))
        there = {name for name, _ in headers}
        return headers + [it for it in _HEADERS.items() if it[0] not in there]

    def _note(self, status: int) -> None:
        self._status = status
        route = self._route()
        self._metrics.requests.labels(route, self._method(), f"{status // 100}xx").inc()
        self._metrics.request_duration.labels(route).observe(time.perf_counter() - self._began)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self._metrics.redis_away.inc()

    def _method(self) -> str:
        method = self._outer["method"]
        return method if method in METHODS else OTHER_METHOD

    def _route(self) -> str:
        path = getattr(self._scope.get("route"), "path", None)
        return re.sub(r"^(?=/)", "/v1", path, count=1) if isinstance(path, str) else NO_ROUTE


def _stopping() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "stopping",
        "this process stops, and had no answer in time: what was asked may be done, or not; "
        "ask again, with the same Idempotency-Key",
        headers={"Retry-After": "1"},
    )
