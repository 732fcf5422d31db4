"""Where everything of the cluster is: folders and ports."""

import json
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DIALECTS = {"chatte": 1234, "protocollo": 6789, "device": 4242, "browser": 8080, "irc": 6667}
"""What is served, and on which port of the balancer."""
LISTENERS = (*DIALECTS, "probe")
"""What each node listens on for the balancer: the last is for `tertulia probe`, a chat of its own."""
_OF_A_NODE = ("chatte", "protocollo", "device", "browser", "ops", "probe", "irc")
"""What has a port on each node, in the order of their last digits."""
USUAL_NODES = 3
MOST_NODES = 50
"""Nodes that find their ports where they are documented."""
HOST = "127.0.0.1"


class ClusterError(Exception):
    """The cluster can't do what was asked; the text says why, and what to do."""


def fixed_ports(nodes: int = USUAL_NODES) -> dict[str, int]:
    """Return the ports that stand in the documents: node N has 9N01 to 9N07.

    There is one node more than are run at first, to be added by hand.
    """
    ports = {**DIALECTS, "balancer": 8404, "prometheus": 9090, "redis": 9379}
    ports |= {"probe": 1230, "probe-metrics": 9465, "redis-exporter": 9121}
    ports |= {"api": 8088, "api-server": 8188, "api-metrics": 9466}
    for number in range(1, nodes + 2):
        for place, name in enumerate(_OF_A_NODE, 1):
            ports[f"node{number}.{name}"] = 9000 + 100 * number + place
    return ports


def free_ports(nodes: int = USUAL_NODES) -> dict[str, int]:
    """Return ports that nobody has now, below those that the system gives to outgoing connections."""
    candidates = iter(random.sample(range(20_000, 32_000), 4000))
    free = (it for it in candidates if _is_free(it, even_bound=False))
    return {name: next(free) for name in fixed_ports(nodes)}


def chosen_nodes(choice: str) -> int:
    """Return how many nodes are run at first, by what is asked for: nothing, or a number."""
    if choice and (not choice.isdecimal() or not 0 < int(choice) <= MOST_NODES):
        raise ClusterError(f"CLUSTER_NODES: {choice} should be a number from 1 to {MOST_NODES}")
    return int(choice or USUAL_NODES)


def chosen_ports(choice: str, nodes: int = USUAL_NODES) -> dict[str, int]:
    """Return the ports by what is asked for: nothing, ``free``, or ``balancer=8405,browser=8081``."""
    if choice == "free":
        return free_ports(nodes)
    ports = fixed_ports(nodes)
    for change in filter(None, choice.split(",")):
        name, _, port = change.partition("=")
        if name not in ports or not port.isdecimal():
            raise ClusterError(
                f"CLUSTER_PORTS: {change} should be free, or NAME=PORT with one of {', '.join(ports)}"
            )
        ports[name] = int(port)
    return ports


def taken(ports: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Give those that somebody has."""
    return ((name, port) for name, port in ports.items() if not _is_free(port))


def _is_free(port: int, *, even_bound: bool = True) -> bool:
    """``even_bound``: also where somebody has it who does not listen and would share it."""
    with socket.socket() as probe:
        # As those who will listen do: what lingers of a cluster that has just ended is no matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, even_bound)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Layout:
    """One cluster's folder and ports."""

    folder: Path
    ports: dict[str, int]

    @classmethod
    def load(cls, folder: Path) -> "Layout":
        """Read what the running cluster of a folder wrote."""
        return cls(folder, json.loads((folder / "ports.json").read_text()))

    def save(self) -> None:
        """Write the ports down for whoever asks."""
        (self.folder / "ports.json").write_text(json.dumps(self.ports, indent=1) + "\n")

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that the balancer knows; the last one is for adding by hand."""
        return tuple(it.removesuffix(".ops") for it in self.ports if it.endswith(".ops"))

    @property
    def first_nodes(self) -> tuple[str, ...]:
        """Those that are run from the beginning."""
        return self.nodes[:-1]

    def address(self, name: str) -> str:
        """Return HOST:PORT of ``redis``, ``node1.ops`` and the like."""
        return f"{HOST}:{self.ports[name]}"

    def log(self, part: str) -> Path:
        """Return the file that a part writes to."""
        return self.folder / f"{part}.log"

    def password_file(self, user: str) -> Path:
        """Return the file with the password of a user of Redis."""
        return self.folder / "passwords" / user

    @property
    def api_token(self) -> Path:
        """The file with the token of somebody who may do everything over the API."""
        return self.folder / "passwords" / "api-token"

    @property
    def shown_folder(self) -> str:
        """The folder as people write it."""
        inside = self.folder.is_relative_to(ROOT)
        return str(self.folder.relative_to(ROOT) if inside else self.folder)
