"""The API's process: started, serving, stopped in order."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final

import structlog
import uvicorn
import uvloop
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from tertulia.api.app import application
from tertulia.api.callers import stranger
from tertulia.api.connection import IDLE_SECONDS, MOST_HEADER_BYTES, connections
from tertulia.api.desk import Desk
from tertulia.api.guard import Guard
from tertulia.api.metrics import StreamEnd
from tertulia.api.tokens import Tokens, TokensUnusable
from tertulia.api.unending import again_and_again
from tertulia.api.watched import marks
from tertulia.api.webhooks.hooks import WebhooksUnusable
from tertulia.api.webhooks.relay import Relay
from tertulia.api.webhooks.tallies import Tallies
from tertulia.domain.addresses import host_port
from tertulia.edge import ops
from tertulia.edge.binding import Servers, bind_all, explain
from tertulia.edge.certificates import Certificate, CertificateError
from tertulia.node.signals import Stop, heed_signals
from tertulia.operators.deployment import Deployment, NobodyThere
from tertulia.settings.model import Settings
from tertulia.telemetry import logs
from tertulia.telemetry.log_writer import LogWriter

_LAST_WORDS_SECONDS: Final = 1.0
_ANSWERS_SECONDS: Final = 5
"""Within which answers on their way have to end."""
_NAME: Final = "tertulia-api"

_log = structlog.get_logger(__name__)


class CannotServe(Exception):
    """The API can't start. The text says why, and what to do."""


def run(settings: Settings) -> None:
    """Serve until the process is told to stop. Raises CannotServe."""
    log = logs.begin(settings.log, node=_NAME)
    # What it says of requests and of itself is counted, and said in our words.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        uvloop.run(_serve(settings, log))
    finally:
        log.flush(_LAST_WORDS_SECONDS)


class _Server(uvicorn.Server):
    """Leaves signals to others."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(settings: Settings, log: LogWriter) -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    stop = Stop()
    heed_signals(stop, lambda: log.flush(_LAST_WORDS_SECONDS))
    async with _desk(settings, registry) as desk:
        api = settings.api
        with _certificate(settings, desk) as certificate:
            try:
                sockets = bind_all(api.host, api.port)
            except OSError as error:
                raise CannotServe(explain(error, "the API", api.host, api.port, "api")) from error
            if desk.relay is not None:
                registry.register(Tallies(desk.relay.tallies))
            servers = await _ops(settings, desk, registry)
            try:
                _tell("api", sockets, is_tls=certificate is not None)
                _tell("ops", servers.sockets, is_tls=False)
                server = _Server(_config(desk, certificate))
                await asyncio.gather(server.serve(sockets), _drain(server, desk, stop, settings))
            finally:
                servers.close()
    _log.info("stopped")


async def _drain(server: uvicorn.Server, desk: Desk, stop: Stop, settings: Settings) -> None:
    """Wait until the process is to stop, and stop it: unready first, then streams, then answers."""
    await stop.asked.wait()
    desk.is_stopping = True
    if desk.relay is not None:
        desk.relay.stop()
    _log.info("draining", gently=stop.gently, connections=len(server.server_state.connections))
    if stop.gently and settings.drain_notice_seconds:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.drain_notice_seconds):
                await stop.hurried.wait()
    desk.end_streams(StreamEnd.STOPPING)
    server.should_exit = True


def _config(desk: Desk, certificate: Certificate | None) -> uvicorn.Config:
    metrics = desk.metrics
    return uvicorn.Config(
        Guard(application(desk), metrics, stranger(desk)),
        http=connections(metrics, desk.settings.api.connections),  # type: ignore[arg-type] # it is only called
        ws="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=_ANSWERS_SECONDS,
        ssl_context_factory=(
            None if certificate is None else lambda _config, _default: _of_now(certificate)
        ),
    )


def _of_now(certificate: Certificate) -> ssl.SSLContext:
    """Return how to speak TLS, with the certificate of the moment of each handshake."""
    context = certificate.context()

    def named(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = certificate.context()

    context.sni_callback = named
    return context


@contextmanager
def _certificate(settings: Settings, desk: Desk) -> Iterator[Certificate | None]:
    api = settings.api
    if api.certificate is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    try:
        certificate = Certificate("api", api.certificate, api.key, loop, desk.metrics)
    except CertificateError as error:
        raise CannotServe(f"api.certificate {error}") from error
    try:
        yield certificate
    finally:
        certificate.stop()


async def _ops(settings: Settings, desk: Desk, registry: CollectorRegistry) -> Servers:
    where = settings.ops
    try:
        return await ops.serve(where.host, where.port, registry=registry, not_ready=desk.reasons)
    except OSError as error:
        raise CannotServe(explain(error, "ops", where.host, where.port, "ops")) from error


def _tell(what: str, sockets: Sequence[socket.socket], *, is_tls: bool) -> None:
    for sock in sockets:
        host, port = sock.getsockname()[:2]
        url = f"{'https' if is_tls else 'http'}://{host_port(host, port)}/"
        _log.info("listening", dialect=what, host=host, port=port, chat=None, tls=is_tls, url=url)


@asynccontextmanager
async def _desk(settings: Settings, registry: CollectorRegistry) -> AsyncIterator[Desk]:
    file = settings.api.tokens
    if file is None:
        raise CannotServe(
            "nobody may use the API: set api.tokens to a file of tokens, tertulia api token makes one"
        )
    try:
        seen = marks([file])
        tokens = Tokens.load(file)
        deployment = Deployment(settings, "api", settings.cluster.redis_timeout_seconds, name=_NAME)
        hooks = settings.api.webhooks
        relay = Relay(hooks, settings.api, deployment) if hooks is not None else None
    except (TokensUnusable, WebhooksUnusable, NobodyThere) as error:
        raise CannotServe(str(error)) from error
    async with deployment:
        desk = Desk(settings, tokens, deployment, registry, relay)
        tasks = [
            asyncio.create_task(again_and_again(it))
            for it in (partial(desk.watch_tokens, file, seen), desk.watch_redis, deployment.watch)
        ]
        relaying = asyncio.create_task(relay.run()) if relay is not None else None
        try:
            yield desk
        finally:
            if relay is not None and relaying is not None:
                relay.stop()
                await relaying
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
