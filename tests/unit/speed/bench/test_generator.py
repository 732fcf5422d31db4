"""The generator: when it can load, how it is called, and that it finds whatever is wrong."""

import asyncio
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from harness.waiting import elapse, until
from speed.bench import generator
from speed.bench.cases import Case, Load, Side, everything
from speed.bench.peers import LIMIT, NATS
from speed.bench.servers import missing_compiler
from tertulia_load.outcome import Outcome

CASE = Case(
    name="it",
    group="",
    title="",
    figure="deliveries",
    load=Load(100, senders=7, in_flight=16),
    sides=(Side(LIMIT, ("chatte",)), Side(NATS)),
)


def test_it_says_what_the_load_tool_says_in_the_part_that_is_read() -> None:
    ours = {it.encode_name: it.type for it in msgspec.structs.fields(generator.Outcome)}
    theirs = {it.encode_name for it in msgspec.structs.fields(Outcome)}
    assert set(ours) <= theirs
    for name in ("sent", "delivered", "latency", "tool"):
        whole = next(it.type for it in msgspec.structs.fields(Outcome) if it.name == name)
        known = {it.encode_name for it in msgspec.structs.fields(whole)}
        assert {it.encode_name for it in msgspec.structs.fields(ours[name])} <= known


def test_it_can_do_what_has_no_rooms_no_mixture_and_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generator, "missing_compiler", lambda: None)
    assert generator.can(CASE)
    assert not generator.can(replace(CASE, load=replace(CASE.load, rooms=5)))
    assert not generator.can(replace(CASE, load=replace(CASE.load, private=0.5)))
    assert not generator.can(replace(CASE, fault=lambda _: 0))
    assert not generator.can(replace(CASE, sides=(Side(LIMIT, ("protocollo",)),)))
    assert not generator.can(replace(CASE, sides=(Side(LIMIT, ("chatte", "browser")),)))
    monkeypatch.setattr(generator, "missing_compiler", lambda: "no gcc here")
    assert not generator.can(CASE)


def test_every_case_that_asks_for_it_is_one_that_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "missing_compiler", lambda: None)
    asking = [it for it in everything() if it.tool == "generator"]
    assert [it.name for it in asking if not generator.can(it)] == []
    # Only it can have something said before the others come.
    assert {it.name for it in everything() if it.load.past} <= {it.name for it in asking}


def test_it_is_told_of_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "program", lambda: "made")
    ours = replace(CASE.sides[0], acknowledges=True)
    called = " ".join(generator.command(CASE, ours, "chatte", [1, 2], 2))
    assert called == "made chatte 1,2 -c 100 -s 7 -w 16 -o 1000 -t 2 -h 0 -a"
    rated = replace(CASE, load=Load(9, rate=50, private=1, past=3, at_once=4, share=0.5))
    called = " ".join(generator.command(rated, rated.sides[1], "nats", [1], 2))
    assert called == "made nats 1 -c 9 -s 10 -r 50 -o 4 -t 1 -h 3 -p"


# --- The program itself --------------------------------------------------------------------------


