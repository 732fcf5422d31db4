"""A node on all addresses of IPv6: who reaches it, and how operators read where it is."""

import json
import socket

import pytest

from harness.admin import Admin
from harness.node import NodeFactory
from harness.redis_server import RedisServer, free_port
from harness.waiting import until
from tertulia.clients.device.peer_sockets import PeerSockets


def has_ipv6() -> bool:
    """Say whether this machine has IPv6, if only for itself."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.slow
@pytest.mark.parametrize("host", ["::", "::1"])
async def test_operators_and_clients_have_the_same_addresses(
    node_factory: NodeFactory, redis_server: RedisServer, host: str
) -> None:
    listeners = [{"dialect": name, "host": host, "port": 0} for name in ("chatte", "browser")]
    node = node_factory.launch(
        settings={
            "OPS": json.dumps({"host": host, "port": 0}),
            "LISTENERS": json.dumps(listeners),
        }
    )
    await node.ready()
    for reached in ("127.0.0.1", "::1") if host == "::" else ("::1",):
        for port in (node.ops_port, node.port(), node.port("browser")):
            socket.create_connection((reached, port), timeout=30).close()
    place = f"[{host}]:{node.ops_port}"
    assert node.urls == [f"http://{place}", f"http://[{host}]:{node.port('browser')}/"]
    admin = Admin(redis_server.url)

    async def has_told() -> bool:
        return [it["ops"] for it in await admin.json("nodes")] == [place]

    await until(has_told, 60, "the node to tell where its operators' port is")
    assert (await admin("nodes")).rows()[0][-1] == place


async def test_a_device_that_listens_on_all_addresses_is_reached_on_all() -> None:
    port, sockets = free_port(), PeerSockets()
    await sockets.listen("::", port)
    for reached in ("127.0.0.1", "::1"):
        socket.create_connection((reached, port), timeout=30).close()
    await sockets.close()
