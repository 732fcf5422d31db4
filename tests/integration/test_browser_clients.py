"""Small clients, written from docs/protocols/browser.md alone: nothing missed, nothing twice, in any room."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from harness.browser_client import BrowserClient
from harness.dialects import launch, listener
from harness.node import NodeFactory
from harness.requirements import program
from harness.waiting import until

CLIENTS = Path(__file__).parent / "browser_clients"

pytestmark = pytest.mark.slow


class Running:
    """A client as a process: what it printed, and what it is to say."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    async def prints(self, line: str) -> None:
        await until(lambda: line in self.lines, 120, lambda: f"{line!r} among {self.lines}")

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture(params=["client.mjs", "client.py"])
def commands(request: pytest.FixtureRequest) -> list[str]:
    """Give the command that runs a client."""
    node = [program("node", "nodejs"), "--experimental-websocket"]  # needed before Node 22
    runner = node if request.param.endswith(".mjs") else [sys.executable]
    return [*runner, str(CLIENTS / request.param)]


@pytest.mark.parametrize("room", ["", "ops"])
async def test_a_client_from_the_page_alone_comes_through_the_death_of_its_node(
    commands: list[str], node_factory: NodeFactory, room: str
) -> None:
    one, two = (launch(node_factory, [listener(BrowserClient)]) for _ in range(2))
    for node in (one, two):
        await node.ready()
    speaker = await BrowserClient.enter_chat(two.port("browser"), "speaker")
    if room:
        await speaker.join_room(room)
        speaker.say("only to the lobby")
    speaker.say("before", room)
    await speaker.answered()
    urls = [f"ws://127.0.0.1:{node.port('browser')}/ws" for node in (one, two)]
    process = await asyncio.create_subprocess_exec(
        *commands, f"anna@{room}".rstrip("@"), *urls, stdin=PIPE, stdout=PIPE, env=os.environ
    )
    client = Running(process)
    try:
        await client.prints("PAST speaker before")
        client.say("hello")
        await client.prints("SAID anna hello")
        one.kill()
        speaker.say("meanwhile", room)
        client.say("are you there?")
        await client.prints("BACK")
        await client.prints("SAID speaker meanwhile")
        await client.prints("SAID anna are you there?")
        speaker.say("yes", room)
        await client.prints("SAID speaker yes")
        said = [line for line in client.lines if line.startswith("SAID")]
        assert len(said) == len(set(said)) == 4
        assert not any("lobby" in line for line in client.lines)
        speaker.stop()
        await client.prints("END chat_closed")
        client.close()
        assert await asyncio.wait_for(process.wait(), 120) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
