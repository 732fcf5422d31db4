"""Every setting once: its name, unit, default and reason; where it may come from; what is wrong.

Sources, the stronger first: options of the command, environment variables ``TERTULIA_…`` (nested
with ``__``, lists as JSON), a TOML file. Nothing is read when this module is imported.
"""

import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tertulia.domain.addresses import is_host
from tertulia.settings import redis_url as urls
from tertulia.settings.sources import SettingsError as SettingsError  # raised by load
from tertulia.settings.sources import read, shown

DEFAULT_PORTS: dict[str, int] = {
    "chatte": 1234,
    "protocollo": 6789,
    "browser": 8080,
    "device": 4242,
}
"""The finished dialects and the port on which each listens unless told otherwise."""

OPTIONS: dict[str, str] = {
    "redis_url": "--redis-url",
    "data_dir": "--data-dir",
    "listeners": "--listen",
    "ops": "--ops",
    "node_id": "--node-id",
    "log.format": "--log-format",
}
"""Which option of the command sets which key, so that an error names what was typed."""

_SHORTEST = 0.001
_LONGEST = 1e9
_MOST = 1_000_000_000_000
"""Beyond these, a number is a mistake, and more than timers and Redis can take: a millisecond, some 30
years, a terabyte."""

Span = Annotated[float, Field(le=_LONGEST, allow_inf_nan=False)]
Seconds = Annotated[Span, Field(ge=_SHORTEST)]
Rate = Annotated[float, Field(ge=_SHORTEST, le=_MOST, allow_inf_nan=False)]
Size = Annotated[int, Field(le=_MOST)]
Count = Annotated[Size, Field(gt=0)]


def _host(value: str) -> str:
    if not is_host(value):
        right = "it should be a host's name or its address"
        raise PydanticCustomError(
            "refused", "{value} is wrong: {right}", {"value": shown(value), "right": right}
        )
    return value


CHAT = r"^[a-z0-9-]{1,32}$"
"""What a chat may be called."""
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=0, le=65535)]


def _network(value: object) -> object:
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        right = "it should be an address or a network, like 192.0.2.10 or 10.0.0.0/8"
        raise PydanticCustomError(
            "refused", "{value} is wrong: {right}", {"value": shown(value), "right": right}
        ) from None


Network = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_network)]


def _absolute(path: Path) -> Path:
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - Path's raises without a home


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_order(section: BaseModel, *names: str) -> None:
    """Refuse a section whose named values do not strictly rise."""
    values = [getattr(section, name) for name in names]
    if values != sorted(set(values)):
        stated = ", ".join(f"{name} is {value}" for name, value in zip(names, values, strict=True))
        raise PydanticCustomError(
            "relation",
            "{stated}: they should be {order}",
            {"stated": stated, "order": " < ".join(names), "fields": names},
        )


CLASSIC_ANSWER_BYTES = 199
"""What the old device program has room for, in an array of 200."""
MIN_ANSWER_BYTES = 100
"""So that a line of operation 100 fits, whoever it is about."""
MAX_ANSWER_BYTES = 65_535
"""What a string of ``device`` holds."""


def _is_classic_device(data: Mapping[str, object]) -> bool:
    return (data.get("dialect"), data.get("wording")) == ("device", "classic")


