"""The session of three terminals in docs/device.md, played as it is printed."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.device_nodes import DeviceNodes
from harness.device_person import Person
from harness.node import Listener, NodeFactory
from harness.waiting import until_sync

PAGE = Path(__file__).parents[2] / "docs" / "device.md"
SECTION = re.compile(r"^## A session of three\n(.*?)^## ", re.DOTALL | re.MULTILINE)
SCENE = re.compile(r"^\*\*(\w+)\*\*[^\n]*\n\n```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
TYPED = re.compile(r"(?:\w*>|\[[\w, +]+\]) (?P<command>.+)")
TIME = re.compile(r"\d\d-\d\d-\d{4} \d\d:\d\d(?::\d\d)?")
PRINTED_FOLDER = "/home/you/.local/share/tertulia-device"
PASSWORD = "s3cret"
WITHIN = 60.0

pytestmark = pytest.mark.slow


def scenes() -> list[tuple[str, list[str]]]:
    """Return whose terminal it is and what it shows, one after the other."""
    section = SECTION.search(PAGE.read_text())
    assert section is not None
    return [(name, text.splitlines()) for name, text in SCENE.findall(section[1])]


def expected(printed: str, kept: Path) -> re.Pattern[str]:
    """Return what a printed line stands for: times and the folder are the reader's own."""
    parts = TIME.split(printed.replace(PRINTED_FOLDER, str(kept)))
    return re.compile(TIME.pattern.join(map(re.escape, parts)))


@dataclass
class Sitting:
    """One person's terminal, and what it should show."""

    name: str
    folder: Path
    server: str
    person: Person | None = None
    printed: list[str] = field(default_factory=list)

    def plays(self, line: str) -> None:
        """Do what the reader does who sees this line, and see that it appears."""
        if line.startswith("$ "):
            self.runs(line.removeprefix("$ "))
            return
        assert self.person is not None, f"{self.name} has no program yet: {line}"
        typed = TYPED.fullmatch(line)
        said = re.fullmatch(rf"(?: \*|\*\*) {self.name}: (.+)", line)
        if typed is not None:
            self.person.types(typed["command"].replace("*" * len(PASSWORD), PASSWORD))
        elif said is not None:
            self.person.types(said[1])
        self.printed.append(line)
        self.shows_it()

    def runs(self, command: str) -> None:
        """Run what is typed at the shell."""
        if not command.startswith("tertulia device "):
            self.folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(command, shell=True, check=True, cwd=self.folder)
            return
        port = command.rpartition(" ")[2]
        assert port.isdecimal()
        self.person = Person(self.folder, self.server, columns=200)

    def shows_it(self) -> None:
        """Wait until the screen shows all that is printed for it so far, and nothing in between."""
        assert self.person is not None
        person, kept = self.person, self.folder / "kept"
        wanted = [expected(line, kept) for line in self.printed]

        def shown() -> bool:
            lines = person.lines
            return len(lines) >= len(wanted) and all(map(re.Pattern.fullmatch, wanted, lines))

        def complaint() -> str:
            return f"{self.name}'s screen to be\n{self.printed}\nand not\n{person.lines}"

        until_sync(shown, WITHIN, complaint)


@pytest.fixture(params=["embedded", "two nodes"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    if request.param == "two nodes":
        yield DeviceNodes(request.getfixturevalue("node_factory")).addresses
        return
    factory = NodeFactory(tmp_path, None)
    try:
        node = factory.launch(listeners=(Listener("device"),))
        node.ready_sync()
        yield [f"127.0.0.1:{node.port('device')}"]
    finally:
        factory.end()


def test_the_session_goes_as_printed(servers: list[str], tmp_path: Path) -> None:
    sittings: dict[str, Sitting] = {}
    try:
        for name, lines in scenes():
            if name not in sittings:
                server = servers[len(sittings) % len(servers)]
                sittings[name] = Sitting(name, tmp_path / name, server)
            for line in lines:
                sittings[name].plays(line)
        assert len(sittings) == 3
    finally:
        for sitting in sittings.values():
            if sitting.person is not None:
                sitting.person.end()
