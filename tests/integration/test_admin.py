"""``tertulia admin`` on two real nodes, through the real command: what it shows, what it does to whom."""

import asyncio
import contextlib
import getpass
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import browser_frames as frames
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import INVALID, TAKEN, WITHIN, ChatteClient
from harness.device_client import PASSWORD, DeviceClient, chat, leave_messages, log_in, sign_up
from harness.dialects import launch, listener, port
from harness.node import Node, NodeFactory
from harness.protocollo_client import CLOSE, PAGE, ProtocolloClient
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until

pytestmark = pytest.mark.slow

ROOM: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}
REFUSED_NAME = "il nome già utilizzato"
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

each_dialect = pytest.mark.parametrize("kind", ROOM, ids=["chatte", "protocollo", "browser"])


@dataclass
class House:
    """Two nodes, an operator, and who was let in."""

    nodes: list[Node]
    redis: RedisServer
    admin: Admin
    guests: list[ChatteClient] = field(default_factory=list)

    async def connect(
        self, kind: type[ChatteClient], node: int = 0, source: str | None = None
    ) -> ChatteClient:
        client = await kind.connect(port(self.nodes[node], kind), source=source)
        self.guests.append(client)
        return client

    async def enter(
        self, kind: type[ChatteClient], nickname: str, node: int = 0, source: str | None = None
    ) -> ChatteClient:
        client = await self.connect(kind, node, source)
        assert await client.enter(nickname), client.describe()
        return client

    async def lets_in_again(
        self, kind: type[ChatteClient], nickname: str, node: int = 0, source: str | None = None
    ) -> None:
        """Try until the node has heard that it may: what unbans only tells Redis."""

        async def enters() -> bool:
            client = await self.connect(kind, node, source)
            return await client.enter(nickname)

        await until(enters, WITHIN, f"{nickname} to be let in")

    async def disconnects(self, reason: str) -> float:
        return sum([await node.disconnects(reason) for node in self.nodes])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_redis(fsync="no") as server:
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            both = [launch(factory, [*map(listener, ROOM), DEVICES]) for _ in range(2)]
            for node in both:
                node.ready_sync()
            yield both, server
        finally:
            factory.end()


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[House]:
    both, redis = nodes
    house = House(both, redis, Admin(redis.url))
    yield house
    for guest in house.guests:
        guest.close()
    for ban in await house.admin.json("bans"):
        flag = [f"--{ban['kind']}"] if ban["kind"] in ("nickname", "account") else []
        await house.admin("unban", ban["subject"], *flag)
        await house.admin.heard_by(*both)
    await until(lambda: not redis.control.exists("{main}:order"), 60, "an empty room")
    for kind in (
        "account:*",
        "device:*",
        "devices",
        "pending:*",
        "mailbox:*",
        "senders:*",
        "failures:*",
    ):
        for key in redis.control.keys(f"{{main}}:{kind}"):
            redis.control.delete(key)


def lefts(client: ChatteClient, nickname: str) -> int:
    return client.lines.count(f"151 {nickname} just left the chat")


# Looking


async def test_nodes(house: House) -> None:
    await house.enter(ChatteClient, "anna", node=1)
    found: list[dict[str, Any]] = []

    async def both_told() -> bool:
        nonlocal found
        found = (await house.admin.apart("nodes", "--json")).json()
        return any_facts(house) and all(it["state"] == "up" for it in found)

    await until(both_told, WITHIN, lambda: f"the nodes to tell of themselves: {found}")
    assert [it["node"] for it in found] == ["node-1", "node-2"]
    for it in found:
        assert it["chat"] == "main"
        assert 0 < it["lease_seconds"] <= 10
        assert 0 <= it["lag_seconds"] < 60
        assert it["version"]
        assert it["host"] == socket.gethostname()
        assert it["registration"].startswith(f"{it['node']}~")
        assert re.fullmatch(ISO, it["started"])
    assert [it["sessions"] for it in found] == [0, 1]
    assert [it["pid"] for it in found] == [node.pid for node in house.nodes]
    assert [it["ops"] for it in found] == [f"127.0.0.1:{node.ops_port}" for node in house.nodes]
    table = await house.admin.apart("nodes")
    assert table.out.splitlines()[0].split()[:4] == ["CHAT", "NODE", "STATE", "SESSIONS"]
    # Whose heartbeat is late is silent for a moment.
    assert [[*row[:2], *row[3:4]] for row in table.rows()] == [
        ["main", "node-1", "0"],
        ["main", "node-2", "1"],
    ]


