"""The kinds of values that settings have, and what is said of a wrong one."""

import ipaddress
import os
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)
from pydantic_core import PydanticCustomError

from tertulia.domain.addresses import is_host
from tertulia.settings.command_line import shown

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


def absolute(path: Path) -> Path:
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - Path's raises without a home


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def in_order(section: BaseModel, *names: str) -> None:
    """Refuse a section whose named values do not strictly rise."""
    values = [getattr(section, name) for name in names]
    if values != sorted(set(values)):
        stated = ", ".join(f"{name} is {value}" for name, value in zip(names, values, strict=True))
        raise PydanticCustomError(
            "relation",
            "{stated}: they should be {order}",
            {"stated": stated, "order": " < ".join(names), "fields": names},
        )
