"""Who the caller is."""

from fastapi import APIRouter
from pydantic import BaseModel

from tertulia.api.callers import AnyCaller
from tertulia.api.tokens import Scope

router = APIRouter(tags=["self"])


class SelfBody(BaseModel):
    """A token, as its holder may know it."""

    name: str
    scopes: list[Scope]
    rooms: list[str]
    chat: str


@router.get("/self")
async def get_self(caller: AnyCaller) -> SelfBody:
    """Say whose the token is, and what it may do."""
    token = caller.token
    return SelfBody(
        name=token.name, scopes=sorted(token.scopes), rooms=list(token.rooms), chat=token.chat
    )
