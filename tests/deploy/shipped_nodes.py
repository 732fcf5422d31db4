"""Two nodes on a Redis as shipped, with its ACL, and the commands of its operators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.shipped_redis import PASSWORDS, ShippedRedis
from harness.admin import Admin
from harness.node import Listener, Node


@dataclass
class ShippedNodes:
    """All of them, while the block lasts."""

    server: ShippedRedis
    nodes: list[Node]
    admin: Admin


@contextmanager
def shipped_nodes(folder: Path, *dialects: str) -> Iterator[ShippedNodes]:
    """Start them, each with a listener for each dialect, and wait until they are ready."""
    server = ShippedRedis(folder / "redis")
    server.start()
    nodes: list[Node] = []
    try:
        url, password = f"redis://tertulia@127.0.0.1:{server.port}/0", folder / "password"
        password.write_text(PASSWORDS["tertulia"] + "\n")
        settings = {"REDIS_PASSWORD_FILE": str(password)}
        for name in ("one", "two"):
            listeners = tuple(map(Listener, dialects))
            node = Node(
                folder / name, redis_url=url, node_id=name, listeners=listeners, settings=settings
            )
            nodes.append(node)
        for node in nodes:
            node.ready_sync()
        yield ShippedNodes(server, nodes, Admin(url, **settings))
    finally:
        for node in nodes:
            node.end()
        server.kill()
