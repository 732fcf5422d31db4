"""What it costs that newcomers read what was said: ``python tests/speed/newcomers.py 5000``.

Lets so many clients into one room at once, in turns without a past and with 50 messages for each. Prints how
long it took until all were in and had read of everybody, and the node's CPU time; at last the ratios, which
are to be at most 1.3.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port
from harness.node import NodeFactory
from harness.redis_server import running_redis
from harness.waiting import until
from speed.many_chats import cpu_seconds

MESSAGES: Final = 50
CLIENTS: Final = {"chatte": ChatteClient, "browser": BrowserClient}


async def measure(kind: type[ChatteClient], clients: int, history: int) -> tuple[float, float]:
    """Return the seconds that a storm took, and those that the node used of a processor."""
    with tempfile.TemporaryDirectory() as directory, running_redis(fsync="no") as redis:
        factory = NodeFactory(Path(directory), redis.url)
        try:
            node = launch(factory, [{**listener(kind), "history": history}])
            await node.ready(60)
            speaker = await kind.enter_chat(port(node, kind), "speaker", within=30)
            for number in range(MESSAGES):
                speaker.say(f"{number} of what was said before they came, which takes a line or so")
            await speaker.answered(30)
            speaker.close()
            reader = await kind.enter_chat(port(node, kind), "reader", within=30)
            await until(
                lambda: "".join(reader.lines).count("what was said") == history, 30, "the past"
            )
            reader.close()
            before = cpu_seconds(node.pid)
            name = "browser" if kind is BrowserClient else "chatte"
            load = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from tertulia.cli import main; main()", "load"),
                *(f"{name}=127.0.0.1:{port(node, kind)}", "--clients", f"{clients}"),
                *("--at-once", f"{clients}", "--senders", "1", "--messages", "1", "--json"),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await load.communicate()
            used = cpu_seconds(node.pid) - before
            joined = json.loads(output)["joins"][0]
            assert not joined["failed"], joined
            assert joined["notices"] == joined["notices_expected"], joined
            return joined["notices_seconds"], used
        finally:
            factory.end()


async def run(kind: type[ChatteClient], clients: int, rounds: int) -> None:
    """Print what each round took, then the ratio of the medians."""
    took: dict[int, list[tuple[float, float]]] = {0: [], MESSAGES: []}
    for number in range(rounds):
        for history, figures in took.items():
            figures.append(await measure(kind, clients, history))
            seconds, used = figures[-1]
            print(f"round {number + 1}, {history:2} messages: {seconds:.2f} s, {used:.2f} s of CPU")  # noqa: T201
    for what, place in (("time", 0), ("CPU", 1)):
        without, with_past = (
            statistics.median(figure[place] for figure in figures) for figures in took.values()
        )
        print(f"{what}: {without:.2f} s, {with_past:.2f} s, ratio {with_past / without:.2f}")  # noqa: T201


def main() -> None:
    """Measure the storm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", type=int, nargs="?", default=5000)
    parser.add_argument("--dialect", choices=CLIENTS, default="chatte")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(run(CLIENTS[args.dialect], args.clients, args.rounds))


if __name__ == "__main__":
    main()
