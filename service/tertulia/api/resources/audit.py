"""Who did what in a room."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tertulia.api.callers import Moderating
from tertulia.api.tokens import Scope
from tertulia.api.values import Items, moment
from tertulia.domain.moderation import OWNERS
from tertulia.domain.operator_commands import Action
from tertulia.operators.overview import Audited, LogOverview

router = APIRouter(tags=["moderation"])

_OF_ROOMS: Final = OWNERS | {Action.SAY, Action.LASTING, Action.CLOSE}
"""What moderators may know of. The lobby's audit log has whom operators banned as well, with addresses."""


class AuditedBody(BaseModel):
    """Something that somebody did."""

    at: datetime
    by: str
    action: str
    subject: str = Field(description="A folded nickname, a ban's name, or empty")
    text: str = Field(description="The reason, or what was said")
    value: str


@router.get("/rooms/{room}/audit")
async def get_audit(
    place: Moderating, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> Items[AuditedBody]:
    """List the last that operators and moderators did in a room, oldest first.

    The lobby's has what was done in the whole chat, bans for example, for the scope operate alone.
    """
    caller = place.caller
    overview = await caller.deployment.room(caller.chat, place.room)
    found = await _last(overview, limit, knows_all=caller.may(Scope.OPERATE))
    return Items(
        items=[
            AuditedBody(
                at=moment(it.at),
                by=it.command.by,
                action=it.command.action.value,
                subject=it.command.subject,
                text=it.command.text,
                value=it.command.value,
            )
            for it in found
        ]
    )


async def _last(overview: LogOverview, limit: int, *, knows_all: bool) -> list[Audited]:
    most = limit
    while True:
        read = await overview.audited(most)
        found = [it for it in read if knows_all or it.command.action in _OF_ROOMS]
        if len(found) >= limit or len(read) < most:
            return found[-limit:]
        most *= 4