class ListenerSettings(_Section):
    """One address on which clients of one dialect are accepted."""

    dialect: str = Field(description="The protocol that clients speak here.")
    host: Host = Field(
        default="127.0.0.1",
        description="The address to listen on; only this machine, unless you say otherwise.",
    )
    port: Port = Field(
        default_factory=lambda data: DEFAULT_PORTS[data["dialect"]],
        description="The TCP port; 0 for any free one.",
        json_schema_extra={"shown": "the dialect's own"},
    )
    chat: str = Field(
        default="main",
        pattern=CHAT,
        description="The chat that its clients enter, so that one node may serve several.",
    )
    encoding: Literal["utf-8", "latin-1"] = Field(
        default="utf-8",
        description="How text is written, as old clients cannot read UTF-8; in `latin-1` is "
        "transliterated what that has no sign for.",
    )

    wording: Literal["page", "classic"] = Field(
        default="page",
        description="`chatte` and `protocollo`: the words of its page, or what the author's old client wants "
        "beyond them; of `protocollo`, exactly what that parses, in Latin-1. `device`: `classic` for the old "
        "program, which has room for short answers only.",
    )
    answer_bytes: int = Field(
        default_factory=lambda data: CLASSIC_ANSWER_BYTES if _is_classic_device(data) else 0,
        ge=0,
        le=MAX_ANSWER_BYTES,
        description="`device` only: bytes that an answer of 100, 200 or 20 may have, as old programs have "
        "room for no more; what does not fit is shown the next time. At least 100; 0: no bound.",
        json_schema_extra={"shown": "0; 199 where `wording` is `classic`"},
    )
    prompt: str = Field(
        default="",
        max_length=200,
        description="`protocollo` only: a line written before the name is read; none, as a client may "
        "take it for the answer to its name.",
    )
    origins: tuple[str, ...] = Field(
        default=(),
        description="`browser` only: origins of other sites whose pages may connect, like "
        "`https://example.org`; the host itself always may.",
    )
    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.:-]+$")], ...] = Field(
        default=(),
        description="`browser` only: the names by which browsers may call this listener, in small "
        "letters and without a port, like `chat.example.org`; none: any. Where they are set, no other "
        "site can point its own name here and so speak in its visitor's.",
    )

    messages_per_second: Rate | None = Field(
        default=None,
        description="What `limits.messages_per_second` is for its clients, where they are programs or "
        "strangers.",
        json_schema_extra={"shown": "that of `limits`"},
    )
    messages_burst: Count | None = Field(
        default=None,
        description="What `limits.messages_burst` is for its clients.",
        json_schema_extra={"shown": "that of `limits`"},
    )

    certificate: Path | None = Field(
        default=None,
        description="A PEM file with the certificate and its chain: clients speak TLS (1.2 or 1.3) here. "
        "A new one is taken in use by itself, and on SIGHUP.",
        json_schema_extra={"shown": "none, in the clear"},
    )
    key: Path | None = Field(
        default=None,
        description="The PEM file with the certificate's private key, without a password.",
        json_schema_extra={"shown": "in the certificate's file"},
    )

    @field_validator("answer_bytes")
    @classmethod
    def _holds_a_line(cls, value: int) -> int:
        if 0 < value < MIN_ANSWER_BYTES:
            raise PydanticCustomError(
                "refused",
                "{value} is too little for a line: it should be 0, for no bound, or at least {least}",
                {"value": value, "least": MIN_ANSWER_BYTES},
            )
        return value

    @field_validator("certificate", "key")
    @classmethod
    def _anchored(cls, value: Path | None) -> Path | None:
        return None if value is None else _absolute(value)

    @model_validator(mode="after")
    def _key_of_something(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise PydanticCustomError(
                "relation",
                "there is a key without a certificate: set certificate as well",
                {"fields": ("key",)},
            )
        return self

    @field_validator("dialect")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DEFAULT_PORTS:
            raise PydanticCustomError(
                "refused",
                "there is no dialect {dialect}: it should be one of {known}",
                {"dialect": shown(value), "known": ", ".join(sorted(DEFAULT_PORTS))},
            )
        return value


class OpsSettings(_Section):
    """Where the operator's HTTP answers: health, readiness, metrics."""

    host: Host = Field(
        default="127.0.0.1", description="The address of the operator's HTTP; never the public one."
    )
    port: Port = Field(
        default=9464, description="Its TCP port; 0 for any free one. 9464 is usual for Prometheus."
    )


class LimitSettings(_Section):
    """What one client, one address, and all together may take."""

    commands_per_second: Rate = Field(
        default=1000.0,
        description="Commands per second that a session may go on sending; one that sends more is "
        "read more slowly, so that it cannot take the room's share.",
    )
    commands_burst: Count = Field(
        default=2000, description="Commands that may come at once before that rate holds."
    )
    messages_per_second: Rate = Field(
        default=50.0,
        description="Public and private messages per second that a session may go on sending; one that says "
        "more is told so and read more slowly, so that nobody fills everybody's screen.",
    )
    messages_burst: Count = Field(
        default=200, description="Messages that may come at once before that rate holds."
    )
    bytes_per_second: Count = Field(
        default=1_048_576,
        description="Bytes per second that a session may go on sending; a faster one is slowed.",
    )
    bytes_burst: Annotated[Size, Field(ge=8192)] = Field(
        default=4_194_304,
        description="Bytes that may come at once before that rate holds; at least 8192, so that "
        "the longest line passes.",
    )
    connections_per_address: Count = Field(
        default=20_000,
        description="Connections from one address; generous, as many people may share one.",
    )
    connections: Count = Field(
        default=60_000,
        description="Connections in all, to stay below what memory allows; fewer, where the system allows "
        "too few open files.",
    )
    enter_seconds: Seconds = Field(
        default=60.0,
        description="Seconds within which a new connection has to choose a nickname, so that idle "
        "ones go.",
    )
    operation_seconds: Seconds = Field(
        default=30.0,
        description="Seconds that a device may be silent inside an operation; who waits for a chat "
        "partner may be silent for as long as it likes.",
    )
    enter_tries: Count = Field(
        default=20,
        description="Nicknames that may be refused on one connection before it is closed, so that "
        "nobody guesses for ever.",
    )
    outbox_bytes: Count = Field(
        default=4_194_304,
        description="Bytes that may wait for one reader before it is disconnected, so that it "
        "cannot slow the room.",
    )
    outbox_pause_bytes: Count = Field(
        default=65_536,
        description="Bytes waiting for one client from which on it is not read from either, so "
        "that it takes its answers first.",
    )
    uncommitted_commands: Count = Field(
        default=64,
        description="Commands of one session that may wait for Redis before it is not read "
        "further: what is lost if the node dies.",
    )
    logins_waiting: Count = Field(
        default=400,
        description="Passwords that may wait to be verified before the next one's connection is "
        "closed, half of them from one network: each takes a core for about 0.2 s, and nobody should "
        "wait for long.",
    )
    long_lines: Count = Field(
        default=5,
        description="Too long lines that a connection may send before it is disconnected.",
    )

    def on(self, listener: ListenerSettings) -> Self:
        """Return those that hold on a listener."""
        names = ("messages_per_second", "messages_burst")
        own = {name: value for name in names if (value := getattr(listener, name)) is not None}
        return self.model_copy(update=own)

    @model_validator(mode="after")
    def _paused_before_disconnected(self) -> Self:
        _in_order(self, "outbox_pause_bytes", "outbox_bytes")
        return self


class ClusterSettings(_Section):
    """How nodes notice one another's end, and what Redis keeps. Equal on all nodes of a chat."""

    lease_seconds: Seconds = Field(
        default=10.0,
        description="Seconds for which a node's claim on its sessions holds: how long a frozen "
        "node's nicknames stay taken.",
    )
    heartbeat_seconds: Seconds = Field(
        default=1.0, description="Seconds between the renewals of an idle node's lease."
    )
    silence_seconds: Seconds = Field(
        default=3.0,
        description="Seconds without a renewal after which a node that Redis no longer sees is "
        "taken for dead, before its lease is out; also one that is only cut off, with its connections "
        "closed.",
    )
    log_age_seconds: Seconds = Field(
        default=86_400.0,
        description="Seconds for which a room's log keeps its events, for nodes that lost touch.",
    )
    log_bytes: Annotated[Size, Field(ge=1_048_576)] = Field(
        default=67_108_864,
        description="Bytes that a room's log may take in Redis; at least 1048576, to hold more "
        "than a few batches.",
    )
    batch_ops: Count = Field(
        default=512, description="Operations in one commit, so that none holds up Redis for long."
    )
    batch_bytes: Annotated[Size, Field(ge=65_536)] = Field(
        default=262_144,
        description="Bytes in one commit, for the same reason; at least 65536, so that the longest "
        "message passes.",
    )
    redis_timeout_seconds: Seconds = Field(
        default=3.0,
        description="Seconds to wait for Redis' answer before the connection counts as lost.",
    )
    embedded_fsync: Literal["always", "everysec"] = Field(
        default="always",
        description="When the embedded Redis writes to disk: `always`, before each answer; "
        "`everysec` is quicker and may lose a second when the machine fails.",
    )
    pending_messages: Count = Field(
        default=1000,
        description="Messages of one sender that may wait for an account, so that nobody fills Redis.",
    )
    pending_sender_bytes: Size = Field(
        default=262_144,
        description="Bytes of one sender's messages that may wait for an account: the text, 64 for each "
        "message and 512 for the sender. One message may always.",
    )
    pending_bytes: Annotated[Size, Field(ge=65_536)] = Field(
        default=1_048_576,
        description="Bytes of all messages that may wait for an account, counted so; half of it is for "
        "senders with accounts. At least 65536.",
    )
    device_login_seconds: Seconds = Field(
        default=86_400.0,
        description="Seconds for which a device stays logged in after its last operation. Until then whoever "
        "has its address is taken for it: shorter where addresses pass from one to another.",
    )
    confirm_seconds: Seconds = Field(
        default=30.0,
        description="Seconds for which a private message waits for the acknowledgement of a client "
        "that acknowledges.",
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _in_order(self, "heartbeat_seconds", "silence_seconds", "lease_seconds")
        _in_order(self, "redis_timeout_seconds", "lease_seconds")
        return self


class AccountSettings(_Section):
    """Who may make an account, and what devices learn of each other. Equal on all nodes of a chat."""

    registration: Literal["open", "closed"] = Field(
        default="open",
        description="Who may make an account: `open`, anybody; `closed`, only operators, by `tertulia "
        "account add`.",
    )
    sign_ups_per_hour: Count = Field(
        default=30,
        description="Accounts that may be made from one network (an IPv4 address, a /64 of IPv6) in an "
        "hour, over all nodes: so many at once, then one whenever its share of the hour is over.",
    )
    device_addresses: Literal["onchat", "answered"] = Field(
        default="onchat",
        description="To whom operation 12 of `device` tells where somebody's device is: `onchat`, as the "
        "protocol has it, also to who waits for somebody that never answers; `answered`, only to whom it "
        "has entered the chat of, or was brought together with.",
    )


class LogSettings(_Section):
    """What the node tells on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important kind of line that is written."
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="`console` for people, `json` for machines; `auto`: `console` on a terminal.",
    )


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
        default_factory=lambda: tuple(ListenerSettings(dialect=name) for name in DEFAULT_PORTS),
        min_length=1,
        description="The addresses on which clients are accepted, each with its dialect.",
        json_schema_extra={"shown": "every dialect on its own port of 127.0.0.1"},
    )
    ops: OpsSettings = OpsSettings()
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
        if value is not None and (problem := urls.problem(value.get_secret_value())):
            raise PydanticCustomError("refused", "{problem}", {"problem": problem})
        return value

    @field_validator("data_dir")
    @classmethod
    def _anchored(cls, value: Path) -> Path:
        return _absolute(value)

    @model_validator(mode="after")
    def _time_to_leave(self) -> Self:
        if self.drain_spread_seconds:
            _in_order(self, "drain_spread_seconds", "drain_seconds")
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
