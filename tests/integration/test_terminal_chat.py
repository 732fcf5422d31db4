"""``tertulia chat`` on real nodes, of which some are killed. Source: docs/terminal.md."""

import asyncio
import itertools
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import processes
from harness.browser_client import BrowserClient
from harness.dialects import launch, listener, port
from harness.node import Node, NodeFactory
from harness.redis_server import running_redis
from harness.tmux import Tmux
from harness.waiting import until

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "terminal.md"
WITHIN = 60.0
TERTULIA = (sys.executable, "-m", "tertulia")
"""With what draws a screen, which ``processes.TERTULIA`` leaves out."""
_names = itertools.count(1)


class Plain:
    """``tertulia chat --plain`` as a process between two pipes."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._file = folder / f"out-{next(_names)}"
        with self._file.open("wb") as out:
            self.process = processes.start(
                [*processes.TERTULIA, "chat", "--plain", *words],
                output=out,
                keyboard=subprocess.PIPE,
                environment={**os.environ, "HOME": str(folder), "TZ": "UTC"},
            )

    @property
    def lines(self) -> list[str]:
        """What came out until now, whole lines."""
        return self._file.read_text().split("\n")[:-1]

    def types(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{it}\n" for it in lines).encode())
        self.process.stdin.flush()

    async def prints(self, text: str) -> None:
        await until(
            lambda: any(text in it for it in self.lines), WITHIN, lambda: f"{text}: {self.lines}"
        )

    async def finishes(self) -> int:
        """End what it reads, and return its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.ends()

    async def ends(self) -> int:
        await until(
            lambda: self.process.poll() is not None, WITHIN, lambda: f"an end: {self.lines}"
        )
        return self.process.wait()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


