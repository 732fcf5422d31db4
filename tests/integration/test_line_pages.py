"""docs/rooms.md, and the pages of chatte and protocollo: what they print goes so, clients from them work."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.node import Listener, Node, NodeFactory
from harness.redis_server import running_redis
from harness.waiting import until

WITHIN = 30.0
CLIENTS = Path(__file__).parent / "line_clients"
PAGES = Path(__file__).parents[2] / "docs" / "protocols"
DIALECTS = ("chatte", "protocollo")
ROOMS = PAGES.parent / "rooms.md"
SESSION = re.compile(r"<!-- session -->\n```\n(.*?)```\n<!-- /session -->", re.DOTALL)
COMMAND = re.compile(
    r"^```console\n\$ printf '([^']+)' \| nc -N [^\n]*\n(.*?)^```", re.DOTALL | re.M
)
STEP = re.compile(r"(?P<who>\w+) +(?:(?P<sign>[→←]) (?P<line>.*)|(?P<end>closes|closed))")

pytestmark = pytest.mark.slow


class Terminal:
    """One person's ``nc``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Terminal":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def types(self, text: str) -> None:
        """Send some lines."""
        self.writer.write(f"{text}\n".encode())

    async def prints(self) -> str:
        """Return the next line; an empty string at the end."""
        line = await asyncio.wait_for(self.reader.readline(), WITHIN)
        return line.decode().removesuffix("\n")

    async def rest(self) -> list[str]:
        """Close the sending half, and return all that comes until the end."""
        self.writer.write_eof()
        text = await asyncio.wait_for(self.reader.read(), WITHIN)
        return text.decode().splitlines()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Give a node that speaks both, each in chats of its own, and for clients in one."""
    chats = [
        (dialect, chat)
        for dialect in DIALECTS
        for chat in (dialect, f"{dialect}-nc", "main", "rooms", "ops")
    ]
    with running_redis() as redis:
        factory = NodeFactory(tmp_path_factory.mktemp("node"), redis.url)
        try:
            node = factory.launch(listeners=tuple(Listener(it, chat=chat) for it, chat in chats))
            node.ready_sync()
            yield node
        finally:
            factory.end()


async def test_what_the_pages_print_goes_as_printed(node: Node) -> None:
    for dialect in DIALECTS:
        page = (PAGES / f"{dialect}.md").read_text()
        (session,) = SESSION.findall(page)
        await plays(session, lambda _: node.port(dialect, dialect))  # noqa: B023 (used at once)
        ((sent, printed),) = COMMAND.findall(page)
        person = await Terminal.open(node.port(dialect, f"{dialect}-nc"))
        person.types(sent.encode().decode("unicode_escape").removesuffix("\n"))
        # All was sent at once: whether a copy or an answer comes first is the batches' affair.
        assert sorted(await person.rest()) == sorted(printed.splitlines()), dialect


async def test_two_people_in_a_room_read_what_the_page_prints(node: Node) -> None:
    (session,) = SESSION.findall(ROOMS.read_text())
    await plays(session, lambda who: node.port(DIALECTS[who == "bruno"], "rooms"))


async def plays(session: str, port: Callable[[str], int]) -> None:
    """Do what each line of a session says, in order; ``port`` is where somebody connects."""
    people: dict[str, Terminal] = {}
    for line in session.splitlines():
        step = STEP.fullmatch(line)
        assert step is not None, line
        who = step["who"]
        if who not in people:
            people[who] = await Terminal.open(port(who))
        if step["sign"] == "→":
            people[who].types(step["line"])
        elif step["sign"] == "←":
            assert await people[who].prints() == step["line"], line
        else:
            rest = await people.pop(who).rest()  # nothing that the session does not have
            assert rest == [], line
    assert not people, "all have gone"


class Running:
    """A client as a process: what it printed, and what it is to say."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, node: Node, dialect: str, nickname: str, chat: str) -> "Running":
        """Start a client that enters a chat."""
        program, port = CLIENTS / f"{dialect}.py", str(node.port(dialect, chat))
        command = [sys.executable, str(program), nickname, "127.0.0.1", port]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    async def prints(self, *lines: str) -> None:
        """Wait until it has printed these."""
        for line in lines:
            await until(
                lambda line=line: line in self.lines,  # type: ignore[misc] # a lambda's default
                WITHIN,
                lambda line=line: f"{line!r} among {self.lines}",  # type: ignore[misc] # the same
            )

    def says(self, text: str) -> None:
        """Have it say a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())

    async def goes(self) -> None:
        """End its input, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert await asyncio.wait_for(self.process.wait(), WITHIN) == 0


@pytest.mark.parametrize(("room", "chat"), [("", "main"), ("@ops", "ops")])
async def test_clients_from_the_pages_alone_talk(node: Node, room: str, chat: str) -> None:
    anna, bruno = None, None
    try:
        anna = await Running.start(node, "chatte", f"anna{room}", chat)
        await anna.prints("200 Welcome to the chatte.")
        bruno = await Running.start(node, "protocollo", f"bruno{room}", chat)
        await bruno.prints("IN")
        await anna.prints("CAME bruno")
        anna.says("is anybody here?")
        await anna.prints("SAID anna is anybody here?", "101 Message sent.")
        await bruno.prints("SAID anna is anybody here?")
        bruno.says("sì: io > tutti")
        await anna.prints("SAID bruno sì: io > tutti")
        bruno.says("@anna psst")
        await anna.prints("TOLD bruno psst")
        anna.says("@bruno shh")
        await bruno.prints("TOLD anna shh")
        anna.says("@nobody shh")
        await anna.prints("203 Invalid destinatary. Verify the nickname.")
        await anna.goes()
        await bruno.prints("WENT anna", "TOLD G Ora sei amministratore")
        await bruno.goes()
        assert bruno.lines[-1] == "close"
    finally:
        for client in (anna, bruno):
            if client is not None and client.process.returncode is None:
                client.process.kill()
                await client.process.wait()