def any_facts(house: House) -> bool:
    return len(house.redis.control.keys("{main}:node:*:facts")) == 2


async def test_who(house: House) -> None:
    device = house.nodes[0].port("device")
    await sign_up(device, "Dora")
    await house.enter(ChatteClient, "anna", node=1)
    await house.enter(BrowserClient, "bruno")
    found = (await house.admin.apart("who", "--json")).json()
    assert [(it["nickname"], it["kind"], it["dialect"], it["node"]) for it in found] == [
        ("anna", "guest", "chatte", "node-2"),
        ("bruno", "guest", "browser", "node-1"),
        ("Dora", "account", "device", None),
    ]
    for it in found:
        assert it["address"] == "127.0.0.1"
        assert isinstance(it["port"], int)
    assert re.fullmatch(ISO, found[0]["since"])
    assert found[2]["since"] is None
    rows = (await house.admin.apart("who")).rows()
    assert [row[1] for row in rows] == ["anna", "bruno", "Dora"]
    assert rows[0][5].startswith("127.0.0.1:")


async def test_a_chat_that_is_not_there(house: House) -> None:
    for command in (["nodes"], ["who"], ["log"], ["bans"], ["audit"]):
        ran = await house.admin(*command, "--chat", "other")
        assert ran.status == 1, ran
        assert "there is no chat other: there are main" in ran.err
    for command in (["say", "hi"], ["close"], ["kick", "anna"], ["ban", "anna"]):
        ran = await house.admin(*command, "--chat", "other")
        assert ran.status == 1, ran
        assert "no chat other" in ran.err


async def test_the_log(house: House) -> None:
    anna = await house.enter(ChatteClient, "anna")
    bruno = await house.enter(BrowserClient, "bruno", node=1)
    evil = "\x1b[31mred\x07 \u202e\u200fback"
    anna.send(f"100 {evil}\n".encode())
    await anna.expect_line("101 Message sent.")
    bruno.close()
    await anna.expect_line("151 bruno just left the chat")
    found = (await house.admin("log", "-n", "4", "--json")).lines()
    assert [(it["event"], it["nickname"], it["node"], it["dialect"]) for it in found] == [
        ("joined", "anna", "node-1", "chatte"),
        ("joined", "bruno", "node-2", "browser"),
        ("said", "anna", "node-1", None),
        ("left", "bruno", "node-2", None),
    ]
    assert found[2]["text"] == "[31mred \u200fback"  # controls are removed as it comes in
    assert [it["offset"] for it in found] == sorted(it["offset"] for it in found)
    shown = (await house.admin.apart("log", "-n", "4")).out.splitlines()
    assert shown[2].endswith("anna: [31mred \\u200fback")
    assert "\x1b" not in "".join(shown)
    assert (await house.admin("log", "-n", "0")).out == ""
    since = (await house.admin("log", "--since", "10m", "--json")).lines()
    assert since[-4:] == found
    last = found[-1]["at"]  # a millisecond, in which more than one thing may have happened
    since = (await house.admin("log", "--since", last, "--json")).lines()
    assert since == [it for it in found if it["at"] >= last]


async def test_the_log_is_followed(house: House) -> None:
    process = await house.admin.start("log", "-n", "0", "--follow", "--json")
    assert process.stdout is not None
    try:
        anna = await house.enter(ChatteClient, "anna")
        first = asyncio.create_task(process.stdout.readline())

        def talk() -> bool:
            anna.say("here")
            return first.done()

        await until(talk, WITHIN * 4, "the first line", every=0.2)
        told = json.loads(first.result())
        assert (told["event"], told["nickname"], told["text"]) == ("said", "anna", "here")
    finally:
        process.kill()
        await process.wait()


