"""What a connection passes before it is a client's: the PROXY header, which names the client, then TLS.

accepted ──from a trusted proxy──▶ header ──▶ counted ──TLS here──▶ handshake ──▶ the client's connection
    └────────from anybody else───────────────────▲ └─────in the clear──────────────────────▲

A listener that needs neither has no preamble, and with one, its connections are the same afterwards: the
transport gets them as its protocol, and the preamble is gone.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import structlog

from tertulia.domain.disconnects import Disconnect
from tertulia.edge.limits import Seldom
from tertulia.edge.proxy_header import BadHeader, HeaderReader
from tertulia.edge.serving import CLOSING_SECONDS, COMPLAINT_SECONDS, Client, Listener, peer_of

PRIVATE_READ_BYTES: Final = 16_384
"""Over TLS. What was read is taken apart in one turn, record by record, and each may hold a single byte: the
256 kB that uvloop and TLS have room for take 0.15 s then."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_log = structlog.get_logger(__name__)


class PreambleRules:
    """What all connections to one address have to pass."""

    def __init__(
        self,
        trusted: Sequence[Network],
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Believe proxies in the ``trusted`` networks; speak TLS as ``context`` has it by then."""
        self._trusted = tuple(trusted)
        self.context = context
        self._complaints = Seldom(COMPLAINT_SECONDS)
        self.waiting: set[Preamble] = set()
        """The connections that are at the preamble."""

    def close(self) -> None:
        """Send away who is still at the preamble: the chat behind it is being left by everybody."""
        for preamble in tuple(self.waiting):
            preamble.abort()

    def trusts(self, address: str) -> bool:
        """Say whether an address is that of a proxy, which has to say who its client is."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False  # a connection that is gone already has none
        return any(parsed in network for network in self._trusted)

    def complain(self, dialect: str, proxy: str, problem: str, now: float) -> None:
        """Log what a proxy did wrong, seldom."""
        if self._complaints.due(now):
            _log.warning("no PROXY header", dialect=dialect, proxy=proxy, problem=problem)


class Preamble(asyncio.Protocol):
    """A connection at the preamble, on a transport that will soon be somebody else's."""

    __slots__ = (
        "_begin",
        "_client",
        "_early",
        "_handshake",
        "_header",
        "_is_counted",
        "_is_unknown",
        "_listener",
        "_rules",
        "_timer",
        "_transport",
    )

    def __init__(
        self, rules: PreambleRules, listener: Listener, begin: Callable[[Client], asyncio.Protocol]
    ) -> None:
        """Let in past ``rules``; ``begin`` makes the connection of a client that is counted."""
        self._rules = rules
        self._listener = listener
        self._begin = begin
        self._client: Client = ("", 0)
        self._header: HeaderReader | None = None
        self._early = b""
        self._handshake: asyncio.Task[None] | None = None
        self._is_counted = False
        self._is_unknown = False  # counted, but not by its address
        self._timer: asyncio.TimerHandle | None = None

    # --- What the socket tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        listener = self._listener
        self._transport = cast(asyncio.Transport, transport)
        self._client = peer_of(transport)
        from_proxy = self._rules.trusts(self._client[0])
        if from_proxy:
            refused = listener.counts.admit_unknown()
            if refused is not None:
                listener.turn_away(self._transport, refused)
                return
            self._is_unknown = True
        if from_proxy or self._rules.context is not None:
            self._rules.waiting.add(self)
            self._timer = listener.loop.call_later(
                listener.limits.enter_seconds, self._out_of_patience
            )
        if from_proxy:
            self._header = HeaderReader()
        else:
            self._count(b"")

    def data_received(self, data: bytes) -> None:
        if self._header is None:
            # What is still to be decrypted, or the first of what was: see ``_shake_hands``.
            self._early += data
            if self._handshake is None:
                self._begin_handshake()
            return
        try:
            header = self._header.feed(data)
        except BadHeader as error:
            self._no_header(str(error))
            return
        if header is not None:
            self._header = None
            self._client = header.client or self._client
            self._count(header.rest)

    def eof_received(self) -> bool:
        if self._header is not None and self._header.is_begun:
            self._no_header("it ended in the middle")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if (
            self._is_counted and self._handshake is None
        ):  # TLS is spoken here, and not a word of it came
            self._listener.metrics.disconnects(Disconnect.TLS_HANDSHAKE).inc()
        self._leave()

    def abort(self) -> None:
        """Go at once; nothing is promised here."""
        self._transport.abort()

    # --- Step by step ----------------------------------------------------------------------------

    def _count(self, rest: bytes) -> None:
        """Count the client under its own address from here on, or refuse it."""
        self._forget_unknown()
        refused = self._listener.counts.admit(self._client[0])
        if refused is not None:
            self._listener.turn_away(self._transport, refused)
            return
        self._is_counted = True
        self._early = rest
        if self._rules.context is None:
            self._let_in(self._transport)
        elif rest:
            self._begin_handshake()
        # Else with the client's first words, which in TLS are the first of all.

    def _begin_handshake(self) -> None:
        assert self._rules.context is not None, "only TLS comes without a header and waits"
        self._transport.pause_reading()  # TLS reads on; until then there may be megabytes
        self._listener.look_for_header(self._early, self._client[0])
        self._handshake = self._listener.loop.create_task(self._shake_hands(self._rules.context))

    async def _shake_hands(self, context: Callable[[], ssl.SSLContext]) -> None:
        raw, loop = self._transport, self._listener.loop
        try:
            if not raw.is_closing():
                # Called when TLS has taken the transport and not yet begun.
                loop.call_soon(self._pass_on, raw)
                tls = await loop.start_tls(
                    raw,
                    self,
                    context(),
                    server_side=True,
                    ssl_handshake_timeout=self._listener.limits.enter_seconds,
                    ssl_shutdown_timeout=CLOSING_SECONDS,
                )
                if tls is not None and not tls.is_closing():
                    # All that came while nobody read is taken apart in one turn: see PRIVATE_READ_BYTES.
                    tls.set_read_buffer_limits(high=2 * PRIVATE_READ_BYTES)  # type: ignore[attr-defined]
                    self._let_in(cast(asyncio.Transport, TlsTransport(tls, raw)))
                    return
        except OSError:
            pass  # no TLS, a client that does not trust us, or one that is gone: its affair
        except Exception:
            # A defect of ours ends one connection, not the node, and is loud about it.
            _log.exception("connection failed", dialect=self._listener.dialect)
        self._refuse(Disconnect.TLS_HANDSHAKE)
        self._leave()

    def _pass_on(self, raw: asyncio.Transport) -> None:
        """Give TLS what of it came with the header of the proxy, or right behind."""
        tls = cast(asyncio.BufferedProtocol, raw.get_protocol())
        early, self._early = self._early, b""
        while early:
            buffer = tls.get_buffer(len(early))
            count = min(len(buffer), len(early))  # type: ignore[arg-type] # a memoryview
            buffer[:count] = early[:count]  # type: ignore[index]
            tls.buffer_updated(count)
            early = early[count:]

    def _let_in(self, transport: asyncio.Transport) -> None:
        connection = self._begin(self._client)
        self._is_counted = False  # it is, but that is the connection's affair now
        transport.set_protocol(connection)
        connection.connection_made(transport)
        self._leave()
        if self._early:
            connection.data_received(self._early)

    # --- No further ------------------------------------------------------------------------------

    def _out_of_patience(self) -> None:
        if self._header is not None:
            self._no_header("it did not come in time")
        else:
            self._transport.abort()  # the handshake fails of it

    def _no_header(self, problem: str) -> None:
        now = self._listener.loop.time()
        self._rules.complain(self._listener.dialect, self._client[0], problem, now)
        self._refuse(Disconnect.PROXY_HEADER)

    def _refuse(self, reason: Disconnect) -> None:
        self._header = None
        self._listener.metrics.disconnects(reason).inc()
        self._transport.close()

    def _leave(self) -> None:
        self._rules.waiting.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget_unknown()
        if self._is_counted:
            self._is_counted = False
            self._listener.counts.release(self._client[0])

    def _forget_unknown(self) -> None:
        if self._is_unknown:
            self._is_unknown = False
            self._listener.counts.release_unknown()


class TlsTransport:
    """TLS and the socket's transport below it, as one: what neither has passed on is its backlog.

    Without this, up to 64 KiB that the kernel has not taken would count as written.
    """

    __slots__ = ("_raw", "_tls")

    def __init__(self, tls: asyncio.Transport, raw: asyncio.Transport) -> None:
        self._tls = tls
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    def get_write_buffer_size(self) -> int:
        return self._tls.get_write_buffer_size() + self._raw.get_write_buffer_size()
