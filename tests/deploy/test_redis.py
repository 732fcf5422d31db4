"""What is shipped for Redis, in a real one: nodes on the ACL, the settings, Sentinel's users."""

import ast
import re
import socket
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from redis.exceptions import NoPermissionError

from deploy.shipped_redis import PASSWORDS, REDIS, ShippedRedis, ShippedSentinel, engines
from deploy.tools import ROOT, packaged, run
from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.device_client import leave_messages, log_in, sign_up, take
from harness.load import connect_many, settle
from harness.node import QUICK, Listener, Node
from harness.protocollo_client import ProtocolloClient
from harness.waiting import until, until_sync
from history.record import SawLeft

SERVICE = ROOT / "service" / "tertulia"
OVER_REDIS_PY = {"redis", "_redis", "client", "it", "self"}
"""What a client of redis-py, or its pipeline, is called in the source."""
ITS_NAMES = {"decr": "decrby", "delete": "del", "incr": "incrby", "scan_iter": "scan"}
AT_EACH_LOGIN = {"client|setname", "select"}
"""What redis-py says by itself, as it is used here."""
REFUSED = r"-NOAUTH |-EXECABORT .*NOAUTH |-ERR unknown subcommand |-ERR \w+ command not allowed"
"""By who is not logged in; some are refused for another reason before that."""
DEFAULT = "user default off ~* &* +@all"
NOT_GRANTED = {"auth", "config|get", "rename"}
"""What anybody may say; what a node tries, and does without: it would be shown the passwords of replicas
as well; and what only `tertulia admin erase` does, as the user admin."""
_FAMILIES = {"ACL", "CLIENT", "CLUSTER", "CONFIG", "PUBSUB", "SCRIPT", "XINFO"}
"""Commands whose second word is what is granted."""


@pytest.fixture(params=list(engines().values()), ids=list(engines()))
def shipped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShippedRedis]:
    """Run a Redis as shipped, on each engine."""
    server = ShippedRedis(tmp_path / "redis", program=request.param)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def test_the_acl_grants_the_commands_in_the_source_and_no_others(shipped: ShippedRedis) -> None:
    server = shipped.client("admin")
    granted = commands_granted(server, acl_of("tertulia"))
    used = commands_in_the_source(server) - NOT_GRANTED
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


def test_default_is_off_but_may_everything_wherever_an_acl_is_shipped() -> None:
    """Redis loads its append-only file as default, and refuses what default may not do: that is lost."""
    files = run(
        [packaged("git"), "ls-files", "deploy", "docs", "grafana", "service", "README.md"]
    ).splitlines()
    lines = [
        (file, line.strip())
        for file in files
        if Path(file).suffix not in (".png", ".svg") and (ROOT / file).is_file()
        for line in (ROOT / file).read_text().splitlines()
        if re.match(r"\s*user default\b", line)
    ]
    assert ("deploy/redis/users.acl", DEFAULT) in lines
    assert [it for it in lines if it[1] != DEFAULT] == []
    printed = run([REDIS / "with-passwords", REDIS])
    assert printed.splitlines()[0] == DEFAULT


def test_a_sentinel_calls_from_any_address() -> None:
    """Redis 6.2 calls others from the first that ``bind`` names; from ``*`` it reaches nobody."""
    assert not re.search(r"^bind .*\*", (REDIS / "sentinel.conf").read_text(), re.MULTILINE)


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
        await until(lambda: nodes[1].uptime > 4 + 2, 30, "the other one to be allowed to bury")
        nodes[0].kill()
        survivor: ChatteClient = clients[1]
        await survivor.expect_line("151 guest-0 just left the chat", within=30)
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

        def is_alone() -> bool:
            gone = {it.nickname for it in closer.history.of(SawLeft)}
            return gone >= {"guest-1", "guest-3", "guest-5"}

        await until(is_alone, 60, lambda: closer.describe())
        closer.stop()
        await until(lambda: closer.closed, 30, "the chat to be closed")
        assert denied(shipped) == []
        nodes[1].terminate()
        assert await nodes[1].exit_status(30) == 0
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
        ("PSUBSCRIBE", "{main}:*"),
        ("PUBSUB", "CHANNELS"),
        ("EVAL", "return redis.call('GET', 'other')", 0),
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("CONFIG", "SET", "appendonly", "no"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
    ):
        with pytest.raises(redis.ResponseError, match=r"permission|can't access"):
            node.execute_command(*forbidden)
    for idle in ("replica", "sentinel"):
        with pytest.raises(NoPermissionError):
            shipped.client(idle).hset("{main}:meta", "offset", 1)


