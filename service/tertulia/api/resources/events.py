"""What happens in a room, as it happens."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from tertulia.api.callers import DeskDep, Reading, no_token
from tertulia.api.event_stream import Cursor, parse_cursor
from tertulia.api.problems import Problem
from tertulia.api.resources.messages import no_room
from tertulia.api.streams import EventStream, TooManyStreams
from tertulia.operators.following import FeedReader

router = APIRouter(tags=["events"])

_ID = (
    "The `id` of the last event that was read, or a position: the stream goes on exactly behind it"
)


@router.get(
    "/rooms/{room}/events",
    response_class=Response,
    responses={
        200: {
            "description": "A stream of server-sent events, without an end",
            "content": {EventStream.media_type: {"schema": {"type": "string"}}},
        }
    },
)
async def listen(
    place: Reading,
    desk: DeskDep,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description=_ID)] = None,
    after: Annotated[str | None, Query(description=f"{_ID}. The header counts more")] = None,
) -> EventStream:
    """Read what happens in a room from now on, or from where an earlier stream ended.

    Each event has its name in `event` and an object in `data`. What is missing is told in its place,
    as `gap`: the log does not reach so far back, or Redis has lost data.
    """
    cursor = _cursor(last_event_id or after)
    caller = place.caller
    if not await caller.deployment.is_there(caller.chat, place.room):
        raise no_room(place)
    if not desk.may_read(caller.token, place.name):  # it was taken away while Redis was asked
        raise no_token(is_given=True)
    listener = FeedReader(caller.deployment.feed(caller.chat, place.room))
    try:
        stream = EventStream(desk.streams, caller.token, place.name, listener, cursor)
    except TooManyStreams as error:
        listener.end()
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-streams",
            f"{error.most} streams are open: close one, or have {error.setting} set higher",
            headers={"Retry-After": "1"},
        ) from error
    await stream.begin()
    return stream


def _cursor(text: str | None) -> Cursor | None:
    if not text:
        return None
    if (cursor := parse_cursor(text)) is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "wrong-position",
            "Last-Event-ID: send the id of an event as it came, EPOCH:OFFSET, or none to begin now",
        )
    return cursor
