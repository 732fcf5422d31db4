"""The log: its two forms, what libraries tell, and that nothing in it is raw."""

import io
import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TextIO

import pytest
import structlog

from tertulia.settings.sections import LogSettings
from tertulia.telemetry import logs

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def written(stream: io.StringIO, level: Level = "info", format: Format = "json") -> io.StringIO:
    logs.configure(LogSettings(level=level, format=format), stream)
    return stream


def only_line(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def test_a_json_line_has_when_how_who_and_what() -> None:
    out = written(io.StringIO())
    structlog.get_logger("tertulia.edge").warning("a port is taken", port=1234)
    told = only_line(out)
    assert list(told) == ["timestamp", "level", "logger", "event", "code", "port"]
    assert told["timestamp"].endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(told["timestamp"]) < timedelta(minutes=1)
    assert told["level"] == "warning"
    assert told["logger"] == "tertulia.edge"
    assert told["event"] == "a port is taken"
    assert told["port"] == 1234


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_line_has_the_code_of_its_event_and_a_librarys_has_none(format: Format) -> None:
    out = written(io.StringIO(), format=format)
    structlog.get_logger("tertulia.store.bus").warning("bus lost")
    structlog.get_logger("tertulia.test").info("new, and not in the table")
    logging.getLogger("asyncio").error("bus lost")
    lines = out.getvalue().splitlines()
    codes = ["bus-lost", "other", "other"]
    if format == "json":
        assert [json.loads(line)["code"] for line in lines] == codes
    else:
        assert all(f"code={code}" in line for line, code in zip(lines, codes, strict=True))


class Journal:
    """A stream socket, as journald has one for each service, and what was written to it."""

    def __init__(self) -> None:
        self._reader, writer = socket.socketpair()
        self.stream = writer.makefile("w", encoding="utf-8")
        writer.close()

    @property
    def name(self) -> str:
        found = os.fstat(self.stream.fileno())
        return f"{found.st_dev}:{found.st_ino}"

    def lines(self) -> list[str]:
        self.stream.close()
        with self._reader.makefile(encoding="utf-8") as told:
            return told.read().splitlines()

    def close(self) -> None:
        self.stream.close()
        self._reader.close()


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    journal = Journal()
    monkeypatch.setenv("JOURNAL_STREAM", journal.name)
    yield journal
    journal.close()


def say_at_all_levels(stream: TextIO, format: Format) -> None:
    logs.configure(LogSettings(level="debug", format=format), stream)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("ours"), name)("told")
        getattr(logging.getLogger("theirs"), name)("told")
    logging.getLogger("theirs").critical("told")
    logging.getLogger("theirs").log(25, "told")  # a level of its own


@pytest.mark.parametrize("format", ["auto", "console", "json"])
def test_journald_is_told_each_lines_level(journal: Journal, format: Format) -> None:
    say_at_all_levels(journal.stream, format)
    lines = journal.lines()
    heads = [line[:3] for line in lines]
    assert heads == ["<7>", "<7>", "<6>", "<6>", "<4>", "<4>", "<3>", "<3>", "<2>", "<6>"]
    assert all("told" in line for line in lines)
    if format != "console":
        assert json.loads(lines[-1][3:])["event"] == "told"


@pytest.mark.parametrize("format", ["console", "json"])
def test_journald_is_told_the_level_of_every_line_of_a_traceback(
    journal: Journal, format: Format
) -> None:
    logs.configure(LogSettings(format=format), journal.stream)
    try:
        raise ValueError("no good\nin two lines")
    except ValueError:
        structlog.get_logger().exception("it failed")
        logging.getLogger("x").exception("it failed")
    lines = journal.lines()
    assert len(lines) == 2 if format == "json" else len(lines) > 8
    assert all(line.startswith("<3>") for line in lines)


