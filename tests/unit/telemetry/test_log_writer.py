"""The log's writer: all lines in order, nobody waits, what is missing is said."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import structlog

from harness.waiting import until_sync
from tertulia.telemetry.log_writer import LogWriter

LINE = "x" * 99


class Reader:
    """The other end of a pipe."""

    def __init__(self) -> None:
        self.end, self.inlet = os.pipe()
        self._rest = b""
        self.lines: list[str] = []
        os.set_blocking(self.end, False)

    def read(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.end, 65_536):
                *lines, self._rest = (self._rest + data).split(b"\n")
                self.lines += [line.decode() for line in lines]
        return self.lines

    def close(self) -> None:
        for file in (self.end, self.inlet):
            with contextlib.suppress(OSError):
                os.close(file)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.close()


@pytest.fixture
def writer(reader: Reader) -> Iterator[LogWriter]:
    writer = LogWriter(reader.inlet, "ascii")
    writer.most_waiting = 1000
    structlog.configure(
        processors=[lambda _logger, _level, event: f"{event['event']}: {event['lines']}"],
        logger_factory=lambda *_: _Line(writer),
    )
    yield writer
    with contextlib.suppress(OSError):
        os.close(reader.end)
    writer.flush(60)  # nothing is written any more to a file of that number
    structlog.reset_defaults()


class _Line:
    def __init__(self, writer: LogWriter) -> None:
        self.error = writer.put


def stall(writer: LogWriter, reader: Reader) -> None:
    """Put a line that is too long for the pipe, and wait until it is on its way."""
    writer.most_waiting, most = 1_000_000, writer.most_waiting
    writer.put("y" * 500_000)
    writer.most_waiting = most
    until_sync(lambda: not writer._lines.qsize(), 30, "the long line to be taken")


def test_lines_come_out_in_order_and_whole(reader: Reader, writer: LogWriter) -> None:
    writer.most_waiting = 1_000_000

    def put(who: int) -> None:
        for i in range(500):
            writer.put(f"{who} {i} €")

    threads = [threading.Thread(target=put, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    until_sync(lambda: len(reader.read()) == 2000, 30, "all lines")
    for who in range(4):
        assert [it for it in reader.lines if it.startswith(f"{who} ")] == [
            f"{who} {i} \\u20ac" for i in range(500)
        ]
    assert writer.dropped.count == 0


def test_what_does_not_fit_is_dropped_and_said_in_its_place(
    reader: Reader, writer: LogWriter
) -> None:
    stall(writer, reader)
    writer._waiting = 0  # as if the long line were not there
    began = time.monotonic()
    for i in range(15):
        writer.put(f"{i:99}")
    assert time.monotonic() - began < 60  # not until somebody reads
    assert writer.dropped.count == 5
    assert not reader.lines
    until_sync(lambda: reader.read()[-1:] == ["lines of the log are missing: 5"], 30, "it to go on")
    assert [int(it) for it in reader.lines[1:-1]] == list(range(10))
    writer.put("and on")
    until_sync(lambda: reader.read()[-1] == "and on", 30, "the next line")
    assert writer.dropped.count == 5


def test_what_can_not_be_written_is_counted_and_said_when_it_can(writer: LogWriter) -> None:
    full = os.open("/dev/full", os.O_WRONLY)  # a disk on which there is no room
    kept = os.dup(writer._file)
    os.dup2(full, writer._file)
    os.close(full)
    for _ in range(3):
        writer.put("lost")
    writer.flush(60)
    assert writer.dropped.count == 3
    os.dup2(kept, writer._file)
    os.close(kept)
    writer.put("written")
    writer.flush(60)
    writer.flush(60)  # for what was said only then
    assert writer.dropped.count == 3


def test_it_is_said_also_after_a_disk_was_full(reader: Reader, writer: LogWriter) -> None:
    test_what_can_not_be_written_is_counted_and_said_when_it_can(writer)
    assert reader.read() == ["written", "lines of the log are missing: 3"]


def test_a_reader_that_is_gone_is_no_matter(reader: Reader, writer: LogWriter) -> None:
    os.close(reader.end)
    for _ in range(100):
        writer.put(LINE)
        writer.flush(60)
    assert writer.dropped.count == 100


def test_a_file_that_others_have_made_not_block_loses_nothing(
    reader: Reader, writer: LogWriter
) -> None:
    os.set_blocking(reader.inlet, False)
    writer.most_waiting = 1_000_000
    for _ in range(5000):
        writer.put(LINE)
    until_sync(lambda: len(reader.read()) == 5000, 30, "all lines")
    assert writer.dropped.count == 0


def test_nobody_waits_for_the_end_for_ever(reader: Reader, writer: LogWriter) -> None:
    stall(writer, reader)
    began = time.monotonic()
    writer.flush(0.1)
    assert 0.1 <= time.monotonic() - began < 60


def test_who_logs_while_he_logs_is_no_deadlock(reader: Reader, writer: LogWriter) -> None:
    with writer._lock:  # as when garbage is collected in the middle of it
        writer.put("within")
    until_sync(lambda: reader.read() == ["within"], 30, "the line")


def test_what_python_would_say_itself_is_in_the_log() -> None:
    code = """
import threading
from tertulia.telemetry import logs
from tertulia.settings.sections import LogSettings
class Bad:
    def __del__(self): raise ValueError("in a finalizer")
log = logs.begin(LogSettings(format="json"), node="n")
Bad()
def fail(): raise ValueError("in a thread")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
log.flush(60)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=90, check=True)
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(it["logger"], it["level"]) for it in told] == [("python", "error")] * 2
    assert "ValueError: in a finalizer" in told[0]["exception"]
    assert "ValueError: in a thread" in told[1]["exception"]
