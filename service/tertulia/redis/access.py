"""Getting into Redis: redis-py connects and logs in, as the settings say at that moment.

Then our own protocol takes the connection over (docs/decisions/0030).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from redis.asyncio.connection import (
    AbstractConnection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.connection import Connection as TcpConnection

from tertulia.domain.addresses import host_port
from tertulia.redis.commands import Commands
from tertulia.redis.errors import StoreAway, failing
from tertulia.redis.hot import HotConnection
from tertulia.settings.model import Settings
from tertulia.settings.redis_url import RedisUrl, masked, parse
from tertulia.telemetry.metrics import RetryCause


@dataclass(frozen=True, slots=True)
class Server:
    """Where one server answers: a host and its port, or the path of a Unix socket."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        return host_port(self.host, self.port) if self.port else self.host


@dataclass(frozen=True, slots=True)
class Access:
    """Where Redis is, and how to get in."""

    url: RedisUrl
    shown: str
    """The URL, passwords masked."""
    settings: Settings

    def __repr__(self) -> str:
        return f"Access({self.shown})"

    @classmethod
    def to(cls, url: str, settings: Settings | None = None) -> Self:
        """Return the access to ``url``, with everything else from the settings. Raises redis_url.WrongUrl."""
        return cls(parse(url), masked(url), settings or Settings())

    async def connect(
        self, server: Server, name: str, seconds: float, kind: str = "Redis"
    ) -> HotConnection:
        """Connect to a server, by redis-py, log in, and take the connection over. Raises StoreAway.

        ``kind`` is what should answer there: "Redis", "Redis Cluster" or "Sentinel".
        """
        with failing(server, kind):
            made = self._redis_pys(server, kind, name)
            try:
                # redis-py's own timeouts use wait_for, which may swallow a cancellation (before Python 3.12).
                async with asyncio.timeout(seconds):
                    await made.connect()
                # This is the only private name of redis-py that is used: see tests/contract/test_access.py.
                writer, made._writer = made._writer, None
                assert writer is not None
                connection = HotConnection(writer.transport, writer)
                writer.transport.set_protocol(connection)
                return connection
            finally:
                await made.disconnect(nowait=True)

    @asynccontextmanager
    async def visit(
        self, server: Server, name: str, seconds: float, kind: str = "Redis"
    ) -> AsyncIterator[Commands]:
        """Ask one server, whatever its role, over a connection of its own. Raises as ``connect``."""
        connection = await self.connect(server, name, seconds, kind)
        try:
            with failing(server, kind):
                yield Commands(partial(connection.ask, seconds))
        finally:
            connection.end()

    def _redis_pys(self, server: Server, kind: str, name: str) -> AbstractConnection:
        """Return a connection of redis-py, not yet made, with the login of this moment."""
        url, settings = self.url, self.settings
        if kind == "Sentinel":
            user, database = settings.redis_sentinel_user, 0
            password = first_line(settings, "redis_sentinel_password_file")
        else:
            user, database = url.user, url.database
            password = first_line(settings, "redis_password_file") or url.password
        options: dict[str, Any] = {
            "username": user,
            "password": password,
            "db": database,
            "client_name": name,
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "protocol": 2,
            "driver_info": None,  # to send it, the user would need a permission
        }
        if not server.port:
            return UnixDomainSocketConnection(path=server.host, **options)
        if not url.tls:
            return TcpConnection(host=server.host, port=server.port, **options)
        for setting in ("redis_ca_file", "redis_cert_file", "redis_key_file"):
            first_line(settings, setting)  # OpenSSL's error would not say which file it is
        options |= {
            "ssl_ca_certs": settings.redis_ca_file,
            "ssl_certfile": settings.redis_cert_file,
            "ssl_keyfile": settings.redis_key_file,
            "ssl_cert_reqs": "none" if settings.redis_verify == "none" else "required",
            "ssl_check_hostname": settings.redis_verify == "full",
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }
        return SSLConnection(host=server.host, port=server.port, **options)


def first_line(settings: Settings, setting: str) -> str:
    """Return the first line of the file that a setting names, or an empty text. Raises StoreAway.

    While a password is replaced, the second line may hold the other one.
    """
    file: Path | None = getattr(settings, setting)
    try:
        return file.read_text("utf-8").partition("\n")[0].rstrip("\r") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise StoreAway(RetryCause.OTHER, f"{setting} {file} can't be read ({why})") from error
