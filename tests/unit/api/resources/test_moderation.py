"""Moderating over the API: what is done, in whose name, and what is refused."""

import json

import httpx
import pytest

from fakes.api import KEYS, FakeApi
from tertulia.api.tokens import Scope
from tertulia.domain.events import Said, encode


@pytest.fixture
def guard(api: FakeApi) -> httpx.AsyncClient:
    return api.caller(Scope.MODERATE, name="guard")


async def events(api: FakeApi) -> list[dict[str, object]]:
    lines = [line for entry in await api.log() for line in entry["e"].split("\n")]
    return [it for it in map(json.loads, lines) if it["t"] != "ordered"]


async def test_what_is_done_stands_in_the_log_in_order(
    api: FakeApi, guard: httpx.AsyncClient
) -> None:
    for path, body in (
        ("topic", {"text": " the \r\n night\u0007 shift "}),
        ("slow", {"seconds": 3600}),
        ("accounts-only", {"on": False}),
        ("mutes/Troll", {"seconds": 60, "reason": "spam"}),
    ):
        assert (await guard.put(f"rooms/lobby/{path}", json=body)).status_code == 204
    assert (await guard.delete("rooms/lobby/mutes/troll")).status_code == 204
    assert [it["t"] for it in await events(api)] == [
        "topic", "slow", "accounts_only", "muted", "unmuted",
    ]  # fmt: skip
    assert (await events(api))[0]["x"] == "the night shift"
    audit = (await guard.get("rooms/lobby/audit?limit=2")).json()["items"]
    assert [(it["action"], it["subject"], it["value"]) for it in audit] == [
        ("mute", "troll", "60 s"),
        ("unmute", "troll", ""),
    ]
    assert {it["by"] for it in audit} == {"guard (api)"}


async def test_an_announcement_is_the_servers_and_may_have_lines(
    api: FakeApi, guard: httpx.AsyncClient
) -> None:
    await api.seat("Andy")
    assert (
        await guard.post("rooms/lobby/announcements", json={"text": "one\r\ntwo"})
    ).status_code == 204
    (said,) = await events(api)
    assert (said["t"], said["n"], said["x"]) == ("said", "G", "one\u2028two")
    empty = await guard.post("rooms/lobby/announcements", json={"text": " \u0007\n "})
    assert empty.status_code == 422


async def test_a_message_is_withdrawn_by_its_place(api: FakeApi, guard: httpx.AsyncClient) -> None:
    said = encode(Said("Andy", "one~1:1", "rude")).decode()
    await api.redis.xadd(KEYS.log, {"p": "5000000", "b": "one~1 1", "e": said}, "5-0")
    await api.redis.hset(KEYS.meta, "offset", "5")
    assert (await guard.delete("rooms/lobby/messages/5.0?reason=rude")).status_code == 204
    assert await api.redis.zrange(KEYS.redacted, 0, -1) == ["5 0"]
    gone = await guard.delete("rooms/lobby/messages/5.1")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:tertulia:no-message")
    assert gone.json()["detail"] == "the log of the chat main has no message 5.1"
    for place in ("5", "0.1", "5.x", "5.01", "1" * 40 + ".0"):
        assert (await guard.delete(f"rooms/lobby/messages/{place}")).status_code == 422


async def test_only_operators_appoint_and_change_what_a_room_is(
    api: FakeApi, guard: httpx.AsyncClient
) -> None:
    ops = await api.open_room("ops")
    await api.redis.hset(KEYS.account("dora"), mapping={"nickname": "Dora", "since": "7"})
    boss = api.caller(Scope.OPERATE, name="boss")
    for path, body in (
        ("moderators/Dora", None),
        ("lasting", {"on": True}),
        ("outsiders", {"on": True}),
    ):
        refused = await guard.put(f"rooms/ops/{path}", json=body)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:tertulia:scope-missing")
        assert (await boss.put(f"rooms/ops/{path}", json=body)).status_code == 204
    assert await api.redis.hget(ops.moderation, "moderator:dora") == "7"
    assert (await boss.get("rooms/ops")).json()["is_lasting"] is True
    assert (await boss.put("rooms/ops/lasting", json={"on": False})).status_code == 204
    assert (await boss.get("rooms/ops")).json()["is_lasting"] is False
    assert (await boss.delete("rooms/ops/moderators/dora")).status_code == 204
    for ask, kind in (
        (boss.delete("rooms/ops/moderators/dora"), "no-moderator"),
        (boss.put("rooms/ops/moderators/Nobody"), "no-account"),
        (boss.put("rooms/lobby/moderators/Nobody"), "no-account"),
        (boss.delete("rooms/ops/mutes/dora"), "no-mute"),
    ):
        answer = await ask
        assert (answer.status_code, answer.json()["type"]) == (404, f"urn:tertulia:{kind}")
    for path in ("lasting", "outsiders"):
        lobby = await boss.put(f"rooms/lobby/{path}", json={"on": True})
        assert (lobby.status_code, lobby.json()["type"]) == (409, "urn:tertulia:lobby")


async def test_bounds_are_those_of_the_commands(api: FakeApi, guard: httpx.AsyncClient) -> None:
    for path, body in (
        ("slow", {"seconds": 3601}),
        ("slow", {"seconds": -1}),
        ("mutes/troll", {"seconds": 0}),
        ("mutes/troll", {"seconds": 366 * 86_400 + 1}),
        ("mutes/troll", {"reason": "x" * 501}),
        ("topic", {"text": "\u00e9" * 251}),
        ("topic", {}),
        ("accounts-only", {"on": "perhaps"}),
    ):
        answer = await guard.put(
            f"rooms/lobby/{path}",
            content=json.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, (path, body, answer.text)
    assert await events(api) == []


async def test_a_token_is_for_its_rooms(api: FakeApi) -> None:
    for room in ("ops", "chess"):
        await api.open_room(room)
    guard = api.caller(Scope.MODERATE, rooms=["ops"])
    assert (await guard.put("rooms/ops/slow", json={"seconds": 1})).status_code == 204
    for room in ("chess", "lobby"):
        answer = await guard.put(f"rooms/{room}/slow", json={"seconds": 1})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:tertulia:room-not-yours")
