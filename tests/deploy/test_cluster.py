"""``make cluster``: the whole deployment on this machine, and people in it while parts of it go."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import psutil
import pytest
import redis

from deploy.inhabited_redis import Kept, assert_lasting, lasting
from deploy.made_cluster import CTL, MadeCluster, needs_programs
from deploy.tools import ROOT, packaged
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.device_client import leave_messages, log_in, sign_up, take
from harness.load import assert_promises_kept, lost, settle, under_load
from harness.protocollo_client import ProtocolloClient
from harness.redis_server import ONCE, free_port
from harness.waiting import elapse, until, until_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DIALECTS: dict[str, type[ChatteClient]] = {
    "chatte": ChatteClient,
    "protocollo": ProtocolloClient,
    "browser": BrowserClient,
}
CLIENTS = 300
TALKERS = 9
WITHIN = 60.0
"""Seconds, on a machine that is busy."""
TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MadeCluster]:
    cluster = MadeCluster(tmp_path / "cluster")
    try:
        cluster.up_sync()
        yield cluster
    finally:
        cluster.end()


class House:
    """The people in a cluster's chat, who come through its balancer."""

    def __init__(self, cluster: MadeCluster) -> None:
        self._cluster = cluster
        self._redis = redis.Redis.from_url(
            cluster.redis_url, decode_responses=True, retry=ONCE, driver_info=None
        )
        self.everybody: list[ChatteClient] = []

    async def leave_something(self) -> None:
        """Leave something of all that lasts: accounts, a message that waits, a ban and its order."""
        device = self._cluster.ports["device"]
        for name in ("ada", "bob", "eve"):
            await sign_up(device, name)
        await leave_messages(device, "ada", "bob", "are you there?")
        banned = await Admin(
            f"redis://tertulia@127.0.0.1:{self._cluster.ports['redis']}/0",
            REDIS_PASSWORD_FILE=str(self._cluster.folder / "passwords" / "tertulia"),
        )("ban", "--account", "eve")
        assert banned.status == 0, banned
        (await self.enter("chatte", "somebody")).close()
        self.everybody.pop()
        await until(
            lambda: not self._redis.exists("{main}:nick:somebody"), WITHIN, "somebody to go"
        )

    def lasting(self) -> dict[str, Kept]:
        """Return it, with the log; and the epoch, as there is another where Redis lost something."""
        found = lasting(self._redis)
        for kind in ("account:ada", "pending:bob:ada", "mailbox:bob", "bans", "audit", "log"):
            assert f"{{main}}:{kind}" in found
        epoch = self._redis.hget("{main}:meta", "epoch")
        return {**found, "epoch": Kept("string", epoch, None)}

    async def enter(self, dialect: str, name: str) -> ChatteClient:
        client = await DIALECTS[dialect].enter_chat(
            self._cluster.ports[dialect], name, within=WITHIN
        )
        self.everybody.append(client)
        return client

    async def come_back(self, clients: Sequence[ChatteClient]) -> list[ChatteClient]:
        """Let those who were disconnected come in again, each under its own nickname."""
        dialects = {kind: dialect for dialect, kind in DIALECTS.items()}
        return list(
            await asyncio.gather(*(self._come_back(dialects[type(it)], it) for it in clients))
        )

    async def _come_back(self, dialect: str, client: ChatteClient) -> ChatteClient:
        again: ChatteClient | None = None

        async def entered() -> bool:
            nonlocal again
            again = await DIALECTS[dialect].connect(self._cluster.ports[dialect], client.nickname)
            self.everybody.append(again)
            return await again.enter(client.nickname, within=WITHIN)

        # A dead node's nicknames are free when it is buried.
        await until(entered, WITHIN, f"{client.nickname} to come back", every=0.5)
        assert again is not None
        return again

    def by_node(self) -> dict[str, list[ChatteClient]]:
        """Return who is where, by what stands in Redis."""
        found: dict[str, list[ChatteClient]] = defaultdict(list)
        connected = [client for client in self.everybody if client.connected]
        pipeline = self._redis.pipeline(transaction=False)
        for client in connected:
            pipeline.hget(f"{{main}}:nick:{client.nickname.lower()}", "node")
        for client, node in zip(connected, cast(list[str | None], pipeline.execute()), strict=True):
            if node is not None:  # else it has left, and is about to learn it
                found[node.partition("~")[0]].append(client)
        return found


