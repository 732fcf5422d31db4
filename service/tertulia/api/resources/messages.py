"""What is said in a room: to say something, and to read it."""

import math
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from tertulia.api.callers import AskedRoom, DeskDep, Reading, Saying
from tertulia.api.metrics import SayingOutcome
from tertulia.api.positions import committed_at, parse_position, written
from tertulia.api.problems import Problem
from tertulia.api.values import RequestBody, moment_or_none
from tertulia.domain.text import clean_lines, too_long, with_line_feeds
from tertulia.operators.past import Before, EpochOver
from tertulia.operators.posting import NotPosted, WhyNot
from tertulia.redis.errors import StoreAway

router = APIRouter(tags=["messages"])

MOST_MESSAGES: Final = 200
"""In one page."""
MOST_KEY: Final = 255
"""Characters in an idempotency key."""


class TextBody(RequestBody):
    """Something to say."""

    text: str = Field(
        description="At most 4096 bytes and 50 lines; LF ends a line. Controls are removed."
    )


class PostedBody(BaseModel):
    """Something that was said just now, or before with the same key."""

    id: str = Field(description="Its place: the offset of its entry, a dot, its index there")
    position: str = Field(
        description="The position of its entry: the log's epoch, a colon, the offset"
    )
    at: AwareDatetime
    nickname: str
    text: str


class MessageBody(BaseModel):
    """Something that was said, as it stands in the room's log."""

    id: str = Field(description="Its place: the offset of its entry, a dot, its index there")
    position: str = Field(description="The position of its entry")
    at: AwareDatetime
    nickname: str
    is_account: bool = Field(description="Whether who said it had proved to be that account")
    text: str = Field(description="Empty where it is redacted")
    is_redacted: bool = Field(description="Whether a moderator has withdrawn it")


class MessagesBody(BaseModel):
    """A page of what was said."""

    items: list[MessageBody] = Field(description="The oldest first")
    next: str | None = Field(
        description="What to send as `before` for the page before this one; null where the log begins"
    )


@router.get("/rooms/{room}/messages")
async def get_messages(
    place: Reading,
    before: Annotated[
        str | None,
        Query(description="`next` of a page, or the position of a message; else the last ones"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_MESSAGES, description="How many, at most")] = 50,
) -> MessagesBody:
    """Read what was said in a room, a page at a time from the end on.

    A page may have fewer messages than `limit`, or none: go on while there is a `next`.
    """
    end = None
    if before is not None:
        if (found := parse_position(before)) is None:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "wrong-position",
                "before: send `next` of a page as it came, EPOCH:OFFSET, or none to begin at the end",
            )
        end = Before(*found)
    caller = place.caller
    try:
        page = await caller.deployment.past_talk(caller.chat, place.room).page(end, limit)
    except EpochOver as error:
        raise Problem(
            HTTPStatus.GONE,
            "position-gone",
            "before: Redis has lost data since, and the log is another one: begin again without it",
        ) from error
    if page is None:
        raise no_room(place)
    return MessagesBody(
        items=[
            MessageBody(
                id=f"{it.position.offset}.{it.index}",
                position=written(it.position),
                at=committed_at(it.position),
                nickname=it.said.nickname,
                is_account=it.said.is_account,
                text=with_line_feeds(it.said.text),
                is_redacted=it.is_redacted,
            )
            for it in page.messages
        ],
        next=None if page.before is None else written(page.before.position, page.before.index),
    )


@router.post(
    "/rooms/{room}/messages",
    status_code=HTTPStatus.CREATED,
    response_model=PostedBody,
    responses={200: {"model": PostedBody, "description": "It was said before, with the same key"}},
)
async def say(
    place: Saying,
    body: TextBody,
    response: Response,
    desk: DeskDep,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=MOST_KEY,
            pattern=r"^[\x21-\x7e]+$",
            description="Your own name for this message, as a UUID. Sent again with it, however the "
            "first call ended, it is said once. Known for 24 hours.",
        ),
    ],
) -> PostedBody:
    """Say something in a room, under the token's name, which has to be an account of the chat."""
    if (why := too_long(body.text)) is not None:
        raise _wrong_text(f"{why}: send it in several messages")
    text = clean_lines(body.text)
    if not text.strip():
        raise _wrong_text("there is nothing in it that could be said")
    caller = place.caller
    poster, outcomes = caller.deployment.poster(caller.chat, place.room), desk.metrics.posts
    try:
        posted = await poster.post(caller.token.name, text, key)
    except NotPosted as error:
        outcomes[SayingOutcome.REFUSED].inc()
        raise not_posted(place, error) from error
    except StoreAway:
        outcomes[SayingOutcome.AWAY].inc()
        raise
    outcomes[SayingOutcome.SAID if posted.is_new else SayingOutcome.AGAIN].inc()
    if not posted.is_new:
        response.status_code = HTTPStatus.OK
    position = posted.position
    return PostedBody(
        id=f"{position.offset}.0",
        position=written(position),
        at=committed_at(position),
        nickname=caller.token.name,
        text=with_line_feeds(text),
    )


def _wrong_text(why: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong-text", f"text: {why}")


def not_posted(place: AskedRoom, error: NotPosted) -> Problem:
    """Return the answer about something that was not said."""
    name, where = place.caller.token.name, place.caller.chat
    match error.why:
        case WhyNot.REUSED:
            return Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "another text was sent with this Idempotency-Key: take a new one for each message",
            )
        case WhyNot.ABSENT:
            return no_room(place)
        case WhyNot.NO_ACCOUNT:
            return Problem(
                HTTPStatus.CONFLICT,
                "no-account",
                f"a token speaks as an account of its name, and the chat {where} has no account {name}: "
                f"make it with tertulia account add {name}",
            )
        case WhyNot.BANNED:
            return Problem(
                HTTPStatus.FORBIDDEN,
                "banned",
                f"{name} is banned from the chat {where}: tertulia admin bans says until when, and why",
            )
        case WhyNot.MUTED:
            end = moment_or_none(error.until)
            until = end.isoformat() if end else None
            return Problem(
                HTTPStatus.FORBIDDEN,
                "muted",
                f"{name} is muted in {place.name}{f' until {until}' if until else ''}: ask a moderator",
                until=until,
            )
        case WhyNot.SLOW:
            wait = max(1, math.ceil((error.until - error.now) / 1000))
            return Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "slow-mode",
                f"{place.name} is in slow mode: send it again in {wait} s, with the same Idempotency-Key",
                headers={"Retry-After": str(wait)},
            )


def no_room(place: AskedRoom) -> Problem:
    """Return the answer about a room that is not there."""
    return Problem(
        HTTPStatus.NOT_FOUND,
        "no-room",
        f"there is no room {place.name} in the chat {place.caller.chat}: GET /v1/rooms lists all of them",
    )
