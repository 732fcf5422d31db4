"""Programs that people use for irc, as they are, over two nodes. Source: docs/irc.md."""

import itertools
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from harness import browser_frames as frames
from harness import processes
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.irc_client import LOBBY, IrcClient, PlainIrcClient
from harness.irc_house import (
    OTHERS,
    SECRET,
    IrcHouse,
    everybody_leaves,
    hears,
    hears_alone,
    running_nodes,
)
from harness.irc_programs import IrcProgram, Irssi, Weechat
from harness.node import QUICK, Node
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "irc.md"
ACCENTS = "perché è già là, señor: ¿qué? € 漢字"
LONG = "".join(f"{number:04d} è già là, 漢 " for number in range(185)).rstrip()
"""As long as a text may be."""
SPLIT_SECONDS = 60.0
"""Such a program sends a long text as many, and not faster than the networks let it that it knows."""
BACK_SECONDS = 60.0
_rooms = itertools.count(1)
each_program = pytest.mark.parametrize("program", [Irssi, Weechat], ids=["irssi", "weechat"])

Starts = Callable[..., IrcProgram]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_nodes(tmp_path_factory.mktemp("nodes")) as both:
        yield both


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[IrcHouse]:
    house = IrcHouse(*nodes, f"ops-{next(_rooms)}")
    yield house
    await everybody_leaves(house)


@pytest.fixture
def starts(house: IrcHouse, tmp_path: Path) -> Iterator[Starts]:
    """Start a program on one of the house's nodes."""
    started: list[IrcProgram] = []

    def start(
        program: type[IrcProgram], nickname: str, *rooms: str, password: str = "", node: int = 0
    ) -> IrcProgram:
        ports = [it.port("irc") for it in house.nodes[node:]]
        channels = [f"#{room}" for room in rooms]
        started.append(program(tmp_path / nickname, ports, nickname, channels, password))
        return started[-1]

    yield start
    for it in started:
        it.end()


@each_program
async def test_one_talks_with_everybody(
    house: IrcHouse, starts: Starts, program: type[IrcProgram]
) -> None:
    others: list[ChatteClient] = [
        await house.enter(kind, name, 1)
        for kind, name in zip(
            (*OTHERS, IrcClient, PlainIrcClient),
            ("ciro", "pina", "bea", "ivo", "olla"),
            strict=True,
        )
    ]
    pat = starts(program, "pat")
    pat.is_in(LOBBY)
    for other in others:
        text = f"{other.nickname}: {ACCENTS}"
        other.say(text)
        pat.logs(LOBBY, text)
        pat.says(LOBBY, f"to {other.nickname}, {ACCENTS}")
        await hears(other, "pat", f"to {other.nickname}, {ACCENTS}")
        other.whisper("pat", f"psst {ACCENTS}")
        pat.logs(other.nickname, f"psst {ACCENTS}")
        pat.says(other.nickname, f"psst {other.nickname}, {ACCENTS}")
        await hears_alone(other, "pat", f"psst {other.nickname}, {ACCENTS}")
    pat.types("/quit")
    await others[0].expect_line("151 pat just left the chat")


@each_program
async def test_one_is_an_account_and_in_a_room(
    house: IrcHouse, starts: Starts, program: type[IrcProgram]
) -> None:
    room = house.room
    (await house.account("pat")).close()
    anna = await house.account("anna", 1, room)
    bea = await house.enter(BrowserClient, "bea", 1, room)
    pat = starts(program, "pat", room, password=SECRET)
    joined = await anna.expect("JOIN", f"#{room}", source="pat", within=60)
    assert joined.params[1] == "pat"  # it proved to be the account
    pat.is_in(f"#{room}")
    anna.put(f"TOPIC #{room} :caffè")
    pat.logs(f"#{room}", "caffè")
    pat.says(f"#{room}", "in the room")
    await bea.expect_event(frames.SaidEvent("pat", "in the room", account=True), room=room)
    bea.say("one\ntwo", room)
    pat.logs(f"#{room}", "one", "two")
    anna.put(f"MODE #{room} +o pat")
    pat.logs(f"#{room}", "+o")
    pat.says(f"#{room}", f"/topic #{room} by pat")
    await bea.expect_event(frames.TopicEvent("by pat", "pat"), room=room)
    anna.put(f"MODE #{room} -o pat", f"KICK #{room} pat :enough")
    pat.logs(f"#{room}", "enough")