async def test_what_others_wrote_cannot_touch_the_terminal(house: House) -> None:
    """Not even where Redis itself was written to by somebody else."""
    anna = await house.enter(ChatteClient, "anna")
    await until(lambda: anna.welcomed, WITHIN, "anna to be in")
    house.redis.control.hset("{main}:nick:anna", "address", "\x1b]0;owned\x07\n")
    ran = await house.admin("who")
    assert "\\x1b]0;owned\\x07\\n" in ran.out
    assert "\x1b" not in ran.out
    assert len(ran.out.splitlines()) == 2


async def test_pending(house: House) -> None:
    device = house.nodes[0].port("device")
    for name in ("ada", "bob"):
        await sign_up(device, name)
    await leave_messages(device, "ada", "bob", "one", "two \u202e\u200f")
    found = await house.admin.json("pending", "BOB")
    assert found["messages"] == 2
    (sender,) = found["senders"]
    assert (sender["sender"], sender["messages"]) == ("ada", 2)
    assert re.fullmatch(ISO, sender["oldest"])
    assert "texts" not in sender
    plain = await house.admin("pending", "bob")
    assert plain.rows()[0][:2] == ["ada", "2"]
    assert "one" not in plain.out
    shown = await house.admin("pending", "bob", "--contents", "--as", "carla")
    assert "ada: one" in shown.out
    assert "two \\u200f" in shown.out
    texts = (await house.admin.json("pending", "bob", "--contents"))["senders"][0]["texts"]
    assert [it["text"] for it in texts] == ["one", "two \u200f"]
    looked = [it for it in await house.admin.json("audit") if it["action"] == "read-pending"]
    assert [looked[0][what] for what in ("by", "subject")] == ["carla", "bob"]
    assert (await house.admin("pending", "ada")).out == "nothing waits\n"
    ran = await house.admin("pending", "nobody")
    assert ran.status == 1
    assert "there is no account nobody" in ran.err


# Kicking


@each_dialect
async def test_kick(house: House, kind: type[ChatteClient]) -> None:
    witness = await house.enter(ChatteClient, "witness")
    noisy = await house.enter(kind, "Noisy", node=1)
    await witness.expect_line("150 Noisy just join to the chat")
    before = await house.disconnects("kicked")
    words = ("kick", "nOISY", "--reason", "too loud", "--as", "carla", "--json")
    done = (await house.admin.apart(*words)).json()
    assert (done["done"], done["room"], done["device"]) == (True, True, False)
    await witness.expect_line("151 Noisy just left the chat")
    await until(lambda: noisy.closed, WITHIN, "the connection to be closed")
    if isinstance(noisy, BrowserClient):
        assert frames.KickedFrame("too loud") in noisy.frames
        assert (noisy.close_code, noisy.close_reason) == (4001, "kicked")
    elif isinstance(noisy, ProtocolloClient):
        assert noisy.lines[-2:] == ["G> sei stato allontanato dalla chat: too loud", CLOSE]
    else:
        assert noisy.lines[-1] == "102 G You were removed from the chat: too loud"
    assert await house.disconnects("kicked") == before + 1
    assert lefts(witness, "Noisy") == 1
    again = await house.enter(kind, "noisy", node=0)  # it is no ban
    assert again.welcomed
    await house.admin.heard_by(house.nodes[1])
    lines = [line for line in house.nodes[1].lines if '"kick"' in line and "carla" in line]
    assert json.loads(lines[-1])["subject"] == "noisy"


