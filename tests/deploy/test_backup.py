"""Backing up and restoring, by the commands of docs/backup.md, while people talk."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.shipped_redis import PASSWORDS, ShippedRedis
from deploy.tools import ROOT, packaged, run
from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.device_client import leave_messages, log_in, sign_up, take
from harness.load import connect_many, settle, under_load
from harness.node import Listener, Node
from harness.waiting import elapse, until

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "backup.md").read_text()
MEANWHILE = 0.7
ENOUGH = 20
"""Entries of the log that are in the backup, at least."""


def commands(name: str) -> str:
    found = re.search(rf"^<!-- {name} -->\n```sh\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


class Place:
    """A Redis, and the folder in which somebody types the page's commands."""

    def __init__(self, folder: Path) -> None:
        self.redis = ShippedRedis(folder / "redis")
        self._folder = folder
        self.data = folder / "redis"
        (folder / "passwords").mkdir()
        (folder / "passwords" / "admin").write_text(PASSWORDS["admin"] + "\n")

    @property
    def backup(self) -> Path:
        return self._folder / "backup.rdb"

    def do(self, name: str) -> str:
        environment = {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.redis.port),
            "REDIS_DIR": str(self.data),
        }
        command = ["sh", "-euc", commands(name)]
        return run(command, environment=environment, directory=self._folder)

    def kept(self) -> dict[str, Any]:
        """Return everything of the chat that has to outlive Redis, by what it is called in Redis."""
        client = self.redis.client("admin")
        found: dict[str, Any] = {}
        for key in client.scan_iter("{main}:*"):
            kind = key.removeprefix("{main}:").partition(":")[0]
            if kind in ("account", "bans") or kind == "mailbox":
                found[key] = client.hgetall(key)
            elif kind == "pending":
                found[key] = client.lrange(key, 0, -1)
            elif kind in ("audit", "log"):
                found[key] = client.xrange(key)
        return found

    @property
    def append_only(self) -> Path:
        """What Redis writes: a folder, or up to 6.2 a file."""
        folder = self.data / "appendonlydir"
        return folder if folder.exists() else self.data / "appendonly.aof"

    def epoch(self) -> str:
        return str(self.redis.client("admin").hget("{main}:meta", "epoch"))


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    packaged("redis-cli", "redis-tools")
    packaged("redis-check-rdb", "redis-tools")
    both = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        both.append(Place(tmp_path / name))
    try:
        yield both[0], both[1]
    finally:
        for place in both:
            place.redis.kill()


@pytest.mark.parametrize("how", ["backup", "files"])
async def test_a_backup_under_load_brings_everything_back(
    places: tuple[Place, Place], tmp_path: Path, how: str
) -> None:
    here, there = places
    here.redis.start()
    password = tmp_path / "password"
    password.write_text(PASSWORDS["tertulia"] + "\n")
    url = f"redis://tertulia@127.0.0.1:{here.redis.port}/0"
    nodes = [
        Node(
            tmp_path / name,
            redis_url=url,
            node_id=name,
            listeners=(Listener("chatte"), Listener("device")),
            settings={"REDIS_PASSWORD_FILE": str(password)},
        )
        for name in ("one", "two")
    ]
    try:
        for node in nodes:
            await node.ready()
        device = nodes[0].port("device")
        for name in ("ada", "bob"):
            await sign_up(device, name)
        await leave_messages(device, "ada", "bob", "are you there?", "hello?")
        admin = Admin(url, REDIS_PASSWORD_FILE=str(password))
        assert (await admin("ban", "troll", "--reason", "enough")).status == 0
        clients = await connect_many([node.port() for node in nodes], 8, "user")

        async def back_up() -> None:
            await until(lambda: len(here.kept()["{main}:log"]) > ENOUGH, 60, "some talk")
            if how == "backup":
                here.do("back up")
            else:
                run(["cp", "-r", here.append_only, tmp_path / "copied"])
            await elapse(MEANWHILE)

        await under_load(clients[:4], back_up(), per_second=30)
        await settle(clients)
        later = here.epoch(), here.kept()

        here.redis.kill()
        name = here.append_only.name
        run(["rm", "-r", here.append_only])
        for place in places:
            if how == "files":
                run(["cp", "-r", tmp_path / "copied", place.data / name])
            else:
                if place is there:
                    shutil.copy(here.backup, there.backup)
                place.do("restore")
        there.redis.start()
        backup = there.kept()
        assert len(backup["{main}:log"]) < len(later[1]["{main}:log"]), "nothing was said since"
        here.redis.start()
        for node in nodes:
            await node.becomes_ready(60)
        await settle(clients)
        assert "{main}:meta" in here.do("look")

        assert here.epoch() not in (later[0], there.epoch())
        now = here.kept()
        assert set(backup) <= set(now)
        assert len(backup["{main}:log"]) > ENOUGH
        for key, value in backup.items():
            if isinstance(value, list):
                assert now[key][: len(value)] == value, key
            else:
                assert now[key] == value, key
        assert all(client.connected for client in clients)
        await log_in(device, "ada")
        await log_in(device, "bob")
        assert await take(device, "bob", "ada") == ["are you there?", "hello?"]
        troll = await ChatteClient.connect(nodes[1].port())
        await until(lambda: bool(troll.lines), 30, "a greeting")
        assert not await troll.enter("troll")
        troll.close()
    finally:
        for node in nodes:
            node.end()
