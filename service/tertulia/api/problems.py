"""Errors of the API, as RFC 9457 has them: ``application/problem+json``."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from tertulia.operators.refusals import CommandRefused, NotThere
from tertulia.redis.errors import StoreAway

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1
"""After which to try again while Redis is away."""
MOST_ERRORS: Final = 20
"""Of what is wrong in one request, that are told."""
_NO_OBJECT: Final = ("model_attributes_type", "model_type", "dict_type")


class ProblemBody(BaseModel):
    """What an error says."""

    type: str = Field(description="What kind it is: `urn:tertulia:KIND`, or `about:blank`")
    title: str = Field(description="The kind, for people")
    status: int
    detail: str = Field(description="What was wrong, where, and what to do")


class Problem(Exception):
    """Something that the caller is told in place of an answer."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """``kind``: a word for programs, with hyphens. ``more``: further members."""
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> JSONResponse:
        """Return what is answered."""
        body = {
            "type": f"urn:tertulia:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status.value,
            "detail": self.detail,
            **self.more,
        }
        return JSONResponse(body, self.status.value, self.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have an application answer every error as a problem."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(Exception)
    async def defect(_: Request, error: Exception) -> JSONResponse:
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "defect",
            "this is a defect of the service, and its log says more: what was asked may be done, or not",
        ).response()

    @app.exception_handler(NotThere)
    async def absent(_: Request, error: NotThere) -> JSONResponse:
        return Problem(HTTPStatus.NOT_FOUND, f"no-{error.what}", error.why).response()

    @app.exception_handler(CommandRefused)
    async def refused(_: Request, error: CommandRefused) -> JSONResponse:
        return Problem(HTTPStatus.CONFLICT, "refused", error.why).response()

    @app.exception_handler(StoreAway)
    async def away(_: Request, error: StoreAway) -> JSONResponse:
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "redis-away",
            "Redis can't be used now: nothing is known to be done; try again, with the same Idempotency-Key",
            headers={"Retry-After": str(RETRY_SECONDS)},
        ).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = error.errors()
        kind = request.headers.get("content-type", "")
        if any(it["loc"] == ("body",) and it["type"] in _NO_OBJECT for it in wrong) and not (
            _is_json(kind)
        ):
            return Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                f"the body is said to be {kind[:80] or 'nothing'}, and has to be JSON: "
                "send Content-Type: application/json",
            ).response()
        found = [
            {"where": "/".join(map(str, it["loc"])), "what": it["msg"]}
            for it in wrong[:MOST_ERRORS]
        ]
        return Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            f"{found[0]['where']}: {found[0]['what']}",
            errors=found,
        ).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        status, detail = HTTPStatus(error.status_code), str(error.detail)
        match status:
            case HTTPStatus.NOT_FOUND:
                detail = (
                    f"there is nothing at {request.url.path[:200]}: /openapi.json has all there is"
                )
            case HTTPStatus.METHOD_NOT_ALLOWED:
                detail = f"{request.method[:20]} can't be asked of this: Allow says what can"
            case HTTPStatus.BAD_REQUEST:  # FastAPI's, where a body can't be read
                detail = "the body can't be read: it has to be JSON in UTF-8, and not too deep"
        kind = status.phrase.lower().replace(" ", "-")
        return Problem(status, kind, detail, headers=error.headers).response()


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
