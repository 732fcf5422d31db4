"""Getting into Redis: addresses, users, passwords and TLS, read anew for every connection."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tertulia.metrics import RetryCause
from tertulia.redis_url import RedisUrl, masked, parse
from tertulia.settings import Settings
from tertulia.store.errors import StoreAway


@dataclass(frozen=True, slots=True)
class Server:
    """Where one server answers: a host and its port, or the path of a Unix socket."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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

    def connection(self, server: Server, name: str, seconds: float) -> Connection:
        """Make a connection to a Redis, not yet connected. Raises StoreAway: a file can't be read."""
        url = self.url
        password = _read(self.password_file, "redis_password_file") or url.password
        return self._connection(
            server, name, seconds, db=url.database, username=url.user, password=password
        )

    def sentinel_connection(self, server: Server, name: str, seconds: float) -> Connection:
        """Make a connection to a Sentinel, which has users of its own."""
        password = _read(self.sentinel_password_file, "redis_sentinel_password_file")
        user = self.sentinel_user
        return self._connection(server, name, seconds, username=user, password=password)

    def _connection(self, server: Server, name: str, seconds: float, **login: Any) -> Connection:
        kwargs: dict[str, Any] = {key: value or None for key, value in login.items()}
        kwargs["db"] = login.get("db", 0)
        kwargs.update(
            protocol=2,  # over RESP3 the bus is slower by about a third
            retry=Retry(NoBackoff(), 0),
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            client_name=name,
            driver_info=None,  # a node's user may not say it
        )
        if not server.port:
            return UnixDomainSocketConnection(path=server.host, **kwargs)  # type: ignore[return-value]
        kwargs.update(host=server.host, port=server.port, socket_keepalive=True)
        if not self.url.tls:
            return Connection(**kwargs)
        return SSLConnection(**kwargs, **self._tls())

    def _tls(self) -> dict[str, Any]:
        for file, setting in (
            (self.ca_file, "redis_ca_file"),
            (self.cert_file, "redis_cert_file"),
            (self.key_file, "redis_key_file"),
        ):
            _read(file, setting)
        return {
            "ssl_ca_certs": self.ca_file and str(self.ca_file),
            "ssl_certfile": self.cert_file and str(self.cert_file),
            "ssl_keyfile": self.key_file and str(self.key_file),
            "ssl_cert_reqs": "none" if self.verify == "none" else "required",
            "ssl_check_hostname": self.verify == "full",
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }


def _read(file: Path | None, setting: str) -> str:
    """Return what is in a file, without the newline that an editor leaves."""
    if file is None:
        return ""
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise StoreAway(RetryCause.OTHER, f"{setting} {file} can't be read ({why})") from error
