"""Bans: who may not enter the chat."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from tertulia.api.callers import Operating
from tertulia.api.values import (
    Items,
    Reason,
    RequestBody,
    SpanSeconds,
    moment,
    moment_or_none,
    plain_name,
)
from tertulia.domain.bans import Ban, BanKind, subject_of

router = APIRouter(tags=["bans"])

Subject = Annotated[
    str,
    Path(
        description="A nickname, an account, an address, or a network with its `/` as `%2F`; "
        "the nicknames `.` and `..` are `@.` and `@..` here"
    ),
]


class BanBody(BaseModel):
    """A ban that holds."""

    kind: BanKind
    subject: str
    until: datetime | None = Field(description="null: for good")
    reason: str
    by: str
    since: datetime


class MadeBanBody(BanBody):
    """A ban that was just made."""

    removed: list[str] = Field(description="Who was in the chat, and is not any more")


class BanningBody(RequestBody):
    """For how long somebody may not enter, and why."""

    seconds: SpanSeconds | None = Field(default=None, description="null: for good")
    reason: Reason = Field(default="", description="Told to whom it is about")


def _meant(kind: BanKind, subject: str) -> tuple[BanKind, str]:
    if kind is not BanKind.ADDRESS:
        subject = plain_name(subject)
    try:
        return subject_of(subject, kind)
    except ValueError as error:
        where = ("path", "subject")
        raise RequestValidationError([{"loc": where, "msg": str(error)}]) from error


def _fields(ban: Ban) -> dict[str, object]:
    return {
        "kind": ban.kind,
        "subject": ban.subject,
        "until": moment_or_none(ban.until),
        "reason": ban.reason,
        "by": ban.by,
        "since": moment(ban.since),
    }


@router.get("/bans")
async def get_bans(caller: Operating) -> Items[BanBody]:
    """List the bans, by kind and subject."""
    await caller.deployment.chats(caller.chat)
    found = await caller.deployment.overview(caller.chat).bans()
    return Items(items=[BanBody.model_validate(_fields(it)) for it in found])


@router.put("/bans/{kind}/{subject:path}")
async def ban(caller: Operating, kind: BanKind, subject: Subject, body: BanningBody) -> MadeBanBody:
    """Ban somebody, who is removed. In place of an earlier ban, it counts from now."""
    milliseconds = None if body.seconds is None else body.seconds * 1000
    made, removed = await caller.deployment.ban(
        caller.chat, *_meant(kind, subject), milliseconds, body.reason
    )
    return MadeBanBody.model_validate({**_fields(made), "removed": removed})


@router.delete("/bans/{kind}/{subject:path}", status_code=204)
async def unban(caller: Operating, kind: BanKind, subject: Subject) -> None:
    """End a ban."""
    await caller.deployment.operator(caller.chat).unban(*_meant(kind, subject))
