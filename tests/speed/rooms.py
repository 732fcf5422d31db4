"""What further rooms cost that nobody talks in: ``python tests/speed/rooms.py 10000``.

Three nodes, and ten people in each of so many rooms. Prints: how long it took until all were in; the
connections that Redis has of the nodes; what of a core nodes and Redis take; what of a node's memory a seat
takes; how long a node needs to follow all rooms again when its bus was cut, and to be ready again when it was
stopped.
"""

import argparse
import asyncio
import collections
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from speed.bench.servers import REDIS_OPTIONS, WITHOUT_LIMITS
from speed.many_chats import cpu_seconds, memory_mb

NODES: Final = 3
MEMBERS: Final = 10
EACH: Final = 50
"""Rooms of each person."""
WITHIN: Final = 300.0


async def value(node: Node, name: str) -> float:
    """Return what a node has of a metric without labels."""
    return next(it.value for it in await node.metrics() if it.name == f"tertulia_{name}")


async def fill(nodes: list[Node], rooms: int) -> asyncio.subprocess.Process:
    """Bring people into the rooms, and print how long it took."""
    clients, begun = rooms * MEMBERS // EACH, time.monotonic()
    load = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tertulia", "load"),
        *(f"browser=127.0.0.1:{node.port('browser')}" for node in nodes),
        *("--clients", f"{clients}", "--senders", "0", "--duration", "3600"),
        *("--rooms", f"{rooms}", "--rooms-per-client", f"{EACH}", "--at-once", "50"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def all_in() -> bool:
        assert load.returncode is None, "the load tool has ended"
        return sum([await value(node, "room_seats") for node in nodes]) == rooms * MEMBERS

    await until(all_in, WITHIN, "all to be in their rooms", every=0.5)
    print(f"{rooms * MEMBERS:,} seats after {time.monotonic() - begun:.1f} s")  # noqa: T201
    return load


async def idle(nodes: list[Node], redis: RedisServer, seconds: float, before: float) -> None:
    """Print what it takes while nothing happens; ``before``: the memory of the nodes when they were empty."""
    await asyncio.sleep(10.0)  # until what begins has begun
    names = collections.Counter(
        it.name for it in redis.connections() if it.name.startswith("tertulia-")
    )
    pids = [*(node.pid for node in nodes), redis.pid]
    used, at = [cpu_seconds(pid) for pid in pids], time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - at
    shares = [(cpu_seconds(pid) - it) / took for pid, it in zip(pids, used, strict=True)]
    seats = sum([await value(node, "room_seats") for node in nodes])
    grown = sum(memory_mb(node.pid) for node in nodes) - before
    told = (
        f"connections: {names.total()} ({dict(sorted(names.items()))})",
        f"idle, of a core: nodes {', '.join(f'{it:.1%}' for it in shares[:-1])}, Redis {shares[-1]:.1%}",
        f"a seat: {grown / seats * 1024:.1f} kB",
    )
    print("; ".join(told))  # noqa: T201


async def cut(node: Node, redis: RedisServer) -> None:
    """Cut the bus of all nodes, and print how long one needs to follow everything again."""
    begun = time.monotonic()
    redis.control.client_kill_filter(_type="pubsub")

    async def is_behind(expected: bool) -> bool:
        return (await value(node, "rooms_behind") > 0) is expected

    await until(lambda: is_behind(True), 10, "the bus to be lost", every=0.02)
    await until(lambda: is_behind(False), WITHIN, "all rooms to be followed", every=0.05)
    print(f"the bus was cut: all rooms are followed after {time.monotonic() - begun:.1f} s")  # noqa: T201


async def measure(rooms: int, seconds: float) -> None:
    """Print what so many rooms cost."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_redis(fsync="everysec", options=REDIS_OPTIONS) as redis,
    ):
        factory = NodeFactory(Path(directory), redis.url)
        listeners = (Listener("browser"),)
        settings = {**WITHOUT_LIMITS, "LIMITS__ROOMS": f"{rooms}"}
        load = None
        try:
            nodes = [factory.launch(listeners=listeners, settings=settings) for _ in range(NODES)]
            for node in nodes:
                await node.ready(60)
            empty = sum(memory_mb(node.pid) for node in nodes)
            load = await fill(nodes, rooms)
            await idle(nodes, redis, seconds, empty)
            await cut(nodes[0], redis)
            nodes[0].end()
            begun = time.monotonic()
            again = factory.launch(listeners=listeners, settings=settings)
            await again.ready(WITHIN)
            print(f"a node that was stopped is ready after {time.monotonic() - begun:.1f} s")  # noqa: T201
        finally:
            if load is not None and load.returncode is None:
                load.kill()
                await load.wait()
            factory.end()


def main() -> None:
    """Measure each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", type=int, nargs="*", default=[10_000])
    parser.add_argument("--seconds", type=float, default=20.0, help="of doing nothing")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for rooms in args.rooms:
        asyncio.run(measure(rooms, args.seconds))


if __name__ == "__main__":
    main()
