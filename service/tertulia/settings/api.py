"""Settings of ``tertulia api``: where it listens, whom it lets in, what they may take."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tertulia.domain.addresses import is_host
from tertulia.settings.values import Count, Host, Port, Rate, Seconds, Section, absolute


class ApiSettings(Section):
    """The HTTP API, a process of its own beside the nodes."""

    host: Host = Field(
        default="127.0.0.1", description="The address on which `tertulia api` listens."
    )
    port: Port = Field(default=8088, description="Its TCP port; 0 for any free one.")
    tokens: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="The file with the tokens of those who may use the API, and what each of them may do; "
        "`tertulia api token` makes one. Read anew when it changes.",
        json_schema_extra={"shown": "none: nobody may"},
    )
    certificate: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="A PEM file with the certificate and its chain: the API is HTTPS. A new one is taken in "
        "use by itself.",
        json_schema_extra={"shown": "none, in the clear"},
    )
    key: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="The PEM file with the certificate's private key, without a password.",
        json_schema_extra={"shown": "in the certificate's file"},
    )
    connections: Count = Field(
        default=2000,
        description="Connections that may be open at once; streams of events among them.",
    )
    streams: Count = Field(default=1000, description="Streams of events that may be open at once.")
    streams_per_token: Count = Field(
        default=50, description="Those of one token that may be open at once."
    )
    requests_per_second: Rate = Field(
        default=50.0, description="Requests per second that one token may go on sending."
    )
    requests_burst: Count = Field(
        default=200,
        description="Requests of one token that may come at once before that rate holds.",
    )
    webhooks: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="The file with the webhooks: who is told of what happens in which rooms, and with which "
        "secret that is signed. Read anew when it, or a secret's file, changes.",
        json_schema_extra={"shown": "none"},
    )
    webhook_timeout_seconds: Seconds = Field(
        default=10.0, description="Seconds within which a webhook's receiver has to answer."
    )
    webhook_tries: Count = Field(
        default=40,
        description="Times that a delivery is tried, over about eight hours, before it is given up and kept "
        "for looking at; a receiver that answers 410 wants nothing more.",
    )
    webhook_hours: Annotated[float, Field(gt=0, le=8760)] = Field(
        default=12.0,
        description="Hours after which a delivery is given up, however often it was tried. Less than the log "
        "keeps (`cluster.log_age_seconds`), so that what comes after it is still there.",
    )
    webhook_proxy: SecretStr | None = Field(
        default=None,
        description="The proxy by which webhooks go, as a URL: `http://proxy.example.org:3128`. Then it "
        "decides which addresses may be reached. That of the environment is not used.",
        json_schema_extra={"shown": "none"},
    )

    @field_validator("webhook_proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_proxy(value.get_secret_value()):
            right = "this is no proxy: it should be like http://proxy.example.org:3128"
            raise PydanticCustomError("refused", "{right}", {"right": right})
        return value

    @model_validator(mode="after")
    def _key_of_something(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise PydanticCustomError(
                "relation",
                "there is a key without a certificate: set certificate as well",
                {"fields": ("key",)},
            )
        return self


def _is_proxy(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_port = url.port is None or url.port > 0
    except ValueError:
        return False
    is_bare = url.path in ("", "/") and not url.query and not url.fragment
    return url.scheme in ("http", "https") and is_host(url.hostname or "") and has_port and is_bare
