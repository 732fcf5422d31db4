"""What logins cost the chat, and how many operations devices get done: ``python tests/speed/logins.py``.

Prints the p99 of public deliveries on a node without logins and with 20 a second, how much it grows (to
be at most 20 ms), and operations 10 and 200 a second (to be at least 500).
"""

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.chatte_client import ChatteClient
from harness.device_client import BINARY, PASSWORD, sign_up
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import running_redis

READERS = 50
MESSAGES_PER_SECOND = 50
LOGINS_PER_SECOND = 20
MOST_GROWTH_MS = 20.0
LEAST_OPERATIONS = 500
CONNECTIONS = 16
"""Operations at once."""


class Reader(ChatteClient):
    """Measures how long each message took to come; unlike its like it keeps no history."""

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=False)
        self.took: list[float] = []

    def data_received(self, data: bytes) -> None:
        if not self.welcomed:
            super().data_received(data)
            return
        now = time.perf_counter()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[:2] == [b"100", b"speaker"]:
                self.took.append(now - float(words[2]))
        self._arrived.set()


async def paced(per_second: float, seconds: float, do: Callable[[], Awaitable[None]]) -> int:
    """Start something so many times a second, and wait for all of it; return how often."""
    loop, begun = asyncio.get_running_loop(), time.perf_counter()
    count = int(per_second * seconds)

    async def at(when: float) -> None:
        await asyncio.sleep(max(0.0, when - time.perf_counter()))
        await do()

    await asyncio.gather(*(loop.create_task(at(begun + i / per_second)) for i in range(count)))
    return count


async def exchange(port: int, asked: bytes, answer: int, more: bytes = b"") -> None:
    """Write a whole exchange at once, and read its answers up to the service's end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(asked)
        got = await reader.readexactly(answer)
        if more:
            writer.write(more)
        writer.write_eof()
        assert await reader.read() == b"", got
    finally:
        writer.close()


async def log_in(port: int, latency: list[float]) -> None:
    """Log in; where too many do, the service closes and nothing is noted."""
    begun = time.perf_counter()
    with contextlib.suppress(asyncio.IncompleteReadError):
        await exchange(port, BINARY.write(2, "anna", PASSWORD, 5001), 16)
        latency.append(time.perf_counter() - begun)


def _has(reader: Reader, count: int) -> bool:
    return len(reader.took) >= count


def p(values: list[float], percent: int) -> float:
    """Return a percentile, in milliseconds."""
    return statistics.quantiles(values, n=100)[percent - 1] * 1000


async def deliveries(readers: list[Reader], speaker: ChatteClient, seconds: float) -> list[float]:
    """Say something again and again, and return how long each delivery took."""
    for reader in readers:
        reader.took.clear()

    async def say() -> None:
        speaker.send(f"100 {time.perf_counter()!r}\n".encode())

    expected = await paced(MESSAGES_PER_SECOND, seconds, say)
    for reader in readers:
        enough = partial(_has, reader, expected)
        await reader.wait_for(enough, 10, f"{expected} deliveries")
    return [took for reader in readers for took in reader.took]


async def measure_logins(node: Node, seconds: float) -> float:
    """Print the deliveries' p99 with and without logins; return how much it grew, in ms."""
    readers = [await Reader.enter_chat(node.port(), f"reader-{i}") for i in range(READERS)]
    speaker = await ChatteClient.enter_chat(node.port(), "speaker", acknowledges=False)
    device = node.port("device")
    await deliveries(readers, speaker, 1.0)
    quiet = await deliveries(readers, speaker, seconds)
    alone: list[float] = []
    await log_in(device, alone)
    latency: list[float] = []
    begun = time.perf_counter()
    busy, count = await asyncio.gather(
        deliveries(readers, speaker, seconds),
        paced(LOGINS_PER_SECOND, seconds, lambda: log_in(device, latency)),
    )
    took = time.perf_counter() - begun
    for client in (*readers, speaker):
        client.close()
    growth = p(busy, 99) - p(quiet, 99)
    print(f"deliveries without logins:  p50 {p(quiet, 50):.1f} ms, p99 {p(quiet, 99):.1f} ms")  # noqa: T201
    print(  # noqa: T201
        f"with {LOGINS_PER_SECOND} logins/s asked for:  p50 {p(busy, 50):.1f} ms, "
        f"p99 {p(busy, 99):.1f} ms; {len(latency) / took:.1f} logins/s "
        f"done, {count - len(latency)} refused, "
        f"a login takes {p(latency, 50):.0f} ms (p50), {p(latency, 99):.0f} ms (p99); "
        f"alone {alone[0] * 1000:.0f} ms"
    )
    print(f"growth of p99: {growth:.1f} ms (at most {MOST_GROWTH_MS:g})")  # noqa: T201
    return growth


async def measure_operations(node: Node, seconds: float) -> float:
    """Print how many operations 10 and 200 a second get done, half of each; return that."""
    port = node.port("device")
    turns = itertools.count()
    done = 0
    deadline = time.perf_counter() + seconds

    async def device() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            if next(turns) % 2:
                await exchange(port, BINARY.write(10, "anna", "bruno"), 12, BINARY.write("\\q"))
            else:
                await exchange(port, BINARY.write(200, "anna", "bruno"), 16)
            done += 1

    begun = time.perf_counter()
    await asyncio.gather(*(device() for _ in range(CONNECTIONS)))
    rate = done / (time.perf_counter() - begun)
    print(f"operations 10 and 200: {rate:.0f}/s (at least {LEAST_OPERATIONS})")  # noqa: T201
    return rate


async def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder, running_redis() as server:
        factory = NodeFactory(Path(folder), server.url)
        try:
            node = factory.launch(listeners=(Listener(), Listener("device")))
            await node.ready()
            for name in ("anna", "bruno"):
                await sign_up(node.port("device"), name)
            growth = await measure_logins(node, seconds)
            rate = await measure_operations(node, seconds)
        finally:
            factory.end()
    return 0 if growth <= MOST_GROWTH_MS and rate >= LEAST_OPERATIONS else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each part takes")
    sys.exit(asyncio.run(main(parser.parse_args().seconds)))
