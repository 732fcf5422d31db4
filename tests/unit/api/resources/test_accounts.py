"""Accounts and invitations over the API."""

import asyncio
import threading

import argon2
import pytest

from fakes.api import KEYS, FakeApi
from harness.cases import each
from tertulia.api.tokens import Scope
from tertulia.domain.invitations import kept
from tertulia.operators import accounts

SECRET = "correct horse"


async def test_an_account_is_made_once_changed_and_deleted(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE, name="boss")
    made = await boss.put("accounts/Dan", json={"password": SECRET})
    assert made.status_code == 201
    dan = made.json()
    assert (dan["nickname"], dan["is_logged_in"], dan["pending"]) == ("Dan", False, 0)
    assert dan["since"].endswith("Z")
    assert (await boss.get("accounts/DAN")).json() == dan
    assert (await boss.get("accounts")).json() == {"items": [dan], "next": None}
    before = await api.redis.hget(KEYS.account("dan"), "hash")
    again = await boss.put("accounts/dan", json={"password": "another one"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:tertulia:refused")
    assert again.json()["detail"] == "there is an account dan already"
    assert await api.redis.hget(KEYS.account("dan"), "hash") == before
    new = await boss.put("accounts/dan/password", json={"password": "another one"})
    assert new.status_code == 204
    stored = await api.redis.hget(KEYS.account("dan"), "hash")
    assert argon2.PasswordHasher().verify(stored, "another one")
    assert (await boss.delete("accounts/dan")).status_code == 204
    for ask in (
        boss.delete("accounts/dan"),
        boss.get("accounts/dan"),
        boss.put("accounts/dan/password", json={"password": SECRET}),
    ):
        answer = await ask
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:tertulia:no-account")
        assert answer.json()["detail"] == "there is no account 'dan'"
    audit = (await boss.get("rooms/lobby/audit")).json()["items"]
    assert [(it["by"], it["action"], it["subject"]) for it in audit] == [
        ("boss (api)", "register", "dan"),
        ("boss (api)", "password", "dan"),
        ("boss (api)", "unregister", "dan"),
    ]


@each("nickname", [".", ".."])
async def test_whose_name_is_a_step_in_a_path_can_be_named(api: FakeApi, nickname: str) -> None:
    """Clients and proxies take such steps out of a path."""
    boss, named = api.caller(Scope.OPERATE), f"@{nickname}"
    assert (await boss.put(f"accounts/{named}", json={"password": SECRET})).status_code == 201
    assert (await boss.get(f"accounts/{named}")).json()["nickname"] == nickname
    await api.seat(nickname)
    for kind in ("nickname", "account"):
        banned = await boss.put(f"bans/{kind}/{named}", json={"seconds": 60})
        assert (banned.status_code, banned.json()["subject"]) == (200, nickname)
        assert (await boss.delete(f"bans/{kind}/{named}")).status_code == 204
    moderated = await boss.put(f"rooms/lobby/mutes/{named}", json={"seconds": 60})
    assert moderated.status_code == 204
    (mute,) = (await boss.get("rooms/lobby")).json()["mutes"]
    assert mute["nickname"] == nickname
    assert (await boss.delete(f"rooms/lobby/mutes/{named}")).status_code == 204
    assert (await boss.delete(f"accounts/{named}")).status_code == 204


async def test_anybody_else_may_be_named_so_as_well(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE)
    assert (await boss.put("accounts/@Dan", json={"password": SECRET})).status_code == 201
    assert (await boss.get("accounts/dan")).json()["nickname"] == "Dan"
    assert (await boss.put("accounts/@@dan", json={"password": SECRET})).status_code == 422


async def test_a_guests_name_is_not_given_away(api: FakeApi) -> None:
    await api.seat("Andy")
    answer = await api.caller(Scope.OPERATE).put("accounts/andy", json={"password": SECRET})
    assert answer.status_code == 409
    assert "andy is in the chat as a guest" in answer.json()["detail"]


async def test_a_password_is_in_no_answer(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    boss = api.caller(Scope.OPERATE)
    secret = "hunter2" * 150
    for name, body in (
        ("dan", {"password": secret}),
        ("dan", {"password": [secret]}),
        ("dan", {"password": SECRET, "pass": secret}),
        ("g", {"password": secret[:20]}),
    ):
        answer = await boss.put(f"accounts/{name}", json=body)
        assert answer.status_code == 422, body
        assert "hunter2" not in answer.text
    assert "hunter2" not in caplog.text
    assert not await api.redis.exists(KEYS.account("dan"))


async def test_accounts_are_listed_in_pages(api: FakeApi) -> None:
    for number in range(5):
        fields = {"nickname": f"Nick{number}", "hash": "h", "since": "1700000000000"}
        await api.redis.hset(KEYS.account(f"nick{number}"), mapping=fields)
    boss, after, pages = api.caller(Scope.OPERATE), "", []
    while after is not None:
        answer = (await boss.get(f"accounts?limit=2&after={after}")).json()
        pages.append([it["nickname"] for it in answer["items"]])
        after = answer["next"]
    assert pages == [["Nick0", "Nick1"], ["Nick2", "Nick3"], ["Nick4"]]
    assert (await boss.get("accounts?limit=0")).status_code == 422


async def test_few_passwords_are_hashed_at_once_and_none_on_the_loop(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, most = threading.Semaphore(0), threading.Event(), []
    under_way: list[str] = []

    class Slow:
        def hash(self, password: str) -> str:
            under_way.append(password)
            most.append(len(under_way))
            begun.release()
            assert go_on.wait(60)
            under_way.remove(password)
            return "hash"

    monkeypatch.setattr(accounts, "PasswordHasher", Slow)
    boss = api.caller(Scope.OPERATE)
    asked = [
        asyncio.create_task(boss.put(f"accounts/dan{it}", json={"password": f"{SECRET}{it}"}))
        for it in range(5)
    ]
    for _ in range(2):
        assert await asyncio.to_thread(begun.acquire, timeout=60)
    assert (await boss.get("accounts")).status_code == 200  # the loop goes on
    go_on.set()
    assert [it.status_code for it in await asyncio.gather(*asked)] == [201] * 5
    assert max(most) == 2


async def test_invitations_are_made_listed_and_taken_back(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE, name="boss")
    answer = await boss.post("invitations", json={"count": 2, "seconds": 60})
    assert answer.status_code == 201
    one, two = answer.json()["items"]
    assert (one["number"], two["number"]) == (1, 2)
    assert await api.redis.hexists(KEYS.invitations, kept(one["code"]))
    listed = (await boss.get("invitations")).json()["items"]
    assert [it["number"] for it in listed] == [1, 2]
    assert one["code"] not in str(listed)
    assert (await boss.delete("invitations/1")).status_code == 204
    again = await boss.delete("invitations/1")
    assert (again.status_code, again.json()["type"]) == (404, "urn:tertulia:no-invitation")
    assert (await boss.post("invitations", json={"count": 1001})).status_code == 422
    assert (await boss.post("invitations", json={})).status_code == 201
    audit = (await boss.get("rooms/lobby/audit")).json()["items"]
    assert [(it["by"], it["action"], it["subject"], it["value"]) for it in audit] == [
        ("boss (api)", "invite", "", "1-2"),
        ("boss (api)", "uninvite", "", "1"),
        ("boss (api)", "invite", "", "3"),
    ]
    assert one["code"] not in str(audit)
