"""``tertulia probe``: what it says of a service that works, and of each way in which one does not."""

import asyncio
import json
import re
import signal
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from harness import processes
from harness.certificates import make
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer, free_port
from harness.waiting import until
from tertulia.clients.probe.visit import Stage, visit, ways

pytestmark = pytest.mark.server

PROBED = Listener("chatte", "probe")
WITHIN = 60.0
"""Seconds for what works, on a machine that is busy."""
SOON = 2.0
"""Seconds for what will not come."""
COMMAND = (sys.executable, "-m", "tertulia", "probe")


async def probe(*words: str) -> tuple[int, str, str]:
    """Run the command, and return its status and what it wrote to each stream."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def problem(addresses: list[str], within: float = SOON) -> str:
    """Visit, and return what was wrong."""
    made = await visit(ways(addresses), "probe", within, ssl.create_default_context())
    return made.problem


@pytest.fixture
async def nodes(node_factory: NodeFactory) -> list[Node]:
    """Start two nodes with a chat for the probe, and people's."""
    listeners = (PROBED, *(Listener(it) for it in ("chatte", "protocollo", "browser")))
    started = [node_factory.launch(listeners=listeners) for _ in range(2)]
    for node in started:
        await node.ready()
    return started


def at(node: Node, dialect: str = "chatte", chat: str = "probe") -> str:
    return f"{dialect}=127.0.0.1:{node.port(dialect, chat)}"


# --- What works ----------------------------------------------------------------------------------


@pytest.mark.slow
async def test_it_says_that_it_works_and_how_quickly(nodes: list[Node], tmp_path: Path) -> None:
    one, two = map(at, nodes)
    status, output, errors = await probe(one, two, "--timeout", str(WITHIN))
    assert (status, errors) == (0, "")
    times = r"connect [\d.]+ ms, enter [\d.]+ ms, read [\d.]+ ms"
    assert re.fullmatch(rf"works\. {one}: {times}; {two}: {times}\n", output), output

    file = tmp_path / "probe.prom"
    wanted = ("--prometheus", "--file", str(file), "--timeout", str(WITHIN))
    status, output, errors = await probe(one, *wanted)
    assert (status, errors) == (0, "")
    assert output == file.read_text()
    assert "\ntertulia_probe_success 1.0\n" in output
    assert f'tertulia_probe_read_seconds{{address="{one}",way="1"}}' in output


@pytest.mark.slow
@pytest.mark.parametrize(
    "dialects", [["chatte"], ["browser"], ["protocollo", "browser"], ["chatte", "protocollo"]]
)
async def test_every_dialect_can_be_probed(nodes: list[Node], dialects: list[str]) -> None:
    addresses = [at(node, dialect, "main") for node, dialect in zip(nodes, dialects, strict=False)]
    made = await visit(ways(addresses), "probe", WITHIN, ssl.create_default_context())
    assert not made.problem
    for passage in made.passages:
        says_and_does_not_read = passage is made.passages[0] and dialects[0] == "protocollo"
        assert (Stage.READ in passage.seconds) != says_and_does_not_read


@pytest.mark.slow
async def test_people_read_nothing_of_it(nodes: list[Node]) -> None:
    anna = await ChatteClient.enter_chat(nodes[0].port("chatte", "main"), "anna")
    assert not await problem([at(nodes[0]), at(nodes[1])], WITHIN)
    anna.say()
    await anna.answered()
    assert not [line for line in anna.lines if "probe" in line]


