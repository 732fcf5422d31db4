"""Who is told of what: a TOML file of webhooks.

[[webhooks]]
name = "tickets"
url = "https://tickets.example.org/hooks/tertulia"
secret_file = "/run/secrets/tickets"
rooms = ["ops", "lobby"]
events = ["said"]
"""

import hashlib
import ipaddress
import re
import ssl
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import httpx
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from tertulia.api.event_stream import EVENTS
from tertulia.domain.rooms import is_room

MOST_ROOMS: Final = 100
MOST_HOOKS: Final = 100
SHORTEST_SECRET: Final = 16
_LOOPBACK_NAMES: Final = ("localhost", "localhost.")


class Webhook(BaseModel):
    """A program that is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
    """In Redis, logs and metrics."""
    url: str
    """It may be a secret itself: it is in no log and no metric."""
    secret: SecretStr | None = None
    secret_file: Path | None = None
    chat: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = "main"
    rooms: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_ROOMS)]
    """Further rooms, without ``#``, and ``lobby``."""
    events: Annotated[frozenset[str], Field(min_length=1)] = frozenset({"said"})
    start: Annotated[Literal["now"], Field(alias="from")] = "now"
    """Where it begins in a room: at the end of the log, when it is there for the first time."""
    allow_http: bool = False
    ca_file: Path | None = None
    """The certificates that the receiver's own has to be signed by; None: the system's."""

    @field_validator("rooms")
    @classmethod
    def _are_rooms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for room in value:
            if room == "*":
                raise ValueError(
                    f"a webhook names its rooms, at most {MOST_ROOMS}: there is no * for all of them"
                )
            if not is_room(room):
                raise ValueError("a room is 1 to 32 of a-z 0-9 . _ + -, without #; or lobby")
        return tuple(dict.fromkeys(value))

    @field_validator("events")
    @classmethod
    def _are_events(cls, value: frozenset[str]) -> frozenset[str]:
        if not value <= EVENTS:
            raise ValueError(f"an event is one of {', '.join(sorted(EVENTS))}")
        return value

    @model_validator(mode="after")
    def _is_told_safely(self) -> Self:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            raise ValueError("the url is none") from None
        if url.scheme not in ("http", "https") or not _is_host(url):
            raise ValueError("the url has to begin with https:// and a host")
        if url.userinfo:
            raise ValueError("the url has a user or a password: the signature says who sends")
        if url.scheme == "http" and not self.allow_http and not _is_loopback(url.host):
            raise ValueError(
                "the url is not https: everybody on the way could read it; allow_http = true allows it"
            )
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("it needs a secret_file, or a secret: one of them")
        return self

    @property
    def receiver(self) -> str:
        """The digest of where it goes: the same as long as it is the same receiver."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


class Signed(BaseModel):
    """A webhook with the secret that its file has."""

    model_config = ConfigDict(frozen=True)

    hook: Webhook
    key: SecretStr
    authority: str = ""
    """The digest of what its ``ca_file`` has: other certificates make it another one."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    webhooks: Annotated[list[Webhook], Field(max_length=MOST_HOOKS)] = []


class WebhooksUnusable(Exception):
    """The file can't be used. The text says where, why, and what to do; no secret is in it."""


class Webhooks:
    """The webhooks of a file, as they were when it was read."""

    def __init__(self, file: Path, hooks: Sequence[Signed]) -> None:
        self._file = file
        self.hooks = tuple(hooks)

    def __len__(self) -> int:
        return len(self.hooks)

    @property
    def files(self) -> list[Path]:
        """The files that say what holds: this one, and those with the secrets and the certificates."""
        named = [file for it in self.hooks for file in (it.hook.secret_file, it.hook.ca_file)]
        return [self._file, *(self._file.parent / it for it in named if it is not None)]

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file, and the files of secrets in it. Raises WebhooksUnusable."""
        what = f"api.webhooks {file}"
        text = _read(file, what)
        try:
            given = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # a number too long, tables too deep
            raise WebhooksUnusable(f"{what} is no TOML ({error})") from None
        try:
            read = _File.model_validate(given)
        except ValidationError as error:
            raise WebhooksUnusable(f"{what}: {_first(error)}") from None
        hooks: dict[tuple[str, str], Signed] = {}
        for hook in read.webhooks:
            if (hook.chat, hook.name) in hooks:
                raise WebhooksUnusable(f"{what}: {hook.name} is there twice")
            hooks[hook.chat, hook.name] = _signed(hook, what, file.parent)
        return cls(file, list(hooks.values()))


def _signed(hook: Webhook, what: str, beside: Path) -> Signed:
    key, authority = _key(hook, what, beside), ""
    if hook.ca_file is not None:
        hook = hook.model_copy(update={"ca_file": beside / hook.ca_file})
        authority = _authority(hook, what)
    return Signed(hook=hook, key=key, authority=authority)


def _authority(hook: Webhook, what: str) -> str:
    assert hook.ca_file is not None
    try:
        ssl.create_default_context(cafile=str(hook.ca_file))
        return hashlib.sha256(hook.ca_file.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it has no certificates"
        raise WebhooksUnusable(
            f"{what}: {hook.name}: ca_file {hook.ca_file} can't be used ({why})"
        ) from None


def _key(hook: Webhook, what: str, beside: Path) -> SecretStr:
    if hook.secret is not None:
        key = hook.secret.get_secret_value()
    else:
        assert hook.secret_file is not None
        where = beside / hook.secret_file
        key = _read(where, f"{what}: {hook.name}: secret_file {where}").strip()
    if len(key) < SHORTEST_SECRET:
        raise WebhooksUnusable(
            f"{what}: {hook.name}: its secret has fewer than {SHORTEST_SECRET} characters"
        )
    return SecretStr(key)


def _read(file: Path, what: str) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:  # a name with a NUL in it
        no_text = (
            "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else "no file has that name"
        )
        why = getattr(error, "strerror", None) or no_text
        raise WebhooksUnusable(f"{what} can't be read ({why})") from None


def _is_host(url: httpx.URL) -> bool:
    is_name = re.fullmatch(rb"[A-Za-z0-9._-]+", url.raw_host) is not None
    return is_name or _address(url.host) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host.lower() in _LOOPBACK_NAMES if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in problem["loc"])
    return f"{where}: {problem['msg']}"
