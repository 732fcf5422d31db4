"""The session in text that docs/protocols/device.md prints, held as it is printed."""

import re
from pathlib import Path

from harness.device_client import TEXT, DeviceClient
from harness.node import Listener, NodeFactory

DOCUMENT = Path(__file__).parents[2] / "docs/protocols/device.md"
SESSION = re.compile(r"## A session in text\n.*?```console\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"\(?printf '(?P<sent>[^']+)'(?P<waits>; sleep \d+\))? \| nc .*")
TIME = re.compile(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d")


def session() -> list[tuple[re.Match[str], list[str]]]:
    """Return each command and what it prints."""
    found = SESSION.search(DOCUMENT.read_text())
    assert found is not None
    steps: list[tuple[re.Match[str], list[str]]] = []
    for line in found[1].splitlines():
        if line.startswith("$ "):
            command = COMMAND.fullmatch(line.removeprefix("$ "))
            assert command is not None, line
            steps.append((command, []))
        else:
            steps[-1][1].append(line)
    return steps


def printed(data: bytes) -> list[str]:
    return [TIME.sub("TIME", line) for line in data.decode().splitlines()]


async def test_the_session_goes_as_printed(node_factory: NodeFactory) -> None:
    node = node_factory.launch(listeners=(Listener("device"),))
    await node.ready()
    waiting: DeviceClient | None = None
    for command, lines in session():
        sent = command["sent"].encode().decode("unicode_escape").encode()
        device = await DeviceClient.connect(node.port("device"), TEXT)
        device.send_raw(sent)
        expected = [TIME.sub("TIME", line) for line in lines]
        if command["waits"]:
            assert [await device.string() for _ in expected] == expected
            waiting = device
            continue
        device.half_close()
        got = printed(await device.rest())
        if waiting is not None and len(got) < len(expected):
            # What comes then is told to the one in the background.
            got += printed(await waiting.rest())
            waiting = None
        assert got == expected, command[0]
    assert waiting is None
