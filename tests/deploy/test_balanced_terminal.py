"""``tertulia chat`` behind the real balancer, as shipped, in the clear and over TLS."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from deploy.balancer import Balancer, where
from harness.browser_client import BrowserClient
from harness.certificates import Made, make
from harness.node import QUICK, Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until
from integration.test_terminal_chat import Plain

pytestmark = pytest.mark.slow

WITHIN = 60.0
BROWSER = (Listener("browser"),)
SETTINGS = QUICK | {"CLUSTER__AWAY_SECONDS": "60"}
BALANCED = SETTINGS | {"TRUSTED_PROXIES": '["127.0.0.1"]'}


@pytest.fixture
async def nodes(node_factory: NodeFactory) -> list[Node]:
    """Start three nodes for the balancer, and one that stays."""
    each = [BALANCED] * 3 + [SETTINGS]
    nodes = [node_factory.launch(listeners=BROWSER, settings=settings) for settings in each]
    for node in nodes:
        await node.ready()
    return nodes


@pytest.fixture
def certificate(tmp_path: Path) -> Made:
    return make(tmp_path)


@pytest.fixture
async def balancer(tmp_path: Path, nodes: list[Node], certificate: Made) -> AsyncIterator[Balancer]:
    balancer = Balancer(tmp_path, {**where(nodes[:3]), "CERTIFICATE": str(certificate.both)})
    await balancer.start()
    try:
        yield balancer
    finally:
        balancer.end()


async def test_nothing_is_missed_or_doubled_when_a_node_is_drained_and_another_killed(
    balancer: Balancer,
    nodes: list[Node],
    redis_server: RedisServer,
    certificate: Made,
    tmp_path: Path,
) -> None:
    clear = f"http://127.0.0.1:{balancer.ports['browser']}/"
    private = f"https://localhost:{balancer.tls_ports['browser']}/"
    witness = await BrowserClient.enter_chat(nodes[3].port("browser"), "witness")
    people = {
        "anna": Plain(tmp_path, "--nickname", "anna", clear),
        "bruno": Plain(
            tmp_path, "--nickname", "bruno", "--ca-file", str(certificate.certificate), private
        ),
    }
    sent = list[str]()

    def seat(nickname: str) -> dict[str, str]:
        found = redis_server.control.hgetall(f"{{main}}:nick:{nickname}")
        return cast(dict[str, str], found)

    def is_elsewhere(nickname: str, gone: Node) -> bool:
        return not seat(nickname).get("node", gone.node_id).startswith(gone.node_id)

    def has_read(plain: Plain, text: str) -> bool:
        return all(f"[lobby] {who}: {text}" in plain.lines for who in ("witness", *people))

    async def talk() -> None:
        """Have everybody say five things, and wait until everybody has read them."""
        for _ in range(5):
            sent.append(str(len(sent)))
            witness.say(sent[-1])
            for plain in people.values():
                plain.types(sent[-1])
        await until(
            lambda: all(has_read(it, sent[-1]) for it in people.values()),
            WITHIN,
            lambda: f"all to read {sent[-1]}: {[it.lines for it in people.values()]}",
        )

    async def moved(gone: Node) -> None:
        await until(
            lambda: all(is_elsewhere(it, gone) for it in people),
            WITHIN,
            lambda: f"all on other nodes: {[it.lines for it in people.values()]}",
        )

    try:
        for plain in people.values():
            await plain.prints("-- You are in, as ")
        assert {seat(it)["address"] for it in people} == {"127.0.0.1"}, "not the balancer's port"
        await talk()
        for nickname, end in (("anna", Node.terminate), ("bruno", Node.kill)):
            gone = next(it for it in nodes if seat(nickname)["node"].startswith(it.node_id))
            end(gone)
            await talk()  # what they say and read meanwhile waits for them
            await moved(gone)
            await talk()
        for plain in people.values():
            assert await plain.finishes() == 0
    finally:
        for plain in people.values():
            plain.kill()
        witness.close()
    for nickname, plain in people.items():
        for who in ("witness", *people):
            begin = f"[lobby] {who}: "
            said = [it.removeprefix(begin) for it in plain.lines if it.startswith(begin)]
            assert said == sent, (nickname, who, plain.lines)
        again = [it for it in plain.lines if "Connected again" in it]
        assert again, plain.lines
        assert all("you missed nothing." in it for it in again), again
