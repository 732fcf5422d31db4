"""The line that a person types on a terminal: keys in, lines out, and what of it anybody can see."""

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pyte
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from harness.slowness import slowness
from harness.waiting import until
from tertulia.clients.device.program import _masked
from tertulia.clients.device.prompt import MAX_TYPED, Prompt

UP, LEFT, HOME, DELETE = "\x1b[A", "\x1b[D", "\x1b[H", "\x1b[3~"
ROWS, COLUMNS = 12, 40
WITHIN = 30.0


@dataclass
class Desk:
    """A program's side of a terminal, and the person's."""

    prompt: Prompt
    keys: PipeInput
    written: io.BytesIO

    @property
    def rows(self) -> list[str]:
        """What is on the screen now."""
        screen = pyte.Screen(COLUMNS, ROWS)
        screen.set_mode(pyte.modes.LNM)  # what a terminal's line discipline does
        pyte.ByteStream(screen).feed(self.written.getvalue())
        return [row.rstrip() for row in screen.display if row.strip()]

    async def shows(self, *rows: str) -> None:
        """Wait until the screen shows just this."""
        await until(lambda: self.rows == list(rows), WITHIN, lambda: f"{rows}, not {self.rows}")

    async def types(self, keys: str, count: int) -> list[str | None]:
        """Press keys, and take so many lines."""
        self.keys.send_text(keys)
        return [await self.prompt.line() for _ in range(count)]


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)
    output = Vt100_Output(stdout, lambda: Size(ROWS, COLUMNS), term="xterm", enable_cpr=False)
    with create_pipe_input() as keys, create_app_session(input=keys):
        async with Prompt(output) as prompt:
            prompt.prompt = "> "
            yield Desk(prompt, keys, written)


def pasted(text: str) -> str:
    """What a terminal sends for a text that is pasted."""
    return f"\x1b[200~{text}\x1b[201~"


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        ("ciao\r", ["ciao"]),
        ("ciao\n\r", ["ciao", ""]),
        ("perché no? 你好 🎉\r", ["perché no? 你好 🎉"]),
        ("cioa\x7f\x7fao\r", ["ciao"]),
        ("iao" + HOME + "c" + "\x05!\r", ["ciao!"]),
        ("ciaoo" + LEFT + DELETE + "\r", ["ciao"]),
        ("ciaoo\x02\x04\r", ["ciao"]),
        ("non questo\x15ciao\r", ["ciao"]),
        ("aco" + LEFT * 2 + pasted("b\x00c\x07") + "d\r", ["abcdco"]),
        ("in anna s3cret\x17\x19\r", ["in anna "]),
        ("a\x11\x07c\x9f\r", ["ac"]),  # Ctrl-Q takes the next key as it is
        (pasted("uno\r\ndue\rtre\nquattro") + "!\r", ["uno", "due", "tre", "quattro!"]),
        (pasted("\x1b]0;owned\x07ciao") + "\r", ["]0;ownedciao"]),
        ("uno due tre\x1bbquattro cinque \r", ["uno due quattro cinque tre"]),
        ("x" * (MAX_TYPED + 100) + "\r", ["x" * MAX_TYPED]),
        (pasted("x" * MAX_TYPED + "y") + "\r", ["x" * MAX_TYPED]),
    ],
)
async def test_keys(desk: Desk, keys: str, lines: list[str]) -> None:
    assert await desk.types(keys, len(lines)) == lines


@pytest.mark.parametrize("end", ["ctrl-d", "closed", "ended"])
async def test_after_the_end_come_no_more_lines(desk: Desk, end: str) -> None:
    assert await desk.types("uno\rdu\x04", 1) == ["uno"]
    match end:
        case "ctrl-d":
            desk.keys.send_text("\x7f\x7f\x04")
        case "closed":
            desk.keys.close()
        case "ended":
            desk.prompt.end()
    assert await desk.prompt.line() is None


async def test_what_is_said_stands_above_what_is_typed(desk: Desk) -> None:
    desk.keys.send_text("non ho fin")
    await desk.shows("> non ho fin")
    desk.prompt.write_words("bob: ciao" + "!" * COLUMNS, "bob: ci sei?")
    desk.prompt.prompt = "[bob] "
    said = ["bob: ciao" + "!" * (COLUMNS - 10), "   | " + "!" * 10, "bob: ci sei?"]
    await desk.shows(*said, "[bob] non ho fin")
    (line,) = await desk.types("ito\r", 1)
    desk.prompt.echo(line or "")
    await desk.shows(*said, "[bob] non ho finito", "[bob]")
    desk.prompt.end()
    await desk.shows(*said, "[bob] non ho finito")


async def test_a_line_longer_than_the_screen_is_wide_leaves_nothing_behind(desk: Desk) -> None:
    desk.keys.send_text("x" * 2 * COLUMNS)
    await desk.shows("> " + "x" * (COLUMNS - 2), "x" * COLUMNS, "xx")
    desk.prompt.note("ciao")
    await desk.shows("-- ciao", "> " + "x" * (COLUMNS - 2), "x" * COLUMNS, "xx")
    await desk.types("\r", 1)
    await desk.shows("-- ciao", ">")


async def test_a_password_is_neither_shown_nor_remembered(desk: Desk) -> None:
    desk.prompt.mask(_masked)
    await desk.types("help\r", 1)
    desk.keys.send_text("in anna s3cret")
    await desk.shows("> in anna ******")
    assert await desk.types("\r", 1) == ["in anna s3cret"]
    desk.keys.send_text(pasted("in anna\ns3cret\n"))
    assert await desk.prompt.line() == "in anna"
    assert await desk.prompt.ask("Password: ", secret=True) == "s3cret"
    desk.keys.send_text("ahead")
    asked = asyncio.create_task(desk.prompt.ask("Password: ", secret=True))
    await desk.shows("Password: ******", "Password: *****")
    desk.keys.send_text("\r")
    assert await asked == "ahead"
    answered = ("Password: ******", "Password: *****")
    await desk.shows(*answered, ">")
    for line in ("> in anna", "> help"):
        desk.keys.send_text(UP)
        await desk.shows(*answered, line)
    assert b"cret" not in desk.written.getvalue()


async def test_lines_come_back_once(desk: Desk) -> None:
    await desk.types("uno\rdue\rdue\r \r", 4)
    desk.keys.send_text("half")
    await desk.shows("> half")
    assert await desk.types(UP + UP + "\r", 1) == ["uno"]


@pytest.mark.parametrize("letter", ["x", "é", "你", "\u0301"])
@pytest.mark.parametrize("is_pasted", [True, False])
async def test_what_is_pasted_is_there_at_once(desk: Desk, letter: str, is_pasted: bool) -> None:
    text = letter * 10_000
    begun = time.process_time()
    assert await desk.types((pasted(text) if is_pasted else text) + "\r", 1)
    # About 0.01, or 0.2 where the terminal does not say that it is pasted. Key by key it is 2.
    assert (time.process_time() - begun) / slowness() < 1