@pytest.mark.slow
async def test_a_visitor_who_is_not_yet_noticed_to_be_gone_is_in_nobody_s_way(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    """The first comes in by a node that then freezes, and holds his nickname until it is buried."""
    dead_end = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = dead_end.sockets[0].getsockname()[1]
    first = asyncio.create_task(
        visit(
            ways([at(nodes[0]), f"chatte=127.0.0.1:{port}"]),
            "probe",
            2 * SOON,  # he has to be in by then
            ssl.create_default_context(),
        )
    )

    def inside() -> list[str]:
        return list(redis_server.control.scan_iter("{probe}:nick:probe-*"))

    await until(inside, WITHIN, "the first to be in")
    nodes[0].freeze()
    assert "not let in within" in (await first).problem
    assert inside(), "and his nickname is still taken"
    assert not await problem([at(nodes[1])], WITHIN)
    dead_end.close()


@pytest.mark.slow
async def test_over_tls_what_people_trust_is_what_counts(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    made = make(tmp_path)
    node = launch(node_factory, [listener(ChatteClient, "probe", certificate=str(made.both))])
    await node.ready()
    address = f"chatte+tls=localhost:{node.port('chatte', 'probe')}"
    context = ssl.create_default_context(cafile=made.certificate)
    seen = await visit(ways([address]), "probe", WITHIN, context)
    assert not seen.problem
    assert seen.passages[0].certificate_ends == made.ends.timestamp()
    assert "people do not trust its certificate (self" in await problem([address], WITHIN)
    in_the_clear = address.replace("+tls", "").replace("localhost", "127.0.0.1")
    assert "connected, but not let in within" in await problem([in_the_clear])


# --- What does not -------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_redis_that_is_away_is_seen_and_that_it_is_back(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    redis_server.stop()
    status, output, errors = await probe(at(nodes[0]), "--timeout", str(SOON))
    assert (status, output) == (1, "")
    assert errors == (
        f"tertulia: probe: {at(nodes[0])}: connected, but not let in within 2 s: the balancer or a node is "
        "frozen, or Redis is away: ask each node's /readyz\n"
    )
    redis_server.start()
    for node in nodes:
        await node.becomes_ready(WITHIN)
    assert not await problem([at(nodes[0])], WITHIN)


@asynccontextmanager
async def service(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Give the address of somebody who answers in his own way, and then closes."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        yield f"chatte=127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"0 Hello, nickname please.\n")
    await reader.readline()
    writer.write(b"201 Invalid nickname. Please try again. Bye.\n\x1b[2J")


async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"0 Hello, nickname please.\n")
    await reader.readline()
    writer.write(b"200 Welcome to the chatte.\n")
    await reader.readline()


async def be_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def be_deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await let_in(reader, writer)
    await be_silent(reader, writer)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (close, "closed before anybody was let in: is a node ready? ask each node's /readyz"),
        (
            refuse,
            "refused with '201 Invalid nickname. Please try again. Bye.': where everybody is,",
        ),
        (let_in, "in, and then the connection was closed: is a node ready?"),
        (be_silent, "connected, but not let in within 2 s: the balancer or a node is frozen"),
        (be_deaf, "in, but what was said did not come within 2 s: Redis is away, or the bus"),
    ],
)
async def test_what_is_wrong_is_said(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], told: str
) -> None:
    async with service(answer) as address:
        within = SOON if answer in (be_silent, be_deaf) else WITHIN
        assert (await problem([address], within)).startswith(f"{address}: {told}")


async def test_nobody_there() -> None:
    address = f"chatte=127.0.0.1:{free_port()}"
    told = await problem([address], WITHIN)
    assert told.startswith(f"{address}: no connection (")
    assert told.endswith("): does the balancer run?")
    assert "host.invalid is unknown (" in await problem(["chatte=host.invalid:1234"], WITHIN)


# --- Again and again -----------------------------------------------------------------------------


@pytest.mark.slow
async def test_it_goes_on_and_tells_prometheus(
    nodes: list[Node], redis_server: RedisServer, tmp_path: Path
) -> None:
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        running = processes.start(
            [
                *(*COMMAND, at(nodes[0]), "--every", "1", "--timeout", str(SOON)),
                *("--listen", f"127.0.0.1:{port}"),
            ],
            output=log,
        )

    def asked(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    async def says(path: str, status: int, words: str) -> None:
        async def said() -> bool:
            got, text = await asyncio.to_thread(asked, path)
            return got == status and words in text

        await until(said, WITHIN, f"{path} to say {words}", every=0.2)

    try:
        await says("/metrics", 200, "tertulia_probe_success 1.0")
        redis_server.stop()
        await says("/metrics", 200, "tertulia_probe_success 0.0")
        await says("/readyz", 503, "Redis is away")
        redis_server.start()
        await says("/readyz", 200, json.dumps({"ready": True})[1:-1].replace(" ", ""))
        running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait, WITHIN) == 0
    finally:
        running.kill()
        running.wait(30)
    told = (tmp_path / "log").read_text().splitlines()
    assert not [it for it in told if not it.startswith("tertulia probe: ")]
    said = [re.sub(r"works\..*", "works", it.removeprefix("tertulia probe: ")) for it in told]
    said = said[said.index("works") :]  # on a busy machine it may be too slow for the first times
    assert said[-1] == "works"
    assert {it.partition("=")[0] for it in said} == {"works", "chatte"}
    assert not [one for one, two in pairwise(said) if one == two], "said once, while it is so"
