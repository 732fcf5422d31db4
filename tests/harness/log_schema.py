"""The log as its document describes it."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "logs.md"
COMMON = {"timestamp", "level", "logger", "event", "code", "node", "exception"}
OURS = ("tertulia", "python")
"""What the loggers of documented lines begin with."""
OTHER = "other"
"""The code of all other lines."""
TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "number": float}


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the events."""

    code: str
    level: str
    fields: frozenset[str]


@functools.cache
def events() -> dict[str, Event]:
    """Return all documented events by name."""
    found = {}
    for code, event, level, fields, meaning in _rows("events", 5):
        (name,), (word,) = _names(event), _names(code)
        assert name not in found, f"{name} is there twice"
        assert meaning, name
        found[name] = Event(word, level, frozenset(_names(fields)))
    return found


@functools.cache
def fields() -> dict[str, type]:
    """Return the type of each documented field."""
    found = {}
    for names, kinds, meaning in _rows("fields", 3):
        assert meaning, names
        each = [TYPES[kind] for kind in kinds.split(", ")]
        for i, name in enumerate(_names(names)):
            assert name not in found, f"{name} is there twice"
            found[name] = each[min(i, len(each) - 1)]
    return found


def problems(line: dict[str, Any]) -> list[str]:
    """Return how a line of a node differs from what is documented."""
    if not line["logger"].startswith(OURS):
        return [] if line["code"] == OTHER else [f"the code of a library is {line['code']}"]
    event = events().get(line["event"])
    if event is None:
        return [f"{line['event']} is not documented"]
    own = line.keys() - COMMON
    wrong = [f"{name} is not documented" for name in own - event.fields]
    wrong += [f"{name} is missing" for name in event.fields - own]
    wrong += [f"{name} is missing" for name in COMMON - {"exception"} - line.keys()]
    if line.get("code") != event.code:
        wrong.append(f"the code is {line.get('code')}, not {event.code}")
    if line["level"] != event.level:
        wrong.append(f"the level is {line['level']}, not {event.level}")
    types = fields()
    for name in own & types.keys():
        if line[name] is not None and type(line[name]) is not types[name]:
            wrong.append(f"{name} is {line[name]!r}")
    return [f"{line['event']}: {it}" for it in wrong]


def _rows(part: str, columns: int) -> list[list[str]]:
    text = DOCUMENT.read_text()
    table = text.partition(f"<!-- {part} -->\n")[2].partition(f"<!-- /{part} -->")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert rows
    assert all(len(row) == columns for row in rows), rows
    return rows


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