@pytest.mark.slow
def test_nobody_can_be_default(shipped: ShippedRedis) -> None:
    """It is off, though it has all permissions: Redis loads its append-only file in its name."""
    admin = shipped.client("admin")
    commands = admin.command()
    assert len(commands) > 200
    allowed = {name for name, it in commands.items() if "no_auth" in it["flags"]}
    assert allowed <= {"auth", "hello", "quit", "reset"}
    for name in {*commands} - allowed | {"hello"}:
        words = [name, *["x"] * (abs(commands[name]["arity"]) - 1)]
        assert re.match(REFUSED, told(shipped, words)), name
    for password in ("", "default", "foobared", *PASSWORDS.values()):
        for words in (
            ["auth", "default", password],
            ["auth", password],
            ["hello", "3", "auth", "default", password],
        ):
            assert told(shipped, words).startswith("-WRONGPASS "), words
            assert told(shipped, words, ["auth", "health", ""]).startswith("-WRONGPASS "), words
    login = ["auth", "admin", PASSWORDS["admin"]]
    assert told(shipped, ["dbsize"], login) == ":0"
    assert told(shipped, ["dbsize"], login, ["reset"]).startswith("-NOAUTH ")
    assert admin.dbsize() == 0


def told(server: ShippedRedis, words: list[str], *before: list[str]) -> str:
    """Return what somebody is answered who has said nothing before, or only this."""
    with (
        socket.create_connection(("127.0.0.1", server.port), 30) as way,
        way.makefile("rwb") as file,
    ):
        for said in (*before, words):
            file.write(b"".join([b"*%d\r\n" % len(said), *map(_bulk, said)]))
            file.flush()
            answer = file.readline().decode().rstrip()
    return answer


def _bulk(word: str) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())


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
    of = ("--replicaof", "127.0.0.1")
    master = ShippedRedis(tmp_path / "master", *login)
    replica = ShippedRedis(tmp_path / "replica", *login, *of, str(master.port))
    sentinel = ShippedSentinel(tmp_path / "sentinel", master)
    try:
        for server in (master, replica):
            server.start()
        master.client("tertulia").hset("{main}:meta", "offset", 7)
        until_sync(
            lambda: replica.client("admin").hget("{main}:meta", "offset") == "7",
            30,
            lambda: f"the replica to follow:\n{replica.log()}",
        )
        sentinel.start()
        until_sync(lambda: sentinel.knows(1), 30, lambda: f"it:\n{sentinel.log()}")
        master.kill()
        until_sync(
            lambda: sentinel.master_port() == replica.port,
            60,
            lambda: f"the replica to take over:\n{sentinel.log()}\n{replica.log()}",
        )
        replica.client("tertulia").hset("{main}:meta", "offset", 8)
        assert denied(replica) == []
    finally:
        for server in (sentinel, replica, master):
            server.kill()


def acl_of(user: str) -> str:
    lines = (REDIS / "users.acl").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"user {user} "))


def denied(server: ShippedRedis) -> list[str]:
    """Return what the server has refused to anybody."""
    log = cast(list[dict[str, Any]], server.client("admin").acl_log())
    told = [f"{it['username']}: {it['reason']} {it['object']}" for it in log]
    # A node asks once, and says that it could not check: the answer to others would be passwords.
    # Redis 6.2 does not say what of CONFIG.
    return [it for it in told if not re.fullmatch(r"tertulia: command config(\|get)?", it)]


def commands_granted(server: redis.Redis, line: str) -> set[str]:
    """Return the commands that a line of an ACL grants, with those of categories as the server has them."""
    granted: set[str] = set()
    for sign, name in re.findall(r" ([+-])(\S+)", line):
        category = name.removeprefix("@")
        if name == category:
            named = {name} | {it for it in granted if it.startswith(f"{name}|") and sign == "-"}
        elif name == "@all":
            named = set(granted)
        else:
            named = {it.lower() for it in cast(list[str], server.acl_cat(category))}
        granted = granted | named if sign == "+" else granted - named
    return granted


def _either(argument: ast.expr) -> list[ast.expr]:
    """Return what an argument may be, where the server decides."""
    return [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]


def commands_in_the_source(server: redis.Redis) -> set[str]:
    """Return the commands that our Python and Lua name, as an ACL writes them."""
    found: set[tuple[str, ...]] = set()
    for script in SERVICE.glob("store/lua/*.lua"):
        found |= {
            (it,) for it in re.findall(r"(?:redis\.p?call|write)\('(\w+)'", script.read_text())
        }
    # A node's own server is private to it, and has no users.
    modules = {
        it for wing in ("redis", "store", "operators") for it in SERVICE.glob(f"{wing}/*.py")
    }
    for module in modules - {SERVICE / "redis" / "embedded.py"}:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Attribute):
                of = getattr(node.value, "id", getattr(node.value, "attr", ""))
                if of in OVER_REDIS_PY and node.attr.upper() not in _FAMILIES:
                    found.add((ITS_NAMES.get(node.attr, node.attr),))
                family, _, second = node.attr.upper().partition("_")
                if of in OVER_REDIS_PY and family in _FAMILIES:
                    found.add((family, second))
            arguments = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
            for said in product(*map(_either, arguments[:2])):
                constants = [it.value for it in said if isinstance(it, ast.Constant)]
                words = [str(it) for it in constants if re.fullmatch("[A-Z]+", str(it))]
                if words:
                    found.add(tuple(words))
    known = cast(dict[str, Any], server.command())
    return AT_EACH_LOGIN | {
        "|".join(words).lower() if words[0] in _FAMILIES else words[0].lower()
        for words in found
        if words[0].lower() in known  # else it is a word of something else
    }
