"""A newer node on the same Redis: what it writes and this version does not know is skipped and counted."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from harness.chatte_client import ChatteClient
from harness.device_client import PASSWORD, hanging, leave_messages, sign_up
from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until
from history.record import (
    Acked,
    Connected,
    Disconnected,
    EnterSent,
    History,
    SawJoined,
    SentPublic,
    Welcomed,
)

pytestmark = pytest.mark.slow

NEWER = "newer~1"
"""The node that is made up here."""

# What an append of any version does: the next offset, an entry in the stream, a word on the channel. Here the
# fields of the entry and the form of the word are the caller's. In both, %o stands for the offset.
APPEND = """
local meta, log, room = KEYS[1], KEYS[2], KEYS[3]
local offset = redis.call('HINCRBY', meta, 'offset', 1)
local time = redis.call('TIME')
local stamp = time[1] .. string.format('%06d', tonumber(time[2]))
local function filled(text)
  text = string.gsub(text, '%%o', string.format('%d', offset))
  text = string.gsub(text, '%%e', redis.call('HGET', meta, 'epoch'))
  return (string.gsub(text, '%%t', stamp))
end
local fields = {}
for index = 2, #ARGV do table.insert(fields, filled(ARGV[index])) end
redis.call('XADD', log, offset .. '-0', unpack(fields))
if ARGV[1] ~= '' then redis.call('PUBLISH', room, filled(ARGV[1])) end
return offset
"""
POST = """
local number = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
local line = number .. ARGV[2]
redis.call('RPUSH', KEYS[2], line)
redis.call('PUBLISH', KEYS[3], '1 i ' .. redis.call('HGET', KEYS[4], 'epoch') .. '\\n' .. line)
return number
"""


class NewerNode:
    """Writes into a chat as a later version might, with somebody of its own in the room."""

    def __init__(self, redis_server: RedisServer) -> None:
        self._redis = redis_server.control
        self.history = History("newer", reads_lobby=False)
        self.texts: list[str] = []
        self._numbers = itertools.count(1)

    def publish(self, word: str | bytes, channel: str = "{main}:room") -> None:
        self._redis.publish(channel, word)

    def append(
        self, events: Sequence[dict[str, Any]], *, head: str = "1 r %e %o %t newer~1 7"
    ) -> None:
        """Append an entry of this version's form, with whatever events; without ``head``, unannounced."""
        body = "\n".join(map(json.dumps, events))
        word = f"{head}\n{body}" if head else ""
        self._append(word, "p", "%t", "b", "newer~1 7", "e", body)

    def append_unreadable(self, *fields: str, word: str) -> None:
        """Append an entry of another form."""
        self._append(word, *fields)

    def join(self) -> None:
        """Let somebody come whose dialect and whose hash this version does not know."""
        now = self.history.now()
        self.history.add(Connected(now))
        self.history.add(EnterSent(now, "newcomer"))
        self._redis.hset(
            "{main}:nick:newcomer",
            mapping={
                "nickname": "newcomer", "node": NEWER, "session": f"{NEWER}:1",
                "dialect": "telepathy", "sitting": "0", "mood": "good", "since": "soon",
            },
        )  # fmt: skip
        self._redis.zadd("{main}:order", {"newcomer": 1_000_000})
        self._redis.zadd("{main}:leases", {NEWER: 9e15})
        self.append([self._event("joined", d="telepathy", colour={"r": 1})])
        self.history.add(Welcomed(self.history.now(), "newcomer"))

    def say(self, **more: Any) -> None:
        """Say something, between events that this version does not know."""
        text = f"from the future {next(self._numbers)}"
        self.texts.append(text)
        self.history.add(SentPublic(self.history.now(), text))
        said = self._event("said", x=text, **more)
        self.append([{"t": "danced", "n": "newcomer", "steps": 3}, said, {"t": "danced"}])
        self.history.add(Acked(self.history.now(), text))

    def leave(self) -> None:
        self.history.add(Disconnected(self.history.now(), "client"))
        self._redis.delete("{main}:nick:newcomer")
        self._redis.zrem("{main}:order", "newcomer")
        self.append([self._event("left", why="bored")])

    def post(self, node: str, rest: str) -> None:
        """Put a letter into a node's inbox; its number is written before ``rest``."""
        keys = (
            "{main}:inboxes",
            f"{{main}}:node:{node}:inbox",
            f"{{main}}:node:{node}",
            "{main}:meta",
        )
        self._redis.eval(POST, len(keys), *keys, node, rest)

    def _append(self, word: str, *fields: str) -> None:
        self._redis.eval(APPEND, 3, "{main}:meta", "{main}:log", "{main}:room", word, *fields)

    def _event(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"t": kind, "n": "newcomer", "s": f"{NEWER}:1", **more}


def registered(redis_server: RedisServer) -> set[str]:
    leases = cast(list[str], redis_server.control.zrange("{main}:leases", 0, -1))
    return set(leases) - {NEWER}


async def total(nodes: Sequence[Node], metric: str) -> float:
    pages = await asyncio.gather(*(node.metrics() for node in nodes))
    return sum(it.value for page in pages for it in page if it.name == f"tertulia_{metric}")


