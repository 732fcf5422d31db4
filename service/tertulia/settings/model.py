"""Every setting once: its name, unit, default and reason; where it may come from; what is wrong.

Sources, the stronger first: options of the command, environment variables ``TERTULIA_…`` (nested
with ``__``, lists as JSON), a TOML file. Nothing is read when this module is imported.
"""

import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tertulia.settings import redis_url as urls
from tertulia.settings.api import ApiSettings
from tertulia.settings.command_line import OPTIONS
from tertulia.settings.listener import DEFAULT_PORTS, ListenerSettings
from tertulia.settings.sections import (
    AccountSettings,
    ClusterSettings,
    LimitSettings,
    LogSettings,
    OpsSettings,
)
from tertulia.settings.sources import SettingsError as SettingsError  # raised by load
from tertulia.settings.sources import read
from tertulia.settings.values import Network, Rate, Span, absolute, in_order


class Settings(BaseSettings):
    """All settings of a node. Constructing it reads no environment and no file; ``load`` does."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="TERTULIA_",
        env_nested_delimiter="__",
    )

    redis_url: SecretStr | None = Field(
        default=None,
        description="Where the shared Redis is: `redis://`, `rediss://` (TLS), `unix://`, "
        "`redis+sentinel://HOST,HOST/MASTER` or `redis+cluster://HOST,HOST` (with TLS: `rediss+…`). "
        "Unset: the node runs one of its own in `data_dir`.",
        json_schema_extra={"shown": "the node's own Redis"},
    )
    redis_password_file: Path | None = Field(
        default=None,
        description="A file with the password of the URL's user, so that it is in no environment; "
        "read anew for each connection.",
        json_schema_extra={"shown": "the URL's password"},
    )
    redis_ca_file: Path | None = Field(
        default=None,
        description="The certificates that Redis' own has to be signed by, where it is used over TLS.",
        json_schema_extra={"shown": "the system's"},
    )
    redis_cert_file: Path | None = Field(
        default=None,
        description="The certificate that nodes show to Redis, where it wants one (`tls-auth-clients`).",
        json_schema_extra={"shown": "none"},
    )
    redis_key_file: Path | None = Field(
        default=None,
        description="The private key of that certificate, where it is in a file of its own.",
        json_schema_extra={"shown": "none"},
    )
    redis_verify: Literal["full", "chain", "none"] = Field(
        default="full",
        description="What of Redis' certificate is checked: `full`, also its name; `chain`, only who "
        "signed it, as Sentinels and shards may be known by address; `none`, nothing.",
    )
    redis_sentinel_user: str | None = Field(
        default=None,
        description="The user to log in as at the Sentinels themselves.",
        json_schema_extra={"shown": "their default user"},
    )
    redis_sentinel_password_file: Path | None = Field(
        default=None,
        description="A file with the password for the Sentinels themselves.",
        json_schema_extra={"shown": "none is asked for"},
    )
    durability: Literal["written", "replicated"] = Field(
        default="written",
        description="When something is acknowledged: `written`, Redis has it (on disk, as its "
        "`appendfsync` says); `replicated`, a replica has it too, so that a failover loses nothing. "
        "Equal on all nodes.",
    )
    data_dir: Path = Field(
        default_factory=lambda: default_data_dir(),
        description="The folder for the data of the node's own Redis; kept between runs.",
        json_schema_extra={"shown": "$XDG_DATA_HOME/tertulia or ~/.local/share/tertulia"},
    )
    listeners: tuple[ListenerSettings, ...] = Field(
        default_factory=lambda: tuple(
            ListenerSettings(dialect=name, irc=name == "browser") for name in DEFAULT_PORTS
        ),
        min_length=1,
        description="The addresses on which clients are accepted, each with its dialect.",
        json_schema_extra={"shown": "every dialect on its own port of 127.0.0.1"},
    )
    ops: OpsSettings = OpsSettings()
    api: ApiSettings = ApiSettings()
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Addresses and networks of balancers. Their connections have to begin with a PROXY "
        "header (version 1 or 2), and the client's address is the one in it.",
    )
    io_uring: bool = Field(
        default=True,
        description="Send to everybody in a room with one call to the kernel, where it has io_uring "
        "(Linux 6.0, and not forbidden, as in most containers); else to one after the other.",
    )
    lasting_chats: tuple[str, ...] = Field(
        default=(), description="Chats that nobody may close, not even their administrator."
    )
    node_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="The node's name in Redis, logs and metrics; no two nodes may share one.",
        json_schema_extra={"shown": "host, process and a random part"},
    )
    limits: LimitSettings = LimitSettings()
    cluster: ClusterSettings = ClusterSettings()
    accounts: AccountSettings = AccountSettings()
    log: LogSettings = LogSettings()
    tracing: Literal["off", "otlp"] = Field(
        default="off",
        description="Where spans of commits and deliveries go: `otlp`, by OpenTelemetry over HTTP, as the "
        "standard `OTEL_…` variables say; needs the extra `otel`.",
    )
    drain_seconds: Annotated[Span, Field(ge=0)] = Field(
        default=10.0,
        description="Seconds that a stopping node gives its sessions to leave in order, from the end of "
        "the notice on.",
    )
    drain_notice_seconds: Annotated[Span, Field(ge=0)] = Field(
        default=0.0,
        description="Seconds for which a node told to stop by SIGTERM is not ready but goes on accepting "
        "and serving, until the balancer has noticed.",
    )
    drain_spread_seconds: Annotated[Span, Field(ge=0)] = Field(
        default=0.0,
        description="Seconds within which it then closes its sessions, in random order, so that their "
        "clients don't all come back at once; 0: in one go. Part of `drain_seconds`.",
    )
    drain_sessions_per_second: Rate = Field(
        default=100.0,
        description="Sessions that it closes in a second; more only where `drain_spread_seconds` would "
        "not be enough.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the arguments alone: ``load`` merges the sources and knows which said what."""
        return (init_settings,)

    @field_validator("redis_url")
    @classmethod
    def _reachable(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            if value is not None:
                urls.parse(value.get_secret_value())
        except urls.WrongUrl as error:
            raise PydanticCustomError("refused", "{problem}", {"problem": str(error)}) from None
        return value

    @field_validator("data_dir")
    @classmethod
    def _anchored(cls, value: Path) -> Path:
        return absolute(value)

    @model_validator(mode="after")
    def _time_to_leave(self) -> Self:
        if self.drain_spread_seconds:
            in_order(self, "drain_spread_seconds", "drain_seconds")
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        taken: dict[tuple[str, int], str] = {}
        places = [(f"listeners[{i}]", it.host, it.port) for i, it in enumerate(self.listeners)]
        for name, host, port in [*places, ("ops", self.ops.host, self.ops.port)]:
            if port and (other := taken.setdefault((host, port), name)) != name:
                fields = ("listeners", "ops") if name == "ops" else ("listeners",)
                raise PydanticCustomError(
                    "relation",
                    "{pair} are both {host} port {port}: give each a port of its own",
                    {"pair": f"{other} and {name}", "host": host, "port": port, "fields": fields},
                )
        return self


def default_data_dir() -> Path:
    """Return the folder for data where none is set, by the XDG Base Directory Specification."""
    stated = Path(os.environ.get("XDG_DATA_HOME", ""))
    if stated.is_absolute():  # the specification: a relative one is to be ignored
        return stated / "tertulia"
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    # A service user may have no home at all.
    return home / ".local/share/tertulia" if home.is_absolute() else Path("/var/lib/tertulia")


def default_node_id() -> str:
    """Return a new node id: host, process and a random part, for a node that was given none."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:40] or "node"
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


def load(config: Path | None, overrides: Mapping[str, object]) -> Settings:
    """Read and validate the settings: overrides, before the environment, before the TOML file.

    ``overrides`` has keys as in TOML; a value of None is one that was not given.
    Raises SettingsError with every problem found.
    """
    return read(Settings, config, overrides, OPTIONS)
