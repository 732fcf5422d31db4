"""The accounts of a chat, and inviting people to make one."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, SecretStr

from tertulia.api.callers import Caller, DeskDep, Operating
from tertulia.api.values import Items, NewNickname, Nickname, RequestBody, SpanSeconds
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action
from tertulia.domain.passwords import MAX_PASSWORD, MIN_PASSWORD
from tertulia.operators.accounts import AccountBook

router = APIRouter(tags=["accounts"])

_WEEK = 7 * 86_400


class AccountBody(BaseModel):
    """An account."""

    nickname: str
    since: datetime
    used: datetime = Field(description="The last time, or up to a day earlier")
    is_logged_in: bool = Field(description="From a device")
    pending: int = Field(description="How many messages wait for it")


class AccountsPage(Items[AccountBody]):
    """Some accounts, by name."""

    next: str | None = Field(description="Ask for those after this one; null: there are no more")


class PasswordBody(RequestBody):
    """A password."""

    password: SecretStr = Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)


class InvitingBody(RequestBody):
    """How many codes, and for how long they are good."""

    count: int = Field(default=1, ge=1, le=1000)
    seconds: SpanSeconds = _WEEK


class MadeInvitationBody(BaseModel):
    """A code that was just made; it is shown only now."""

    number: int
    code: str


class InvitationBody(BaseModel):
    """A code that nobody has used."""

    number: int
    made: datetime
    until: datetime


async def _book(caller: Caller) -> AccountBook:
    await caller.deployment.chats(caller.chat)
    return caller.deployment.accounts(caller.chat)


async def _noted(caller: Caller, action: Action, nickname: str) -> None:
    await caller.deployment.operator(caller.chat).note(action, fold(nickname))


@router.get("/accounts")
async def get_accounts(
    caller: Operating,
    after: Annotated[str, Query(description="Only names after this one")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AccountsPage:
    """List the accounts, by name."""
    found, has_more = await (await _book(caller)).page(fold(after), limit)
    items = [AccountBody(**asdict(it)) for it in found]
    return AccountsPage(items=items, next=fold(found[-1].nickname) if has_more else None)


@router.get("/accounts/{nickname}")
async def get_account(caller: Operating, nickname: Nickname) -> AccountBody:
    """Show an account."""
    return AccountBody(**asdict(await (await _book(caller)).find(nickname)))


@router.put("/accounts/{nickname}", status_code=201)
async def add_account(
    caller: Operating, desk: DeskDep, nickname: NewNickname, body: PasswordBody
) -> AccountBody:
    """Make an account. One that is there already stays as it is: 409."""
    book = await _book(caller)
    async with desk.hashing:
        await book.add(nickname, body.password.get_secret_value())
    await _noted(caller, Action.REGISTER, nickname)
    return AccountBody(**asdict(await book.find(nickname)))


@router.put("/accounts/{nickname}/password", status_code=204)
async def set_password(
    caller: Operating, desk: DeskDep, nickname: Nickname, body: PasswordBody
) -> None:
    """Change the password of an account. Its logins and sessions stay."""
    book = await _book(caller)
    async with desk.hashing:
        await book.set_password(nickname, body.password.get_secret_value())
    await _noted(caller, Action.PASSWORD, nickname)


@router.delete("/accounts/{nickname}", status_code=204)
async def delete_account(caller: Operating, nickname: Nickname) -> None:
    """Delete an account, its login, and the messages that wait for it."""
    await (await _book(caller)).delete(nickname)
    await _noted(caller, Action.UNREGISTER, nickname)


@router.post("/invitations", status_code=201)
async def invite(caller: Operating, body: InvitingBody) -> Items[MadeInvitationBody]:
    """Make codes with which people make an account each, where registration is by invitation."""
    await caller.deployment.chats(caller.chat)
    made = await caller.deployment.invite(caller.chat, body.count, body.seconds)
    return Items(items=[MadeInvitationBody(**asdict(it)) for it in made])


@router.get("/invitations")
async def get_invitations(caller: Operating) -> Items[InvitationBody]:
    """List the codes that are still good, by number. The codes themselves are not kept."""
    await caller.deployment.chats(caller.chat)
    found = await caller.deployment.invitations(caller.chat).all()
    return Items(items=[InvitationBody(**asdict(it)) for it in found])


@router.delete("/invitations/{number}", status_code=204)
async def take_back_invitation(caller: Operating, number: int) -> None:
    """Let nobody use a code any more."""
    await caller.deployment.take_back_invitation(caller.chat, number)
