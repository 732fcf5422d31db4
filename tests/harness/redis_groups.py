"""Several Redis servers that belong together: a master with a replica and Sentinels, or a cluster."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, cast

import redis

from harness import processes
from harness.redis_server import ONCE, RedisServer, redis_binary, reserved_port
from harness.waiting import until_sync

FORM_SECONDS = 60.0
"""Within which servers find each other, on a busy machine."""
_MASTERS, _SLOTS = 3, 16_384
MASTER = "tertulia"
"""What the Sentinels call the master."""
USERS = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
LOGIN = "tertulia:opensesame"
"""The nodes' user, with the rights that are shipped for it."""


def shipped_user() -> tuple[str, ...]:
    """Return the options that give a server the nodes' user as shipped."""
    name, _, password = LOGIN.partition(":")
    lines = USERS.read_text().splitlines()
    (rights,) = [line for line in lines if line.startswith(f"user {name} ")]
    return ("--user", name, *rights.split()[2:], f">{password}")


def denied(servers: Iterable[RedisServer]) -> list[str]:
    """Return what running servers have refused to the nodes' user."""
    logs = [it for server in servers if server.running for it in server.control.acl_log()]
    told = {f"{it['reason']} {it['object']}" for it in cast(list[dict[str, str]], logs)}
    # A node asks once, and does without the answer; Redis 6.2 does not say for what.
    return sorted(told - {"command config|get", "command config"})


