"""Invitations as operators make, list and take them back; and their commands."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner

from tertulia.cli import main
from tertulia.clients import account_command
from tertulia.domain.invitations import kept
from tertulia.domain.operator_commands import Action
from tertulia.operators import invitations
from tertulia.operators.deployment import Deployment
from tertulia.operators.invitations import InvitationBook, MadeInvitation
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.settings.model import Settings
from tertulia.store.keys import Keys

NAME = Keys("main").invitations


@pytest.fixture
async def book(redis: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InvitationBook]:
    monkeypatch.setattr(Client, "to", lambda *_: redis)
    async with InvitationBook.to("main", Access.to("redis://127.0.0.1"), 1.0) as book:
        yield book


async def test_codes_are_numbered_and_not_kept(redis: Client, book: InvitationBook) -> None:
    made = [*await book.invite(2, 60), *await book.invite(1, 120)]
    assert [it.number for it in made] == [1, 2, 3]
    there = await book.all()
    assert [it.number for it in there] == [1, 2, 3]
    assert [(it.until - it.made).total_seconds() for it in there] == [60, 60, 120]
    stored = await redis.hgetall(NAME)
    assert set(stored) == {"last", *(kept(it.code) for it in made)}


async def test_one_is_taken_back(book: InvitationBook) -> None:
    await book.invite(2, 60)
    await book.take_back(1)
    assert [it.number for it in await book.all()] == [2]
    with pytest.raises(CommandRefused, match="no invitation has the number 1"):
        await book.take_back(1)
    assert [it.number for it in await book.invite(1, 60)] == [3], "a number is not used again"


async def test_what_is_too_old_is_forgotten(redis: Client, book: InvitationBook) -> None:
    await redis.hset(NAME, mapping={"last": "7", "0" * 64: "7 1 2"})
    assert await book.all() == []
    assert set(await redis.hgetall(NAME)) == {"last"}


async def test_there_is_a_bound(book: InvitationBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST", 3)
    await book.invite(2, 60)
    with pytest.raises(CommandRefused, match="2 codes are good already"):
        await book.invite(2, 60)
    assert len(await book.invite(1, 60)) == 1


async def test_who_made_codes_and_took_one_back_is_in_the_audit_log(
    redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "_redis", lambda *_: redis)
    settings = Settings.model_validate({"redis_url": "redis://127.0.0.1"})
    async with Deployment(settings, "carla@desk", 1.0) as chats:
        await chats.invite("new", 1, 60)  # no node has served it, so it has no audit log yet
        assert await chats.overview("new").audited(9) == []
        await chats.invite("main", 1, 60)
        made = await chats.invite("main", 3, 60)
        await chats.take_back_invitation("main", 2)
        audited = [it.command for it in await chats.overview("main").audited(9)]
    assert [(it.by, it.action, it.subject, it.value) for it in audited] == [
        ("carla@desk", Action.INVITE, "", "1"),
        ("carla@desk", Action.INVITE, "", "2-4"),
        ("carla@desk", Action.UNINVITE, "", "2"),
    ]
    assert [it.number for it in made] == [2, 3, 4]


@pytest.mark.parametrize(
    ("words", "asked"), [([], (1, 604_800)), (["--count", "2", "--for", "90s"], (2, 90))]
)
def test_the_command_shows_each_code_once(
    monkeypatch: pytest.MonkeyPatch, words: list[str], asked: tuple[int, int]
) -> None:
    given: list[tuple[int, int]] = []

    class Chats:
        async def invite(self, chat: str, count: int, seconds: int) -> list[MadeInvitation]:
            given.append((count, seconds))
            return [MadeInvitation(it + 1, "abcd-efgh-jkmn-pqrs") for it in range(count)]

    def run(_: object, do: Any) -> object:
        coroutine = do(Chats())
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("it waits")

    monkeypatch.setattr(account_command, "_with_invitations", run)
    told = CliRunner().invoke(main, ["account", "invite", *words])
    assert told.exit_code == 0, told.output
    assert given == [asked]
    assert re.findall(r"^(\d)  +abcd-efgh-jkmn-pqrs$", told.output, re.M) == [
        str(it + 1) for it in range(asked[0])
    ]