async def test_kicking_a_device(house: House) -> None:
    device = house.nodes[1].port("device")
    await sign_up(device, "ada")
    await sign_up(device, "bob")
    waiting, answer = await chat(device, "ada", "bob")
    assert answer == 1
    done = await house.admin.json("kick", "ada")
    assert (done["room"], done["device"]) == (False, True)
    assert await waiting.rest() == b""
    assert [it["nickname"] for it in await house.admin.json("who")] == ["bob"]
    assert await log_in(device, "ada") == [1, 0, 0, 0]  # it is no ban


@pytest.mark.parametrize("name", ["-h", "-x", "--json"])
async def test_kicking_somebody_whose_name_looks_like_an_option(house: House, name: str) -> None:
    guest = await house.enter(ChatteClient, name)
    assert (await house.admin.apart("kick", "--json", "--", name)).json()["room"] is True
    await until(lambda: guest.closed, WITHIN, "the connection to be closed")


async def test_kicking_nobody(house: House) -> None:
    ran = await house.admin.apart("kick", "nobody")
    assert (ran.status, ran.out) == (1, "")
    assert "nobody is not in the chat main" in ran.err
    in_json = await house.admin("kick", "nobody", "--json")
    assert in_json.status == 1
    assert json.loads(in_json.out)["done"] is False


# Bans


@each_dialect
async def test_a_ban_on_a_nickname(house: House, kind: type[ChatteClient]) -> None:
    witness = await house.enter(ChatteClient, "witness")
    troll = await house.enter(kind, "Troll", node=1)
    before = await house.disconnects("banned")
    words = ("ban", "tROLL", "--for", "2h", "--reason", "spam", "--json")
    done = (await house.admin.apart(*words)).json()
    assert (done["kind"], done["subject"], done["removed"]) == ("nickname", "troll", ["Troll"])
    await until(lambda: troll.closed, WITHIN, "the connection to be closed")
    await witness.expect_line("151 Troll just left the chat")
    if isinstance(troll, BrowserClient):
        banned = next(it for it in troll.frames if isinstance(it, frames.BannedFrame))
        assert banned.reason == "spam"
        assert banned.until is not None
        assert 7_100_000 < banned.until - time.time() * 1000 < 7_300_000  # "2h"
        assert (troll.close_code, troll.close_reason) == (4001, "banned")
    elif isinstance(troll, ProtocolloClient):
        assert troll.lines[-2:] == ["G> sei escluso dalla chat: spam", CLOSE]
    else:
        assert troll.lines[-1] == "102 G You are banned from the chat: spam"
    assert await house.disconnects("banned") == before + 1
    for node in (0, 1):
        refused = await house.connect(kind, node)
        assert not await refused.enter("TROLL")
        if isinstance(refused, BrowserClient):
            assert refused.frames[-1] == frames.RefusedFrame("banned", until=banned.until)
            assert await refused.enter(f"other{node}")  # only the nickname is banned
        elif isinstance(refused, ProtocolloClient):
            assert refused.lines[-2:] == [REFUSED_NAME, "G> sei escluso dalla chat"]
            refused.refused = False
            assert await refused.enter(f"other{node}")
        else:
            assert refused.lines[-1] == INVALID
    assert lefts(witness, "Troll") == 1
    ran = await house.admin("unban", "troll")
    assert ran.status == 0, ran
    await house.lets_in_again(kind, "Troll")


@each_dialect
async def test_a_ban_on_an_address(house: House, kind: type[ChatteClient]) -> None:
    """The other node refuses as well; who comes from elsewhere is not concerned."""
    near = await house.enter(kind, "near", node=0, source="127.0.0.2")
    far = await house.enter(ChatteClient, "far", node=1, source="127.0.0.3")
    done = await house.admin.json("ban", "127.0.0.2")
    assert (done["kind"], done["until"], done["removed"]) == ("address", None, ["near"])
    await until(lambda: near.closed, WITHIN, "the connection to be closed")
    await house.admin.heard_by(house.nodes[1])
    refused = await house.connect(kind, 1, "127.0.0.2")
    assert not await refused.enter("another")
    await until(lambda: refused.closed, WITHIN, "the refused to be closed")
    assert not far.closed
    (ban,) = await house.admin.json("bans")
    assert (ban["kind"], ban["subject"]) == ("address", "127.0.0.2")
    assert (await house.admin("unban", "127.0.0.2")).status == 0
    await house.lets_in_again(kind, "near", node=1, source="127.0.0.2")


