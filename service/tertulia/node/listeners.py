"""Where a node's clients come in: sockets, what has to be passed there, and the host behind."""

import asyncio
import select
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import structlog

from tertulia.chat.door import DeviceDoor, Door
from tertulia.chat.fanout import Broadcast, OneByOne
from tertulia.chat.identities import Identities
from tertulia.chat.room import Room
from tertulia.dialects.browser import BrowserEncoder
from tertulia.dialects.contract import Encoder
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.encoder import IrcEncoder
from tertulia.domain.addresses import host_port
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import tcp, websocket
from tertulia.edge.binding import Servers, bind_all, explain
from tertulia.edge.broadcast import UringBroadcast
from tertulia.edge.idle_readers import IdleReaders
from tertulia.edge.io_uring import IoUring
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.page import PageFiles, page_files
from tertulia.edge.preamble import PRIVATE_READ_BYTES, PreambleRules
from tertulia.edge.serving import Connections, Host, Listener, Patience
from tertulia.node import open_files
from tertulia.node.errors import Misconfigured
from tertulia.settings.listener import ListenerSettings
from tertulia.settings.model import Settings
from tertulia.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tertulia.edge.certificates import Certificate
    from tertulia.edge.word_filter import WordFilter

DEVICE: Final = "device"
"""The dialect of those who are not in the room."""
IRC: Final = IrcEncoder.name
"""The dialect that a page's listener may have beside its own."""

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
        self.url: str | None = None
        """Where browsers find the page, of the first listener that has it, since ``open``."""
        self._settings = settings
        self._encoders = encoders
        self._metrics = metrics
        self._loop = loop
        self._counts = ConnectionCounts(
            settings.limits.connections, settings.limits.connections_per_address
        )
        self._idle_readers = IdleReaders(loop) if hasattr(select, "epoll") else None
        self._ring = _ring(settings)
        has_page = any(listener.dialect == BrowserEncoder.name for listener in settings.listeners)
        self._page = page_files() if has_page else PageFiles({})
        self._bound: list[tuple[ListenerSettings, list[socket.socket], PreambleRules | None]] = []
        self._servers = Servers()
        self._certificates: list[Certificate] = []
        self._filters: dict[int, WordFilter] = {}
        """By the place of the listener in the settings."""

    def broadcast(self) -> Broadcast:
        """Make what sends the same to many of the clients."""
        return OneByOne() if self._ring is None else UringBroadcast(self._ring)

    def bind(self, stack: AsyncExitStack) -> None:
        """Take the addresses, and accept nobody yet. Raises Misconfigured."""
        listeners = self._settings.listeners
        self._filters = _filters(listeners)
        rules = [self._rules(i, listener, stack) for i, listener in enumerate(listeners)]
        sockets = [self._bind(listener, stack) for listener in listeners]
        self._bound = list(zip(listeners, sockets, rules, strict=True))

    async def open(self, rooms: Mapping[str, Room], others: open_files.Others) -> None:
        """Accept clients, and leave enough open files for others. Raises Misconfigured."""
        self._leave_files(others)
        for i, (settings, listening, rules) in enumerate(self._bound):
            room = rooms[settings.chat]
            await self._listen(settings, listening, rules, room, self._filters.get(i))

    def close(self) -> None:
        """Accept nobody any more; clients on the way in are turned away."""
        self._servers.close()
        for _, _, rules in self._bound:
            if rules is not None:
                rules.close()

    def reload(self) -> None:
        """Take what there is of new certificates and filters in use."""
        for certificate in self._certificates:
            certificate.reload()
        for word_filter in self._filters.values():
            word_filter.reload()

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
                explain(
                    error, listener.dialect, listener.host, listener.port, "listeners (--listen)"
                )
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
        word_filter: "WordFilter | None",
    ) -> None:
        listener = self._listener(settings, room, word_filter)
        irc: Mapping[str, Listener] = {}
        if settings.irc:
            irc = {
                kind: self._listener(settings, room, word_filter, self._irc(settings, kind))
                for kind in (websocket.IRC_TEXT, websocket.IRC_BINARY)
            }
        host, port = settings.host, bound[0].getsockname()[1]
        tls, url = settings.certificate is not None, None
        if settings.dialect == BrowserEncoder.name:
            oidc = settings.oidc
            site = websocket.Site(
                listener,
                self._page if oidc is None else page_files(oidc),
                settings.origins,
                settings.hosts,
                tls,
                () if oidc is None else oidc.origins,
                irc,
            )
            self._servers += [await websocket.serve(site, sock, rules) for sock in bound]
            url = f"{'https' if tls else 'http'}://{host_port(host, port)}/"
            self.url = self.url or url
        else:
            self._servers += [await tcp.serve(listener, sock, rules) for sock in bound]
        dialect, chat = settings.dialect, settings.chat
        _log.info("listening", dialect=dialect, host=host, port=port, chat=chat, tls=tls, url=url)

    def _listener(
        self,
        settings: ListenerSettings,
        room: Room,
        word_filter: "WordFilter | None",
        other: Encoder | None = None,
    ) -> Listener:
        """Make what the connections of a listener share, or those of its other dialect."""
        limits = self._settings.limits.on(settings)
        host: Host
        dialect, ping = settings.dialect, b""
        if dialect == DEVICE:
            host, acknowledgement = DeviceDoor(room.devices, settings.answer_bytes), None
            patience = Patience(limits.operation_seconds, True, Disconnect.OPERATION_TIMEOUT)
        else:
            encoder = other or self._encoder(settings)
            refuses = None if word_filter is None else word_filter.refuses
            host = Door(room, encoder, None if other else _issuer(settings), refuses)
            dialect, acknowledgement = encoder.name, encoder.acknowledgement
            patience = Patience(limits.enter_seconds, False, Disconnect.ENTER_TIMEOUT)
            if isinstance(encoder, IrcEncoder) and not other:
                ping = f"PING :{encoder.server.name}\r\n".encode()
        return Listener(
            host,
            dialect,
            acknowledgement,
            patience,
            limits,
            self._counts,
            self._metrics,
            self._loop,
            self.connections,
            self._idle_readers,
            self._ring is not None,
            is_filtered=word_filter is not None,
            ping=ping,
        )

    def _encoder(self, listener: ListenerSettings) -> Encoder:
        if listener.dialect == IRC:
            return self._irc(listener)
        return self._encoders[listener.dialect](listener)

    def _irc(self, listener: ListenerSettings, subprotocol: str = "") -> IrcEncoder:
        """Make the encoder of a listener's clients of ``irc``: lines on a socket, or of a WebSocket."""
        server = IrcServer(
            name=listener.network,
            lobby=listener.channel,
            joins_lobby=listener.joins_lobby,
            history=listener.history,
            is_websocket=bool(subprotocol),
            is_binary=subprotocol == websocket.IRC_BINARY,
            version=version("tertulia"),
            accounts=self._settings.accounts.registration,
            before_entering=self._settings.accounts.before_entering,
        )
        return IrcEncoder(server)


def _issuer(listener: ListenerSettings) -> Identities | None:
    if listener.oidc is None:
        return None
    # What reads certificates and tokens takes a sixth of a node's start.
    from tertulia.edge.id_tokens import IdTokens

    return IdTokens(listener.oidc)


def _filters(listeners: Sequence[ListenerSettings]) -> "dict[int, WordFilter]":
    """Read what listeners refuse. Raises Misconfigured."""
    wanted = {i: (name_of(it), it.filter) for i, it in enumerate(listeners) if it.filter}
    if not wanted:
        return {}
    from tertulia.edge.word_filter import FilterError, WordFilter  # only such a node loads RE2

    filters = {}
    for i, (name, path) in wanted.items():
        try:
            filters[i] = WordFilter(name, path)
        except FilterError as error:
            raise Misconfigured(f"listeners[{i}].filter: {error}") from error
    return filters


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
