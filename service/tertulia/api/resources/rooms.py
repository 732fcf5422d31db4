"""The rooms of a chat: which there are, and what is in force in one."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tertulia.api.callers import DeskDep, Looking, Reading
from tertulia.api.tokens import LOBBY, Scope
from tertulia.api.values import Items, moment_or_none
from tertulia.operators.rooms import RoomSeen

router = APIRouter(tags=["rooms"])


class RoomBody(BaseModel):
    """A room in the list."""

    name: str = Field(description="`lobby`, or a further room without `#`")
    members: int | None = Field(description="null: it can't be read now, as all that follows")
    messages: int | None = Field(description="Said within the last minute")
    bytes: int | None = Field(description="About how much is in its log")
    topic: str | None
    is_lasting: bool = Field(description="Whether it stays when nobody is in it")
    error: str | None = Field(description="Why it can't be read: `away`, or what Redis says")
    shard: str = Field(default="", description="The Redis that has it; for the scope operate alone")


class MuteBody(BaseModel):
    """A mute that holds."""

    nickname: str
    until: datetime | None = Field(description="null: for good")
    reason: str
    by: str


class RoomDetailBody(BaseModel):
    """What is in force in a room."""

    name: str
    topic: str
    members: int
    slow_seconds: int = Field(description="Between two messages of one person; 0: no slow mode")
    accounts_only: bool
    outsiders: bool = Field(description="Whether people may speak who are not in the further room")
    owner: str | None
    moderators: list[str]
    is_lasting: bool
    mutes: list[MuteBody] = Field(
        default=[], description="For the scopes moderate and operate alone"
    )


@router.get("/rooms", response_model_exclude_unset=True)
async def get_rooms(caller: Looking, desk: DeskDep) -> Items[RoomBody]:
    """List the token's rooms: the lobby, then the further rooms, those with most members first."""
    await caller.deployment.chats(caller.chat)
    overview = caller.deployment.rooms(caller.chat)
    found: list[RoomBody] = []
    if caller.token.covers(LOBBY):
        seen = await overview.lobby()
        is_lasting = caller.chat in desk.settings.lasting_chats
        found.append(_room(LOBBY, seen, is_lasting, caller.may(Scope.OPERATE)))
    found += [
        _room(it.room, it, it.is_lasting, caller.may(Scope.OPERATE))
        for it in await overview.rooms()
        if it.room != LOBBY
        and caller.token.covers(it.room)  # `lobby` has no path as a further room
    ]
    return Items(items=found)


def _room(name: str, seen: RoomSeen, is_lasting: bool, operates: bool) -> RoomBody:
    return RoomBody(
        name=name,
        members=seen.members,
        messages=seen.messages,
        bytes=seen.bytes,
        topic=seen.topic,
        is_lasting=is_lasting,
        error=seen.error,
        **({"shard": seen.shard} if operates else {}),
    )


@router.get("/rooms/{room}", response_model_exclude_unset=True)
async def get_room(place: Reading, desk: DeskDep) -> RoomDetailBody:
    """Say what is in force in a room."""
    caller, room = place.caller, place.room
    overview = await caller.deployment.room(caller.chat, room)
    rules, members = await overview.rules(), await overview.members()
    if room is None:
        is_lasting = caller.chat in desk.settings.lasting_chats
    else:
        is_lasting = await caller.deployment.overview(caller.chat).is_lasting(room)
    mutes = [
        MuteBody(nickname=key, until=moment_or_none(it.until), reason=it.reason, by=it.nickname)
        for key, it in rules.mutes.items()
    ]
    return RoomDetailBody(
        name=place.name,
        topic=rules.topic,
        members=len(members),
        slow_seconds=rules.slow,
        accounts_only=rules.accounts_only,
        outsiders=rules.outsiders,
        owner=rules.owner or None,
        moderators=sorted(rules.moderators),
        is_lasting=is_lasting,
        **({"mutes": mutes} if caller.may(Scope.MODERATE, Scope.OPERATE) else {}),
    )
