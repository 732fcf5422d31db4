"""What chats cost that nobody talks in: ``python tests/speed/many_chats.py 1 100 1000``.

Prints, for a node with so many chats on a Redis of its own: the connections that Redis has of it, seconds
until it is ready, what of a core both take while nothing happens, and their memory.
"""

import argparse
import asyncio
import collections
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.node import Listener, NodeFactory
from harness.redis_server import running_redis

READY_SECONDS = 180.0
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return what a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(pid: int) -> float:
    """Return what a process has in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"there is no process {pid}")


async def measure(chats: int, seconds: float) -> None:
    """Print what so many chats cost."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_redis(fsync="no", options=("--maxclients", "10000")) as redis,
    ):
        factory = NodeFactory(Path(directory), redis.url)
        try:
            begun = time.monotonic()
            node = factory.launch(listeners=tuple(Listener(chat=f"chat-{i}") for i in range(chats)))
            await node.ready(READY_SECONDS)
            ready = time.monotonic() - begun
            cpu_ready = cpu_seconds(node.pid)
            await asyncio.sleep(5.0)  # until what begins has begun
            before = [cpu_seconds(pid) for pid in (node.pid, redis.pid)]
            at = time.monotonic()
            await asyncio.sleep(seconds)
            took = time.monotonic() - at
            used = [
                (cpu_seconds(pid) - it) / took * 100
                for pid, it in zip((node.pid, redis.pid), before, strict=True)
            ]
            names = collections.Counter(
                it.name for it in redis.connections() if it.name.startswith("tertulia-")
            )
            page = await node.readyz()
            print(  # noqa: T201
                f"{chats} chats: {names.total()} connections ({dict(sorted(names.items()))}), "
                f"ready after {ready:.1f} s ({cpu_ready:.1f} s of CPU), "
                f"idle: node {used[0]:.1f} %, Redis {used[1]:.1f} % of a core, "
                f"memory: node {memory_mb(node.pid):.0f} MB, Redis {memory_mb(redis.pid):.0f} MB, "
                f"then {page.status}"
            )
        finally:
            factory.end()


def main() -> None:
    """Measure each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chats", type=int, nargs="*", default=[1, 100, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="of doing nothing")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for chats in args.chats:
        asyncio.run(measure(chats, args.seconds))


if __name__ == "__main__":
    main()
