"""What is known of Redis itself: by a user who may read next to nothing, and when something is wrong."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from deploy import runbook
from deploy.prometheus_server import Prometheus
from deploy.shipped_redis import PASSWORDS, ShippedRedis, engines
from deploy.tools import packaged
from deploy.watching import RedisExporter
from harness.waiting import until

pytestmark = pytest.mark.slow

WITHIN = 60.0
"""Seconds, on a machine that is busy."""
NEEDED = {
    "redis_aof_enabled": 1,
    "redis_aof_last_bgrewrite_status": 1,
    "redis_aof_last_write_status": 1,
    "redis_connected_slaves": 0,
    "redis_memory_max_bytes": 0,
    "redis_rdb_last_bgsave_status": 1,
    "redis_up": 1,
}
"""What the rules ask for, of a Redis that is well and has no bound."""


def exporter_of(server: ShippedRedis) -> RedisExporter:
    return RedisExporter(server.directory, server.port, "exporter", PASSWORDS["exporter"])


@pytest.mark.parametrize("program", engines().values(), ids=list(engines()))
def test_its_user_may_do_what_it_has_to_and_read_nothing_that_people_said(
    tmp_path: Path, program: str
) -> None:
    with ExitStack() as ending:
        server = ShippedRedis(tmp_path, program=program)
        ending.callback(server.kill)
        server.start()
        exporter = exporter_of(server)
        ending.callback(exporter.end)
        page = exporter.get("/metrics")
    for name, value in NEEDED.items():
        assert re.search(rf"^{name} {value}$", page, re.MULTILINE), name
    assert re.search(r'^redis_instance_info\{.*role="master".*\} 1$', page, re.MULTILINE)
    assert re.search(r'^redis_commands_duration_seconds_total\{cmd="', page, re.MULTILINE)


def test_it_is_refused_only_what_would_tell_what_people_said(tmp_path: Path) -> None:
    """The slow log holds the arguments of slow commands: it is told how long that is, and nothing of it."""
    with ExitStack() as ending:
        server = ShippedRedis(tmp_path)
        ending.callback(server.kill)
        server.start()
        exporter = exporter_of(server)
        ending.callback(exporter.end)
        exporter.get("/metrics")
        refused = cast(list[dict[str, Any]], server.client("admin").acl_log())
        told = {(it["username"], it["object"].partition("|")[0]) for it in refused}
        assert told == {("exporter", "slowlog")}
        for words in ("SLOWLOG GET", "CONFIG GET *", "KEYS *", "GET {main}:meta", "MONITOR"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                server.client("exporter").execute_command(*words.split())


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[tuple[ShippedRedis, ShippedRedis]]:
    login = ("--masteruser", "replica", "--masterauth", PASSWORDS["replica"])
    master = ShippedRedis(tmp_path / "master", *login)
    of = ("--replicaof", "127.0.0.1", str(master.port))
    replica = ShippedRedis(tmp_path / "replica", *login, *of)
    try:
        master.start()
        replica.start()
        yield master, replica
    finally:
        replica.kill()
        master.kill()


async def shown(alert: str, server: ShippedRedis) -> str:
    """Type what the runbook says, at a Redis, and return all that it prints."""
    admin = f"redis-cli -p {server.port} --user admin --pass {PASSWORDS['admin']}"
    here = {"redis-cli --user admin --askpass": admin}
    return await asyncio.to_thread(runbook.look, alert, here)


@pytest.mark.timeout(400)
async def test_each_fault_fires(
    tmp_path: Path, replicated: tuple[ShippedRedis, ShippedRedis]
) -> None:
    packaged("redis-cli", "redis-tools")
    master, replica = replicated
    with ExitStack() as ending:
        exporters = [exporter_of(it) for it in replicated]
        for it in exporters:
            ending.callback(it.end)
        prometheus = Prometheus(tmp_path, redis=[it.port for it in exporters])
        ending.callback(prometheus.end)
        prometheus.start()

        def firing() -> list[tuple[str, str]]:
            return [
                (it["alertname"], it["instance"])
                for it in prometheus.alerts()
                if it["alertname"].startswith("TertuliaRedis")
            ]

        async def fires(name: str, at: RedisExporter) -> None:
            async def asked() -> bool:
                found = await asyncio.to_thread(firing)
                return (name, f"127.0.0.1:{at.port}") in found

            await until(asked, WITHIN, f"{name} to fire", every=0.5)

        async def followed() -> bool:
            return bool(await asyncio.to_thread(prometheus.ask, "redis_connected_slaves == 1"))

        await until(followed, WITHIN, "the replica to be seen", every=0.5)

        async def quiet() -> bool:
            return await asyncio.to_thread(firing) == []

        await until(quiet, WITHIN, "all to be well", every=0.5)

        admin = master.client("admin")
        used = cast(dict[str, int], admin.info("memory"))["used_memory"]
        admin.config_set("maxmemory", used + used // 50)
        await fires("TertuliaRedisMemory", exporters[0])
        told = await shown("TertuliaRedisMemory", master)
        bytes_of = {name: int(count) for name, count in re.findall(r"^(\w+):(\d+)\r?$", told, re.M)}
        assert bytes_of["used_memory"] > 0.9 * bytes_of["maxmemory"] > 0
        admin.config_set("maxmemory", 0)

        shutil.rmtree(replica.directory)
        with suppress(redis.ResponseError):  # by which some versions say so at once
            replica.client("admin").bgrewriteaof()
        await fires("TertuliaRedisNotPersistent", exporters[1])
        assert re.search(r"_status:err\b", await shown("TertuliaRedisNotPersistent", replica))

        replica.kill()
        await fires("TertuliaRedisReplicaLost", exporters[0])
        told = await shown("TertuliaRedisReplicaLost", master)
        assert re.search(r"^role:master\r?\nconnected_slaves:0\b", told, re.M)
        await fires("TertuliaRedisUnseen", exporters[1])