async def test_a_ban_on_a_network_covers_devices(house: House) -> None:
    device = house.nodes[1].port("device")
    await sign_up(device, "ada", source="127.0.7.1")
    await sign_up(device, "bob")
    waiting, answer = await chat(device, "ada", "bob", source="127.0.7.1")
    assert answer == 1
    ran = await house.admin("ban", "127.0.7.9/24", "--for", "1h30m")
    assert "banned the network 127.0.7.0/24 until" in ran.out
    assert await waiting.rest() == b""
    assert [it["nickname"] for it in await house.admin.json("who")] == ["bob"]
    await house.admin.heard_by(house.nodes[0])
    shut = await DeviceClient.connect(house.nodes[0].port("device"), source="127.0.7.200")
    assert await shut.rest() == b""
    assert await log_in(device, "ada") == [1, 0, 0, 0]  # from elsewhere


async def test_a_ban_on_an_account(house: House) -> None:
    device = house.nodes[0].port("device")
    await sign_up(device, "ada")
    anna = await house.connect(ChatteClient, 1)
    anna.send(f"ada:{PASSWORD}\n".encode())
    await anna.expect_line("200 Welcome to the chatte.")
    done = await house.admin.json("ban", "ada", "--account", "--reason", "enough")
    assert (done["kind"], done["removed"]) == ("account", ["ada"])
    await anna.expect_line("102 G You are banned from the chat: enough")
    await house.admin.heard_by(house.nodes[0])
    assert await log_in(device, "ada") == [1, 1]
    assert await house.admin.json("who") == []
    again = await house.connect(ChatteClient)
    again.send(f"ada:{PASSWORD}\n".encode())
    await again.expect_line(INVALID)
    guest = await house.connect(ChatteClient)
    assert not await guest.enter("ada")
    assert guest.lines[-1] == TAKEN  # as ever
    ran = await house.admin("ban", "nobody", "--account")
    assert ran.status == 1
    assert "there is no account nobody" in ran.err


async def test_a_banned_nickname_is_no_new_account(house: House) -> None:
    await house.admin("ban", "newcomer")
    await house.admin.heard_by(house.nodes[1])
    device = await DeviceClient.connect(house.nodes[1].port("device"))
    device.send(1)
    assert await device.integer() == 1
    device.send("Newcomer")
    assert await device.integer() == 1


async def test_a_ban_ends_by_itself(house: House) -> None:
    await house.admin.json("ban", "troll", "--for", "10m")
    await house.admin.heard_by(house.nodes[1])
    refused = await house.connect(ChatteClient, 1)
    assert not await refused.enter("troll")
    ran = await house.admin.json("ban", "troll", "--for", "1s")
    assert re.fullmatch(ISO, ran["until"])

    async def is_over() -> bool:
        return not await house.admin.json("bans")

    await until(is_over, WITHIN, "the ban to end")
    await house.lets_in_again(ChatteClient, "troll", node=1)
    assert (await house.admin("unban", "troll")).status == 1


async def test_a_ban_holds_on_a_node_that_starts_later(house: House, tmp_path: Path) -> None:
    await house.admin("ban", "troll")
    factory = NodeFactory(tmp_path, house.redis.url)
    try:
        late = launch(factory, [listener(ChatteClient)], NODE_ID="late")
        await late.ready()
        client = await ChatteClient.connect(port(late, ChatteClient))
        assert not await client.enter("troll")
        assert client.lines[-1] == INVALID
    finally:
        factory.end()
    await until(
        lambda: len(house.redis.control.zrange("{main}:leases", 0, -1)) == 2, WITHIN, "burial"
    )


