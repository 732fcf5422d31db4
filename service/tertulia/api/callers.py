"""Who calls: the token in the request, what it may do, and how often."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers

from tertulia.api.desk import Desk
from tertulia.api.problems import Problem
from tertulia.api.tokens import LOBBY, READING, Scope, Token
from tertulia.domain.rooms import fold_room, is_room
from tertulia.operators.commands import Operator, RoomOperator
from tertulia.operators.deployment import Deployment

_bearer = HTTPBearer(auto_error=False, description="A token of `tertulia api token`")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token, and the deployment as they may work on it."""

    token: Token
    deployment: Deployment

    @property
    def chat(self) -> str:
        """The chat that the token is for."""
        return self.token.chat

    def may(self, *scopes: Scope) -> bool:
        """Say whether the token has one of some scopes."""
        return not self.token.scopes.isdisjoint(scopes)


@dataclass(frozen=True, slots=True)
class AskedRoom:
    """A room, and who asks for it."""

    caller: Caller
    room: str | None
    """A further room's folded name; None: the lobby."""
    name: str
    """The same as in a path."""

    async def orders(self) -> Operator | RoomOperator:
        """Give operator commands in the room. Raises NotThere where there is none."""
        await self.caller.deployment.room(self.caller.chat, self.room)
        return self.caller.deployment.orders(self.caller.chat, self.room)


def desk(request: Request) -> Desk:
    """Return what this process has."""
    found: Desk = request.app.state.desk
    return found


DeskDep = Annotated[Desk, Depends(desk)]


def stranger(desk: Desk) -> Callable[[Headers], Problem | None]:
    """Return what says, by a request's headers, what to answer where nobody has its token."""

    def found(headers: Headers) -> Problem | None:
        scheme, secret = get_authorization_scheme_param(headers.get("authorization"))
        is_given = scheme.lower() == "bearer" and bool(secret)
        is_known = is_given and desk.tokens.find(secret) is not None
        return None if is_known else no_token(is_given=is_given)

    return found


def no_token(*, is_given: bool) -> Problem:
    """Return the answer to somebody whose token is nobody's."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "no-token",
        "nobody has this token: see the file api.tokens"
        if is_given
        else "a token is needed: Authorization: Bearer TOKEN, one of those in the file api.tokens",
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _called(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], desk: DeskDep
) -> Caller:
    token = desk.tokens.find(given.credentials) if given is not None else None
    if token is None:
        raise no_token(is_given=given is not None)
    wait = desk.paces.wait(token, time.monotonic())
    if wait:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-requests",
            f"too many requests of {token.name}: wait {wait} s (api.requests_per_second)",
            headers={"Retry-After": str(wait)},
        )
    return Caller(token, desk.deployment.signed(f"{token.name} (api)"))


def _require(caller: Caller, scopes: tuple[Scope, ...]) -> None:
    if not caller.may(*scopes):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "scope-missing",
            f"the token {caller.token.name} has not the scope {' or '.join(scopes)}",
        )


def caller(*scopes: Scope) -> Any:
    """Return the dependency on a caller with one of some scopes; none: any caller."""

    async def called(found: Annotated[Caller, Depends(_called)]) -> Caller:
        if scopes:
            _require(found, scopes)
        return found

    return Depends(called)


def place(*scopes: Scope) -> Any:
    """Return the dependency on a room in the path, for a caller with one of some scopes there."""

    async def placed(
        found: Annotated[Caller, Depends(_called)],
        room: Annotated[str, Path(description="A further room, without `#`; `lobby`: the lobby")],
    ) -> AskedRoom:
        name = fold_room(room)
        if not is_room(name):
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "no-room",
                "this is no room's name: it is 1 to 32 of a-z 0-9 . _ + -, or lobby",
            )
        _require(found, scopes)
        if not found.token.covers(name):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "room-not-yours",
                f"the token {found.token.name} is not for the room {name}",
            )
        return AskedRoom(found, None if name == LOBBY else name, name)

    return Depends(placed)


AnyCaller = Annotated[Caller, caller()]
Looking = Annotated[Caller, caller(Scope.READ, Scope.MODERATE, Scope.OPERATE)]
Operating = Annotated[Caller, caller(Scope.OPERATE)]
Saying = Annotated[AskedRoom, place(Scope.SAY)]
Reading = Annotated[AskedRoom, place(*sorted(READING))]
Moderating = Annotated[AskedRoom, place(Scope.MODERATE, Scope.OPERATE)]
OperatingThere = Annotated[AskedRoom, place(Scope.OPERATE)]
