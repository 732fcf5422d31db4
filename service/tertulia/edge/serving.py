"""What a socket needs of the host that it serves, and what all sockets of a listener share."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from tertulia.chat.receipts import Receipts
from tertulia.domain.disconnects import Disconnect
from tertulia.edge.heartbeat import Heartbeat
from tertulia.edge.idle_readers import IdleReaders
from tertulia.edge.limits import ConnectionCounts, Seldom
from tertulia.edge.pace import Rates
from tertulia.edge.proxy_header import is_header
from tertulia.settings.sections import LimitSettings
from tertulia.telemetry.metrics import Metrics

CLOSING_SECONDS: Final = 5.0
"""For how long a client may keep a connection that the service has closed."""
_IPV4_CLOTHES: Final = "::ffff:"
_ACKNOWLEDGEMENTS_AT_ONCE: Final = 2048
LOOK_SECONDS: Final = 15.0
"""How often is looked at a client's silence."""
HEAD: Final = 4
"""Bytes that tell an acknowledgement from most other lines."""
COMPLAINT_SECONDS: Final = 60.0
"""Between two log lines about what may happen with every connection."""

_log = structlog.get_logger(__name__)

Client = tuple[str, int]
"""The address and port that a client comes from."""


def peer_of(transport: asyncio.BaseTransport) -> Client:
    """Return who is at the other end of a connection; an empty address where nobody is any more.

    A listener on both IPv6 and IPv4 sees IPv4 clients in IPv6 clothes; nobody else knows them by those.
    """
    peer = transport.get_extra_info("peername")
    if not peer:
        return "", 0
    address = str(peer[0])
    if address.startswith(_IPV4_CLOTHES) and "." in address:
        address = address.removeprefix(_IPV4_CLOTHES)
    return address, int(peer[1])


class CommandSource(Protocol):
    """A session's decoder."""

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not yet turned into commands."""
        ...

    def feed(self, data: bytes) -> None:
        """Take what came."""
        ...

    def next_command(self) -> Any:
        """Return the next command, or None."""
        ...


class Served(Protocol):
    """A session."""

    @property
    def receipts(self) -> Receipts:
        """Where its acknowledgements are counted."""
        ...

    @property
    def decoder(self) -> CommandSource:
        """Turns bytes into commands."""
        ...

    @property
    def takes_commands(self) -> bool:
        """Whether the next command may be carried out."""
        ...

    @property
    def awaiting(self) -> int:
        """How many commands are not answered."""
        ...

    @property
    def is_active(self) -> bool:
        """Whether it is in the room."""
        ...

    @property
    def is_held(self) -> bool:
        """Whether what the client is to read waits for a moment."""
        ...

    @property
    def is_in_hurry(self) -> bool:
        """Whether the client has to do something within the listener's patience."""
        ...

    @property
    def awaits_end(self) -> bool:
        """Whether the client's end, after the service's, is to be waited for however long it takes."""
        ...


class Socket(Protocol):
    """A client's socket, as the code that carries out the client's commands needs it."""

    patience: asyncio.TimerHandle | None
    """What ends a client that does nothing, if that is waited for."""
    is_parted: bool
    """Whether our half is closed, and the client has a moment to notice."""

    def backlog(self) -> int:
        """Return how many written bytes the kernel has not taken."""
        ...

    def set_reading(self, reading: bool) -> None:
        """Read, or not."""
        ...

    def close(self, reason: Disconnect) -> None:
        """Close the connection."""
        ...

    def set_patience(self, session: Served) -> None:
        """Wait for a client as long as its session has it."""
        ...


class OpenConnection(Protocol):
    """A client's connection, as a node that drains needs it."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that was read waits to be carried out or answered."""
        ...

    def stop_reading(self) -> None:
        """Read what is there, and nothing more; what was read is still carried out."""
        ...

    def close_unless_closing(self) -> None:
        """Close it in order."""
        ...

    def abort(self) -> None:
        """Close it at once."""
        ...


class Host(Protocol):
    """The host of the sessions: a room, or the devices' side of it.

    What it takes as a session is what its ``connect`` gave, and as a command what that session's decoder
    gave; which types those are is the host's own affair.
    """

    def connect(self, outbox: Any, address: str, port: int) -> Served:
        """Take in a connection."""
        ...

    def command(self, session: Any, command: Any) -> None:
        """Carry out a command."""
        ...

    def lost(self, session: Any, reason: Disconnect) -> None:
        """Let a session go."""
        ...

    def ended(self, session: Any) -> bool:
        """Learn that the client closed its half after the service did.

        True: the connection is still needed, and will be closed once more.
        """
        ...

    def slowed(self, session: Any) -> None:
        """Learn that its client says too much, and is read more slowly from now on."""
        ...

    def lags(self, session: Any) -> None:
        """Learn that its client has a backlog."""
        ...

    def caught_up(self, session: Any) -> None:
        """Learn that the backlog is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take."""

    seconds: float
    of_silence: bool
    """Whether it begins anew with everything that the client sends."""
    reason: Disconnect


