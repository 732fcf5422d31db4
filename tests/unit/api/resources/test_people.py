"""Who the API says is in a room, and whom it removes."""

from fakes.api import KEYS, FakeApi
from tertulia.api.tokens import Scope


async def test_people_are_listed_with_where_they_are_for_operators_alone(api: FakeApi) -> None:
    ops = await api.open_room("ops")
    await api.seat("Andy")
    await api.seat("bea")
    await api.seat("bea", ops)
    await api.redis.hset(KEYS.account("bea"), "nickname", "bea")
    reader = api.caller(Scope.READ, name="reader")
    people = (await reader.get("rooms/lobby/people")).json()["items"]
    andy = {
        "nickname": "Andy",
        "kind": "guest",
        "dialect": "chatte",
        "since": "2023-11-14T22:13:20Z",
    }
    assert people == [andy, {**andy, "nickname": "bea", "kind": "account"}]
    assert (await reader.get("rooms/ops/people")).json()["items"] == people[1:]
    boss = api.caller(Scope.OPERATE, name="boss")
    (bea,) = (await boss.get("rooms/ops/people")).json()["items"]
    assert bea == {**people[1], "node": "one", "address": "192.0.2.1", "port": 5000}


async def test_a_kick_is_out_of_a_room_or_out_of_the_chat(api: FakeApi) -> None:
    ops = await api.open_room("ops")
    for keys in (KEYS, ops):
        await api.seat("Andy", keys)
    boss = api.caller(Scope.MODERATE, name="guard")
    for room, keys in (("ops", ops), ("lobby", KEYS)):
        assert (await boss.delete(f"rooms/{room}/people/ANDY?reason=spam")).status_code == 204
        assert not await api.redis.exists(keys.nick("andy"))
        again = await boss.delete(f"rooms/{room}/people/andy")
        assert (again.status_code, again.json()["type"]) == (404, "urn:tertulia:no-person")
        (done,) = (await boss.get(f"rooms/{room}/audit")).json()["items"]
        assert (done["by"], done["action"], done["subject"]) == ("guard (api)", "kick", "andy")
        assert done["text"] == "spam"


async def test_what_is_no_nickname_is_refused_before_redis_is_asked(api: FakeApi) -> None:
    answer = await api.caller(Scope.MODERATE).delete("rooms/lobby/people/no%20name")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:tertulia:invalid-request")
    assert "1 to 32" in answer.json()["detail"]
