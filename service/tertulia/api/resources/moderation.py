"""Moderating a room: its topic, who may speak how often, what was said; and who moderates it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from tertulia.api.callers import AskedRoom, Moderating, OperatingThere
from tertulia.api.problems import Problem
from tertulia.api.values import Announcement, Nickname, RequestBody, Words
from tertulia.domain.moderation import MOST_MUTE_SECONDS, MOST_SLOW_SECONDS, Moderation
from tertulia.domain.operator_commands import Action

router = APIRouter(tags=["moderation"])

MessagePlace = Annotated[
    str,
    Path(
        pattern=r"^[1-9][0-9]{0,14}\.(0|[1-9][0-9]{0,5})$",
        description="Where a message is in its room's log: the `id` that it has in lists and events",
    ),
]


class TopicBody(RequestBody):
    """What is talked about."""

    text: Words = Field(description="Empty: no topic any more")


class SlowBody(RequestBody):
    """How often one may speak."""

    seconds: int = Field(ge=0, le=MOST_SLOW_SECONDS, description="0: no slow mode any more")


class SwitchBody(RequestBody):
    """Whether it is so."""

    on: bool


class MutingBody(RequestBody):
    """For how long somebody may say nothing, and why."""

    seconds: int | None = Field(
        default=None, ge=1, le=MOST_MUTE_SECONDS, description="null: for good"
    )
    reason: Words = Field(default="", description="Everybody reads it")


class AnnouncementBody(RequestBody):
    """What the server says."""

    text: Announcement


async def _moderate(place: AskedRoom, act: Moderation) -> None:
    await (await place.orders()).moderate(act)


@router.delete("/rooms/{room}/messages/{place}", status_code=204)
async def redact(
    room: Moderating, place: MessagePlace, reason: Annotated[Words, Query()] = ""
) -> None:
    """Withdraw a message: from now on nobody reads it."""
    offset, _, index = place.partition(".")
    await _moderate(room, Moderation(Action.REDACT, "", int(offset), int(index), reason))


@router.put("/rooms/{room}/topic", status_code=204)
async def set_topic(place: Moderating, body: TopicBody) -> None:
    """Set a room's topic, or remove it."""
    await _moderate(place, Moderation(Action.TOPIC, text=body.text))


@router.put("/rooms/{room}/slow", status_code=204)
async def set_slow(place: Moderating, body: SlowBody) -> None:
    """Set slow mode: one message from each person in so many seconds, except moderators."""
    await _moderate(place, Moderation(Action.SLOW, value=body.seconds))


@router.put("/rooms/{room}/accounts-only", status_code=204)
async def set_accounts_only(place: Moderating, body: SwitchBody) -> None:
    """Allow only accounts to speak in a room, or guests as well. Everybody may read."""
    await _moderate(place, Moderation(Action.ACCOUNTS_ONLY, value=int(body.on)))


@router.put("/rooms/{room}/outsiders", status_code=204)
async def set_outsiders(place: OperatingThere, body: SwitchBody) -> None:
    """Let people of the chat speak in a further room without being in it, or not."""
    _require_further(place)
    await _moderate(place, Moderation(Action.OUTSIDERS, value=int(body.on)))


@router.put("/rooms/{room}/lasting", status_code=204)
async def set_lasting(place: OperatingThere, body: SwitchBody) -> None:
    """Keep a further room also when nobody is in it and its log has aged out; or forget it then."""
    room = _require_further(place)
    await place.caller.deployment.operator(place.caller.chat).keep(room, lasting=body.on)


def _require_further(place: AskedRoom) -> str:
    if place.room is None:
        raise Problem(HTTPStatus.CONFLICT, "lobby", "only a further room can be so, not the lobby")
    return place.room


@router.put("/rooms/{room}/mutes/{nickname}", status_code=204)
async def mute(place: Moderating, nickname: Nickname, body: MutingBody) -> None:
    """Mute somebody: they can say nothing in the room, and whisper to moderators only."""
    await _moderate(place, Moderation(Action.MUTE, nickname, body.seconds or 0, text=body.reason))


@router.delete("/rooms/{room}/mutes/{nickname}", status_code=204)
async def unmute(place: Moderating, nickname: Nickname) -> None:
    """End a mute: the person may speak again."""
    await _moderate(place, Moderation(Action.UNMUTE, nickname))


@router.put("/rooms/{room}/moderators/{nickname}", status_code=204)
async def appoint(place: OperatingThere, nickname: Nickname) -> None:
    """Make an account a moderator of a room."""
    await _moderate(place, Moderation(Action.APPOINT, nickname))


@router.delete("/rooms/{room}/moderators/{nickname}", status_code=204)
async def dismiss(place: OperatingThere, nickname: Nickname) -> None:
    """Let an account be no moderator of a room any more."""
    await _moderate(place, Moderation(Action.DISMISS, nickname))


@router.post("/rooms/{room}/announcements", status_code=204)
async def announce(place: Moderating, body: AnnouncementBody) -> None:
    """Say something to everybody in a room as the server: from G, a nickname that nobody can take."""
    await (await place.orders()).say(body.text)
