"""The rooms of a chat: which there are, and what is in force in one."""

from datetime import datetime
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tertulia.api.callers import Caller, DeskDep, Looking, Reading
from tertulia.api.tokens import ANY_ROOM, LOBBY, Scope
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
    wanted = None if ANY_ROOM in caller.token.rooms else frozenset(caller.token.rooms)
    seen = await desk.rooms.at((caller.chat, wanted), partial(_look, caller, wanted))
    lasts, operates = caller.chat in desk.settings.lasting_chats, caller.may(Scope.OPERATE)
    return Items(
        items=[
            _room(it.room or LOBBY, it, it.is_lasting if it.room else lasts, operates)
            for it in seen
        ]
    )


async def _look(caller: Caller, wanted: frozenset[str] | None) -> list[RoomSeen]:
    overview = caller.deployment.rooms(caller.chat)
    lobby = [await overview.lobby()] if caller.token.covers(LOBBY) else []
    # `lobby` has no path as a further room.
    return lobby + [it for it in await overview.rooms(wanted) if it.room != LOBBY]


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
