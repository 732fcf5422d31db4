"""Who is in a room, and removing somebody from it."""

from datetime import datetime
from typing import Literal, cast

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tertulia.api.callers import Moderating, Reading
from tertulia.api.tokens import Scope
from tertulia.api.values import Items, Nickname, ReasonQuery, moment_or_none
from tertulia.operators.overview import Person

router = APIRouter(tags=["people"])


class PersonBody(BaseModel):
    """Somebody in a room."""

    nickname: str
    kind: Literal["account", "guest"]
    dialect: str
    since: datetime | None = Field(description="When they entered the chat")
    node: str | None = Field(
        default=None, description="For the scope operate alone, as what follows"
    )
    address: str | None = None
    port: int | None = None


@router.get("/rooms/{room}/people", response_model_exclude_unset=True)
async def get_people(place: Reading) -> Items[PersonBody]:
    """List who is in a room, who came first first."""
    found = await place.caller.deployment.people(place.caller.chat, place.room)
    operates = place.caller.may(Scope.OPERATE)
    return Items(items=[_person(it, operates) for it in found])


def _person(person: Person, operates: bool) -> PersonBody:
    return PersonBody(
        nickname=person.nickname,
        kind=cast(Literal["account", "guest"], person.kind),
        dialect=person.dialect,
        since=moment_or_none(person.since),
        **({it: getattr(person, it) for it in ("node", "address", "port")} if operates else {}),
    )


@router.delete("/rooms/{room}/people/{nickname}", status_code=204)
async def kick(place: Moderating, nickname: Nickname, reason: ReasonQuery = "") -> None:
    """Remove somebody from a further room; from the lobby: out of the chat, or log a device out."""
    await (await place.orders()).kick(nickname, reason)
