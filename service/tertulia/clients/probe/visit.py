"""One visit: come in as people do, say something, and read it."""

import asyncio
import secrets
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tertulia.clients import dialects
from tertulia.clients.dialects.contract import Dialect
from tertulia.clients.targets import TargetError, split
from tertulia.domain import addresses
from tertulia.settings.command_line import shown

_TLS: Final = "+tls"
NAMES: Final = tuple(name + tls for name in dialects.NAMES for tls in ("", _TLS))
"""What may stand before an address."""
_READ_BYTES: Final = 65_536
_GO_SECONDS: Final = 1.0
"""For TLS to be ended by both."""
_ASK: Final = "ask each node's /readyz"


class Stage(StrEnum):
    """How far a visitor has come, and what the time for it is called."""

    CONNECT = "connect"
    """To a connection, over TLS with its handshake."""
    ENTER = "enter"
    """From there into the chat."""
    READ = "read"
    """From saying something to having read it."""


class Trouble(Exception):
    """The visit failed. The message says what was wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Way:
    """An address on which people of one dialect come in."""

    dialect: str
    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        tls = _TLS if self.tls else ""
        return f"{self.dialect}{tls}={addresses.host_port(self.host, self.port)}"


@dataclass(slots=True)
class Passage:
    """How far one way led."""

    way: Way
    seconds: dict[Stage, float] = field(default_factory=dict)
    """How long each stage took that was passed."""
    certificate_ends: float | None = None
    """Over TLS, in Unix time."""


@dataclass(slots=True)
class Visit:
    """What came of one visit."""

    passages: list[Passage]
    problem: str = ""
    """What was wrong, where, and what to do; empty where all was well."""
    ended: float = 0.0
    """Unix time."""

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        ways = (
            f"{it.way}: "
            + ", ".join(f"{stage} {1000 * t:.1f} ms" for stage, t in it.seconds.items())
            for it in self.passages
        )
        return "works. " + "; ".join(ways)


def way(value: str) -> Way:
    """Read DIALECT[+tls]=HOST:PORT. Raises TargetError where it is malformed."""
    name, host, port = split(value, NAMES)
    return Way(name.removesuffix(_TLS), host, port, name.endswith(_TLS))


def ways(values: Sequence[str]) -> list[Way]:
    """Read several, of which the first is where something is said.

    Raises TargetError where one is malformed, or nobody would read what is said.
    """
    found = [way(value) for value in values]
    if len(found) == 1 and not _dialect(found[0]).echoes:
        raise TargetError(
            f"{values[0]!r}: nobody reads his own words in {found[0].dialect}: give a second address, where "
            "they are read, which may be the same one"
        )
    return found


async def visit(
    there: Sequence[Way], nickname: str, within: float, context: ssl.SSLContext
) -> Visit:
    """Come in by each way, say something by the first, read it by all, and go, in so many seconds.

    Never raises. All have to lead into one chat. Each visitor is called ``nickname`` and four signs that
    change, so that one whom the service has not yet noticed to be gone is in nobody's way.
    """
    visitors = [
        _Visitor(target, f"{nickname}-{secrets.token_hex(2)}", within, context) for target in there
    ]
    made = Visit([visitor.passage for visitor in visitors])
    words = f"probe {secrets.token_hex(8)}".encode()
    try:
        async with asyncio.timeout(within):
            for visitor in visitors:
                await visitor.enter()
            readers = visitors if visitors[0].echoes else visitors[1:]
            async with asyncio.TaskGroup() as reading:
                for reader in readers:
                    reading.create_task(reader.read(words))
                visitors[0].say(words)
    except* Trouble as troubles:
        made.problem = str(troubles.exceptions[0])
    except* TimeoutError:
        made.problem = next(filter(None, (visitor.waits_for for visitor in visitors)))
    finally:
        await asyncio.gather(*(visitor.leave() for visitor in visitors))
    made.ended = time.time()
    return made


def _dialect(there: Way) -> Dialect:
    return dialects.by_name(there.dialect, addresses.host_port(there.host, there.port))


class _Visitor:
    """One connection."""

    def __init__(self, there: Way, nickname: str, within: float, context: ssl.SSLContext) -> None:
        self.passage = Passage(there)
        self.waits_for = ""
        """What has not come in time, if nothing more comes."""
        self._way = there
        self._nickname = nickname
        self._within = within
        self._context = context
        self._dialect = _dialect(there)
        self._unread = b""
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    @property
    def echoes(self) -> bool:
        return self._dialect.echoes

    async def enter(self) -> None:
        """Connect and enter."""
        otherwise = "look at the network, at firewalls, and whether the balancer runs"
        with self._stage(Stage.CONNECT, "no connection", otherwise):
            await self._connect()
        otherwise = f"the balancer or a node is frozen, or Redis is away: {_ASK}"
        with self._stage(Stage.ENTER, "connected, but not let in", otherwise):
            entering = self._dialect.entering(self._nickname)
            self._write(entering.feed(b""))
            while not entering.entered:
                self._write(entering.feed(await self._some("closed before anybody was let in")))
                if entering.refused:
                    raise self._trouble(
                        f"refused with {shown(entering.refused)}: where everybody is, the nodes do not "
                        "trust the balancer (trusted_proxies)"
                    )
            self._unread = entering.rest

    def say(self, words: bytes) -> None:
        """Say something to everybody."""
        self._write(self._dialect.say(words))

    async def read(self, words: bytes) -> None:
        """Wait until it has been read."""
        otherwise = f"Redis is away, or the bus is silent: {_ASK}"
        with self._stage(Stage.READ, "in, but what was said did not come", otherwise):
            while words not in self._unread:
                whole = self._dialect.whole(self._unread)
                self._write(whole.reply)
                if whole.farewell:
                    raise self._trouble(f"sent away, {shown(whole.farewell)}: {_ASK}")
                self._unread = self._unread[whole.end :]
                self._unread += await self._some("in, and then the connection was closed")

    async def leave(self) -> None:
        """Close the connection, in order where all went well."""
        if self._writer is None:
            return
        if not self.waits_for:
            self._writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_GO_SECONDS):
                    await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _connect(self) -> None:
        there, tls = self._way, self._way.tls
        try:
            self._reader, self._writer = await asyncio.open_connection(
                there.host, there.port, ssl=self._context if tls else None
            )
        except ssl.SSLCertVerificationError as error:
            raise self._trouble(
                f"people do not trust its certificate ({error.verify_message}): renew it, or give --ca-file"
            ) from None
        except ssl.SSLError as error:
            raise self._trouble(f"no TLS there ({error.reason}): is it the right port?") from None
        except (socket.gaierror, UnicodeError) as error:
            why = getattr(error, "strerror", error)
            raise self._trouble(f"{there.host} is unknown ({why}): look at the name") from None
        except OSError as error:
            why = error.strerror or str(error)
            raise self._trouble(f"no connection ({why}): does the balancer run?") from None
        if tls:
            shown_one = self._writer.get_extra_info("peercert")
            self.passage.certificate_ends = ssl.cert_time_to_seconds(shown_one["notAfter"])

    def _write(self, data: bytes) -> None:
        assert self._writer is not None
        if data:
            self._writer.write(data)

    async def _some(self, if_closed: str) -> bytes:
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            raise self._trouble(f"{if_closed}: is a node ready? {_ASK}")
        return data

    @contextmanager
    def _stage(self, stage: Stage, what: str, otherwise: str) -> Iterator[None]:
        self.waits_for = f"{self._way}: {what} within {self._within:g} s: {otherwise}"
        begun = time.monotonic()
        yield
        self.passage.seconds[stage] = time.monotonic() - begun
        self.waits_for = ""

    def _trouble(self, what: str) -> Trouble:
        return Trouble(f"{self._way}: {what}")