@dataclass(slots=True)
class House:
    """Nodes, somebody who is on the last of them, and a room that no other test has."""

    nodes: list[Node]
    witness: BrowserClient
    room: str
    folder: Path
    started: list[Plain | Tmux]

    def url(self, node: int) -> str:
        return f"http://127.0.0.1:{port(self.nodes[node], BrowserClient)}/"

    def plain(self, nickname: str, *words: str) -> Plain:
        named = ["--nickname", nickname] if nickname else []
        self.started.append(Plain(self.folder, *named, *words))
        found = self.started[-1]
        assert isinstance(found, Plain)
        return found

    def say(self, text: str, room: str = "") -> None:
        self.witness.say(text, room)

    def read(self, nickname: str, room: str = "") -> list[str]:
        """Return what the witness has read of somebody."""
        seat = self.witness.rooms[room] if room else self.witness.lobby
        events = [it.event for it in seat.events]
        return [
            getattr(it, "text", "")
            for it in events
            if getattr(it, "nickname", "") == nickname and hasattr(it, "text")
        ]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Three nodes: each of two tests kills one, and the last one stays."""
    with running_redis(fsync="no") as redis:
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), redis.url)
        # Nobody is buried while a program comes back, however long that takes on a busy machine.
        patient = {"LEASE": "40", "SILENCE": "35", "AWAY": "35"}
        settings = {f"CLUSTER__{name}_SECONDS": value for name, value in patient.items()}
        try:
            for _ in range(3):
                launch(factory, [listener(BrowserClient)], **settings)
            for node in factory.nodes:
                node.ready_sync()
            yield factory.nodes
        finally:
            factory.end()


@pytest.fixture
async def house(nodes: list[Node], tmp_path: Path) -> AsyncIterator[House]:
    number = next(_names)
    witness = await BrowserClient.enter_chat(port(nodes[2], BrowserClient), f"witness{number}")
    house = House(nodes, witness, f"ops-{number}", tmp_path, [])
    await witness.join_room(house.room)
    try:
        yield house
    finally:
        for it in house.started:
            if isinstance(it, Plain):
                it.kill()
            else:
                it.end()
        witness.close()


def _said(lines: list[str], where: str, who: str) -> list[str]:
    begin = f"[{where}] {who}: "
    return [it.removeprefix(begin) for it in lines if it.startswith(begin)]


async def test_in_lines_nothing_is_missed_or_doubled_in_two_rooms_when_a_node_is_killed(
    house: House,
) -> None:
    room, witness = house.room, house.witness.nickname
    plain = house.plain("anna", "--room", room, house.url(0), house.url(2))
    await plain.prints(f"[#{room}] -- You are in #{room}.")
    number = 0

    def talk() -> int:
        nonlocal number
        number += 1
        house.say(f"lobby {number}")
        house.say(f"room {number}", room)
        plain.types("/lobby", f"to the lobby {number}", f"/join {room}", f"to the room {number}")
        return number

    for _ in range(10):
        talk()
    await plain.prints(f"[lobby] {witness}: lobby 5")
    house.nodes[0].kill()
    for _ in range(10):
        talk()
    await plain.prints("Connecting again")
    await plain.prints("Connected again: you missed nothing.")
    for _ in range(10):
        talk()
    await plain.prints(f"[#{room}] {witness}: room {number}")
    await plain.prints(f"[lobby] {witness}: lobby {number}")
    assert await plain.finishes() == 0

    numbers = [str(it) for it in range(1, number + 1)]
    lines = plain.lines
    assert _said(lines, "lobby", witness) == [f"lobby {it}" for it in numbers]
    assert _said(lines, f"#{room}", witness) == [f"room {it}" for it in numbers]
    assert _said(lines, "lobby", "anna") == [f"to the lobby {it}" for it in numbers]
    assert _said(lines, f"#{room}", "anna") == [f"to the room {it}" for it in numbers]
    for place in ("", room):
        await until(
            lambda place=place: len(house.read("anna", place)) >= number,  # type: ignore[misc]
            WITHIN,
            "all of it to be read",
        )
    assert house.read("anna") == [f"to the lobby {it}" for it in numbers]
    assert house.read("anna", room) == [f"to the room {it}" for it in numbers]
    assert lines[-1] == "-- You have left. See you soon!"
    assert not any("left" in it and "anna" in it for it in lines[:-1])


async def test_on_the_screen_in_tmux_two_rooms_outlive_a_killed_node(house: House) -> None:
    room, witness = house.room, house.witness.nickname
    command = [
        *TERTULIA,
        "chat",
        "--nickname",
        "bianca",
        "--room",
        room,
        house.url(1),
        house.url(2),
    ]
    tmux = Tmux(command, house.folder, columns=100, rows=26)
    house.started.append(tmux)
    await asyncio.to_thread(tmux.shows, f"You are in #{room}.", f"▸ #{room}")
    tmux.types("hello, room")
    house.say("hello, bianca", "")
    await asyncio.to_thread(tmux.shows, "bianca: hello, room", "lobby 1 @1")
    tmux.presses("M-Up")
    await asyncio.to_thread(tmux.shows, f"{witness}: hello, bianca", "─ new ─")
    house.nodes[1].kill()
    house.say("while the node is dead", "")
    house.say("in the room as well", room)
    tmux.types("from a lost connection")
    within = 60.0
    await asyncio.to_thread(
        tmux.shows, "Connected again: you missed nothing.", f"#{room} 1", within=within
    )
    await asyncio.to_thread(tmux.shows, "while the node is dead", "bianca: from a lost connection")
    pane = tmux.text
    assert pane.count("while the node is dead") == 1
    assert len(re.findall(r"\d bianca: from a lost connection", pane)) == 1
    await until(lambda: house.read("bianca"), WITHIN, "the witness to read it as well")
    assert house.read("bianca") == ["from a lost connection"]
    tmux.presses("M-Down")
    await asyncio.to_thread(tmux.shows, f"{witness}: in the room as well", f"▸ #{room}")
    assert house.read("bianca", room) == ["hello, room"]
    tmux.presses("C-q")
    await asyncio.to_thread(tmux.shows, "You have left. See you soon!", "ended with 0")


async def test_lines_end_with_what_became_of_all_of_them(house: House) -> None:
    witness, room = house.witness.nickname, house.room
    plain = house.plain("carla", "--no-joins", house.url(2))
    plain.types(
        "/nosuch thing",
        f"/msg {witness} psst",
        "/msg nobody-here psst",
        "//escaped",
        f"/join {room}",
        "one",
        "/rooms",
        "/people",
        "/search one",
    )
    assert await plain.finishes() == 1
    lines = plain.lines
    assert lines[-1] == "-- You have left. See you soon!"
    for line in (
        f"[private] to {witness}: psst",
        "[lobby] carla: /escaped",
        f"[#{room}] carla: one",
        f"[#{room}] -- 2 people: {witness}, carla",
    ):
        assert lines.count(line) == 1, lines
    assert any("“/nosuch” is no command" in it for it in lines)
    assert any(f"-- #{room}, 2 people" in it or f"-- #{room}, 1 person" in it for it in lines)
    assert any(re.fullmatch(rf"\[#{room}\] found, [\d :-]+, carla: one", it) for it in lines)
    assert any("nobody called “nobody-here” is here: psst" in it for it in lines)
    assert all(it.isprintable() for it in lines)


async def test_the_page_s_example_prints_what_the_page_shows(house: House) -> None:
    command, *shown = _example()
    found = re.fullmatch(r"\$ echo '(.+)' \| tertulia chat --plain (.+)", command)
    assert found is not None
    words = [it.replace("ops", house.room) for it in found[2].split()]
    plain = house.plain("", *words, "--no-past", house.url(2))
    plain.types(found[1])
    assert await plain.finishes() == 0
    assert plain.lines == [it.replace("#ops", f"#{house.room}") for it in shown]


def _example() -> list[str]:
    blocks = re.findall(r"```console\n(.+?)\n```", PAGE.read_text(), re.DOTALL)
    (found,) = (str(it) for it in blocks if "--plain" in it)
    return found.split("\n")


async def test_who_is_not_let_in_reads_why(house: House) -> None:
    taken = house.plain(house.witness.nickname, house.url(2))
    nowhere = house.plain("dora", "http://127.0.0.1:1/", "http://127.0.0.1:2/")
    assert await taken.ends() == 1
    assert "is in use, or is an account" in taken.lines[-1]
    assert await nowhere.ends() == 1
    assert re.search(
        r"can’t be reached\. Nobody listens at ws://127\.0\.0\.1:\d/ws", nowhere.lines[-1]
    )