@pytest.mark.timeout(1200)
async def test_three_hundred_people_while_nodes_and_redis_come_and_go(cluster: MadeCluster) -> None:
    house = House(cluster)
    await house.leave_something()
    dialects = list(DIALECTS)
    for start in range(0, CLIENTS, 50):
        await asyncio.gather(
            *(house.enter(dialects[i % 3], f"user-{i}") for i in range(start, start + 50))
        )
    await settle(house.everybody, 60)
    spread = house.by_node()
    assert set(spread) == {"node1", "node2", "node3"}
    assert all(len(clients) > CLIENTS / 6 for clients in spread.values()), "no fair shares"

    async def ctl(*words: str) -> str:
        return await asyncio.to_thread(cluster.ctl, *words)

    async def events() -> None:
        there = house.by_node()
        lost(there["node1"])
        await ctl("kill", "node1")
        for client in there["node1"]:
            await client.disconnected(WITHIN)
        await house.come_back(there["node1"][:30])

        leaving = house.by_node()["node2"]
        draining = asyncio.create_task(ctl("drain", "node2"))
        await until(
            lambda: not all(it.connected for it in leaving), 60, "the first to be sent away"
        )
        assert any(it.connected for it in leaving), "not all at once"
        await until(lambda: is_red("node2"), 60, "the balancer to see it")
        newcomers = [await house.enter(dialects[i % 3], f"new-{i}") for i in range(6)]
        assert {*newcomers} <= {*house.by_node()["node3"]}, "the only one left"
        assert "ended with 0" in await draining
        for client in leaving:
            await client.disconnected(WITHIN)
        await house.come_back(leaving)
        assert set(house.by_node()) == {"node3"}

        await ctl("start", "node4")
        newcomers = [await house.enter(dialects[i % 3], f"later-{i}") for i in range(6)]
        assert {*newcomers} & {*house.by_node()["node4"]}, "the one that was added is used"

        before = await asyncio.to_thread(house.lasting)
        await ctl("restart", "redis")
        await elapse(1)
        assert_lasting(before, await asyncio.to_thread(house.lasting))

    async def is_red(name: str) -> bool:
        return not (await asyncio.to_thread(cluster.balancer_sees, name)).startswith("UP")

    staying = [*spread["node3"]]
    talkers = [next(it for it in staying if type(it) is DIALECTS[name]) for name in DIALECTS]
    talkers += [it for it in staying if it not in talkers][: TALKERS - len(talkers)]
    whom = [client.nickname for client in staying[:20]]
    await under_load(talkers, events(), per_second=3, whisper_to=whom)
    connected = [client for client in house.everybody if client.connected]
    assert len(connected) > CLIENTS * 2 / 3
    assert all(client in connected for client in staying), "nobody else had to go"
    await settle(connected, 60)
    await assert_promises_kept(house.everybody)
    await log_in(cluster.ports["device"], "bob")
    assert await take(cluster.ports["device"], "bob", "ada") == ["are you there?"]
    running = cluster.children()
    cluster.stop(signal.SIGTERM)
    assert not psutil.wait_procs(running, 60)[1]


async def test_whatever_is_killed_is_started_again(cluster: MadeCluster) -> None:
    house = House(cluster)
    await house.leave_something()
    staying = await house.enter("chatte", "anne")

    async def ctl(*words: str) -> str:
        return await asyncio.to_thread(cluster.ctl, *words)

    before = house.lasting()
    assert await ctl("kill", "redis") == "redis is killed; the nodes wait for it.\n"
    assert cluster.how_is("redis") == "ended with -9"
    staying.say()
    assert await ctl("start", "redis") == "redis runs again.\n"
    await staying.answered(WITHIN)
    assert_lasting(before, house.lasting())

    said = await ctl("kill", "haproxy")
    assert said == (
        "haproxy is killed; who came in through it is disconnected, and nobody comes in.\n"
    )
    await staying.disconnected()
    assert await ctl("kill", "node1") == "node1 is killed; the others bury it.\n"
    assert await ctl("start", "node1") == (
        "node1 is ready, but the balancer does not run: deploy/cluster/ctl start haproxy\n"
    )
    await ctl("kill", "node2")
    assert await ctl("start", "haproxy") == "haproxy runs again.\n"
    bert = await house.enter("chatte", "bert")
    bert.say()
    await bert.answered()

    assert await ctl("kill", "prometheus") == "prometheus is killed; nothing is measured.\n"
    assert await ctl("start", "prometheus") == "prometheus runs again.\n"
    assert cluster.how_is("prometheus") == "runs"

    for words, told in (
        (("start", "redis"), "redis runs already"),
        (
            ("start", "grafana"),
            "there is no grafana: there are api, haproxy, node1, node2, node3, node4",
        ),
        (("drain", "haproxy"), "only nodes drain: deploy/cluster/ctl restart haproxy"),
        (("kill", "node2"), "node2 does not run; these do: api, haproxy, node1, node3, probe"),
    ):
        with pytest.raises(AssertionError, match=f"ctl: {told}"):
            await ctl(*words)


