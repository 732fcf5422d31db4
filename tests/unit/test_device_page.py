"""The table in docs/protocols/device.md, which leads from each line of the page to code and tests."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cases import each

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service" / "tertulia"
DOCUMENT = (ROOT / "docs/protocols/device.md").read_text()
TABLE = DOCUMENT.partition("## The page, line by line")[2]
SUITE = re.compile(r"\*(\w+)\* is\s+`([^`]+)`|\*(\w+)\*\s+`([^`]+)`")
ROW = re.compile(r"^\| (\d+)(?:–(\d+))? \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)
PAGE = (ROOT / "docs/protocols/source/device.it.txt").read_text().splitlines()
WITHOUT_WORDS = {number for number, line in enumerate(PAGE, 1) if not line.strip()}


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says about some lines of the page."""

    first: int
    last: int
    code: str
    tests: str


ROWS = [
    Row(int(first), int(last or first), code, tests)
    for first, last, _, code, tests in ROW.findall(TABLE)
]
each_row = each("row", ROWS)


@functools.cache
def text_of(path: Path) -> str:
    """Return what is in a file, read once for all rows."""
    return path.read_text()


@functools.cache
def code() -> str:
    """Return the code of the whole package."""
    return "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))


@functools.cache
def suites() -> dict[str, Path]:
    """Return the short names of test files."""
    introduction = TABLE.partition("| # |")[0]
    return {
        one or two: ROOT / "tests" / (where or there)
        for one, where, two, there in SUITE.findall(introduction)
    }


def named_tests(row: Row) -> Iterator[tuple[str, str]]:
    """Yield suite and name of each test that a row names; "the same" are those of the row before."""
    before = ROWS[ROWS.index(row) - 1]
    if "the same" in row.tests:
        yield from named_tests(before)
    suite = ""
    for word, name in re.findall(r"\b(" + "|".join(suites()) + r")\b|`(test_[^`]+)`", row.tests):
        suite = word or suite
        if name:
            yield suite, name


def test_every_line_of_the_page_is_there() -> None:
    covered = [line for row in ROWS for line in range(row.first, row.last + 1)]
    assert sorted({*covered, *WITHOUT_WORDS}) == list(range(1, len(PAGE) + 1))
    assert len(covered) == len(set(covered))


@each_row
def test_the_tests_that_a_line_names_exist(row: Row) -> None:
    named = list(named_tests(row))
    assert named or "survives, all" in row.tests
    for suite, name in named:
        pattern = re.escape(name).replace("…", r"\w+")
        assert re.search(rf"^(?:async )?def {pattern}\(", text_of(suites()[suite]), re.M), name


@each_row
def test_the_code_that_a_line_names_exists(row: Row) -> None:
    names = re.findall(r"`([^`]+)`", row.code)
    assert names
    text = code()
    for name in names:
        if name.endswith((".py", ".lua")):
            (path,) = [it for it in PACKAGE.rglob(Path(name).name) if str(it).endswith(name)]
            text = path.read_text()
        elif "." in name:
            class_name, _, method = name.partition(".")
            assert f"class {class_name}:" in text, name
            assert f"def {method}(" in text, name
        elif len(name) == 1:
            assert f"OPS['{name}'] = function(" in text, name
        else:
            assert re.search(rf"\b{name}\b", text), (name, row)
