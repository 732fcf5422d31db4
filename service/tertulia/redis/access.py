"""Getting into Redis: addresses, users, passwords and TLS, read anew for every connection."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from tertulia.domain.addresses import host_port
from tertulia.redis.errors import ErrorReply, StoreAway
from tertulia.redis.hot import Argument, Connection
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
    """Where Redis is, and how to get in. No password is ever part of its text."""

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
        """Return the access to ``url`` with all else as the settings say."""
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

    async def connect(self, server: Server, name: str, seconds: float) -> Connection:
        """Connect to a Redis and log in.

        Raises StoreAway: a file can't be read; ErrorReply, OSError, TimeoutError.
        """
        url = self.url
        password = _read(self.password_file, "redis_password_file") or url.password
        return await self._connect(server, name, seconds, url.user, password, url.database)

    async def connect_to_sentinel(self, server: Server, name: str, seconds: float) -> Connection:
        """Connect to a Sentinel, which has users of its own, and log in. Raises as ``connect``."""
        password = _read(self.sentinel_password_file, "redis_sentinel_password_file")
        return await self._connect(server, name, seconds, self.sentinel_user, password)

    async def _connect(
        self, server: Server, name: str, seconds: float, user: str, password: str, database: int = 0
    ) -> Connection:
        async with asyncio.timeout(seconds):
            connection = await self._open(server)
        login: list[tuple[Argument, ...]] = []
        if user or password:
            login.append(("AUTH", user, password) if user else ("AUTH", password))
        login.append(("CLIENT", "SETNAME", name))
        if database:
            login.append(("SELECT", database))
        try:
            await connection.ask(seconds, *login)
        except ErrorReply:
            connection.end()
            raise
        return connection

    async def _open(self, server: Server) -> Connection:
        loop = asyncio.get_running_loop()
        if not server.port:
            _, connection = await loop.create_unix_connection(Connection, server.host)
            return connection
        transport, connection = await loop.create_connection(
            Connection, server.host, server.port, ssl=self._tls() if self.url.tls else None
        )
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    def _tls(self) -> ssl.SSLContext:
        for file, setting in (
            (self.ca_file, "redis_ca_file"),
            (self.cert_file, "redis_cert_file"),
            (self.key_file, "redis_key_file"),
        ):
            _read(file, setting)
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.verify == "full"
        context.verify_mode = ssl.CERT_NONE if self.verify == "none" else ssl.CERT_REQUIRED
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context


def _read(file: Path | None, setting: str) -> str:
    """Return the first line of a file: while a password is replaced, the next may be the other one."""
    if file is None:
        return ""
    try:
        return file.read_text("utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise StoreAway(RetryCause.OTHER, f"{setting} {file} can't be read ({why})") from error