class Sentinel:
    """One Sentinel process, which looks after a master of the tests, with little patience."""

    def __init__(self, master: RedisServer, quorum: int, *, password: str = "") -> None:
        self._reserved = reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self.directory = Path(tempfile.mkdtemp(prefix="tertulia-sentinel-"))
        self._password = password
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.directory}",
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} {quorum}",
            f"sentinel down-after-milliseconds {MASTER} 2500",
            f"sentinel failover-timeout {MASTER} 6000",
        ]
        if password:
            lines.append(f"requirepass {password}")
            lines.append(f"sentinel sentinel-pass {password}")
        self._file = self.directory / "sentinel.conf"
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with (self.directory / "log").open("ab") as log:
            self._process = processes.start(
                [redis_binary(), str(self._file), "--sentinel"], output=log
            )

    def ask(self) -> redis.Redis:
        """Return a client."""
        password = self._password or None
        return redis.Redis(
            port=self.port,
            password=password,
            decode_responses=True,
            socket_timeout=30,
            retry=ONCE,
            driver_info=None,
        )

    def state(self) -> dict[str, Any]:
        """Return what it knows of the master; nothing where it does not answer."""
        with contextlib.suppress(redis.RedisError), contextlib.closing(self.ask()) as client:
            return cast(dict[str, Any], client.sentinel_master(MASTER))
        return {}

    def close(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
        self._reserved.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class WatchedRedis:
    """A master, a replica, and three Sentinels."""

    def __init__(self, *options: str, password: str = "") -> None:
        options = (*options, *shipped_user())
        self.first = RedisServer(options=options)
        of_first = ("--replicaof", "127.0.0.1", str(self.first.port))
        self.second = RedisServer(options=(*options, *of_first))
        self.sentinels = [Sentinel(self.first, 2, password=password) for _ in range(3)]

    @property
    def url(self) -> str:
        """Where the Sentinels are, as the service's setting wants it."""
        hosts = ",".join(f"127.0.0.1:{it.port}" for it in self.sentinels)
        return f"redis+sentinel://{LOGIN}@{hosts}/{MASTER}"

    def start(self) -> Self:
        """Start all, and wait until they know one another."""
        self.first.start()
        self.second.start()
        for sentinel in self.sentinels:
            sentinel.start()
        until_sync(self._is_formed, FORM_SECONDS, lambda: f"Sentinels to agree: {self._states()}")
        return self

    def master_port(self) -> int:
        """Return where most Sentinels see the master."""
        ports = [int(state.get("port", 0)) for state in self._states()]
        return max(ports, key=ports.count)

    def close(self) -> None:
        """End all."""
        for sentinel in self.sentinels:
            sentinel.close()
        self.second.close()
        self.first.close()

    def _states(self) -> list[dict[str, Any]]:
        return [sentinel.state() for sentinel in self.sentinels]

    def _is_formed(self) -> bool:
        replicas = self.second.control.info("replication")
        return replicas["master_link_status"] == "up" and all(
            state.get("num-slaves") == 1 and state.get("num-other-sentinels") == 2
            for state in self._states()
        )


def shard(*options: str, program: str = "") -> RedisServer:
    """Prepare a server that is, or will be, part of a cluster."""
    while True:
        server = RedisServer(options=("--cluster-enabled", "yes", *options), program=program)
        # Its bus is 10,000 further on, and should be below what the system takes for itself as well.
        if server.port < 22_700 and server.reserves(server.port + 10_000):
            return server
        server.close()


class ClusterRedis:
    """Three shards, each a master, and its replica where that is wanted."""

    def __init__(self, *, replicas: bool = False, options: tuple[str, ...] = ()) -> None:
        self.servers = [
            shard(
                *("--cluster-node-timeout", "2500"),
                *("--cluster-replica-validity-factor", "0", *shipped_user(), *options),
            )
            for _ in range(2 * _MASTERS if replicas else _MASTERS)
        ]

    @property
    def url(self) -> str:
        """Where to begin, as the service's setting wants it: not all of it."""
        hosts = ",".join(f"127.0.0.1:{it.port}" for it in self.servers[:2])
        return f"redis+cluster://{LOGIN}@{hosts}"

    def start(self) -> Self:
        """Start all, let them meet, and deal out the slots."""
        for number, server in enumerate(self.servers, 1):
            server.start()
            server.do("CLUSTER SET-CONFIG-EPOCH", number)
            server.do("CLUSTER MEET", "127.0.0.1", self.servers[0].port)
        masters, replicas = self.servers[:_MASTERS], self.servers[_MASTERS:]
        for number, server in enumerate(masters):
            first, end = (it * _SLOTS // _MASTERS for it in (number, number + 1))
            server.do("CLUSTER ADDSLOTS", *range(first, end))
        until_sync(self._is_formed, FORM_SECONDS, "the cluster to form")
        for replica, master in zip(replicas, masters, strict=False):
            replica.do("CLUSTER REPLICATE", _id(master))
        until_sync(lambda: all(map(_is_linked, replicas)), FORM_SECONDS, "the replicas to follow")
        return self

    def owner(self, key: str) -> RedisServer:
        """Return the server that has a key, as the running ones see it."""
        slot = self.slot(key)
        for asked in self.answering():
            told = cast(list[Any], asked.do("CLUSTER SLOTS"))
            for first, last, master, *_ in _slots(told):
                if first <= slot <= last:
                    return next(it for it in self.servers if it.port == master)
        raise AssertionError(f"nobody has the slot {slot}")

    def slot(self, key: str) -> int:
        """Return a key's slot."""
        return int(self.answering()[0].do("CLUSTER KEYSLOT", key))

    def move(self, key: str, target: RedisServer) -> None:
        """Move a key's slot to another shard, while it is used."""
        source, slot = self.owner(key), self.slot(key)
        source_id, target_id = _id(source), _id(target)
        target.do("CLUSTER SETSLOT", slot, "IMPORTING", source_id)
        source.do("CLUSTER SETSLOT", slot, "MIGRATING", target_id)
        while True:
            names = source.do("CLUSTER GETKEYSINSLOT", slot, 5)
            if not names:
                break
            source.do("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
        for server in (target, source, *self.answering()):
            with contextlib.suppress(redis.ResponseError):  # replicas don't take it
                server.do("CLUSTER SETSLOT", slot, "NODE", target_id)

    def answering(self) -> list[RedisServer]:
        """Return those that run, and are not frozen."""
        return [server for server in self.servers if server.answers]

    def close(self) -> None:
        """End all."""
        for server in self.servers:
            server.close()

    def _is_formed(self) -> bool:
        told = [server.control.cluster("INFO") for server in self.servers]
        everybody = str(len(self.servers))
        return all(
            (it["cluster_state"], it["cluster_known_nodes"]) == ("ok", everybody)
            for it in cast(list[dict[str, str]], told)
        )


def _is_linked(replica: RedisServer) -> bool:
    return bool(replica.control.info("replication").get("master_link_status") == "up")


def _id(server: RedisServer) -> str:
    return str(server.do("CLUSTER MYID"))


def _slots(told: Any) -> Iterator[tuple[int, int, int]]:
    """Yield first slot, last slot and the master's port, however the library shows them."""
    if isinstance(told, dict):
        for (first, last), it in told.items():
            yield int(first), int(last), int(it["primary"][1])
    else:
        for first, last, master, *_ in told:
            yield int(first), int(last), int(master[1])
