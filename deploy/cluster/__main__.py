"""The whole service on this machine, without containers, from the files of the deployment.

    make cluster                        Redis, three nodes, HAProxy, Prometheus; until Ctrl-C
    deploy/cluster/ctl status           what runs
    deploy/cluster/ctl kill node2       as a crash; or redis, haproxy, prometheus
    deploy/cluster/ctl drain node2      as a rolling upgrade: SIGTERM, and wait for its end
    deploy/cluster/ctl start node2      again, whatever was killed; or one node more (node4)
    deploy/cluster/ctl restart redis
    deploy/cluster/ctl stop

CLUSTER_NODES=5 runs as many nodes instead of three.
CLUSTER_FOLDER (var/cluster) is where it keeps its files; CLUSTER_PORTS=free takes any
free ports, CLUSTER_PORTS=balancer=8405,browser=8081 others than usual.
"""

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path

import parts
from layout import ROOT, ClusterError, Layout, chosen_nodes, chosen_ports, taken
from supervisor import SOCKET, Supervisor

ORDERS = {"status": 0, "stop": 0, "kill": 1, "drain": 1, "start": 1, "restart": 1}
"""What it may be told, and of how many parts."""


def main(arguments: list[str]) -> int:
    """Run the cluster, or tell the running one what to do; return the exit status."""
    folder = Path(os.environ.get("CLUSTER_FOLDER") or ROOT / "var" / "cluster").absolute()
    try:
        if arguments == ["up"]:
            up(folder)
            return 0
        if not arguments or ORDERS.get(arguments[0]) != len(arguments) - 1:
            print(__doc__.strip())
            return 0 if arguments in (["-h"], ["--help"]) else 2
        return tell(folder, *arguments)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


def up(folder: Path) -> None:
    """Bring the cluster up, and keep it until it is told to stop."""
    found = parts.programs()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # there are passwords in it, and a socket that takes orders
    os.chdir(folder)
    if connected() is not None:
        raise ClusterError(f"one runs already in {folder}: deploy/cluster/ctl stop")
    nodes = chosen_nodes(os.environ.get("CLUSTER_NODES", ""))
    ports = chosen_ports(os.environ.get("CLUSTER_PORTS", ""), nodes)
    for name, port in taken(ports):
        raise ClusterError(
            f"port {port}, for {name}, is taken: stop whatever has it, or set CLUSTER_PORTS={name}=PORT, "
            "or CLUSTER_PORTS=free"
        )
    layout = Layout(folder, ports)
    layout.save()
    parts.prepare(layout)
    Path(SOCKET).unlink(missing_ok=True)  # of a cluster that was killed
    try:
        asyncio.run(Supervisor(layout, found).run())
    finally:
        Path(SOCKET).unlink(missing_ok=True)


def tell(folder: Path, order: str, what: str = "") -> int:
    """Tell the running cluster what to do, print what it says, and return its exit status."""
    if not folder.is_dir():
        raise ClusterError(f"none runs in {folder}: make cluster")
    os.chdir(folder)
    connection = connected()
    if connection is None:
        raise ClusterError(f"none runs in {folder}: make cluster")
    with connection, connection.makefile("rwb") as way:
        way.write(json.dumps({"do": order, "what": what}).encode() + b"\n")
        way.flush()
        for line in way:
            told = json.loads(line)
            if "end" in told:
                while order == "stop" and Path(SOCKET).exists():
                    time.sleep(0.1)
                return int(told["end"])
            print(told["say"], flush=True)
    return 1  # it ended meanwhile


def connected() -> socket.socket | None:
    """Connect to the cluster of this folder; None where none runs."""
    way = socket.socket(socket.AF_UNIX)
    try:
        way.connect(SOCKET)
    except OSError:
        way.close()
        return None
    return way


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
