"""Which rooms the API shows, and what of them."""

import asyncio
from typing import Any

import pytest

from fakes.api import KEYS, FakeApi
from fakes.redis import FakeConnection
from tertulia.api.tokens import Scope
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from tertulia.operators.rooms import RoomSeen, RoomsOverview
from tertulia.redis.access import Access, Server
from tertulia.store.keys import LogKeys


async def test_the_lobby_comes_first_then_who_has_most_members(api: FakeApi) -> None:
    await api.seat("Andy")
    await api.open_room("quiet")
    ops = await api.open_room("ops")
    await api.seat("Andy", ops)
    await api.redis.hset(ops.moderation, "topic", "the night shift")
    await api.redis.hset(KEYS.room_facts, "lasting:ops", "1")
    answer = await api.caller(Scope.OPERATE).get("rooms")
    assert answer.status_code == 200, answer.text
    lobby, first, last = answer.json()["items"]
    assert (lobby["name"], lobby["members"], lobby["topic"]) == ("lobby", 1, "")
    assert first == {
        "name": "ops", "members": 1, "messages": 0, "bytes": 0, "topic": "the night shift",
        "is_lasting": True, "error": None, "shard": first["shard"],
    }  # fmt: skip
    assert last["name"] == "quiet"
    assert first["shard"] == "127.0.0.1:6379"


async def test_the_way_to_the_rooms_is_kept_from_one_request_to_the_next(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FakeConnection] = []

    async def connect(*_: object) -> FakeConnection:
        made.append(await api.connect())
        return made[-1]

    monkeypatch.setattr(Access, "connect", connect)
    await api.open_room("ops")
    boss = api.caller(Scope.OPERATE)
    asked = await asyncio.gather(*(boss.get("rooms") for _ in range(3)))
    assert [it.json()["items"][1]["members"] for it in asked] == [0] * 3
    assert len(made) == 1
    made[0].is_over = True
    assert (await boss.get("rooms")).json()["items"][1]["members"] == 0
    assert len(made) == 2, "a connection that has ended is made anew"


async def test_a_token_sees_its_own_rooms_and_no_shard(api: FakeApi) -> None:
    for room in ("ops", "chess", "lobby"):
        await api.open_room(room)
    answer = await api.caller(Scope.READ, rooms=["chess"]).get("rooms")
    (seen,) = answer.json()["items"]
    assert seen["name"] == "chess"
    assert "shard" not in seen
    both = await api.caller(Scope.MODERATE, name="m", rooms=["lobby", "ops"]).get("rooms")
    assert [it["name"] for it in both.json()["items"]] == ["lobby", "ops"]
    assert (await api.caller(Scope.SAY, name="s").get("rooms")).status_code == 403


async def test_rooms_of_others_are_not_even_looked_at(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be ten thousand, and somebody may ask fifty times a second."""
    for room in ("ops", "chess", "quiet"):
        await api.open_room(room)
    looked: list[str | None] = []
    look = RoomsOverview._look

    async def noting(self: RoomsOverview, redis: Any, keys: LogKeys, server: Server) -> RoomSeen:
        looked.append(keys.name)
        return await look(self, redis, keys, server)

    monkeypatch.setattr(RoomsOverview, "_look", noting)
    assert (await api.caller(Scope.READ, rooms=["chess"]).get("rooms")).status_code == 200
    assert looked == ["chess"]


async def test_what_is_in_force_is_told_with_mutes_for_moderators(api: FakeApi) -> None:
    ops = await api.open_room("ops")
    await api.redis.hset(ops.moderation, "owner:dora", "77")
    boss = api.caller(Scope.OPERATE, name="boss")
    for path, body in (
        ("slow", {"seconds": 30}),
        ("accounts-only", {"on": True}),
        ("outsiders", {"on": True}),
        ("topic", {"text": "the night shift"}),
        ("mutes/Troll", {"seconds": None, "reason": "spam"}),
    ):
        answer = await boss.put(f"rooms/ops/{path}", json=body)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""
    told = (await boss.get("rooms/%23OPS")).json()
    (mute,) = told.pop("mutes")
    assert mute == {"nickname": "troll", "until": None, "reason": "spam", "by": "G"}
    assert told == {
        "name": "ops", "topic": "the night shift", "members": 0, "slow_seconds": 30,
        "accounts_only": True, "outsiders": True, "owner": "dora", "moderators": [],
        "is_lasting": False,
    }  # fmt: skip
    reader = await api.caller(Scope.READ, name="reader").get("rooms/ops")
    assert reader.json() == told
    lobby = (await boss.get("rooms/lobby")).json()
    assert (lobby["name"], lobby["slow_seconds"]) == ("lobby", 0)


async def test_a_room_that_is_not_there_is_not_there(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE)
    for ask in (boss.get("rooms/no"), boss.put("rooms/no/slow", json={"seconds": 1})):
        answer = await ask
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:tertulia:no-room"
        assert answer.json()["detail"] == "there is no room #no in the chat main"
    assert not await api.redis.keys("*#no*")
    other = await api.caller(Scope.OPERATE, name="other", chat="other").get("rooms")
    assert (other.status_code, other.json()["type"]) == (404, "urn:tertulia:no-chat")


async def test_a_mute_that_ends_is_told_in_utc(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE)
    await api.deployment.orders("main", None).moderate(Moderation(Action.MUTE, "Troll", 60))
    (mute,) = (await boss.get("rooms/lobby")).json()["mutes"]
    assert mute["until"].endswith("Z")
