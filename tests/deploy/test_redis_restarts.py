"""A restart loses nothing of what nodes and operators have written, whatever the engine."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import redis

from deploy.inhabited_redis import (
    BOTH,
    NEW,
    Kept,
    assert_kept,
    contents,
    inhabit,
    is_rewritten,
    missing_kinds,
)
from deploy.shipped_redis import PASSWORDS, ShippedRedis, ShippedSentinel, engines
from harness.waiting import until_sync

pytestmark = pytest.mark.slow

LOGIN = (
    *("--masteruser", "replica", "--masterauth", PASSWORDS["replica"]),
    *("--repl-diskless-sync-delay", "0"),
)
"""What a replica is given, and a master that may become one."""


@dataclass(frozen=True, slots=True)
class Inhabited:
    """A folder with what a Redis wrote to disk, and what it held."""

    program: str
    folder: Path
    before: Mapping[str, Kept]

    def copied(self, folder: Path, *options: str, program: str = "") -> ShippedRedis:
        """Return a Redis as shipped on a copy of the data; it is not yet started."""
        shutil.copytree(self.folder, folder)
        return ShippedRedis(folder, *options, program=program or self.program)


@pytest.fixture(scope="module", params=list(engines().values()), ids=list(engines()))
def program(request: pytest.FixtureRequest) -> str:
    return cast(str, request.param)


@pytest.fixture(scope="module")
def inhabited(program: str, tmp_path_factory: pytest.TempPathFactory) -> Inhabited:
    """Have nodes and operators write in a Redis as shipped, which is then killed."""
    folder = tmp_path_factory.mktemp("inhabited")
    server = ShippedRedis(folder / "redis", program=program)
    server.start()
    try:
        asyncio.run(inhabit(server, folder))
        before = contents(server.client("admin"))
    finally:
        server.kill()
    assert missing_kinds(before) == []
    return Inhabited(program, server.directory, before)


@pytest.fixture
def again(inhabited: Inhabited, tmp_path: Path) -> Iterator[ShippedRedis]:
    """Give a Redis as shipped on a copy of those data; it is not yet started."""
    server = inhabited.copied(tmp_path / "redis")
    try:
        yield server
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["killed", "stopped", "rewritten", "users saved"])
def test_everything_is_there_after_a_restart(
    again: ShippedRedis, inhabited: Inhabited, how: str
) -> None:
    again.start()
    assert_kept(again, inhabited.before)
    admin = again.client("admin")
    if how == "rewritten":
        admin.bgrewriteaof()
        until_sync(lambda: is_rewritten(admin), 60, again.log)
    elif how == "users saved":
        admin.acl_save()
    again.client("tertulia").eval(BOTH, 2, *NEW)
    before = contents(admin)
    (again.stop if how == "stopped" else again.kill)()
    again.start()
    assert before.keys() == {*inhabited.before, *NEW}
    assert_kept(again, before)


def test_what_was_cut_short_is_lost_as_a_whole_and_nothing_else(
    again: ShippedRedis, inhabited: Inhabited
) -> None:
    """As a failing machine leaves it: the last transaction was not on disk, so not acknowledged."""
    again.start()
    again.client("tertulia").eval(BOTH, 2, *NEW)
    again.kill()
    with append_only_file(again).open("r+b") as file:
        file.truncate(file.seek(0, 2) - 3)
    again.start()
    assert_kept(again, inhabited.before)
    again.kill()
    again.start()
    assert_kept(again, inhabited.before)


def test_more_than_memory_allows_is_kept_and_refused(inhabited: Inhabited, tmp_path: Path) -> None:
    again = inhabited.copied(tmp_path / "redis", "--maxmemory", "500kb")
    try:
        again.start()
        assert_kept(again, inhabited.before)
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            again.client("tertulia").eval(BOTH, 2, *NEW)
        assert_kept(again, inhabited.before)
    finally:
        again.kill()


def test_a_replica_keeps_everything_too(
    again: ShippedRedis, inhabited: Inhabited, tmp_path: Path
) -> None:
    """It follows, loads its own file, follows again, and is promoted; all with too little memory."""
    of = ("--replicaof", "127.0.0.1", str(again.port))
    login = (*LOGIN, "--maxmemory", "500kb")
    replica = ShippedRedis(tmp_path / "replica", *login, *of, program=inhabited.program)
    again.only(LOGIN)
    try:
        again.start()
        replica.start()
        wait_until_alike(again, replica, inhabited.before)
        # What it gets from here on is a stream of transactions.
        again.client("tertulia").eval(BOTH, 2, *NEW)
        before = contents(again.client("admin"))
        wait_until_alike(again, replica, before)
        for end in (replica.kill, replica.stop):
            # Until then it refuses to stop in order.
            until_sync(lambda: is_rewritten(replica.client("admin")), 60, replica.log)
            end()
            replica.start()
            wait_until_alike(again, replica, before)
        again.kill()
        replica.client("admin").replicaof("NO", "ONE")
        assert_kept(replica, before)
        # Its file alone, without a master that would send it all again.
        replica.only(login)
        replica.kill()
        replica.start()
        assert_kept(replica, before)
    finally:
        replica.kill()


def test_what_sentinel_has_rewritten_loads_everything(inhabited: Inhabited, tmp_path: Path) -> None:
    """It has each Redis write its configuration anew: who restarts on that has the same users."""
    first = inhabited.copied(tmp_path / "first", *LOGIN)
    of = ("--replicaof", "127.0.0.1", str(first.port))
    second = ShippedRedis(tmp_path / "second", *LOGIN, *of, program=inhabited.program)
    sentinel = ShippedSentinel(tmp_path / "sentinel", first)
    try:
        first.start()
        second.start()
        wait_until_alike(first, second, inhabited.before)
        sentinel.start()
        until_sync(lambda: sentinel.knows(1), 30, sentinel.log)
        first.kill()
        until_sync(
            lambda: sentinel.master_port() == second.port,
            60,
            lambda: f"the replica to take over:\n{sentinel.log()}\n{second.log()}",
        )
        second.client("tertulia").eval(BOTH, 2, *NEW)
        before = contents(second.client("admin"))
        first.start()
        until_sync(
            lambda: follows(first, second), 60, lambda: f"the old one to follow:\n{sentinel.log()}"
        )
        sentinel.kill()
        for server in (first, second):
            server.kill()
            server.run_as([server.program, server.file])
        for server in (second, first):
            server.start()
        wait_until_alike(second, first, before)
        assert "Generated by CONFIG REWRITE" in Path(second.file).read_text()
    finally:
        for server in (sentinel, second, first):
            server.kill()


def test_the_newest_engine_takes_the_data_over(inhabited: Inhabited, tmp_path: Path) -> None:
    again = inhabited.copied(tmp_path / "redis", program=list(engines().values())[-1])
    try:
        for _ in range(2):
            again.start()
            assert_kept(again, inhabited.before)
            again.kill()
    finally:
        again.kill()


@pytest.mark.parametrize("is_known", [False, True])
def test_who_had_snapshots_has_redis_write_the_append_only_file_first(
    tmp_path: Path, program: str, is_known: bool
) -> None:
    """Where it stands in Redis' file only, the next start looks for it, finds none, and has nothing."""
    server = ShippedRedis(tmp_path / "redis", "--appendonly", "no", program=program)
    try:
        server.start()
        admin = server.client("admin")
        server.client("tertulia").eval(BOTH, 2, *NEW)
        admin.save()
        if is_known:
            admin.config_set("appendonly", "yes")
            until_sync(lambda: is_rewritten(admin), 60, server.log)
        server.only(())
        server.stop()
        server.start()
        assert admin.dbsize() == (len(NEW) if is_known else 0)
    finally:
        server.kill()


def append_only_file(server: ShippedRedis) -> Path:
    """Return the file that a server has written to last."""
    return max(server.directory.rglob("*.aof"), key=lambda it: it.stat().st_mtime_ns)


def wait_until_alike(
    master: ShippedRedis, replica: ShippedRedis, before: Mapping[str, Kept]
) -> None:
    """Wait until a replica has what its master has, and hold both against what there was."""
    until_sync(
        lambda: follows(replica, master), 60, lambda: f"the replica to follow:\n{replica.log()}"
    )
    for server in (master, replica):
        assert_kept(server, before)


def follows(replica: ShippedRedis, master: ShippedRedis) -> bool:
    """Say whether a replica has taken all that its master has written."""
    try:
        told = replica.client("admin").info("replication")
    except redis.ConnectionError:  # a Sentinel that moves it throws everybody out
        return False
    return bool(
        told.get("master_link_status") == "up"
        and told["master_port"] == master.port
        and told["slave_repl_offset"]
        >= master.client("admin").info("replication")["master_repl_offset"]
    )