@dataclass
class Room:
    """A room of ``chatte`` that treats what is said as a fault wants it."""

    fault: Callable[["Room", int, bytes], list[bytes]]
    """What reader of a number gets of a line."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    kept: bytes = b""
    unwanted: bytes = b""
    astray: int = 0
    """By how much a private message misses whom it is for."""
    said: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"0 Hello, nickname please.\n")
        nickname = (await reader.readline()).strip()
        if nickname == self.unwanted:
            writer.write(b"201 Nickname already taken\n")
            return
        for other in self.writers:
            other.write(b"150 %s just join to the chat\n" % nickname)
        self.writers.append(writer)
        writer.write(b"200 Welcome to the chatte.\n")
        while line := await reader.readline():
            if line.startswith(b"100 "):
                self.said += 1
                said = b"100 %s %s" % (nickname, line[4:])
                for number, other in enumerate(self.writers):
                    other.writelines(self.fault(self, number, said))
                writer.write(b"101 Message sent.\n")
            elif line.startswith(b"102 "):
                to, _, text = line[4:].partition(b" ")
                reader_of_it = (int(to.removeprefix(b"load-")) + self.astray) % len(self.writers)
                self.writers[reader_of_it].write(b"102 %s %s" % (nickname, text))


def well(room: Room, number: int, line: bytes) -> list[bytes]:
    return [line]


def lost(room: Room, number: int, line: bytes) -> list[bytes]:
    """The second reader misses the first message."""
    if number == 1 and not room.kept:
        room.kept = line
        return []
    return [line]


def twice(room: Room, number: int, line: bytes) -> list[bytes]:
    if number == 1 and not room.kept:
        room.kept = line
        return [line, line]
    return [line]


def swapped(room: Room, number: int, line: bytes) -> list[bytes]:
    """The second reader gets the first message behind the second."""
    if number != 1 or room.kept == b"-":
        return [line]
    first, room.kept = room.kept, b"-" if room.kept else line
    return [line, first] if first else []


def closed(room: Room, number: int, line: bytes) -> list[bytes]:
    if number == 2:
        room.writers[number].close()
    return [line]


@pytest.fixture(scope="module")
def made() -> str:
    if why := missing_compiler():
        pytest.skip(why)
    return generator.program()


@asynccontextmanager
async def tool(made: str, room: Room, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    server = await asyncio.start_server(room.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(made, "chatte", f"{port}", "-c", "4", "-o", "1", "-q", "20", *options),
            stdout=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            for writer in room.writers:
                writer.close()
            if process.returncode is None:
                process.kill()
                await process.wait()


async def outcome(process: asyncio.subprocess.Process) -> generator.Outcome:
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return msgspec.json.decode(output, type=generator.Outcome)


async def load(made: str, room: Room, *options: str) -> generator.Outcome:
    async with tool(made, room, *options) as process:
        return await outcome(process)


@pytest.mark.slow
async def test_what_arrives_is_counted(made: str) -> None:
    it = await load(made, Room(well), "-s", "2", "-m", "20", "-t", "10", "-w", "3")
    assert it.trouble == []
    assert (it.sent.public, it.delivered.public, it.delivered.lost) == (20, 80, 0)
    assert (it.joins[0].clients, it.joins[0].notices, it.joins[0].notices_expected) == (4, 6, 6)
    assert it.latency.p50 is not None
    assert it.latency.max is not None
    assert 0 < it.latency.p50 <= it.latency.max
    assert 0 < it.tool.busiest <= 1


@pytest.mark.slow
async def test_a_rate_is_kept_and_private_messages_go_to_the_next_one(made: str) -> None:
    it = await load(made, Room(well), "-s", "4", "-r", "100", "-t", "0.3", "-p")
    assert it.trouble == []
    assert (it.sent.private, it.delivered.private, it.delivered.public) == (30, 30, 0)


@pytest.mark.slow
async def test_what_is_due_is_sent_however_late_the_tool_is_woken(made: str) -> None:
    """All of it counts, or a busy machine would make a smaller load that looks kept."""
    room = Room(well)
    async with tool(made, room, "-s", "4", "-r", "100", "-t", "0.3") as process:
        await until(lambda: room.said, 30, "the first message")
        process.send_signal(signal.SIGSTOP)
        await elapse(0.5)
        process.send_signal(signal.SIGCONT)
        it = await outcome(process)
    assert it.trouble == []
    assert (it.sent.public, it.delivered.public) == (30, 120)


@pytest.mark.slow
async def test_what_came_while_the_tool_stood_still_is_not_lost(made: str) -> None:
    def held(room: Room, number: int, line: bytes) -> list[bytes]:
        """The second reader waits for the last message."""
        if number != 1 or room.said < 20:
            return [line]
        room.kept = line
        process.send_signal(signal.SIGSTOP)
        return []

    room = Room(held)
    options = ("-s", "1", "-r", "200", "-m", "20", "-t", "10", "-q", "5")
    async with tool(made, room, *options) as process:
        await until(lambda: room.kept, 30, "the last message")
        room.writers[1].write(room.kept)
        await elapse(5.5)
        process.send_signal(signal.SIGCONT)
        it = await outcome(process)
    assert it.trouble == []
    assert it.delivered.public == 80


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "lost_", "twice_", "disorder"),
    [(lost, 1, 0, 0), (twice, 0, 1, 0), (swapped, 0, 0, 1)],
    ids=["lost", "twice", "swapped"],
)
async def test_a_fault_is_found(
    made: str,
    fault: Callable[[Room, int, bytes], list[bytes]],
    lost_: int,
    twice_: int,
    disorder: int,
) -> None:
    patience = "8" if fault is lost else "20"  # for what does not come
    options = ("-s", "1", "-r", "200", "-m", "20", "-t", "10", "-q", patience)
    it = await load(made, Room(fault), *options)
    assert it.sent.public == 20
    found = it.delivered
    assert (found.lost, found.duplicated, found.out_of_order) == (lost_, twice_, disorder)
    assert len(it.trouble) == 1


@pytest.mark.slow
async def test_a_private_message_at_somebody_else_is_found(made: str) -> None:
    options = ("-s", "1", "-r", "200", "-m", "5", "-t", "10", "-p")
    it = await load(made, Room(well, astray=1), *options)
    assert (it.delivered.private, it.delivered.out_of_order) == (5, 5)
    assert it.trouble == ["5 messages came out of order"]


@pytest.mark.slow
async def test_who_is_disconnected_is_told(made: str) -> None:
    it = await load(made, Room(closed), "-s", "1", "-r", "200", "-m", "5", "-t", "10")
    assert it.delivered.disconnected == 1
    assert it.trouble == ["1 clients were disconnected", "closed by the server"]


@pytest.mark.slow
async def test_without_everybody_there_are_no_figures(made: str) -> None:
    server = await asyncio.start_server(Room(well, unwanted=b"load-2").serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(made, "chatte", f"{port}", "-c", "4", "-s", "0", "-o", "1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, told = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, output) == (1, b"")
    assert re.match(rb"1 of 4 clients could not enter within \d+ s: 201 Nickname", told)


@pytest.mark.parametrize(
    "words", [[], ["klingon", "1"], ["irc", "1", "-c", "1"], ["irc", "1", "-t", "9999"]]
)
@pytest.mark.slow
def test_what_it_can_not_do_it_refuses(made: str, words: list[str]) -> None:
    done = subprocess.run([made, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("generator DIALECT PORT")