@pytest.mark.parametrize("value", [None, "", "1:2", "x"])
def test_nobody_else_is_told_levels(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("JOURNAL_STREAM")
    else:
        monkeypatch.setenv("JOURNAL_STREAM", value)
    say_at_all_levels(journal.stream, "json")
    assert all(line.startswith("{") for line in journal.lines())


def test_a_process_that_inherited_the_variable_and_writes_elsewhere_tells_none(
    journal: Journal, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as elsewhere:
        say_at_all_levels(elsewhere, "json")
    assert (tmp_path / "log").read_text().startswith("{")
    say_at_all_levels(memory := io.StringIO(), "json")
    assert memory.getvalue().startswith("{")


def test_a_logger_without_a_name_is_the_services_own() -> None:
    out = written(io.StringIO())
    structlog.get_logger().info("ready")
    assert only_line(out)["logger"] == "tertulia"


def test_a_logger_made_before_is_configured_too() -> None:
    early = structlog.get_logger("early")
    out = written(io.StringIO())
    early.info("ready")
    assert only_line(out)["logger"] == "early"


def test_what_libraries_tell_comes_out_the_same_way() -> None:
    out = written(io.StringIO())
    logging.getLogger("asyncio").error("Task %s was lost", 7)
    told = only_line(out)
    assert told["timestamp"].endswith("Z")
    assert (told["level"], told["logger"], told["event"]) == ("error", "asyncio", "Task 7 was lost")


def test_warnings_of_python_are_logged() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        out = written(io.StringIO())
        warnings.warn("this is old", stacklevel=1)
    assert "this is old" in only_line(out)["event"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "error"]),
        ("info", ["info", "error"]),
        ("warning", ["error"]),
        ("error", ["error"]),
    ],
)
def test_a_level_holds_for_us_and_for_libraries(level: Level, expected: list[str]) -> None:
    for logger in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        out = written(io.StringIO(), level=level)
        logger.debug("debug")
        logger.info("info")
        logger.error("error")
        assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == expected


@pytest.mark.parametrize("by", ["structlog", "logging"])
def test_an_exception_is_in_its_line_without_local_variables(by: str) -> None:
    out = written(io.StringIO())
    logger = structlog.get_logger("x") if by == "structlog" else logging.getLogger("x")
    secret = "hunter" + "2"
    try:
        raise ValueError(f"no good, {len(secret)}")
    except ValueError:
        logger.exception("it failed")
    told = only_line(out)
    assert told["level"] == "error"
    assert "ValueError: no good, 7" in told["exception"]
    assert "hunter2" not in out.getvalue()
    assert "exc_info" not in told


def test_what_is_no_json_is_shown_as_python_does() -> None:
    out = written(io.StringIO())
    structlog.get_logger().info("odd", raw=b"\xff", kind=Level, broken="\udcff")
    assert only_line(out)["raw"] == repr(b"\xff")


def test_auto_is_for_people_on_a_terminal_and_json_elsewhere() -> None:
    terminal, pipe = written(Terminal(), format="auto"), io.StringIO()
    structlog.get_logger().info("on a terminal", port=1)
    written(pipe, format="auto")
    structlog.get_logger().info("through a pipe")
    assert "on a terminal" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert only_line(pipe)["event"] == "through a pipe"


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream, coloured in ((Terminal(), True), (io.StringIO(), False)):
        structlog.reset_defaults()
        written(stream, format="console")
        structlog.get_logger().info("ready")
        assert ("\x1b[" in stream.getvalue()) == coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = written(Terminal(), format="console")
    structlog.get_logger().info("ready")
    assert "\x1b[" not in plain.getvalue()


EVIL = "a\x1b[31mb\r\nc\x00\x9b\u202ed"


@pytest.mark.parametrize("format", ["console", "json"])
def test_nothing_is_written_raw(format: Format) -> None:
    out = written(io.StringIO(), format=format)
    structlog.get_logger().info(EVIL, said=EVIL, listed=[EVIL], raw=EVIL.encode())
    logging.getLogger("x").error("%s", EVIL)
    try:
        raise ValueError(EVIL.replace("\r\n", "\r"))
    except ValueError:
        structlog.get_logger().exception("it failed")
        logging.getLogger("x").exception("it failed")
    for character in "\x1b\r\x00\x9b\u202e":
        assert character not in out.getvalue(), repr(character)
    if format == "json":
        assert len(out.getvalue().splitlines()) == 4


def test_a_log_that_nobody_reads_any_more_stops_nothing() -> None:
    written(Gone())
    structlog.get_logger().info("lost")
    logging.getLogger("x").error("lost")
    closed = written(io.StringIO())
    closed.close()
    structlog.get_logger().info("lost")
    logging.getLogger("x").error("lost")


def test_configuring_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    first = written(io.StringIO())
    second = written(io.StringIO())
    logging.getLogger("x").error("once")
    assert first.getvalue() == ""
    assert only_line(second)["event"] == "once"
    logs.configure(LogSettings(format="json"))
    structlog.get_logger().info("to standard error")
    told = capsys.readouterr()
    assert told.out == ""
    assert json.loads(told.err)["event"] == "to standard error"
