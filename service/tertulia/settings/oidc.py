"""Settings of an OpenID issuer, by whose word people enter on the page."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from tertulia.settings.command_line import shown
from tertulia.settings.values import Section, absolute

_HERE = ("127.0.0.1", "::1", "localhost")


def _is_safe(value: str) -> bool:
    """Say whether what comes from a URL is from the host in it: over TLS, or on this machine."""
    try:
        url = urlsplit(value)
        return (url.scheme == "https" and bool(url.hostname)) or (
            url.scheme == "http" and url.hostname in _HERE
        )
    except ValueError:
        return False


def _url(value: str) -> str:
    if not _is_safe(value):
        raise PydanticCustomError(
            "refused",
            "{value} is wrong: it should be an https:// URL (http:// only for this machine)",
            {"value": shown(value)},
        )
    return value


def _jwks(value: str) -> str:
    if not value:
        return value
    if "://" in value:
        return _url(value)
    return str(absolute(Path(value)))


class OidcSettings(Section):
    """An OpenID issuer, and what is believed of what it says."""

    issuer: Annotated[str, AfterValidator(_url)] = Field(
        description="The issuer's URL, exactly as its ID tokens have it in `iss`."
    )
    client_id: str = Field(
        min_length=1,
        max_length=200,
        description="This service's name at the issuer: a public client (PKCE), whose redirect URL is the "
        "page's own.",
    )
    jwks: Annotated[str, AfterValidator(_jwks)] = Field(
        default="",
        description="Where the issuer's keys are: a URL, or a file with a JWK set; empty: where the issuer's "
        "`/.well-known/openid-configuration` says.",
    )
    claim: str = Field(
        default="preferred_username",
        min_length=1,
        max_length=100,
        description="The claim that is the nickname.",
    )
    connect: tuple[Annotated[str, AfterValidator(_url)], ...] = Field(
        default=(),
        description="Further origins that the page has to reach, where the issuer's token endpoint is not at "
        "the issuer's own origin.",
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that the page connects to."""
        urls = map(urlsplit, (self.issuer, *self.connect))
        return tuple(dict.fromkeys(f"{url.scheme}://{url.netloc}" for url in urls))
