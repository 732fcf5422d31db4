"""The log's document: every event of the code is in it as it is, and nothing that is not in the code."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tertulia
from harness import log_schema
from tertulia.telemetry.log_codes import CODES, OTHER

SOURCE = Path(tertulia.__file__).parent
RUNBOOK = log_schema.DOCUMENT.with_name("runbook.md")
LONGEST_CODE = 24
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
}
HIDDEN = {"exc_info"}
"""Arguments that become something else."""


@dataclass(frozen=True, slots=True)
class Call:
    """A place in the code that logs something."""

    place: str
    event: str
    level: str
    fields: frozenset[str]


def code_with(words: str) -> Iterator[tuple[Path, ast.AST]]:
    """Go through the code of all files that have these words somewhere: reading code takes time."""
    for file in sorted(SOURCE.rglob("*.py")):
        if words in (text := file.read_text()):
            for node in ast.walk(ast.parse(text)):
                yield file, node


@functools.cache
def calls() -> list[Call]:
    """Find every call of a logger; raises AssertionError for one that hides what it logs."""
    return list(_calls())


def _calls() -> Iterator[Call]:
    for file, node in code_with("log."):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        whom = node.func.value
        name = getattr(whom, "id", getattr(whom, "attr", ""))
        if name not in ("log", "_log") or node.func.attr not in LEVELS:
            continue
        place = f"{file.relative_to(SOURCE)}:{node.lineno}"
        assert len(node.args) == 1, f"{place}: one event, everything else by name"
        event = node.args[0]
        assert isinstance(event, ast.Constant), f"{place}: an event is a constant"
        named = [it.arg for it in node.keywords]
        assert None not in named, f"{place}: name the fields one by one"
        yield Call(
            place,
            str(event.value),
            LEVELS[node.func.attr],
            frozenset(it for it in named if it) - HIDDEN,
        )


def test_every_event_of_the_code_is_documented_with_its_level_and_fields() -> None:
    documented = log_schema.events()
    for call in calls():
        assert call.event in documented, f"{call.place}: put {call.event!r} into docs/logs.md"
        event = documented[call.event]
        assert (event.level, event.fields) == (call.level, call.fields), call.place


def test_nothing_is_documented_that_nobody_logs() -> None:
    assert log_schema.events().keys() == {call.event for call in calls()}


def test_every_line_has_the_code_that_is_documented_and_no_other() -> None:
    documented = {event: it.code for event, it in log_schema.events().items()}
    assert dict(CODES) == documented, "docs/logs.md is what others keep to: codes stay as they are"


def test_no_two_kinds_of_lines_have_one_code() -> None:
    codes = [*CODES.values(), OTHER]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", it) and len(it) <= LONGEST_CODE for it in codes)
    assert OTHER == log_schema.OTHER


def test_the_runbook_looks_for_codes_that_there_are() -> None:
    named = re.findall(r'"code": "([^"]*)"', RUNBOOK.read_text())
    assert named
    assert set(named) <= set(CODES.values())


def test_every_field_is_explained_and_used() -> None:
    used = {name for event in log_schema.events().values() for name in event.fields}
    assert log_schema.fields().keys() == used


def test_loggers_are_called_log_so_that_they_are_found_here() -> None:
    for file, node in code_with("get_logger"):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if ast.unparse(node.value.func) == "structlog.get_logger":
            assert {ast.unparse(it) for it in node.targets} <= {"log", "_log"}, file