async def test_what_a_later_version_writes_is_skipped_and_counted_and_the_order_kept(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes = await node_factory.start_many(2)
    clients = await connect_many([node.port() for node in nodes], 8, "user")
    await settle(clients)
    newer = NewerNode(redis_server)
    names = registered(redis_server)
    counted = 0.0

    async def counts(what: str, at_least: int = 1) -> None:
        nonlocal counted
        now = counted

        async def grown() -> bool:
            nonlocal now
            now = await total(nodes, "bus_unknown_total")
            return now >= counted + at_least

        await until(grown, 30, f"{what} to be counted")
        counted = now

    async def inject() -> None:
        both = len(nodes)
        newer.join()
        for word in (
            "2 r x",
            "2",
            "",
            "1 z anything",
            "1 r few words",
            b"\xff\x00\xfe",
            "1 i",
            "1 p",
        ):
            newer.publish(word)
        await counts("words on the room's channel", 8 * both)
        for _ in range(5):
            newer.say(mood="good", words=[1, 2])
        await counts("unknown events", 10 * both)
        newer.append([{"t": "danced", "n": "newcomer"}])
        await counts("an entry of unknown events only", both)
        newer.append([{"t": "danced"}], head="1 r %e %o %t newer~1 7 and more")
        await counts("an entry with more in its head", both)
        newer.append_unreadable("v", "2", "z", "packed", word="2 r %e %o packed")
        newer.say()
        await counts("an entry of another form", 2 * both)
        newer.append_unreadable("v", "2", "p", "%t", "b", "x 1", "e", "{}", word="")
        await counts("an entry that was not even announced, found by the probe", both)
        newer.append_unreadable("p", "soon", "b", "x", "e", "", word="1 r %e %o soon x y\n")
        newer.say()
        await counts("an entry whose numbers are none", 2 * both)
        for name in names:
            newer.publish("3 p %e 7", f"{{main}}:node:{name}")
            newer.post(name, f" {name}:1 1 " + json.dumps({"t": "sung", "notes": "do re mi"}))
            newer.post(name, " 2 whatever that is")
            newer.post(name, "")
        await counts("letters", 4 * both)
        newer.leave()

    whom = [client.nickname for client in clients]
    await under_load(clients, inject(), per_second=20, whisper_to=whom)
    await settle(clients)

    late = await ChatteClient.enter_chat(nodes[0].port(), "late")
    await settle([*clients, late])
    for client in clients:
        read = [
            it.partition("newcomer ")[2] for it in client.lines if it.startswith("100 newcomer ")
        ]
        assert read == newer.texts
        assert any(record.nickname == "newcomer" for record in client.history.of(SawJoined))
    assert registered(redis_server) == names, "no node had to start over"
    assert not await total(nodes, "bus_lost_entries_total")
    assert not await total(nodes, "epoch_changes_total")
    for name in names:
        await until(
            lambda name=name: not redis_server.control.exists(f"{{main}}:node:{name}:inbox"),  # type: ignore[misc]
            60,
            "the letters to be done with",
        )
    await promises_kept([*clients, late], newer)


async def promises_kept(clients: Sequence[ChatteClient], newer: NewerNode) -> None:
    """Judge the real clients' histories together with what the made-up node's somebody did."""
    somebody = ChatteClient("newcomer")
    somebody.history = newer.history
    await assert_promises_kept([*clients, somebody])


async def test_a_node_that_starts_finds_members_of_a_later_version(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    first = await node_factory.start()
    client = await ChatteClient.enter_chat(first.port(), "andy")
    newer = NewerNode(redis_server)
    newer.join()
    await client.expect_line("150 newcomer just join to the chat")
    newer.append_unreadable("v", "2", "z", "packed", word="")
    second = await node_factory.start()
    late = await ChatteClient.enter_chat(second.port(), "late")
    refused = await ChatteClient.connect(second.port(), "newcomer")
    assert not await refused.enter("newcomer"), "the nickname has its owner"
    newer.say()
    for reader in (client, late):
        await reader.expect_line(f"100 newcomer {newer.texts[0]}")
    newer.leave()
    await late.expect_line("151 newcomer just left the chat")
    await settle([client, late])


async def test_what_a_node_before_lists_keeps_is_found_by_one_that_has_them(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """It goes on keeping, in a stream, while this one hands over; nothing is lost, nothing comes twice."""
    node = node_factory.launch(listeners=(Listener("chatte"), Listener("device")))
    await node.ready()
    device, control = node.port("device"), redis_server.control
    for name in ("dan", "ann"):
        await sign_up(device, name)

    def keep(*texts: str) -> None:
        for text in texts:
            control.xadd("{main}:pending:dan", {"f": "Ann", "x": text})
            control.hincrby("{main}:counts:dan", "ann", 1)
            control.hincrby("{main}:counts:dan", "", 3 + len(text))
            control.hincrby("{main}:meta", "pending", 1)

    keep("one", "two")
    await leave_messages(device, "ann", "dan", "three")
    assert await hanging(device, "dan")
    keep("four")
    assert [line.split(",")[0] for line in await hanging(device, "dan")] == ["ann: 4 messaggi"]
    keep(*(f"{number}" for number in range(1000)))
    dan = await ChatteClient.connect(node.port(), "dan")
    dan.send(f"dan:{PASSWORD}\n".encode())

    def read() -> list[str]:
        return [it.split(" ", 2)[2] for it in dan.lines if it.startswith("102 ")]

    await dan.wait_for(lambda: len(read()) >= 1004, 60, "all of it")
    assert sorted(read()) == sorted(["one", "two", "three", "four", *map(str, range(1000))])
    assert [it for it in read() if it.isdigit()] == [f"{number}" for number in range(1000)]

    def is_done_with() -> bool:  # once it has reached dan
        keys = cast(list[str], control.keys("{main}:*:dan*"))
        is_kept = any(it.split(":")[1] in ("pending", "counts", "senders") for it in keys)
        return not is_kept and control.hget("{main}:meta", "pending") == "0"

    await until(is_done_with, 60, "what was read to be forgotten")
    dan.close()
