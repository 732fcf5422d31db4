"""What docs/runbook.md says of a Redis that lost data because its user default had no permissions."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from deploy.inhabited_redis import BOTH, NEW, Kept, changes, contents, is_rewritten, now_ms
from deploy.shipped_redis import PASSWORDS, ShippedRedis
from deploy.tools import ROOT
from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.device_client import leave_messages, log_in, sign_up, take
from harness.load import assert_promises_kept, connect_many, settle
from harness.node import Listener, Node
from harness.waiting import until_sync

pytestmark = pytest.mark.slow

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
IN_ITS_LOG = "sending an error to its AOF-loading-client: '-NOPERM"
LACKS = "the user default lacks permissions"
SHIPPED, OLD = "user default off ~* &* +@all\n", "user default off\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ShippedRedis]:
    """Run a Redis with the users as they were shipped once. `make test-engines` does so with each."""
    server = ShippedRedis(tmp_path / "redis")
    set_default(server, OLD)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def set_default(server: ShippedRedis, line: str) -> None:
    _, *others = server.users.read_text().splitlines(keepends=True)
    server.users.write_text("".join([line, *others]))


@pytest.fixture
async def nodes(server: ShippedRedis, tmp_path: Path) -> AsyncIterator[list[Node]]:
    password = tmp_path / "password"
    password.write_text(PASSWORDS["tertulia"] + "\n")
    nodes = [start_node(server, tmp_path, name) for name in ("one", "two")]
    try:
        for node in nodes:
            await node.ready()
        yield nodes
    finally:
        for node in nodes:
            node.end()


def start_node(server: ShippedRedis, folder: Path, name: str) -> Node:
    return Node(
        folder / name,
        redis_url=url(server),
        node_id=name,
        listeners=tuple(map(Listener, ("chatte", "device"))),
        settings={"REDIS_PASSWORD_FILE": str(folder / "password")},
    )


def url(server: ShippedRedis) -> str:
    return f"redis://tertulia@127.0.0.1:{server.port}/0"


def losses(server: ShippedRedis, before: Mapping[str, Kept]) -> list[str]:
    client = server.client("admin")
    return changes(before, contents(client), now_ms(client))


async def test_it_comes_back_when_the_users_are_mended(
    server: ShippedRedis, nodes: list[Node], tmp_path: Path
) -> None:
    ordered = Admin(url(server), REDIS_PASSWORD_FILE=str(tmp_path / "password"))
    one, two = (node.port("device") for node in nodes)
    for name in ("ada", "bob", "eve"):
        await sign_up(one, name)
    await leave_messages(two, "ada", "bob", "are you there?")
    assert (await ordered("ban", "--account", "eve")).status == 0
    people = await connect_many([node.port() for node in nodes], 6, "guest")
    for _ in range(20):
        people[0].say()
        await settle(people)
    before = contents(server.client("admin"))

    await restart(server)
    if not loses(server):
        assert not any(":account:" in it for it in losses(server, before))
        return
    assert sum(":account:" in it for it in losses(server, before)) == 3
    for node in nodes:
        await node.becomes_ready(60)
    people[5].close()
    await people[0].expect_line("151 guest-5 just left the chat")
    people[0].say("said in between")
    await settle(people)
    await sign_up(one, "carol")

    server.client("admin").config_set("auto-aof-rewrite-percentage", 0)
    set_default(server, SHIPPED)
    await restart(server)
    admin = server.client("admin")
    now = contents(admin)
    for key, it in before.items():
        if any(
            f":{kind}" in key
            for kind in ("account:", "pending:", "mailbox:", "senders:", "ban", "audit")
        ):
            assert now[key] == it, key
    assert "{main}:account:carol" in now, "what was made in between is there, too"
    assert "{main}:nick:guest-5" not in now, "nor has come back who went in between"
    # All that was said before is in the log; what was said in between had numbers that are in it already.
    entries = now["{main}:log"].value[1]
    said_before = before["{main}:log"].value[1]
    assert entries[: len(said_before)] == said_before
    for node in nodes:
        await node.becomes_ready(60)
    people[0].say()
    await settle(people)
    people.append(await ChatteClient.enter_chat(nodes[1].port(), "guest-5"))
    await settle(people)
    assert all(it.connected for it in people if it is not people[5])
    await log_in(two, "bob")
    assert await take(two, "bob", "ada") == ["are you there?"]
    await assert_promises_kept(people)


async def test_who_mends_the_users_before_the_restart_loses_nothing(
    server: ShippedRedis, nodes: list[Node], tmp_path: Path
) -> None:
    # A node that starts says so.
    checks = server.client("admin").info()["redis_version"] >= "7"
    assert all((LACKS in node.tail()) == checks for node in nodes)
    people = await connect_many([node.port() for node in nodes], 4, "guest")
    await sign_up(nodes[0].port("device"), "ada")
    await settle(people)
    set_default(server, SHIPPED)
    server.client("admin").acl_load()
    await settle(people)
    nodes.append(start_node(server, tmp_path, "three"))
    await nodes[-1].ready()
    assert LACKS not in nodes[-1].tail()
    epoch = server.client("admin").hget("{main}:meta", "epoch")
    await restart(server)
    assert not loses(server)
    people[0].say()
    await settle(people)
    await log_in(nodes[1].port("device"), "ada")
    assert all(it.connected for it in people)
    assert server.client("admin").hget("{main}:meta", "epoch") == epoch


def test_what_was_rewritten_meanwhile_is_gone(server: ShippedRedis) -> None:
    server.client("tertulia").eval(BOTH, 2, *NEW)
    server.stop()
    server.start()
    admin = server.client("admin")
    if not loses(server):
        assert admin.dbsize() == 2
        return
    assert admin.dbsize() == 0
    admin.bgrewriteaof()
    until_sync(lambda: is_rewritten(admin), 60, server.log)
    set_default(server, SHIPPED)
    server.stop()
    server.start()
    assert server.client("admin").dbsize() == 0


async def restart(server: ShippedRedis) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


def loses(server: ShippedRedis) -> bool:
    """Say whether its log has what the runbook looks for: not every engine looks at permissions there."""
    assert IN_ITS_LOG in RUNBOOK
    return IN_ITS_LOG in server.log()
