"""What is shipped for Redis, in a real one: nodes on the ACL, the settings, Sentinel's users."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from redis.exceptions import NoPermissionError

from deploy.shipped_redis import PASSWORDS, REDIS, ShippedRedis, ShippedSentinel
from deploy.tools import ROOT, run
from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.device_client import leave_messages, log_in, sign_up, take
from harness.load import connect_many, settle
from harness.node import QUICK, Listener, Node
from harness.protocollo_client import ProtocolloClient
from harness.redis_server import ONCE, RedisServer
from harness.waiting import until, until_sync

STORE = ROOT / "service" / "tertulia" / "store"
NOT_GRANTED = {"auth", "config|get"}
"""What anybody may say; what a node tries, and does without: it would be shown the passwords of replicas
as well."""
_FAMILIES = {"ACL", "CLIENT", "CLUSTER", "CONFIG", "PUBSUB", "SCRIPT", "XINFO"}
"""Commands whose second word is what is granted."""


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[ShippedRedis]:
    """Run a Redis as shipped."""
    server = ShippedRedis(tmp_path / "redis")
    try:
        server.start()
        yield server
    finally:
        server.kill()


def test_the_acl_grants_the_commands_in_the_source_and_no_others(
    redis_server: RedisServer,
) -> None:
    granted = set(re.findall(r"\+(\S+)", acl_of("tertulia")))
    used = commands_in_the_source(redis_server.control) - NOT_GRANTED
    assert granted == used, (
        f"deploy/redis/users.acl, user tertulia: "
        f"add {sorted(used - granted)}, remove {sorted(granted - used)}"
    )


def test_users_have_no_password_until_an_operator_gives_one(tmp_path: Path) -> None:
    assert not re.search(r"(^|\s)[#>]", (REDIS / "users.acl").read_text(), re.MULTILINE)
    (tmp_path / "tertulia").write_text("opensesame\n")
    printed = run([REDIS / "with-passwords", tmp_path])
    hashed = run(["sha256sum"], text="opensesame").split()[0]
    assert f"{acl_of('tertulia')} #{hashed}\n" in printed
    assert printed.count("#") == 1
    assert "opensesame" not in printed


@pytest.mark.slow
async def test_nodes_can_do_all_that_they_have_to(shipped: ShippedRedis, tmp_path: Path) -> None:
    url = f"redis://tertulia@127.0.0.1:{shipped.port}/1"
    password = tmp_path / "password"
    password.write_text(PASSWORDS["tertulia"] + "\n")
    nodes = [
        Node(
            tmp_path / name,
            redis_url=url,
            node_id=name,
            listeners=tuple(map(Listener, ("chatte", "protocollo", "browser", "device"))),
            settings={**QUICK, "REDIS_PASSWORD_FILE": str(password)},
        )
        for name in ("one", "two")
    ]
    try:
        for node in nodes:
            await node.ready()
        clients = await connect_many([node.port() for node in nodes], 6, "guest")
        for number, client in enumerate(clients):
            client.say()
            client.whisper(clients[number - 1].nickname)
        await settle(clients)
        clients[4].close()
        await clients[0].expect_line(f"151 {clients[4].nickname} just left the chat")
        await until(lambda: nodes[1].uptime > 4 + 2, 10, "the other one to be allowed to bury")
        nodes[0].kill()
        survivor: ChatteClient = clients[1]
        await survivor.expect_line("151 guest-0 just left the chat", within=10)
        survivor.say()
        await settle([survivor])
        assert denied(shipped) == []

        device = nodes[1].port("device")
        for name in ("ada", "bob"):
            await sign_up(device, name)
            await log_in(device, name)
        await leave_messages(device, "ada", "bob", "are you there?")
        assert await take(device, "bob", "ada") == ["are you there?"]
        await operators_can_do_all_that_they_have_to(url, password)
        assert denied(shipped) == []
        closer = await ProtocolloClient.enter_chat(nodes[1].port("protocollo"), "closer")
        for client in clients:
            client.close()
        await closer.expect_going("guest-5")
        closer.stop()
        await until(lambda: closer.closed, 5, "the chat to be closed")
        assert denied(shipped) == []
        nodes[1].terminate()
        assert await nodes[1].exit_status(15) == 0
        assert denied(shipped) == []
    finally:
        for node in nodes:
            node.end()


async def operators_can_do_all_that_they_have_to(url: str, password: Path) -> None:
    """Look at everything, and do what leaves the room as it is."""
    admin = Admin(url, REDIS_PASSWORD_FILE=str(password))
    for words in (
        *(["nodes"], ["who"], ["log"], ["say", "hello"], ["ban", "--account", "ada"], ["bans"]),
        *(["unban", "--account", "ada"], ["kick", "bob"], ["pending", "bob", "--contents"]),
        *(["ban", "192.0.2.0/24", "--for", "1s"], ["audit"]),
    ):
        ran = await admin(*words)
        assert ran.status == 0, ran
        assert PASSWORDS["tertulia"] not in ran.out + ran.err


@pytest.mark.slow
def test_a_node_can_do_nothing_else(shipped: ShippedRedis) -> None:
    node = shipped.client("tertulia")
    node.hset("{main}:meta", "offset", 1)
    for forbidden in (
        ("GET", "other"),
        ("HGET", "sessions:{main}", "x"),
        ("PUBLISH", "other", "x"),
        ("SUBSCRIBE", "__redis__:invalidate"),
        ("EVAL", "return redis.call('GET', 'other')", 0),
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("CONFIG", "SET", "appendonly", "no"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
    ):
        with pytest.raises(redis.ResponseError, match=r"permission|can't access"):
            node.execute_command(*forbidden)  # type: ignore[no-untyped-call]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=shipped.port, retry=ONCE, driver_info=None).set("{main}:meta", 1)
    for idle in ("replica", "sentinel"):
        with pytest.raises(NoPermissionError):
            shipped.client(idle).hset("{main}:meta", "offset", 1)


@pytest.mark.slow
def test_the_settings_that_matter_are_in_force(shipped: ShippedRedis) -> None:
    told = cast(dict[str, str], shipped.client("admin").config_get("*"))
    assert told["appendonly"] == "yes"
    assert told["appendfsync"] == "always"
    assert told["maxmemory-policy"] == "noeviction"
    assert told["save"] == ""
    assert f"pubsub {256 << 20} {64 << 20} 60" in told["client-output-buffer-limit"]
    shipped.client("tertulia").hset("{main}:meta", "offset", 7)
    shipped.kill()
    shipped.start()
    assert shipped.client("tertulia").hget("{main}:meta", "offset") == "7"


@pytest.mark.slow
def test_sentinel_moves_the_master_with_the_users_as_shipped(tmp_path: Path) -> None:
    login = ("--masteruser", "replica", "--masterauth", PASSWORDS["replica"])
    master = ShippedRedis(tmp_path / "master", *login)
    replica = ShippedRedis(
        tmp_path / "replica", *login, "--replicaof", "127.0.0.1", str(master.port)
    )
    sentinel = ShippedSentinel(tmp_path / "sentinel", master)
    try:
        for server in (master, replica):
            server.start()
        master.client("tertulia").hset("{main}:meta", "offset", 7)
        until_sync(
            lambda: replica.client("admin").hget("{main}:meta", "offset") == "7",
            10,
            lambda: f"the replica to follow:\n{replica.log()}",
        )
        sentinel.start()
        until_sync(lambda: replicas_of(sentinel) == 1, 15, lambda: f"it:\n{sentinel.log()}")
        master.kill()
        until_sync(
            lambda: sentinel.master_port() == replica.port,
            30,
            lambda: f"the replica to take over:\n{sentinel.log()}\n{replica.log()}",
        )
        replica.client("tertulia").hset("{main}:meta", "offset", 8)
        assert denied(replica) == []
    finally:
        for server in (sentinel, replica, master):
            server.kill()


def replicas_of(sentinel: ShippedSentinel) -> int:
    state = cast(dict[str, Any], sentinel.client("").sentinel_master("tertulia"))
    return int(state["num-slaves"])


def acl_of(user: str) -> str:
    lines = (REDIS / "users.acl").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"user {user} "))


def denied(server: ShippedRedis) -> list[str]:
    """Return what the server has refused to anybody."""
    log = cast(list[dict[str, Any]], server.client("admin").acl_log())
    told = [f"{it['username']}: {it['reason']} {it['object']}" for it in log]
    # A node asks once, and says that it could not check: the answer to others would be passwords.
    return [it for it in told if it != "tertulia: command config|get"]


def commands_in_the_source(server: redis.Redis) -> set[str]:
    """Return the commands that the store's Python and Lua name, as an ACL writes them."""
    found: set[tuple[str, ...]] = set()
    for script in STORE.glob("lua/*.lua"):
        found |= {(it,) for it in re.findall(r"redis\.p?call\('(\w+)'", script.read_text())}
    # A node's own server is private to it, and has no users.
    for module in set(STORE.rglob("*.py")) - {STORE / "embedded.py"}:
        for node in ast.walk(ast.parse(module.read_text())):
            arguments = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
            constants = [it.value for it in arguments[:2] if isinstance(it, ast.Constant)]
            words = [str(it) for it in constants if re.fullmatch("[A-Z]+", str(it))]
            if words:
                found.add(tuple(words))
    known = cast(dict[str, Any], server.command())
    return {
        "|".join(words).lower() if words[0] in _FAMILIES else words[0].lower()
        for words in found
        if words[0].lower() in known  # else it is a word of something else
    }
