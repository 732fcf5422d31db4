"""Webhooks: how far they are, and what they gave up."""

import asyncio
import time
from collections import deque
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tertulia.api.callers import Caller, DeskDep, Operating
from tertulia.api.desk import Desk
from tertulia.api.event_stream import event_data
from tertulia.api.positions import parse_position, written
from tertulia.api.problems import Problem
from tertulia.api.tokens import LOBBY
from tertulia.api.webhooks.deliveries import Gathering
from tertulia.api.webhooks.hooks import Webhook
from tertulia.chat.ports import Entry
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position
from tertulia.operators.webhooks import MOST_DEAD_LETTERS, RoomProgress

_MOST_PAGES: Final = 100
"""Of the log, that are read for a delivery: it may have gone over much that was not wanted."""

router = APIRouter(tags=["webhooks"])

NAME = Annotated[str, Path(description="A webhook's name")]


class WebhookBody(BaseModel):
    """A webhook in one of its rooms."""

    name: str
    room: str
    position: str | None = Field(
        description="Up to there all is delivered, or given up; null: not begun"
    )
    behind: float = Field(description="Seconds for which its oldest event has waited")
    failures: int = Field(description="How often the delivery under way was tried in vain")
    dead: int = Field(description="Deliveries that were given up")
    is_disabled: bool = Field(description="Whether its receiver answered 410: it wants nothing")
    relay: str | None = Field(description="Which process relays it; null: none")


class WebhooksBody(BaseModel):
    """All webhooks of a chat, by name and room."""

    items: list[WebhookBody]


class DeadLetterBody(BaseModel):
    """A delivery that was given up."""

    delivery: str
    room: str
    after: str = Field(description="The position behind which it begins")
    position: str = Field(description="The position at which it ends")
    tries: int
    why: str
    events: list[dict[str, Any]] | None = Field(
        description="As the log has them now; null: it has not all of them any more"
    )


class DeadLettersBody(BaseModel):
    """What a webhook gave up, the last one first."""

    items: list[DeadLetterBody]


@router.get("/webhooks")
async def get_webhooks(caller: Operating, desk: DeskDep) -> WebhooksBody:
    """List the webhooks of the chat, and how far each is in each room."""
    hooks = _hooks(caller, desk)
    found = await asyncio.gather(*(_seen(caller, hook) for hook in hooks))
    return WebhooksBody(items=[it for rooms in found for it in rooms])


@router.get("/webhooks/{name}/dead-letters")
async def get_dead_letters(
    caller: Operating,
    desk: DeskDep,
    name: NAME,
    limit: Annotated[int, Query(ge=1, le=MOST_DEAD_LETTERS)] = 20,
) -> DeadLettersBody:
    """List the deliveries that a webhook gave up, the last one first."""
    hook = _named(caller, desk, name)
    kept = await caller.deployment.webhook(hook.chat, hook.name).dead_letters(limit)
    letters = [msgspec.json.decode(it) for it in kept]
    events = [await _events(caller, hook, it) for it in letters]
    return DeadLettersBody(
        items=[
            DeadLetterBody(**letter, events=them)
            for letter, them in zip(letters, events, strict=True)
        ]
    )


@router.post("/webhooks/{name}/enable", status_code=HTTPStatus.NO_CONTENT)
async def enable(caller: Operating, desk: DeskDep, name: NAME) -> None:
    """Go on with a webhook that is disabled because its receiver answered 410."""
    hook = _named(caller, desk, name)
    await caller.deployment.webhook(hook.chat, hook.name).enable()
    await caller.deployment.operator(hook.chat).note(Action.ENABLE_WEBHOOK, hook.name)


def _hooks(caller: Caller, desk: Desk) -> list[Webhook]:
    if desk.relay is None:
        return []
    hooks = [it.hook for it in desk.relay.hooks.hooks if it.hook.chat == caller.chat]
    return sorted(hooks, key=lambda it: it.name)


def _named(caller: Caller, desk: Desk, name: str) -> Webhook:
    for hook in _hooks(caller, desk):
        if hook.name == name:
            return hook
    raise Problem(
        HTTPStatus.NOT_FOUND,
        "no-webhook",
        "there is no webhook of this name for the chat: GET /v1/webhooks lists them, the file "
        "api.webhooks has them",
    )


async def _seen(caller: Caller, hook: Webhook) -> list[WebhookBody]:
    progress = await caller.deployment.webhook(hook.chat, hook.name).read()
    bodies = []
    for room in hook.rooms:
        there = progress.rooms.get(room, RoomProgress())
        reached = there.reached
        bodies.append(
            WebhookBody(
                name=hook.name,
                room=room,
                position=None if reached is None else written(reached),
                behind=0 if reached is None else await _behind(caller, hook, room, reached),
                failures=there.attempt.tries if there.attempt is not None else 0,
                dead=there.dead,
                is_disabled=progress.gone == hook.receiver,
                relay=progress.holder or None,
            )
        )
    return bodies


async def _events(caller: Caller, hook: Webhook, letter: dict[str, Any]) -> list[Any] | None:
    """Read what a delivery had, which is kept nowhere else: so it ends with the log, and with its people."""
    after, end = parse_position(letter["after"]), parse_position(letter["position"])
    room = letter["room"]
    if after is None or end is None:
        return None
    log = caller.deployment.log_reader(hook.chat, None if room == LOBBY else room)
    await log.begin()
    log.resume(after[0])
    gathering = Gathering(hook, room, after[0], end[0])
    for _ in range(_MOST_PAGES):
        found = await log.read_on()
        gathering.take(deque(found))
        if not found or gathering.is_full or not gathering.is_pinned:
            break
    is_whole = gathering.is_pinned and gathering.is_full
    return gathering.events if is_whole else None


async def _behind(caller: Caller, hook: Webhook, room: str, reached: Position) -> float:
    log = caller.deployment.log_reader(hook.chat, None if room == LOBBY else room)
    log.resume(reached)
    for item in await log.read_on():
        if isinstance(item, Entry) and any(it[1] in hook.events for it in event_data(item)):
            return round(max(0.0, time.time() - item.position.at), 3)
    return 0.0
