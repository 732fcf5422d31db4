"""Getting into Redis: redis-py connects and logs in, as the settings say at that moment.

The connection is then used by redis-py, or handed over to a hot connection (docs/decisions/0030).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import (
    AbstractConnection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.connection import Connection as TcpConnection
from redis.credentials import CredentialProvider

from tertulia.domain.addresses import host_port
from tertulia.redis.errors import StoreAway, plain, strange
from tertulia.redis.hot import HotConnection
from tertulia.settings.model import Settings
from tertulia.settings.redis_url import RedisUrl, masked, parse
from tertulia.telemetry.metrics import RetryCause

_STRANGE = ("Error setting client name", "Invalid Database", "Invalid Username or Password")
"""What redis-py says if an answer is neither OK nor an error."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where one server answers: a host and its port, or the path of a Unix socket."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        return host_port(self.host, self.port) if self.port else self.host


class PasswordFile(CredentialProvider):
    """Reads the login anew for each connection: while a password is replaced, it may change."""

    def __init__(self, user: str, password: str, file: Path | None, setting: str) -> None:
        """``password`` is used if there is no file or it has no password; ``setting`` names the file."""
        self._user = user
        self._password = password
        self._file = file
        self._setting = setting

    def get_credentials(self) -> Any:
        """Return user and password, a password alone, or nothing. Raises StoreAway for an unreadable file."""
        password = first_line(self._file, self._setting) or self._password
        if self._user:
            return (self._user, password)
        return (password,) if password else ()

    async def get_credentials_async(self) -> Any:
        return self.get_credentials()


class _TakenOver(HotConnection):
    """A connection that redis-py made.

    Its writer is kept: a writer that is garbage-collected closes its transport.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._writer = writer
        writer.transport.set_protocol(self)
        self.connection_made(writer.transport)


@dataclass(frozen=True, slots=True)
class Access:
    """Where Redis is, and how to get in. Its text never has a password."""

    url: RedisUrl
    shown: str
    """The URL, passwords masked."""
    password_file: Path | None = None
    sentinel_user: str = ""
    sentinel_password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: Literal["full", "chain", "none"] = "full"

    def __repr__(self) -> str:
        return f"Access({self.shown})"

    @classmethod
    def to(cls, url: str) -> Self:
        """Return the access that a URL alone gives. Raises redis_url.WrongUrl."""
        return cls(parse(url), masked(url))

    @classmethod
    def by(cls, settings: Settings, url: str) -> Self:
        """Return the access to ``url``, with everything else from the settings."""
        return cls(
            parse(url),
            masked(url),
            settings.redis_password_file,
            settings.redis_sentinel_user or "",
            settings.redis_sentinel_password_file,
            settings.redis_ca_file,
            settings.redis_cert_file,
            settings.redis_key_file,
            settings.redis_verify,
        )

    async def connect(self, server: Server, name: str, seconds: float) -> HotConnection:
        """Connect to a Redis and log in.

        Raises StoreAway if a file can't be read or the server that answers is no Redis; ErrorReply,
        HiredisError, OSError, TimeoutError.
        """
        return hand_over(await self.reach(server, name, seconds))

    @asynccontextmanager
    async def visit(
        self, server: Server, name: str, seconds: float, kind: str, **told: Any
    ) -> AsyncIterator[Redis]:
        """Ask one server, whatever its role, over a connection of its own. Raises as ``reach``.

        All questions together have to be answered within ``seconds``.
        """
        made = await self.reach(server, name, seconds, kind, decode_responses=True, **told)
        redis = Redis(connection_pool=ConnectionPool(protocol=2))
        redis.connection = made  # type: ignore[assignment]  # its type knows of no Unix sockets
        try:
            async with asyncio.timeout(seconds):
                yield redis
        finally:
            redis.connection = None
            await made.disconnect(nowait=True)

    def visit_sentinel(
        self, server: Server, name: str, seconds: float
    ) -> AbstractAsyncContextManager[Redis]:
        """Ask a Sentinel as ``visit`` does. Sentinels have users of their own."""
        login = PasswordFile(
            self.sentinel_user, "", self.sentinel_password_file, "redis_sentinel_password_file"
        )
        return self.visit(server, name, seconds, "Sentinel", credential_provider=login, db=0)

    async def reach(
        self, server: Server, name: str, seconds: float, kind: str = "Redis", **told: Any
    ) -> AbstractConnection:
        """Connect to a server, by redis-py, and log in; ``told``: options of redis-py that differ here.

        Raises as ``connect``. Connecting may take ``seconds``, and the login as many again.
        """
        clock = asyncio.get_running_loop().time
        # The timeouts of redis-py wait with wait_for, which may swallow a cancellation (before Python 3.12).
        limit = asyncio.timeout(seconds)

        async def log_in(made: AbstractConnection) -> None:
            limit.reschedule(clock() + seconds)
            await made.on_connect()

        made = self._redis_pys(server, name, {"redis_connect_func": log_in, **told})
        try:
            async with limit:
                await made.connect()
        except BaseException as error:
            await made.disconnect(nowait=True)
            if not isinstance(error, Exception):
                raise
            cause = plain(error)
            if str(cause) in _STRANGE:
                cause = strange(server, kind)
            if cause is error:
                raise
            raise cause from error
        return made

    def _redis_pys(self, server: Server, name: str, told: dict[str, Any]) -> AbstractConnection:
        url = self.url
        login = PasswordFile(url.user, url.password, self.password_file, "redis_password_file")
        options: dict[str, Any] = {
            "credential_provider": login,
            "db": url.database,
            "client_name": name,
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "protocol": 2,
            "driver_info": None,  # to send it, the user would need a permission
            **told,
        }
        if not server.port:
            return UnixDomainSocketConnection(path=server.host, **options)
        if not url.tls:
            return TcpConnection(host=server.host, port=server.port, **options)
        for file, setting in (
            (self.ca_file, "redis_ca_file"),
            (self.cert_file, "redis_cert_file"),
            (self.key_file, "redis_key_file"),
        ):
            first_line(file, setting)
        return SSLConnection(
            host=server.host,
            port=server.port,
            ssl_ca_certs=str(self.ca_file) if self.ca_file else None,
            ssl_certfile=str(self.cert_file) if self.cert_file else None,
            ssl_keyfile=str(self.key_file) if self.key_file else None,
            ssl_cert_reqs="none" if self.verify == "none" else "required",
            ssl_check_hostname=self.verify == "full",
            ssl_min_version=ssl.TLSVersion.TLSv1_2,
            **options,
        )


def hand_over(made: AbstractConnection) -> HotConnection:
    """Turn a connection that redis-py has made into a hot connection."""
    return _TakenOver(taken(made))


def taken(made: AbstractConnection) -> asyncio.StreamWriter:
    """Take a connection's writer away from redis-py, which has no connection from then on.

    This is the only use of a private name of redis-py: see tests/contract/test_access.py.
    """
    writer, made._writer = made._writer, None
    assert writer is not None
    return writer


def first_line(file: Path | None, setting: str) -> str:
    """Return the first line of a file, or an empty text if ``file`` is None. Raises StoreAway.

    While a password is replaced, the second line may hold the other one.
    """
    if file is None:
        return ""
    try:
        return file.read_text("utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise StoreAway(RetryCause.OTHER, f"{setting} {file} can't be read ({why})") from error
