"""What Alertmanager has to tell people in a room."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tertulia.api.alert_lines import Notification, lines
from tertulia.api.callers import Saying
from tertulia.api.problems import Problem
from tertulia.api.resources.messages import not_posted
from tertulia.operators.posting import NotPosted, WhyNot

router = APIRouter(tags=["messages"])


class AlertsBody(BaseModel):
    """What became of a notification."""

    said: int = Field(description="Lines that were said now")
    again: int = Field(description="Lines that had been said before")


@router.post("/rooms/{room}/alerts")
async def tell_alerts(place: Saying, body: Notification) -> AlertsBody:
    """Say a line for each alert of a notification of Alertmanager's webhook, version 4.

    Each is said once, however often Alertmanager repeats it within 24 hours; that it is resolved as well.
    """
    caller = place.caller
    poster = caller.deployment.poster(caller.chat, place.room)
    said = again = 0
    for line in lines(body):
        try:
            posted = await poster.post(caller.token.name, line.text, f"alert-{line.key}")
        except NotPosted as error:
            if error.why is WhyNot.REUSED:  # its words have changed since, as a value in them has
                again += 1
                continue
            raise _try_again(not_posted(place, error)) from error
        said += posted.is_new
        again += not posted.is_new
    return AlertsBody(said=said, again=again)


def _try_again(problem: Problem) -> Problem:
    """Return the answer with which Alertmanager tries again where that helps: it does so after 5xx alone."""
    if problem.status is HTTPStatus.TOO_MANY_REQUESTS:
        problem.status = HTTPStatus.SERVICE_UNAVAILABLE
    return problem
