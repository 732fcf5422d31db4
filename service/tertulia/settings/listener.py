"""Settings of an address on which clients are accepted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tertulia.settings.sources import shown
from tertulia.settings.values import CHAT, Count, Host, Port, Rate, Section, absolute

DEFAULT_PORTS: dict[str, int] = {
    "chatte": 1234,
    "protocollo": 6789,
    "browser": 8080,
    "device": 4242,
}
"""The finished dialects and the port on which each listens unless told otherwise."""


CLASSIC_ANSWER_BYTES = 199
"""What the old device program has room for, in an array of 200."""
MIN_ANSWER_BYTES = 100
"""So that a line of operation 100 fits, whoever it is about."""
MAX_ANSWER_BYTES = 65_535
"""What a string of ``device`` holds."""


def _is_classic_device(data: Mapping[str, object]) -> bool:
    return (data.get("dialect"), data.get("wording")) == ("device", "classic")


class ListenerSettings(Section):
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