def test_what_is_drained_is_no_alert_and_what_is_killed_is(cluster: MadeCluster) -> None:
    def asked(query: str) -> list[dict[str, str]]:
        url = f"http://127.0.0.1:{cluster.ports['prometheus']}/api/v1/query?"
        with urllib.request.urlopen(url + urllib.parse.urlencode({"query": query})) as page:
            return [it["metric"] for it in json.load(page)["data"]["result"]]

    one, two = (f'up{{instance="127.0.0.1:{cluster.ports[f"node{n}.ops"]}"}}' for n in (1, 2))
    until_sync(lambda: asked(one) and asked(two), 60, "the nodes to be scraped", every=0.2)
    watching = 'count(up{job=~"tertulia-probe|tertulia-redis|haproxy"} == 1) == 3'
    until_sync(lambda: asked(watching), 60, "the others to be scraped", every=0.2)
    cluster.ctl("drain", "node2")
    cluster.ctl("kill", "node1")
    until_sync(lambda: asked(f"{one} == 0"), 60, "the dead one to be missed", every=0.2)
    until_sync(lambda: not asked(two), 60, "the drained one to be forgotten", every=0.2)
    cluster.ctl("start", "node1")
    assert not asked(two), "nor is it looked at again when another one comes"
    cluster.ctl("start", "node2")
    until_sync(lambda: asked(f"{two} == 1"), 60, "it to be scraped again", every=0.2)
    drained = f'instance="127.0.0.1:{cluster.ports["node2.ops"]}"'
    assert not asked(f'ALERTS{{alertname="TertuliaNodeDown", alertstate="firing", {drained}}}')
    file = (cluster.folder / "prometheus" / "alerts.rules.yml").read_text()
    assert f"runbook_url: {(ROOT / 'docs' / 'runbook.md').as_uri()}#tertulianodedown\n" in file


def test_another_number_of_nodes(tmp_path: Path) -> None:
    cluster = MadeCluster(tmp_path / "cluster", CLUSTER_NODES="2", CLUSTER_PORTS="free")
    try:
        cluster.up_sync()
        until_ready(cluster, "node1", "node2")
        cluster.ctl("start", "node3")
        until_ready(cluster, "node1", "node2", "node3")
    finally:
        cluster.end()


def until_ready(cluster: MadeCluster, *nodes: str) -> None:
    """Wait until these are ready, and there are no others."""

    def ready() -> list[str]:
        return re.findall(r"^(node\d) +\d+ +ready$", cluster.ctl("status"), re.M)

    until_sync(lambda: ready() == [*nodes], 60, lambda: cluster.ctl("status"))


def test_the_tutorials_cluster_is_as_printed(cluster: MadeCluster) -> None:
    """Each command of it, in one shell; ``…`` stands for whatever it may be."""
    packaged("nc", "netcat-openbsd")
    packaged("curl")
    before, blocks = tour()
    assert before[0] == "make cluster"
    assert re.fullmatch(pattern(before[1:], cluster), cluster.output, re.DOTALL), cluster.output
    house = House(cluster)
    asyncio.run(house.leave_something())
    for command, expected in blocks:
        if (
            "admin nodes" in command
        ):  # the page has people wait for seconds, enough for an idle machine
            until_sync(lambda: cluster.how_is("node3").startswith("ended"), 60, "node3 to go")
        kept = house.lasting() if command.endswith(" restart redis") else None
        done = subprocess.run(
            ["bash", "-c", there(command, cluster)],
            cwd=ROOT,
            env=cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
        )
        said = "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())
        assert re.fullmatch(pattern(expected, cluster), said, re.DOTALL), (
            f"$ {command}\n{said}\ninstead of\n" + "\n".join(expected)
        )
        if kept is not None:
            assert_lasting(kept, house.lasting())
    until_sync(lambda: "Stopped after" in cluster.output, 60, "the cluster to have stopped")


