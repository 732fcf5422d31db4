"""The log: its two forms, what libraries tell, and that nothing in it is raw."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
import structlog

from tertulia import logs
from tertulia.settings import LogSettings

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
    assert list(told) == ["timestamp", "level", "logger", "event", "port"]
    assert told["timestamp"].endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(told["timestamp"]) < timedelta(minutes=1)
    assert told["level"] == "warning"
    assert told["logger"] == "tertulia.edge"
    assert told["event"] == "a port is taken"
    assert told["port"] == 1234


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