class Connections:
    """The open connections of a node."""

    def __init__(self) -> None:
        self._open: set[OpenConnection] = set()
        self._none = asyncio.Event()
        self._none.set()

    def __iter__(self) -> Iterator[OpenConnection]:
        return iter(list(self._open))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def add(self, connection: OpenConnection) -> None:
        """Note a new one."""
        self._open.add(connection)
        self._none.clear()

    def discard(self, connection: OpenConnection) -> None:
        """Note that one is gone."""
        self._open.discard(connection)
        if not self._open:
            self._none.set()

    async def wait_for_none(self) -> None:
        """Wait until all are gone."""
        await self._none.wait()


class Acknowledgement:
    """The line that clients send most, as some of them end it."""

    __slots__ = ("length", "line", "many")

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.length = len(line)
        self.many = line * _ACKNOWLEDGEMENTS_AT_ONCE
        """Many, and nothing else: what a client that received many messages sends in one go."""


@dataclass(slots=True)
class Listener:
    """What all connections to one address share."""

    host: Host
    dialect: str
    acknowledgement: bytes | None
    """The line that clients send most, ending in LF."""
    patience: Patience
    limits: LimitSettings
    counts: ConnectionCounts
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    connections: Connections
    idle_readers: IdleReaders | None
    """Where clients rest that only acknowledge, if the system can do that."""
    has_ring: bool
    """Whether those who read the same are sent to with a ring."""
    is_filtered: bool = False
    """Whether a text is searched for words that are refused, which takes time."""
    ping: bytes = b""
    """What a client of lines is asked that says nothing; empty where silence is no fault."""
    acknowledgements: tuple[Acknowledgement, ...] = field(init=False)
    """That line ending in LF, and in CRLF; empty where there is none."""
    head: bytes = field(init=False)
    """What such a line begins with; empty where there is none."""
    rates: Rates = field(init=False)
    """How fast each client may go on sending."""
    heartbeat: Heartbeat = field(init=False)
    """Pings those clients that are pinged."""
    _refusals: dict[Disconnect, Seldom] = field(init=False, default_factory=dict)
    _foreign: Seldom = field(init=False, default_factory=lambda: Seldom(COMPLAINT_SECONDS))
    _untrusted: Seldom = field(init=False, default_factory=lambda: Seldom(COMPLAINT_SECONDS))

    def __post_init__(self) -> None:
        line = self.acknowledgement
        ends = () if line is None else (line, line[:-1] + b"\r\n")
        self.acknowledgements = tuple(map(Acknowledgement, ends))
        self.rates = Rates(self.limits)
        self.heartbeat = Heartbeat(self.loop, LOOK_SECONDS) if self.ping else Heartbeat(self.loop)
        self.head = (line or b"")[:HEAD]

    def turn_away(self, transport: asyncio.Transport, reason: Disconnect) -> None:
        """Close a connection that can't be had. At once: to wait for its client is to hold it."""
        self.metrics.disconnects(reason).inc()
        seldom = self._refusals.setdefault(reason, Seldom(COMPLAINT_SECONDS))
        if count := seldom.due(self.loop.time()):
            _log.warning(
                "clients are turned away",
                dialect=self.dialect, reason=reason.label, count=count, connections=self.counts.open,
            )  # fmt: skip
        transport.close()

    def refused_origin(self) -> None:
        """Log, seldom, that a page may not connect: a proxy that changes ``Host`` makes ours foreign."""
        if count := self._foreign.due(self.loop.time()):
            _log.warning("a page of another origin was refused", dialect=self.dialect, count=count)

    def look_for_header(self, first: bytes, address: str) -> None:
        """Log, seldom, a proxy that is not trusted: otherwise only its clients would notice."""
        if not is_header(first):
            return
        self.metrics.untrusted_headers.inc()
        if count := self._untrusted.due(self.loop.time()):
            _log.warning(
                "PROXY header of nobody trusted", dialect=self.dialect, proxy=address, count=count
            )
