"""A real Redis, or Sentinel, with the files as shipped."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import redis
from redis.maint_notifications import MaintNotificationsConfig

from deploy.tools import DEPLOY, run
from harness import processes
from harness.engines import at_hand
from harness.redis_server import ONCE, free_port, redis_binary
from harness.waiting import until_sync

REDIS = DEPLOY / "redis"
PASSWORDS = {
    "tertulia": "a node's password",
    "replica": "replica-secret",
    "sentinel": "sentinel-secret",
    "exporter": "exporter-secret",
    "admin": "admin-secret",
}


def engines() -> dict[str, str]:
    """Return the servers at hand, by what they are, the newest last."""
    found = sorted(at_hand(), key=lambda it: it.version)
    return {str(it).replace(" ", "-"): it.program for it in found}


class ShippedRedis:
    """One process on a free port of 127.0.0.1, its data in ``directory``."""

    def __init__(self, directory: Path, *options: str, program: str = "") -> None:
        """Prepare one; ``options`` are further settings, as on the command line.

        ``program`` is the server, by default the one that all tests have.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.directory = directory
        self.program = program or redis_binary()
        self.passwords = directory / "passwords"
        self.users = directory / "users.acl"
        self._make_users()
        self.file = str(shutil.copy(REDIS / "redis.conf", directory))  # Sentinel has it rewritten
        self._command: list[str] = []
        self.only(options)
        self._process: subprocess.Popen[bytes] | None = None

    def only(self, options: Sequence[str]) -> None:
        """Start it with these options from now on, instead of those that it was given."""
        own = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory))
        self.run_as([self.program, self.file, *own, "--aclfile", str(self.users), *options])

    def run_as(self, command: list[str]) -> None:
        """Start it by this command from now on."""
        self._command = command

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = processes.start(self._command, output=log)
        until_sync(self._answers, 30, lambda: f"Redis to start:\n{self.log()}")

    def stop(self) -> None:
        """End it in order."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(30) == 0, self.log()
        self._process = None

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def client(self, user: str) -> redis.Redis:
        """Return a client that is logged in, or will fail to."""
        return redis.Redis(
            port=self.port,
            username=user,
            password=PASSWORDS.get(user, ""),
            decode_responses=True,
            socket_timeout=30,
            retry=ONCE,
            # What it says of itself on connecting hardly any user here may say.
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )

    def log(self) -> str:
        """Return its own log."""
        return (self.directory / "log").read_text(errors="replace")

    def _make_users(self) -> None:
        """Make the ACL file as an operator does."""
        self.passwords.mkdir(exist_ok=True)
        for user, password in PASSWORDS.items():
            (self.passwords / user).write_text(password + "\n")
        self.users.write_text(run([REDIS / "with-passwords", self.passwords]))

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            return bool(self.client("health").ping())
        except redis.RedisError:
            return False


class ShippedSentinel(ShippedRedis):
    """One Sentinel, alone, for a master of the tests."""

    def __init__(self, directory: Path, master: ShippedRedis) -> None:
        """Prepare one with the example's settings, but quicker, and with no other to agree with."""
        super().__init__(directory, program=master.program)
        told = (REDIS / "sentinel.conf").read_text()
        for shipped, here in (
            ("port 26379", f"port {self.port}\nbind 127.0.0.1"),
            ("monitor tertulia redis-1 6379 2", f"monitor tertulia 127.0.0.1 {master.port} 1"),
            ("down-after-milliseconds tertulia 5000", "down-after-milliseconds tertulia 3000"),
        ):
            assert shipped in told
            told = told.replace(shipped, here)
        told += f"sentinel auth-pass tertulia {PASSWORDS['sentinel']}\n"
        configuration = directory / "sentinel.conf"  # which it writes into
        configuration.write_text(told)
        self.run_as([self.program, str(configuration), "--sentinel"])

    def client(self, user: str) -> redis.Redis:
        """Return a client; a Sentinel asks for no password."""
        return redis.Redis(
            port=self.port, decode_responses=True, socket_timeout=30, retry=ONCE, driver_info=None
        )

    def knows(self, replicas: int) -> bool:
        """Say whether it has found so many replicas."""
        state = cast(dict[str, Any], self.client("").sentinel_master("tertulia"))
        return int(state["num-slaves"]) == replicas

    def master_port(self) -> int:
        """Return where the master is, by what it knows."""
        address = self.client("").sentinel_get_master_addr_by_name("tertulia")
        return int(cast(tuple[str, int], address)[1])
