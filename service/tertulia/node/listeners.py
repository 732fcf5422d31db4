"""Where a node's clients come in: sockets, what has to be passed there, and the host behind."""

import asyncio
import select
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import structlog

from tertulia.chat.door import DeviceDoor, Door
from tertulia.chat.fanout import Broadcast, OneByOne
from tertulia.chat.room import Room
from tertulia.dialects.browser import BrowserEncoder
from tertulia.dialects.contract import Encoder
from tertulia.domain.addresses import host_port
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import tcp, websocket
from tertulia.edge.binding import Servers, bind_all, explain
from tertulia.edge.broadcast import UringBroadcast
from tertulia.edge.idle_readers import IdleReaders
from tertulia.edge.io_uring import IoUring
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.preamble import PRIVATE_READ_BYTES, PreambleRules
from tertulia.edge.serving import Connections, Host, Listener, Patience
from tertulia.node import open_files
from tertulia.node.errors import Misconfigured
from tertulia.settings.listener import ListenerSettings
from tertulia.settings.model import Settings
from tertulia.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tertulia.edge.certificates import Certificate

DEVICE: Final = "device"
"""The dialect of those who are not in the room."""

Encoders = Mapping[str, Callable[[ListenerSettings], Encoder]]

_log = structlog.get_logger("tertulia.node")


def name_of(listener: ListenerSettings) -> str:
    """Return what a listener is called in metrics and logs."""
    return f"{listener.dialect}:{listener.port}"


class Listeners:
    """All addresses on which a node accepts clients."""

    def __init__(
        self,
        settings: Settings,
        encoders: Encoders,
        metrics: Metrics,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.connections = Connections()
        """Of all of them together."""
        self._settings = settings
        self._encoders = encoders
        self._metrics = metrics
        self._loop = loop
        self._counts = ConnectionCounts(
            settings.limits.connections, settings.limits.connections_per_address
        )
        self._idle_readers = IdleReaders(loop) if hasattr(select, "epoll") else None
        self._ring = _ring(settings)
        self._page = websocket.page()
        self._bound: list[tuple[ListenerSettings, list[socket.socket], PreambleRules | None]] = []
        self._servers = Servers()
        self._certificates: list[Certificate] = []

    def broadcast(self) -> Broadcast:
        """Make what sends the same to many of the clients."""
        return OneByOne() if self._ring is None else UringBroadcast(self._ring)

    def bind(self, stack: AsyncExitStack) -> None:
        """Take the addresses, and accept nobody yet. Raises Misconfigured."""
        listeners = self._settings.listeners
        rules = [self._rules(i, listener, stack) for i, listener in enumerate(listeners)]
        sockets = [self._bind(listener, stack) for listener in listeners]
        self._bound = list(zip(listeners, sockets, rules, strict=True))

    async def open(self, rooms: Mapping[str, Room], others: open_files.Others) -> None:
        """Accept clients, and leave enough open files for others. Raises Misconfigured."""
        self._leave_files(others)
        for settings, listening, rules in self._bound:
            await self._listen(settings, listening, rules, rooms[settings.chat])

    def close(self) -> None:
        """Accept nobody any more; clients on the way in are turned away."""
        self._servers.close()
        for _, _, rules in self._bound:
            if rules is not None:
                rules.close()

    def reload(self) -> None:
        """Take what there is of new certificates in use."""
        for certificate in self._certificates:
            certificate.reload()

    def _rules(
        self, i: int, listener: ListenerSettings, stack: AsyncExitStack
    ) -> PreambleRules | None:
        """Make what clients of a listener have to pass; None where there is nothing."""
        context = None
        if listener.certificate is not None:
            # What reads certificates takes a sixth of a node's start: only a node that has one waits for it.
            from tertulia.edge.certificates import Certificate, CertificateError

            try:
                certificate = Certificate(
                    name_of(listener), listener.certificate, listener.key, self._loop, self._metrics
                )
            except CertificateError as error:
                raise Misconfigured(f"listeners[{i}]: {error}") from error
            stack.callback(certificate.stop)
            self._certificates.append(certificate)
            context = certificate.context
        elif not self._settings.trusted_proxies:
            return None
        return PreambleRules(self._settings.trusted_proxies, context)

    def _leave_files(self, others: open_files.Others) -> None:
        wanted, files = self._settings.limits.connections, open_files.allowed()
        most = self._counts.total = min(wanted, files - others.need(files))
        here = f"a process may have {files} open files here"
        enough = f"{wanted + others.need(sys.maxsize)} (ulimit -n, LimitNOFILE)"
        if most < 1:
            raise Misconfigured(
                f"{here}, and this node needs {others.need(files)} beside its clients: allow it {enough}, "
                f"for limits.connections, {wanted}"
            )
        self._metrics.connections_limit.set(most)
        if most < wanted:
            advice = f"{here}: allow it {enough}, or set limits.connections to {most}"
            _log.warning(
                "fewer clients than limits.connections",
                wanted=wanted,
                connections=most,
                advice=advice,
            )

    def _bind(self, listener: ListenerSettings, stack: AsyncExitStack) -> list[socket.socket]:
        try:
            bound = bind_all(listener.host, listener.port)
        except OSError as error:
            raise Misconfigured(
                explain(error, listener.dialect, listener.host, listener.port, "listeners")
            ) from error
        for listening in bound:
            stack.callback(listening.close)
            if listener.certificate is not None:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PRIVATE_READ_BYTES)
        return bound

    async def _listen(
        self,
        settings: ListenerSettings,
        bound: list[socket.socket],
        rules: PreambleRules | None,
        room: Room,
    ) -> None:
        listener = self._listener(settings, room)
        host, port = settings.host, bound[0].getsockname()[1]
        tls, url = settings.certificate is not None, None
        if settings.dialect == BrowserEncoder.name:
            site = websocket.Site(listener, self._page, settings.origins, settings.hosts, tls)
            self._servers += [await websocket.serve(site, it, rules) for it in bound]
            url = f"{'https' if tls else 'http'}://{host_port(host, port)}/"
        else:
            self._servers += [await tcp.serve(listener, it, rules) for it in bound]
        dialect, chat = settings.dialect, settings.chat
        _log.info("listening", dialect=dialect, host=host, port=port, chat=chat, tls=tls, url=url)

    def _listener(self, settings: ListenerSettings, room: Room) -> Listener:
        limits = self._settings.limits.on(settings)
        host: Host
        if settings.dialect == DEVICE:
            host, acknowledgement = DeviceDoor(room.devices, settings.answer_bytes), None
            patience = Patience(limits.operation_seconds, True, Disconnect.OPERATION_TIMEOUT)
        else:
            encoder = self._encoders[settings.dialect](settings)
            host, acknowledgement = Door(room, encoder), encoder.acknowledgement
            patience = Patience(limits.enter_seconds, False, Disconnect.ENTER_TIMEOUT)
        return Listener(
            host,
            settings.dialect,
            acknowledgement,
            patience,
            limits,
            self._counts,
            self._metrics,
            self._loop,
            self.connections,
            self._idle_readers,
            self._ring is not None,
        )


def _ring(settings: Settings) -> IoUring | None:
    """Return a ring for all clients that may come, if it is wanted and the system has it."""
    if not settings.io_uring:
        _log.info("sending to one after the other", reason="io_uring is off")
        return None
    try:
        return IoUring(min(settings.limits.connections, open_files.allowed()))
    except OSError as error:
        _log.info("sending to one after the other", reason=f"no io_uring: {error.strerror}")
        return None