async def test_bans_are_listed(house: House) -> None:
    assert (await house.admin("bans")).out == "nobody is banned\n"
    await house.admin("ban", "troll", "--reason", "spam \x1b[1m", "--as", "carla")
    await house.admin("ban", "2001:DB8::/32", "--for", "7d")
    rows = (await house.admin.apart("ban")).rows()
    assert [row[1:3] for row in rows] == [["network", "2001:db8::/32"], ["nickname", "troll"]]
    assert "carla" in rows[1]
    assert "spam [1m" in (await house.admin("bans")).out


# The room


async def test_say(house: House) -> None:
    clients = [await house.enter(kind, f"c{i}", i % 2) for i, kind in enumerate(ROOM)]
    chatte, page, browser = clients
    assert (await house.admin.apart("say", "Maintenance", "at 18:00")).status == 0
    await chatte.expect_line("100 G Maintenance at 18:00")
    await page.expect_line(PAGE.said("G", "Maintenance at 18:00"))
    assert isinstance(browser, BrowserClient)
    await browser.expect_event(frames.SaidEvent("G", "Maintenance at 18:00"))
    impostor = await house.connect(ChatteClient)
    assert not await impostor.enter("G")


async def test_close(house: House) -> None:
    clients = [await house.enter(kind, f"c{i}", i % 2) for i, kind in enumerate(ROOM)]
    done = (await house.admin.apart("close", "--json")).json()
    assert done["sessions"] == 3
    for client in clients:
        await until(lambda client=client: client.closed, WITHIN, "all to be closed")  # type: ignore[misc]
    assert clients[0].lines[-1] == "102 G The chat was closed by its administrator."
    assert clients[1].lines[-1] == CLOSE
    assert await house.admin.json("who") == []
    first = await house.enter(ProtocolloClient, "c1")
    assert "primo utente" in first.lines[-1]


