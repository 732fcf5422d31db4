"""Nodes over the API."""

from fakes.api import KEYS, FakeApi
from tertulia.api.tokens import Scope


async def test_the_nodes_of_the_tokens_chat_are_listed_as_the_command_lists_them(
    api: FakeApi,
) -> None:
    await api.seat("Andy")
    facts = {"state": "up", "version": "9", "host": "h", "started": "1700000000000"}
    await api.redis.hset(KEYS.node_info("one~1"), mapping=facts)
    (node,) = (await api.caller(Scope.OPERATE).get("nodes")).json()["items"]
    lease = node.pop("lease_seconds")
    assert 3500 < lease <= 3600
    assert node == {
        "chat": "main", "node": "one", "registration": "one~1", "state": "up", "sessions": 1,
        "lag_seconds": None, "version": "9", "host": "h", "ops": None, "pid": None,
        "started": "2023-11-14T22:13:20Z",
    }  # fmt: skip


async def test_who_may_not_operate_sees_none_and_drains_none(api: FakeApi) -> None:
    guard = api.caller(Scope.MODERATE, Scope.READ, Scope.SAY)
    for ask in (guard.get("nodes"), guard.post("nodes/one/drain"), guard.get("bans")):
        answer = await ask
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:tertulia:scope-missing")
    assert await api.log() == []


async def test_a_node_that_is_not_there_or_does_not_answer_is_said(api: FakeApi) -> None:
    boss = api.caller(Scope.OPERATE)
    answer = await boss.post("nodes/two/drain")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:tertulia:no-node")
    assert answer.json()["detail"] == "there is no node two: known are one"
    api.deployment.patience = 0.0
    answer = await boss.post("nodes/one/drain")
    assert answer.status_code == 409
    assert "did not answer within 0 s" in answer.json()["detail"]


async def test_a_drain_is_answered_once_the_node_drains(api: FakeApi) -> None:
    await api.redis.hset(KEYS.node_info("one~1"), "state", "draining")
    answer = await api.caller(Scope.OPERATE).post("nodes/one/drain")
    assert (answer.status_code, answer.json()) == (202, {"node": "one", "sessions": 0})
