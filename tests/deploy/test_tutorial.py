"""What the README and the tutorial print, played in terminals: nobody's first hour goes wrong."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.made_cluster import needs_programs
from deploy.played import Scene, Terminal, scenes
from deploy.tools import ROOT, packaged
from harness.browser_client import BrowserClient
from harness.redis_server import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PORTS = ("1234", "1235", "6789", "8080", "8081", "9464", "9465", "6380")


def section(page: Path, title: str) -> str:
    """Return what stands under a heading."""
    _, found, text = page.read_text().partition(f"## {title}\n")
    assert found, title
    return text.partition("\n## ")[0]


@pytest.fixture
def ports() -> dict[str, str]:
    return {port: str(free_port()) for port in PORTS}


Seat = Callable[[str], Terminal]


@pytest.fixture
def seat(tmp_path: Path, ports: dict[str, str]) -> Iterator[Seat]:
    """Give terminals by their number, for a machine on which the ports are other ones than printed."""
    needs_programs()
    packaged("nc", "netcat-openbsd")
    listeners = [
        {"dialect": "chatte", "port": int(ports["1234"])},
        {"dialect": "protocollo", "port": int(ports["6789"])},
        {"dialect": "browser", "port": int(ports["8080"])},
    ]
    environment = {
        **os.environ,
        "TERTULIA_LISTENERS": json.dumps(listeners),
        "TERTULIA_OPS__PORT": ports["9464"],
        "TERTULIA_LOG__FORMAT": "console",
    }
    actual = {
        **ports,
        "var/": f"{tmp_path}/var/",
        "make run": f"make --no-print-directory run DATA_DIR={tmp_path}/var",
    }
    terminals: dict[str, Terminal] = {}

    def seated(number: str) -> Terminal:
        if number not in terminals:
            folder = tmp_path / number
            folder.mkdir()
            terminals[number] = Terminal(folder, environment, actual)
        return terminals[number]

    try:
        yield seated
    finally:
        for terminal in terminals.values():
            terminal.end()


async def test_the_readmes_session(seat: Seat, ports: dict[str, str]) -> None:
    """Somebody on the page answers in private what is said in a terminal."""
    (session,) = scenes(section(README, "Two commands"))
    *lines, answer = session.lines
    code, achury, text = answer.split(" ", 2)
    assert (code, achury) == ("102", "achury")
    # Not in a thread: when that ends, the kernel ends what was started in it, and only that.
    seat("1").plays(Scene("1", (), ("$ make run", "…", "… ready …")))
    page = await BrowserClient.enter_chat(int(ports["8080"]), achury)
    await asyncio.to_thread(
        seat(session.terminal).plays, Scene(session.terminal, session.typed, tuple(lines))
    )
    page.whisper("andy", text)
    await asyncio.to_thread(seat(session.terminal).plays, Scene(session.terminal, (), (answer,)))


def test_the_two_in_a_room_of_the_readme(seat: Seat) -> None:
    bruno, anna = scenes(section(README, "Rooms"))

    def plays(scene: Scene, start: int, end: int | None = None) -> None:
        seat(scene.terminal).plays(replace(scene, lines=scene.lines[start:end]))

    seat("1").plays(Scene("1", (), ("$ make run", "…", "… ready …")))
    has_entered = bruno.lines.index("Utenti collegati: Sei il primo utente ad accedere") + 1
    has_spoken = anna.lines.index("101 Message sent.") + 1
    plays(bruno, 0, has_entered)
    plays(anna, 0, has_spoken)
    plays(bruno, has_entered)
    plays(anna, has_spoken)


def test_a_first_node(seat: Seat) -> None:
    for scene in scenes(section(TUTORIAL, "A first node")):
        seat(scene.terminal).plays(scene)


def test_a_second_node_and_a_lost_one(seat: Seat) -> None:
    text = section(TUTORIAL, "A second node") + section(TUTORIAL, "A lost node")
    for scene in scenes(text):
        seat(scene.terminal).plays(scene)
