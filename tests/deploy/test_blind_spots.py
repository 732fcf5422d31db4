"""Each fault for real: its alert fires, and what the runbook says to type then shows the cause."""

import asyncio
import contextlib
import math
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from deploy import runbook
from deploy.balancer import Balancer, where
from deploy.prometheus_server import Prometheus
from deploy.tools import faketime, packaged
from deploy.watching import Probe
from harness.browser_client import BrowserClient
from harness.certificates import make
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until, until_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

AHEAD = 7200
"""Seconds that the odd node's clock is ahead."""
MOST = 12
"""Connections that the odd node takes."""
MOST_BALANCED = 40
"""Connections that the balancer takes."""
WITHIN = 120.0
TYPED = {
    "curl": "",
    "openssl": "",
    "ps": "procps",
    "redis-cli": "redis-tools",
    "ss": "iproute2",
}
"""What the runbook has people type, and which package has it."""


@dataclass
class Scene:
    """A balancer before two nodes, of which one is well and one is odd, and a Prometheus that looks."""

    redis: RedisServer
    sound: Node
    odd: Node
    balancer: Balancer
    prometheus: Prometheus
    folder: Path
    certificate: Path
    """What the odd node speaks TLS with."""

    async def fires(self, alert: str, port: int, severity: str = "") -> None:
        """Wait until an alert fires for what has its metrics on a port."""
        await until(
            lambda: self._fires(alert, port, severity), WITHIN, f"{alert} to fire", every=0.5
        )

    async def is_quiet(self, alert: str, port: int) -> None:
        """Wait until an alert does not fire (any more)."""

        async def is_over() -> bool:
            return not await self._fires(alert, port, "")

        await until(is_over, WITHIN, f"{alert} to be over", every=0.5)

    async def shows(self, alert: str) -> str:
        """Type what the runbook says, at the odd node, and return all that it prints."""
        log = self.folder / "nodes.log"
        log.write_text("\n".join([*self.sound.lines, *self.odd.lines]) + "\n")
        here = {
            "NODE:9464": f"127.0.0.1:{self.odd.ops_port}",
            "BALANCER:8443": f"127.0.0.1:{self.balancer.tls_ports['chatte']}",
            "BALANCER:8404": f"127.0.0.1:{self.balancer.stats_port}",
            "redis-cli --user admin --askpass": f"redis-cli -p {self.redis.port}",
            "tertulia admin": f"TERTULIA_REDIS_URL={self.redis.url} {sys.executable} -m tertulia admin",
            "journalctl -u 'tertulia@*' -p warning": f"cat {log}",
            "FILE": str(self.certificate),
            ":1234": f":{self.odd.port()}",
        }
        return await asyncio.to_thread(runbook.look, alert, here)

    async def _fires(self, alert: str, port: int, severity: str) -> bool:
        firing = await asyncio.to_thread(self.prometheus.firing, alert)
        return any(
            it["instance"] == f"127.0.0.1:{port}" and severity in ("", it["severity"])
            for it in firing
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Start all of it, once for all faults: each ends its own."""
    for name, package in TYPED.items():
        packaged(name, package)
    folder = tmp_path_factory.mktemp("scene")
    made = make(folder)
    with running_redis() as redis, contextlib.ExitStack() as stack:
        redis.control.acl_setuser(
            "andy", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"]
        )
        factory = NodeFactory(folder, redis.url)
        stack.callback(factory.end)
        sound = launch(factory, [listener(ChatteClient)], TRUSTED_PROXIES='["127.0.0.1"]')
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LD_PRELOAD", faketime())
            patch.setenv("FAKETIME", f"+{AHEAD}")
            patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            odd = launch(
                factory,
                [listener(ChatteClient), listener(BrowserClient, certificate=str(made.both))],
                redis_url=redis.url.replace("//", "//andy:any@"),
                LIMITS__CONNECTIONS=str(MOST),
                LIMITS__LOGINS_WAITING="2",
                LIMITS__ROOMS="2",
                LIMITS__ENTER_SECONDS="600",
            )
        for node in (sound, odd):
            node.ready_sync()
        shown = make(folder, "balancer", ends=timedelta(days=2))
        places = where([sound, odd]) | {"CERTIFICATE": str(shown.both)}
        balancer = Balancer(folder, places, connections=MOST_BALANCED)
        stack.callback(balancer.end)
        asyncio.run(balancer.start())
        prometheus = Prometheus(
            folder,
            in_haste=True,
            nodes=[sound.ops_port, odd.ops_port],
            balancers=[balancer.stats_port],
        )
        stack.callback(prometheus.end)
        prometheus.start()
        # A counter that was never seen at 0 has not risen.
        known = "min(count_over_time(up[1m])) >= 2 and count(up) == 3"
        until_sync(lambda: prometheus.ask(known), WITHIN, "Prometheus to know all", every=0.5)
        yield Scene(redis, sound, odd, balancer, prometheus, folder, made.both)


@contextlib.asynccontextmanager
async def open_connections(port: int, count: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Hold so many connections to a port, and say nothing."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        yield [writer for _, writer in opened]
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def test_a_node_that_does_not_trust_the_balancer(scene: Scene) -> None:
    await scene.is_quiet("TertuliaUntrustedProxy", scene.odd.ops_port)
    refused = 0
    clients = []
    for number in range(40):
        client = await ChatteClient.connect(scene.balancer.ports["chatte"])
        clients.append(client)
        refused += not await client.enter(f"guest-{number}")
        if refused == 8:
            break
    for client in clients:
        client.close()  # who stays takes a place at the balancer, in every test that follows
    assert refused == 8, "the balancer sends people to both"
    await scene.fires("TertuliaUntrustedProxy", scene.odd.ops_port, "critical")
    await scene.is_quiet("TertuliaUntrustedProxy", scene.sound.ops_port)
    shown = await scene.shows("TertuliaUntrustedProxy")
    assert re.search(r'"proxy": ?"127\.0\.0\.1"', shown), shown
    assert "tertulia_untrusted_proxy_headers_total 8.0" in shown


async def test_a_clock_that_is_off(scene: Scene) -> None:
    await scene.fires("TertuliaClockOff", scene.odd.ops_port)
    await scene.is_quiet("TertuliaClockOff", scene.sound.ops_port)
    shown = await scene.shows("TertuliaClockOff")
    ours = re.search(r"(?i)^date: (.*)$", shown, re.MULTILINE)
    redis = re.search(r"(\d{10})\n\d+\n", shown)
    assert ours and redis, shown
    ahead = parsedate_to_datetime(ours[1]).replace(tzinfo=UTC).timestamp() - int(redis[1])
    assert ahead == pytest.approx(AHEAD, abs=30)
    client = await ChatteClient.enter_chat(scene.odd.port(), "ahead")
    for _ in range(20):
        client.say()
        await client.answered()
    client.close()
    record = "instance:tertulia_publish_to_delivery_seconds:p99_5m"
    of_odd = f'{record}{{instance="127.0.0.1:{scene.odd.ops_port}"}}'

    async def told(query: str) -> float:
        values: list[float] = []

        async def asked() -> bool:
            values[:] = await asyncio.to_thread(scene.prometheus.ask, query)
            return any(not math.isnan(it) for it in values)

        # A machine that stood still for a moment has missed a scrape.
        await until(asked, WITHIN, f"a number: {query}", every=0.5)
        return next(it for it in values if not math.isnan(it))

    assert 0 < await told(of_odd) < 60, "as long as it takes, and not two hours"
    up = await told(f'tertulia_uptime_seconds{{instance="127.0.0.1:{scene.odd.ops_port}"}}')
    assert 0 < up < 3600


async def test_a_renewed_certificate_that_is_broken(scene: Scene) -> None:
    await scene.is_quiet("TertuliaCertificateNotTaken", scene.odd.ops_port)
    good = scene.certificate.read_bytes()
    scene.certificate.write_bytes(good[: len(good) // 3])
    await scene.fires("TertuliaCertificateNotTaken", scene.odd.ops_port)
    shown = await scene.shows("TertuliaCertificateNotTaken")
    assert re.search(r"certificate not taken.*there is no certificate in it", shown), shown
    assert re.search(r"(?i)could not (read|find)|unable to load", shown), shown
    scene.certificate.write_bytes(good)
    await scene.is_quiet("TertuliaCertificateNotTaken", scene.odd.ops_port)


async def test_a_login_queue_that_is_full(scene: Scene) -> None:
    await scene.is_quiet("TertuliaLoginsFull", scene.odd.ops_port)
    clients = [await ChatteClient.connect(scene.odd.port()) for _ in range(10)]
    for client in clients:
        client.send(b"anna:guess\n")
    for client in clients:
        await client.disconnected(60)
    await scene.fires("TertuliaLoginsFull", scene.odd.ops_port, "critical")
    shown = await scene.shows("TertuliaLoginsFull")
    refused = re.search(r"tertulia_passwords_refused_total (\d+)", shown)
    assert refused and int(refused[1]) >= 1, shown
    assert "{main}:failures:127.0.0.1:anna" in shown


async def test_a_node_with_as_many_connections_as_it_takes(scene: Scene) -> None:
    await scene.is_quiet("TertuliaFull", scene.odd.ops_port)
    async with open_connections(scene.odd.port(), MOST):
        await scene.fires("TertuliaFull", scene.odd.ops_port, "warning")
        async with open_connections(scene.odd.port(), 3):
            await scene.fires("TertuliaFull", scene.odd.ops_port, "critical")
        shown = await scene.shows("TertuliaFull")
    for words in (f"tertulia_connections {MOST}.0", f"tertulia_connections_limit {MOST}.0"):
        assert words in shown, shown
    assert re.search(rf"^ *{MOST} 127\.0\.0\.1$", shown, re.MULTILINE), shown


async def test_as_many_rooms_as_there_may_be(scene: Scene) -> None:
    await scene.is_quiet("TertuliaRoomsFull", scene.odd.ops_port)
    clients = [
        await ChatteClient.enter_chat(scene.odd.port(), f"guest-{it}@room-{it}") for it in range(2)
    ]
    clients.append(await ChatteClient.connect(scene.odd.port()))
    assert not await clients[-1].enter("guest-2@room-2")
    await scene.fires("TertuliaRoomsFull", scene.odd.ops_port, "warning")
    shown = await scene.shows("TertuliaRoomsFull")
    assert 'tertulia_room_refusals_total{reason="no_room_left"} 1.0' in shown, shown
    assert re.search(r"^main +#room-1 +1 ", shown, re.MULTILINE), shown
    for client in clients:
        client.close()


async def test_a_room_that_redis_refuses(scene: Scene) -> None:
    await scene.is_quiet("TertuliaRoomsBehind", scene.odd.ops_port)
    client = await ChatteClient.enter_chat(scene.odd.port(), "guest@room-0")
    control = scene.redis.control
    control.rename("{main#room-0}:log", "{main#room-0}:kept")
    control.set("{main#room-0}:log", "what somebody put there")
    try:
        control.client_kill_filter(_type="pubsub")
        await scene.fires("TertuliaRoomsBehind", scene.odd.ops_port, "critical")
        await scene.is_quiet("TertuliaNotReady", scene.odd.ops_port)
        shown = await scene.shows("TertuliaRoomsBehind")
    finally:
        control.rename("{main#room-0}:kept", "{main#room-0}:log")
    assert re.search(r"#room-0 .*\(WRONGTYPE\)", shown), shown
    await scene.is_quiet("TertuliaRoomsBehind", scene.odd.ops_port)
    client.close()


async def test_a_bus_that_is_cut_every_0_7_s(scene: Scene) -> None:
    await scene.is_quiet("TertuliaBusCut", scene.odd.ops_port)

    async def cut() -> None:
        while True:
            scene.redis.control.client_kill_filter(_type="pubsub")
            await elapse(0.7)

    cutting = asyncio.create_task(cut())
    try:
        for node in (scene.sound, scene.odd):
            await scene.fires("TertuliaBusCut", node.ops_port)
            await scene.is_quiet("TertuliaBusLosing", node.ops_port)
        shown = await scene.shows("TertuliaBusCut")
    finally:
        cutting.cancel()
    assert re.search(r'"bus lost".*"cause": ?"connection"', shown), shown
    assert all(int(age) < 30 for age in re.findall(r"name=tertulia-bus age=(\d+)", shown)), shown
    kills = re.search(r"cmdstat_client(?:\|kill)?:calls=(\d+)", shown)
    assert kills and int(kills[1]) > 5, shown


async def test_what_is_said_that_comes_late(scene: Scene) -> None:
    """The odd node gets no time for a second and more, as in a container that is throttled.

    That it did not fire before is not asked: a machine that runs other tests beside is as slow at times.
    """
    client = await ChatteClient.connect(scene.sound.port(), header=b"PROXY UNKNOWN\r\n")
    assert await client.enter("talker")

    async def hold_up() -> None:
        while True:
            scene.odd.freeze()
            for _ in range(12):
                client.say()
                await elapse(0.1)
            scene.odd.thaw()
            await elapse(0.5)

    holding = asyncio.create_task(hold_up())
    try:
        await scene.fires("TertuliaDeliverySlow", scene.odd.ops_port)
    finally:
        holding.cancel()
        scene.odd.thaw()
        client.close()
    shown = await scene.shows("TertuliaDeliverySlow")
    lag = re.findall(r"^tertulia_event_loop_lag_seconds_\S+ (\S+)$", shown, re.MULTILINE)
    assert len(lag) == 2 and float(lag[0]) < float(lag[1]), shown
    assert "name=tertulia-bus" in shown


async def test_a_subscription_that_redis_refuses(scene: Scene) -> None:
    await scene.is_quiet("TertuliaRedisRefuses", scene.odd.ops_port)
    scene.redis.control.acl_setuser("andy", enabled=True, reset_channels=True)
    try:
        await scene.fires("TertuliaRedisRefuses", scene.odd.ops_port, "critical")
        shown = await scene.shows("TertuliaRedisRefuses")
    finally:
        scene.redis.control.acl_setuser("andy", enabled=True, channels=["*"])
    assert "redis refuses andy" in shown
    assert re.search(r'"bus lost".*"cause": ?"no_permission"', shown), shown
    assert re.search(r"reason\W+channel", shown), shown
    await scene.is_quiet("TertuliaRedisRefuses", scene.odd.ops_port)
    await scene.is_quiet("TertuliaRedisRefuses", scene.sound.ops_port)
    await scene.odd.becomes_ready(60)


async def test_a_balancer_with_as_many_connections_as_it_takes(scene: Scene) -> None:
    stats = scene.balancer.stats_port
    await scene.is_quiet("TertuliaBalancerFull", stats)
    await until(scene.balancer.is_left, WITHIN, "those of before to have left the balancer")
    # Prometheus has one or two more, who looks another, and one is left.
    many = MOST_BALANCED - 4
    async with open_connections(scene.balancer.tls_ports["device"], many):
        await scene.fires("TertuliaBalancerFull", stats)
        shown = await scene.shows("TertuliaBalancerFull")
    assert f"haproxy_process_max_connections {MOST_BALANCED}" in shown
    assert f'{{proxy="device-tls"}} {many}' in shown
    await scene.is_quiet("TertuliaBalancerFull", stats)


async def test_a_balancer_whose_certificate_ends_soon(scene: Scene) -> None:
    """HAProxy tells of none: it is seen by who comes in there."""
    port = scene.balancer.tls_ports["chatte"]
    trusted = ("--ca-file", str(scene.folder / "balancer.pem"))
    probe = Probe(scene.folder, f"chatte+tls=127.0.0.1:{port}", *trusted)
    try:
        scene.prometheus.scrape("probes", [probe.port])
        for severity in ("warning", "critical"):
            await scene.fires("TertuliaBalancerCertificateNearEnd", probe.port, severity)
        shown = await scene.shows("TertuliaBalancerCertificateNearEnd")
    finally:
        probe.end()
        scene.prometheus.scrape("probes", [])
    assert "subject=CN = balancer" in shown.replace("CN=", "CN = "), shown
    assert "notAfter=" in shown


async def test_a_balancer_that_is_frozen(scene: Scene) -> None:
    stats = scene.balancer.stats_port
    await scene.is_quiet("TertuliaBalancerDown", stats)
    scene.balancer.send(signal.SIGSTOP)
    try:
        await scene.fires("TertuliaBalancerDown", stats, "critical")
        shown = await scene.shows("TertuliaBalancerDown")
    finally:
        scene.balancer.send(signal.SIGCONT)
    assert "curl: (28)" in shown
    assert re.search(rf"^ *{scene.balancer.pid} +T", shown, re.MULTILINE), shown
    await scene.is_quiet("TertuliaBalancerDown", stats)