@each_program
async def test_a_long_text_both_ways(
    house: IrcHouse, starts: Starts, program: type[IrcProgram]
) -> None:
    room = house.room
    bea = await house.enter(BrowserClient, "bea", 1, room)
    pat = starts(program, "pat", room)
    pat.is_in(f"#{room}")
    bea.say(LONG, room)
    bea.say("the end", room)
    pat.logs(f"#{room}", "the end")
    assert "".join(pat.said_by("bea", f"#{room}")[:-1]) == LONG
    pat.says(f"#{room}", LONG)

    def read() -> str:
        said = [it.event for it in bea.rooms[room].events if isinstance(it.event, frames.SaidEvent)]
        return " ".join(it.text.strip() for it in said if it.nickname == "pat")

    def bare(text: str) -> str:
        return re.sub(r"\s", "", text)  # where it splits, a program drops a space or not

    await until(lambda: bare(read()) == bare(LONG), SPLIT_SECONDS, read)


@each_program
async def test_what_was_said_before_is_read_on_joining(
    house: IrcHouse, starts: Starts, program: type[IrcProgram]
) -> None:
    bea = await house.enter(BrowserClient, "bea", 1, house.room)
    for number in range(5):
        bea.say(f"before {number}", house.room)
    await bea.answered()
    pat = starts(program, "pat", house.room)
    room = f"#{house.room}"
    pat.logs(room, "before 4")
    bea.say("now", house.room)
    pat.logs(room, "now")
    assert pat.said_by("bea", room) == [*(f"before {number}" for number in range(5)), "now"]


@each_program
@pytest.mark.parametrize("how", ["killed", "drained"])
async def test_a_node_that_is_gone_is_left_for_the_other_one(
    tmp_path: Path, program: type[IrcProgram], how: str
) -> None:
    with running_nodes(tmp_path / "nodes", QUICK) as (nodes, redis):
        house = IrcHouse(nodes, redis, "ops")
        bea = await house.enter(BrowserClient, "bea", 1, "ops")
        (await house.account("pat", 1)).close()
        ports = [it.port("irc") for it in nodes]
        pat = program(tmp_path / "pat", ports, "pat", ["#ops"], SECRET)
        try:
            pat.is_in("#ops")
            pat.says("#ops", "on the first")
            await bea.expect_event(
                frames.SaidEvent("pat", "on the first", account=True), room="ops"
            )
            nodes[0].kill() if how == "killed" else nodes[0].terminate()
            await bea.expect_event(frames.LeftEvent("pat"), room="ops", within=BACK_SECONDS)
            bea.say("while you were away", "ops")

            async def is_back() -> bool:
                return any(
                    isinstance(it.event, frames.JoinedEvent) and it.event.nickname == "pat"
                    for it in bea.rooms["ops"].events[-3:]
                )

            await until(is_back, BACK_SECONDS, lambda: f"it to be back: {pat.screen.text}")
            pat.logs("#ops", "while you were away")
            pat.says("#ops", "on the second")
            await bea.expect_event(
                frames.SaidEvent("pat", "on the second", account=True), room="ops", within=30
            )
        finally:
            pat.end()
            for guest in house.guests:
                guest.close()


def bot(port: int) -> str:
    """Return the bot of the page, for a port."""
    found = re.search(r"^```python\n(import pydle\n.*?)^```", PAGE.read_text(), re.M | re.S)
    assert found is not None
    program = found[1]
    assert len([it for it in program.splitlines() if it]) <= 15
    (there,) = re.findall(r'"127\.0\.0\.1", \d+', program)
    return program.replace(there, f'"127.0.0.1", {port}')


async def test_the_bot_of_the_page(house: IrcHouse, tmp_path: Path) -> None:
    room = "ops"
    anna = await house.irc("anna", 1, room)
    bruno = await house.enter(ChatteClient, "bruno", 1)
    (tmp_path / "bot.py").write_text(bot(house.nodes[0].port("irc")))
    process = processes.start(
        [sys.executable, str(tmp_path / "bot.py")], output=subprocess.DEVNULL, directory=tmp_path
    )
    try:
        await anna.expect("JOIN", f"#{room}", source="echo", within=60)
        anna.say("!echo là 漢字", room)
        await anna.expect_text("echo", "anna: là 漢字", f"#{room}")
        bruno.whisper("echo", "ciao, perché?")
        await hears_alone(bruno, "echo", "You said: ciao, perché?")
    finally:
        process.terminate()
        process.wait(30)
    await anna.expect("QUIT", source="echo")
