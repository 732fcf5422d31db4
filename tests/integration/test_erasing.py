"""Somebody is erased: nothing of him is left in Redis, and nobody else loses anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.device_client import leave_messages, sign_up, take
from harness.dialects import launch, listener
from harness.load import settle
from harness.node import NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.stopwatch import MOST_ONCE_MILLISECONDS, Stopwatch
from harness.waiting import until

pytestmark = pytest.mark.slow

DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:
        yield server


def everything(server: RedisServer) -> str:
    """Return all that Redis holds, as text."""
    control, found = server.control, []
    for key in control.scan_iter("*"):
        read: dict[str, Any] = {
            "string": control.get,
            "hash": control.hgetall,
            "stream": control.xrange,
            "list": lambda it: control.lrange(it, 0, -1),
            "set": control.smembers,
            "zset": lambda it: control.zrange(it, 0, -1, withscores=True),
        }
        kind = str(control.type(key))
        if kind != "none":  # it has just expired
            found.append(f"{key} {read[kind](key)}")
    return "\n".join(found)


async def test_nothing_of_him_is_left(redis: RedisServer, tmp_path: Path) -> None:
    factory = NodeFactory(tmp_path, redis.url)
    admin = Admin(redis.url)
    try:
        nodes = [launch(factory, [listener(ChatteClient), DEVICES]) for _ in range(2)]
        for node in nodes:
            await node.ready()
        device = nodes[1].port("device")
        for name in ("Wilhelm", "bob", "ada"):
            await sign_up(device, name)
        await leave_messages(device, "wilhelm", "bob", "bring the quince", "and the figs")
        await leave_messages(device, "ada", "bob", "see you")
        await leave_messages(device, "bob", "wilhelm", "which quince?")
        anna = await ChatteClient.enter_chat(nodes[0].port(), "anna")
        guest = await ChatteClient.enter_chat(nodes[1].port(), "wilhelmina")
        others = [anna.say("hello"), guest.say("good evening")]
        redis.control.delete("{main}:account:wilhelm")  # he was a guest before
        there = await ChatteClient.enter_chat(nodes[1].port(), "WILHELM")
        for number in range(100):
            there.say(f"quince {number}")
            others.append(anna.say(f"oh {number}"))
        await settle([anna, guest, there])
        redis.control.hset(
            "{main}:account:wilhelm", mapping={"nickname": "Wilhelm", "hash": "x", "since": 1}
        )
        await admin("ban", "wilhelm", "--account", "--reason", "quinces")
        await admin("unban", "wilhelm", "--account")
        await admin("ban", "wilhelm", "--account", "--reason", "quinces again")

        kept = await admin.json("export", "wilhelm")
        assert [it["text"] for it in kept["waiting_from"]] == ["bring the quince", "and the figs"]
        assert [it["text"] for it in kept["waiting_for"]] == ["which quince?"]
        assert kept["account"] == {"nickname": "Wilhelm", "since": "1"}
        assert len([it for it in kept["log"] if it["t"] == "said"]) == 100
        assert kept["bans"][0]["reason"] == "quinces again"
        assert "hash" not in json.dumps(kept)

        before = redis.control.xlen("{main}:log")
        with Stopwatch(redis) as stopwatch:
            done = await admin.json("erase", "wilhelm")
            assert stopwatch.longest() < MOST_ONCE_MILLISECONDS
        assert (done["account"], done["messages"]) == (True, 2)
        assert done["lines"] >= 104
        left = everything(redis).lower().replace("wilhelmina", "")
        # What nodes tell one another of him just now is gone in a moment.
        assert "quince" not in left
        assert "wilhelm" not in left
        assert redis.control.xlen("{main}:log") >= before
        await until(lambda: there.closed, 60, "him to be out")

        log = await admin("log", "-n", "1000")
        assert all(text in log.out for text in others)
        assert await take(device, "bob", "ada") == ["see you"]
        others_after = [anna.say("still here?"), guest.say("yes")]
        await settle([anna, guest])
        log = await admin("log", "-n", "20")
        assert all(text in log.out for text in others_after)
        assert (await admin.json("audit"))[-1]["action"] == "erase"
        assert (await admin.json("erase", "wilhelm"))["lines"] == 0
    finally:
        factory.end()