def tour() -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the first command with what it prints, and then each command with what it prints."""
    _, _, text = TUTORIAL.read_text().partition("## Three nodes, with monitoring\n")
    text = text.partition("\n## ")[0]
    first, *others = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands: list[tuple[str, list[str]]] = []
    for line in "".join(others).splitlines():
        if line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        else:
            commands[-1][1].append(line)
    assert commands[-1][0] == "deploy/cluster/ctl stop"
    command, *printed = first.splitlines()
    return [command.removeprefix("$ "), *printed], commands


def there(text: str, cluster: MadeCluster) -> str:
    """Put this cluster's ports and folder in the place of the printed ones."""
    printed, ports = printed_ports(), cluster.ports

    def actual(match: re.Match[str]) -> str:
        name = printed.get(int(match[2]))
        return f"{match[1]}{ports[name] if name else match[2]}"

    text = re.sub(r"(127\.0\.0\.1[: ])(\d+)", actual, text)
    return text.replace("var/cluster", str(cluster.folder))


def printed_ports() -> dict[int, str]:
    """Return what the ports in the documents are for."""
    ports = {1234: "chatte", 6789: "protocollo", 4242: "device", 8080: "browser", 6667: "irc"}
    ports |= {8404: "balancer", 9090: "prometheus", 9379: "redis"}
    ports |= {1230: "probe", 9465: "probe-metrics", 9121: "redis-exporter"}
    ports |= {8088: "api", 9466: "api-metrics"}
    for number in range(1, 5):
        names = ("chatte", "protocollo", "device", "browser", "ops", "probe", "irc")
        for place, name in enumerate(names, 1):
            ports[9000 + 100 * number + place] = f"node{number}.{name}"
    return ports


def pattern(lines: Sequence[str], cluster: MadeCluster) -> str:
    """Make a regular expression of what is printed."""
    escaped = []
    for line in lines:
        if line == "…":
            escaped.append(r"(?:[^\n]*\n)*")
        else:
            parts = there(line, cluster).rstrip().split("…")
            escaped.append(r"[^\n]*".join(map(re.escape, parts)) + r"\n")
    return "".join(escaped)


def test_a_second_one_in_its_folder_is_refused_and_an_interrupt_leaves_nothing(
    cluster: MadeCluster,
) -> None:
    told = refused(cluster.environment)
    assert told == f"cluster: one runs already in {cluster.folder}: deploy/cluster/ctl stop\n"
    until_ready(cluster, "node1", "node2", "node3")

    running = cluster.children()
    assert len(running) >= 10, (
        "the cluster, Redis, three nodes, HAProxy, Prometheus, what looks, the API"
    )
    cluster.stop(signal.SIGINT)
    assert not psutil.wait_procs(running, 60)[1]
    assert "Stopped after" in cluster.output
    with pytest.raises(AssertionError, match="none runs in"):
        cluster.ctl("status")


def test_nothing_outlives_a_cluster_that_is_killed(cluster: MadeCluster) -> None:
    running = cluster.children()
    cluster.end()
    assert not psutil.wait_procs(running, 60)[1]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    needs_programs()
    ports = {name: free_port() for name in printed_ports().values()}
    environment = {
        **os.environ,
        "CLUSTER_FOLDER": str(tmp_path / "cluster"),
        "CLUSTER_PORTS": ",".join(f"{name}={port}" for name, port in ports.items()),
    }
    port = ports["balancer"]
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        told = refused(environment)
    assert told == (
        f"cluster: port {port}, for balancer, is taken: stop whatever has it, or set "
        "CLUSTER_PORTS=balancer=PORT, or CLUSTER_PORTS=free\n"
    )


def test_missing_programs_are_named_with_their_packages(tmp_path: Path) -> None:
    """Only where the system's own folder has a program is it found whatever PATH is."""
    programs = ("redis-server", "haproxy", "prometheus")
    hidden = [
        name for name in programs if shutil.which(name, path="/usr/sbin:/usr/local/sbin") is None
    ]
    assert hidden
    for needed in ("sh", "dirname", "env"):
        (tmp_path / needed).symlink_to(shutil.which(needed) or "")
    told = refused({"PATH": str(tmp_path), "CLUSTER_FOLDER": str(tmp_path / "cluster")})
    assert re.fullmatch(r"cluster: .* not found: apt-get install .*\n", told)
    assert all(name in told.partition("apt-get install")[2] for name in hidden)


def refused(environment: dict[str, str]) -> str:
    """Start one that can't start, and return what it says."""
    done = subprocess.run([CTL, "up"], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done
    assert done.stdout == ""
    return done.stderr
