"""The service for devices as it is: nodes on one Redis, on addresses that stay the same."""

import json

from harness.node import QUICK, Node, NodeFactory
from harness.redis_server import reserved_port


class DeviceNodes:
    """Two nodes that can be away and come back."""

    def __init__(self, factory: NodeFactory, nodes: int = 2) -> None:
        self._factory = factory
        # Kept for as long as this lives: the nodes come back to them.
        self._reserved = [reserved_port() for _ in range(nodes)]
        self._ports: list[int] = [it.getsockname()[1] for it in self._reserved]
        self._nodes: list[Node] = []
        self.start()

    @property
    def addresses(self) -> list[str]:
        """HOST:PORT of each node."""
        return [f"127.0.0.1:{port}" for port in self._ports]

    def start(self) -> None:
        """Start the nodes and wait for them."""
        self._nodes = [
            self._factory.launch(settings={**QUICK, "LISTENERS": _listening(port)})
            for port in self._ports
        ]
        for node in self._nodes:
            node.ready_sync()

    def freeze(self) -> None:
        """Stop all nodes in their tracks: they take connections, and answer nobody."""
        for node in self._nodes:
            node.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        for node in self._nodes:
            node.thaw()

    def stop(self) -> None:
        """Kill all nodes at once."""
        for node in self._nodes:
            node.kill()


def _listening(port: int) -> str:
    return json.dumps([{"dialect": "device", "host": "127.0.0.1", "port": port}])
