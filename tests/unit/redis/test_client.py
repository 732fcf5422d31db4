"""redis-py's client as it is used here: one kind of failure, nothing tried twice, scripts in their form."""

import asyncio
from typing import Any

import pytest

from fakes.redis import FakeConnection, fake_client
from tertulia.redis.access import Server
from tertulia.redis.errors import ErrorReply, StoreAway
from tertulia.redis.script import Script
from tertulia.telemetry.metrics import RetryCause

ECHO = Script("return {KEYS[1], KEYS[2], ARGV[1]}", lambda key: f"{key}:last")


@pytest.fixture
def client() -> Any:  # as redis-py says of no reply that it is text
    return fake_client()


async def test_a_script_is_given_the_key_that_comes_last(client: Any) -> None:
    for _ in range(2):  # at first it is not known
        assert await client.run(ECHO, ["k"], ["x"]) == ["k", "k:last", "x"]


async def test_what_is_sent_together_is_answered_in_order(client: Any) -> None:
    assert await asyncio.gather(client.set("k", "ñ"), client.get("k")) == [True, "ñ"]  # type: ignore[comparison-overlap]


async def test_a_refusal_among_others_is_told_without_what_was_asked(client: Any) -> None:
    await client.set("k", "text")
    with pytest.raises(StoreAway, match="WRONGTYPE") as caught:
        await asyncio.gather(client.get("k"), client.lpush("k", "secret"), client.llen("k"))
    assert "secret" not in str(caught.value)


async def test_what_is_no_text_comes_back_as_it_was(client: Any) -> None:
    await client.set("k", b"\xff\xc3")
    text = await client.get("k")
    await client.set("k2", text)
    assert text.encode(errors="surrogateescape") == b"\xff\xc3"
    assert await client.get("k2") == text


@pytest.mark.parametrize(
    ("word", "cause"),
    [("MOVED", RetryCause.CLUSTER), ("NOPERM", RetryCause.NO_PERMISSION), ("OOM", RetryCause.OUT_OF_MEMORY)],
)  # fmt: skip
async def test_a_refusal_is_noted_and_not_tried_again(
    client: Any, monkeypatch: pytest.MonkeyPatch, word: str, cause: RetryCause
) -> None:
    asked = 0
    sent_to: list[Server] = []

    async def refuse(*_: Any, **__: Any) -> None:
        nonlocal asked
        asked += 1
        raise ErrorReply(f"{word} 7 127.0.0.1:7001")

    monkeypatch.setattr(FakeConnection, "ask", refuse)
    monkeypatch.setattr(client.link._masters, "sent_to", sent_to.append)
    with pytest.raises(StoreAway) as caught:
        await client.get("k")
    assert caught.value.cause is cause
    assert asked == 1
    assert bool(client.link.refusal) == (word == "NOPERM")
    assert sent_to == ([Server("127.0.0.1", 7001)] if word == "MOVED" else [])
