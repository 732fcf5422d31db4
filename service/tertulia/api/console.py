"""The console: a page for moderators and operators, which asks this API for all that it shows."""

from functools import cache
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from tertulia.edge.page import PageFiles, assembled, sources_of

_FOLDER: Final = "console/"
_ICON: Final = "icon.svg"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


@cache
def console_files() -> PageFiles:
    """Return the console that comes with the package. Raises ValueError where it can't be put together.

    What it has in common with the chat's page are that one's own files.
    """
    sources = {f"web/{path}": body for path, body in sources_of("web").items()}
    sources |= {f"{_FOLDER}{path}": body for path, body in sources_of("console").items()}
    served = assembled(sources, _FOLDER).served
    served[_ICON] = sources[f"web/{_ICON}"]
    return PageFiles({f"/{path}": body for path, body in served.items()})


@router.get("/")
@router.get("/console")
async def get_root(request: Request) -> Response:
    """Lead to the console. The address is relative, so that it is right behind a proxy as well."""
    return RedirectResponse("console/")


@router.api_route("/console/{path:path}", methods=["GET", "HEAD"])
async def get_console(request: Request, path: str) -> Response:
    """Return a file of the console."""
    query = request.url.query
    headers = request.headers
    answer = console_files().answer(
        request.method,
        f"/{path}?{query}" if query else f"/{path}",
        headers.get("accept-encoding", ""),
        headers.get("if-none-match", ""),
    )
    if answer.status is HTTPStatus.NOT_FOUND:
        raise HTTPException(answer.status, headers=_HEADERS)
    about = {name: value for name, value in answer.headers().items() if name != "Date"}
    return Response(answer.body, answer.status.value, {**about, **_HEADERS})
