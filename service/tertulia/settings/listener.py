"""Settings of an address on which clients are accepted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tertulia.settings.command_line import CHAT, ROOM, shown
from tertulia.settings.oidc import OidcSettings
from tertulia.settings.values import Count, Host, Port, Rate, Section, absolute

DEFAULT_PORTS: dict[str, int] = {
    "chatte": 1234,
    "protocollo": 6789,
    "browser": 8080,
    "device": 4242,
    "irc": 6667,
}
"""The finished dialects and the port on which each listens unless told otherwise."""
IRC_TLS_PORT = 6697
"""The same for ``irc`` over TLS: RFC 7194."""

MAX_HISTORY = 500
"""Messages that newcomers read at most."""

CLASSIC_ANSWER_BYTES = 199
"""What the old device program has room for, in an array of 200."""
MIN_ANSWER_BYTES = 100
"""So that a line of operation 100 fits, whoever it is about."""
MAX_ANSWER_BYTES = 65_535
"""What a string of ``device`` holds."""


_NOT_OF_IRC = ("encoding", "wording", "answer_bytes", "prompt", "origins", "hosts")
_OF_IRC = ("network", "channel", "joins_lobby")


def _is_classic_device(data: Mapping[str, object]) -> bool:
    return (data.get("dialect"), data.get("wording")) == ("device", "classic")


def _own_port(data: Mapping[str, Any]) -> int:
    is_irc_over_tls = data["dialect"] == "irc" and data["certificate"] is not None
    return IRC_TLS_PORT if is_irc_over_tls else DEFAULT_PORTS[data["dialect"]]


class ListenerSettings(Section):
    """One address on which clients of one dialect are accepted."""

    dialect: str = Field(description="The protocol that clients speak here.")
    host: Host = Field(
        default="127.0.0.1",
        description="The address to listen on; only this machine, unless you say otherwise.",
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
    port: Port = Field(
        default_factory=_own_port,
        description="The TCP port; 0 for any free one.",
        json_schema_extra={"shown": "the dialect's own; 6697 for `irc` over TLS"},
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

    oidc: OidcSettings | None = Field(
        default=None,
        description="`browser` only: an OpenID issuer, by whose word people enter; see docs/sign-in.md.",
        json_schema_extra={"shown": "none"},
    )
    irc: bool = Field(
        default=False,
        description="`browser` only: whether clients of `irc` may connect as well, by WebSocket at `/irc` "
        "(subprotocols `text.ircv3.net` and `binary.ircv3.net`), under the same `origins` and `hosts`.",
        json_schema_extra={"shown": "`false`; `true` where no listeners are set"},
    )
    network: str = Field(
        default="tertulia",
        pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$",
        description="`irc`, and `browser` with `irc`: the name of the network and of its one server, which "
        "is everybody's host as well. The same on all nodes.",
    )
    channel: str = Field(
        default="lobby",
        pattern=ROOM,
        description="`irc`, and `browser` with `irc`: what the lobby is called there, without `#`. A further "
        "room of that name is out of reach of these clients.",
    )
    joins_lobby: bool = Field(
        default=True,
        description="`irc`, and `browser` with `irc`: whether clients are in the lobby's channel as soon as "
        "they are in; else they join it if they like.",
    )
    history: int = Field(
        default_factory=lambda data: 50 if data.get("dialect") in ("browser", "irc") else 0,
        ge=0,
        le=MAX_HISTORY,
        description="How many of the last messages a newcomer reads on entering, marked as past; at most "
        "500. 0: none, and nobody looks further back or searches. Not for `device`. How far back the log "
        "goes, say `cluster.log_age_seconds` and `cluster.log_bytes`.",
        json_schema_extra={"shown": "50 for `browser` and `irc`, 0 for the others"},
    )

    filter: Path | None = Field(
        default=None,
        description="A file of patterns, one a line: a message of its clients that has one of them is "
        "refused, and its sender alone reads so. Read again on SIGHUP; see docs/moderation.md. Not for "
        "`device`.",
        json_schema_extra={"shown": "none, all is passed on"},
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

    @field_validator("certificate", "key", "filter")
    @classmethod
    def _anchored(cls, value: Path | None) -> Path | None:
        return None if value is None else absolute(value)

    @model_validator(mode="after")
    def _key_of_something(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise PydanticCustomError(
                "relation",
                "there is a key without a certificate: set certificate as well",
                {"fields": ("key",)},
            )
        return self

    @model_validator(mode="after")
    def _signs_in_on_a_page(self) -> Self:
        if self.oidc is not None and self.dialect != "browser":
            raise PydanticCustomError(
                "relation",
                "oidc is for listeners of the dialect browser: remove it here",
                {"fields": ("oidc",)},
            )
        return self

    @model_validator(mode="after")
    def _speaks_irc(self) -> Self:
        foreign: tuple[str, ...]
        if self.dialect == "irc":
            foreign, what = _NOT_OF_IRC, "nothing on listeners of the dialect irc"
        elif self.irc and self.dialect == "browser":
            return self
        elif self.dialect == "browser":
            foreign, what = _OF_IRC, "something on listeners of browser only where irc is true"
        else:
            foreign, what = ("irc", *_OF_IRC), "something only where clients of irc come in"
        for name in foreign:
            usual = type(self).model_fields[name].get_default()
            if name not in self.model_fields_set or getattr(self, name) == usual:
                continue
            raise PydanticCustomError(
                "relation",
                "{name} means {what}: remove it here",
                {"name": name, "what": what, "fields": (name,)},
            )
        return self

    @model_validator(mode="after")
    def _filters_what_is_said(self) -> Self:
        if self.filter is not None and self.dialect == "device":
            raise PydanticCustomError(
                "relation",
                "filter is for listeners of people in the room: remove it here",
                {"fields": ("filter",)},
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
