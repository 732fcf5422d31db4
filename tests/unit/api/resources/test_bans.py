"""Bans over the API."""

import pytest

from fakes.api import KEYS, FakeApi
from tertulia.api.tokens import Scope


@pytest.mark.parametrize(
    ("path", "kind", "subject"),
    [
        ("nickname/Troll", "nickname", "troll"),
        ("account/Dora", "account", "dora"),
        ("address/192.0.2.7", "address", "192.0.2.7"),
        ("address/192.0.2.0%2F24", "network", "192.0.2.0/24"),
        ("network/2001:db8::%2F32", "network", "2001:db8::/32"),
    ],
)
async def test_a_ban_is_made_listed_and_ended(
    api: FakeApi, path: str, kind: str, subject: str
) -> None:
    await api.redis.hset(KEYS.account("dora"), mapping={"nickname": "Dora", "since": "7"})
    boss = api.caller(Scope.OPERATE, name="boss")
    answer = await boss.put(f"bans/{path}", json={"seconds": None, "reason": "spam"})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made.pop("removed") == []
    (listed,) = (await boss.get("bans")).json()["items"]
    assert listed == made
    assert (made["kind"], made["subject"], made["until"]) == (kind, subject, None)
    assert (made["reason"], made["by"]) == ("spam", "boss (api)")
    assert (await boss.delete(f"bans/{path}")).status_code == 204
    again = await boss.delete(f"bans/{path}")
    assert (again.status_code, again.json()["type"]) == (404, "urn:tertulia:no-ban")
    assert (await boss.get("bans")).json() == {"items": []}


async def test_who_is_banned_is_removed_and_told_of(api: FakeApi) -> None:
    await api.seat("Troll")
    api.deployment.patience = 0.0  # no node here obeys
    boss = api.caller(Scope.OPERATE)
    answer = await boss.put("bans/nickname/troll", json={"seconds": 60})
    assert (answer.status_code, answer.json()["removed"]) == (200, ["Troll"])
    assert answer.json()["until"] > answer.json()["since"]
    assert not await api.redis.exists(KEYS.nick("troll"))


async def test_what_can_not_be_banned_is_said(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE)
    for path, body, status, kind in (
        ("account/nobody", {}, 404, "no-account"),
        ("address/Troll", {}, 422, "invalid-request"),
        ("nickname/no%20name", {}, 422, "invalid-request"),
        ("nickname/x%2Fy", {}, 422, "invalid-request"),
        ("shoe/troll", {}, 422, "invalid-request"),
        ("nickname/troll", {"seconds": 0}, 422, "invalid-request"),
        ("nickname/troll", {"seconds": 3_153_600_001}, 422, "invalid-request"),
        ("nickname/troll", {"second": 60}, 422, "invalid-request"),
        ("nickname/troll", {"reason": "x" * 4001}, 422, "invalid-request"),
    ):
        answer = await boss.put(f"bans/{path}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:tertulia:{kind}"), path
    assert (await boss.get("bans")).json() == {"items": []}


async def test_moderators_do_not_read_of_bans_in_the_audit_log(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE, name="boss")
    guard = api.caller(Scope.MODERATE, name="guard")
    await guard.put("rooms/lobby/slow", json={"seconds": 1})
    for last in range(9):
        await boss.put(f"bans/address/192.0.2.{last}", json={})
    audit = "rooms/lobby/audit"
    assert [it["action"] for it in (await guard.get(f"{audit}?limit=1")).json()["items"]] == [
        "slow"
    ]
    assert len((await guard.get(audit)).json()["items"]) == 1
    assert len((await boss.get(audit)).json()["items"]) == 10
    (last_one,) = (await boss.get(f"{audit}?limit=1")).json()["items"]
    assert (last_one["by"], last_one["action"], last_one["subject"]) == (
        "boss (api)",
        "ban",
        "address:192.0.2.8",
    )