async def test_the_audit_log(house: House) -> None:
    await house.enter(ChatteClient, "anna")
    await house.admin("say", "hello")
    await house.admin("kick", "anna", "--reason", "why not", "--as", "carla")
    kick, said = reversed(await house.admin.json("audit", "-n", "2"))
    assert (said["action"], said["text"]) == ("say", "hello")
    assert said["by"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert (kick["by"], kick["action"], kick["subject"]) == ("carla", "kick", "anna")
    assert kick["text"] == "why not"
    assert re.fullmatch(ISO, kick["at"])
    row = (await house.admin.apart("audit", "-n", "1")).rows()[0]
    assert row[3:] == ["carla", "kick", "anna", "why", "not"]
    for node in house.nodes:
        await until(lambda node=node: audited(node, kick["id"]), WITHIN, "a line in its log")  # type: ignore[misc]


def audited(node: Node, order: str) -> dict[str, Any] | None:
    for line in node.lines:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry.get("order") == order:
                assert (entry["action"], entry["by"], entry["reason"]) == (
                    "kick",
                    "carla",
                    "why not",
                )
                return dict(entry)
    return None


# Nodes


async def test_drain(node_factory: NodeFactory, redis_server: RedisServer) -> None:
    admin = Admin(redis_server.url)
    one, two = await node_factory.start_many(2)
    stays = await ChatteClient.enter_chat(one.port(), "stays")
    goes = await ChatteClient.enter_chat(two.port(), "goes")
    ran = await admin("drain", "node-9")
    assert ran.status == 1
    assert "there is no node node-9: known are node-1, node-2" in ran.err
    done = (
        await admin.apart("drain", "node-2", "--as", "carla", "--timeout", "60", "--json")
    ).json()
    assert (done["node"], done["sessions"]) == ("node-2", 1)
    await stays.expect_line("151 goes just left the chat")
    await until(lambda: goes.closed, WITHIN, "who was there to be sent away")
    assert await two.exit_status(60) == 0
    assert [it["node"] for it in await admin.json("nodes")] == ["node-1"]
    assert any('"drain"' in line and "carla" in line for line in two.lines)
    assert one.running
    stays.close()


async def test_a_node_that_is_away(node_factory: NodeFactory, redis_server: RedisServer) -> None:
    """It is shown as such; what it holds can be taken from it; what it does not hear lapses."""
    lease = {"CLUSTER__LEASE_SECONDS": "60"}  # it is away for less, also on a busy machine
    admin = Admin(redis_server.url, **lease)
    one, two = await node_factory.start_many(2, **lease)
    witness = await ChatteClient.enter_chat(one.port(), "witness")
    frozen = await ChatteClient.enter_chat(two.port(), "frozen")
    two.freeze()
    try:
        ran = await admin("drain", "node-2", "--timeout", "2")
        assert ran.status == 1
        assert "the node node-2 did not answer within 2 s" in ran.err
        done = await admin.json("ban", "frozen", "--timeout", "2")
        assert done["removed"] == ["frozen"]
        await witness.expect_line("151 frozen just left the chat")

        async def looks_away() -> bool:
            found = await admin.json("nodes")
            return any(it["state"] in ("silent", "stale", "buried") for it in found)

        await until(looks_away, WITHIN, "the frozen node to be shown as away")
    finally:
        two.thaw()
    await until(lambda: frozen.closed, WITHIN, "its session to be closed")
    assert two.running  # the order to drain had lapsed
    assert lefts(witness, "frozen") == 1
    witness.close()


async def test_the_embedded_redis(tmp_path: Path) -> None:
    admin = Admin(None, DATA_DIR=str(tmp_path / "node" / "data"))
    ran = await admin.apart("nodes")
    assert ran.status == 1
    assert f"no node runs on {tmp_path}/node/data" in ran.err
    node = Node(tmp_path / "node", redis_url=None, node_id="alone")
    try:
        await node.ready()
        anna = await ChatteClient.enter_chat(node.port(), "anna")
        assert [it["node"] for it in await admin.json("nodes")] == ["alone"]
        assert (await admin("kick", "anna")).out == "anna: removed from the room\n"
        await until(lambda: anna.closed, WITHIN, "anna to be gone")
    finally:
        node.terminate()
        assert await node.exit_status(WITHIN) == 0
        node.end()
    assert (await admin("nodes")).status == 1


# Wrong use, and what must not be seen


@pytest.mark.parametrize(
    "words",
    [
        ["kick"],
        ["kick", "no such name"],
        ["ban", "troll", "--for", "soon"],
        ["ban", "300.1.1.1/8"],
        ["ban", "troll", "--account", "--nickname"],
        ["ban", "--reason", "x"],
        ["unban"],
        ["say"],
        ["say", " \t "],
        ["say", "x" * 4001],
        ["log", "--since", "yesterday-ish"],
        ["log", "-n", "-1"],
        ["frobnicate"],
        ["nodes", "--redis-url", "http://example.org"],
        ["kick", "anna", "--as", "\x1b"],
    ],
    ids=" ".join,
)
async def test_wrong_use(words: list[str]) -> None:
    """Before anything is asked of Redis, which is not there."""
    ran = await Admin("redis://127.0.0.1:1")(*words)
    assert ran.status == 2, ran
    assert ran.out == ""
    assert "\x1b" not in ran.err


async def test_redis_is_not_there() -> None:
    ran = await Admin("redis://user:sesame@127.0.0.1:1")("nodes", "--timeout", "1")
    assert ran.status == 1
    assert "can't be used" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "sesame" not in ran.err + ran.out


async def test_no_secret_is_shown(house: House) -> None:
    device = house.nodes[0].port("device")
    await sign_up(device, "ada")
    hashed = str(house.redis.control.hget("{main}:account:ada", "hash"))
    browser = await house.enter(BrowserClient, "bea")
    assert isinstance(browser, BrowserClient)
    assert browser.welcome is not None
    shown = ""
    for command in (["nodes"], ["who"], ["log"], ["pending", "ada"], ["audit"]):
        for output in ([], ["--json"]):
            ran = await house.admin(*command, *output)
            shown += ran.out + ran.err
    assert hashed not in shown
    assert "argon2" not in shown
    assert browser.welcome.token not in shown
