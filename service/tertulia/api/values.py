"""What requests and answers are made of: lists, moments, texts, names."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tertulia.domain.moderation import MOST_WORDS
from tertulia.domain.nicknames import is_valid, is_well_formed
from tertulia.domain.operator_commands import LONGEST_SECONDS, MOST_TEXT
from tertulia.domain.text import clean, clean_lines

_T = TypeVar("_T")
_MOST_MEMBERS: Final = 100
_LINE_ENDS: Final = re.compile(r"\s*[\r\n\u2028]+\s*")


class Items(BaseModel, Generic[_T]):
    """A list."""

    items: list[_T]


class RequestBody(BaseModel):
    """What is sent. What nobody knows is refused: a wrong word for `seconds` would ban for good."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few(cls, given: Any) -> Any:
        # Before each of them is looked at: what is wrong with ten thousand takes long to say.
        if isinstance(given, dict) and len(given) > _MOST_MEMBERS:
            raise ValueError("it has too many members")
        return given


def moment(milliseconds: int) -> datetime:
    """Return a moment, from milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def moment_or_none(milliseconds: int | None) -> datetime | None:
    """Return a moment; None for 0 and None, which stand for none."""
    return moment(milliseconds) if milliseconds else None


def _short(most: int, cleaned: Callable[[str], str]) -> AfterValidator:
    def check(value: str) -> str:
        text = cleaned(value).strip()
        if len(text.encode()) > most:
            raise ValueError(f"longer than {most} bytes in UTF-8")
        return text

    return AfterValidator(check)


def _in_one_line(text: str) -> str:
    return clean(_LINE_ENDS.sub(" ", text.strip()))


def _said(text: str) -> str:
    if not text:
        raise ValueError("there is nothing to say")
    return text


def plain_name(value: str) -> str:
    """Return a nickname of a path: it may have ``@`` in front.

    ``.`` and ``..`` are nicknames, and parts of a path that clients and proxies take out.
    """
    return value.removeprefix("@")


def _nickname(value: str) -> str:
    if not is_well_formed(value):
        raise ValueError("a nickname is 1 to 32 of A-Z a-z 0-9 . _ + -")
    return value


def _new_nickname(value: str) -> str:
    if not is_valid(value):
        raise ValueError("a nickname is 1 to 32 of A-Z a-z 0-9 . _ + -, and no reserved word")
    return value


Words = Annotated[str, _short(MOST_WORDS, _in_one_line)]
"""A topic or a reason that everybody reads."""
Reason = Annotated[str, _short(MOST_TEXT, _in_one_line)]
"""A reason that only the person reads whom it is about."""
Announcement = Annotated[str, _short(MOST_TEXT, clean_lines), AfterValidator(_said)]
ReasonQuery = Annotated[Reason, Query(description="Why; told to whom it is about")]
Nickname = Annotated[
    str,
    AfterValidator(plain_name),
    AfterValidator(_nickname),
    Path(description="Compared without case; `.` and `..` are `@.` and `@..` here"),
]
NewNickname = Annotated[
    str,
    AfterValidator(plain_name),
    AfterValidator(_new_nickname),
    Path(description="Of the new account; `.` and `..` are `@.` and `@..` here"),
]
SpanSeconds = Annotated[int, Field(ge=1, le=LONGEST_SECONDS)]
