"""Redis' password is replaced by the commands of docs/operations.md, while people talk."""

import re
import shutil
from pathlib import Path

import pytest
import redis

from deploy.shipped_redis import PASSWORDS, ShippedRedis
from deploy.tools import DEPLOY, ROOT, packaged, run
from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import Node
from harness.waiting import elapse
from history.record import Disconnected, SawLeft

PAGE = (ROOT / "docs" / "operations.md").read_text()
OLD = PASSWORDS["tertulia"]
BETWEEN = 0.5


def commands(name: str) -> str:
    found = re.search(rf"^<!-- {name} -->\n```sh\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def lets_in(server: ShippedRedis, password: str) -> bool:
    client = redis.Redis(port=server.port, username="tertulia", password=password, driver_info=None)
    try:
        return bool(client.time())
    except redis.AuthenticationError:
        return False
    finally:
        client.close()


@pytest.mark.slow
async def test_nobody_has_to_go_for_it(tmp_path: Path) -> None:
    packaged("redis-cli", "redis-tools")
    server = ShippedRedis(tmp_path / "redis")
    node_file = tmp_path / "redis-password"
    shutil.copytree(tmp_path / "redis" / "passwords", tmp_path / "passwords")
    node_file.write_text(OLD + "\n")
    nodes: list[Node] = []
    try:
        server.start()
        url = f"redis://tertulia@127.0.0.1:{server.port}/0"
        for name in ("one", "two"):
            settings = {"REDIS_PASSWORD_FILE": str(node_file)}
            nodes.append(Node(tmp_path / name, redis_url=url, node_id=name, settings=settings))
        for node in nodes:
            await node.ready()
        clients = await connect_many([node.port() for node in nodes], 8, "user")
        await settle(clients)

        async def do(name: str) -> None:
            places = {"NODE_FILE": node_file, "ACL_FILE": tmp_path / "redis" / "users.acl"}
            run(
                ["sh", "-euc", commands(name)],
                directory=tmp_path,
                environment={
                    **{variable: str(place) for variable, place in places.items()},
                    "REDIS_HOST": "127.0.0.1",
                    "REDIS_PORT": str(server.port),
                    "DEPLOY": str(DEPLOY),
                },
            )
            await elapse(BETWEEN)
            for node in nodes:
                await node.becomes_ready(30)

        async def replace() -> None:
            await do("take both")
            new = (tmp_path / "new").read_text().strip()
            assert lets_in(server, OLD) and lets_in(server, new)
            await do("give the new one")
            await do("try it")
            assert server.client("admin").acl_log() == []
            await do("take one")
            assert lets_in(server, new) and not lets_in(server, OLD)
            await elapse(BETWEEN)

        await under_load(clients[:4], replace(), per_second=20)
        await settle(clients)
        for client in clients:
            assert client.connected, client.describe()
            assert not any(client.history.of(SawLeft))
            assert not any(client.history.of(Disconnected))
        await assert_promises_kept(clients)
        nodes[1].kill()
        again = Node(tmp_path / "two", redis_url=url, node_id="two", settings=settings)
        nodes.append(again)
        await again.ready()
    finally:
        for node in nodes:
            node.end()
        server.kill()


def test_the_unit_reads_the_password_where_it_is_replaced() -> None:
    """A credential is a copy of when the node started."""
    unit = (DEPLOY / "systemd" / "tertulia@.service").read_text()
    assert "TERTULIA_REDIS_PASSWORD_FILE=/etc/tertulia/redis-password" in unit
    assert not re.search(r"^(Load|Set)Credential", unit, re.MULTILINE)


@pytest.mark.parametrize("write", ["old\nnew\n", "old\r\nnew", "\nold\n\nnew\n"])
def test_a_line_each_is_a_password(tmp_path: Path, write: str) -> None:
    (tmp_path / "tertulia").write_text(write)
    printed = run([DEPLOY / "redis" / "with-passwords", tmp_path])
    old, new = (run(["sha256sum"], text=it).split()[0] for it in ("old", "new"))
    assert f"#{old} #{new}\n" in printed
    assert printed.count("#") == 2
