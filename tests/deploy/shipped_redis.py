"""A real Redis, or Sentinel, with the files as shipped."""

import shutil
import subprocess
from pathlib import Path
from typing import cast

import redis

from deploy.tools import DEPLOY, run
from harness.redis_server import ONCE, free_port, redis_binary
from harness.waiting import until_sync

REDIS = DEPLOY / "redis"
PASSWORDS = {
    "tertulia": "a node's password",
    "replica": "replica-secret",
    "sentinel": "sentinel-secret",
    "admin": "admin-secret",
}


def users_with_passwords(directory: Path) -> Path:
    """Make the ACL file as an operator does, and return where it is."""
    folder = directory / "passwords"
    folder.mkdir(exist_ok=True)
    for user, password in PASSWORDS.items():
        (folder / user).write_text(password + "\n")
    users = directory / "users.acl"
    users.write_text(run([REDIS / "with-passwords", folder]))
    return users


class ShippedRedis:
    """One process on a free port of 127.0.0.1, its data in ``directory``."""

    def __init__(self, directory: Path, *options: str) -> None:
        """Prepare one; ``options`` are further settings, as on the command line."""
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._directory = directory
        self._command = [
            redis_binary(),
            shutil.copy(REDIS / "redis.conf", directory),  # Sentinel has it rewritten
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)),
            *("--aclfile", str(users_with_passwords(directory))),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until_sync(self._answers, 10, lambda: f"Redis to start:\n{self.log()}")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def client(self, user: str) -> redis.Redis:
        """Return a client that is logged in, or will fail to."""
        return redis.Redis(
            port=self.port,
            username=user,
            password=PASSWORDS.get(user, ""),
            decode_responses=True,
            socket_timeout=5,
            retry=ONCE,
            driver_info=None,
        )

    def log(self) -> str:
        """Return its own log."""
        return (self._directory / "log").read_text(errors="replace")

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
        super().__init__(directory)
        told = (REDIS / "sentinel.conf").read_text()
        for shipped, here in (
            ("port 26379", f"port {self.port}"),
            ("monitor tertulia redis-1 6379 2", f"monitor tertulia 127.0.0.1 {master.port} 1"),
            ("down-after-milliseconds tertulia 5000", "down-after-milliseconds tertulia 1000"),
        ):
            assert shipped in told
            told = told.replace(shipped, here)
        told += f"sentinel auth-pass tertulia {PASSWORDS['sentinel']}\n"
        configuration = directory / "sentinel.conf"  # which it writes into
        configuration.write_text(told)
        self._command = [redis_binary(), str(configuration), "--sentinel"]

    def client(self, user: str) -> redis.Redis:
        """Return a client; a Sentinel asks for no password."""
        return redis.Redis(
            port=self.port, decode_responses=True, socket_timeout=5, retry=ONCE, driver_info=None
        )

    def master_port(self) -> int:
        """Return where the master is, by what it knows."""
        address = self.client("").sentinel_get_master_addr_by_name("tertulia")
        return int(cast(tuple[str, int], address)[1])
