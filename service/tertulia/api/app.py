"""The API as an application: its resources, its errors, what it says of itself."""

from typing import Any, Final

from fastapi import APIRouter, FastAPI

from tertulia.api import console, problems
from tertulia.api.desk import Desk
from tertulia.api.resources import (
    accounts,
    alerts,
    audit,
    bans,
    events,
    messages,
    moderation,
    nodes,
    people,
    rooms,
    self_,
    webhooks,
)

_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Describe it, with problems as what every error is."""
        if self.openapi_schema is None:
            described = super().openapi()
            for operations in described["paths"].values():
                for it in operations.values():
                    answers = it["responses"]
                    answers.pop("422", None)  # FastAPI's own form
                    answers |= {"4XX": _PROBLEM, "5XX": _PROBLEM}
            parts = described["components"]
            for unused in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(unused, None)
            parts["schemas"]["Problem"] = problems.ProblemBody.model_json_schema()
            schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
            parts["responses"] = {
                "Problem": {
                    "description": "What was wrong, and what to do: RFC 9457",
                    "content": {problems.MEDIA_TYPE: schema},
                }
            }
        return super().openapi()


VERSION: Final = "1.0"
"""Of what is asked and answered, and not of the program: things are added to it, and none changes."""


def application(desk: Desk | None = None) -> FastAPI:
    """Return the application over what the process has; without that, it can only be described."""
    app = _Api(
        title="Tertulia",
        summary="Rooms, people, moderation and operations of a chat, for programs.",
        version=VERSION,
        docs_url=None,  # pages of others' scripts
        redoc_url=None,
        # A redirect would name the address as the request did: in the clear behind a balancer that ends TLS.
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.desk = desk
    problems.install(app)
    v1 = APIRouter(prefix="/v1")
    for resource in (
        accounts,
        alerts,
        audit,
        bans,
        events,
        messages,
        moderation,
        nodes,
        people,
        rooms,
        self_,
        webhooks,
    ):
        v1.include_router(resource.router)
    app.include_router(v1)
    app.include_router(console.router)
    return app
