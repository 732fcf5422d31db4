"""What code and tests cite of docs/ is there; what the protocols' pages say of settings and sources is so."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cases import each
from tertulia.settings.sections import LimitSettings

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "protocols"
SOURCES = PAGES / "source"
CITED = re.compile(r'\bdocs/[\w./-]+\.(?:md|txt)\b(?:, "[^"\n]+"(?: and "[^"\n]+")*)?')
LIMIT = re.compile(r"`limits\.(\w+)` \(([\d,]+)(?: (KiB|MiB))?\)")
UNITS = {"": 1, "KiB": 1024, "MiB": 1024 * 1024}
SECTION = re.compile(r'"([^"]+)"')
HASH = re.compile(r"^\| \[(\S+\.txt)\]\(\1\) .* `([0-9a-f]{64})` \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Citation:
    """What a file says about a page, and where."""

    where: str
    words: str


def citations() -> Iterator[Citation]:
    """Yield each once for each file that has it."""
    for folder in ("service", "load", "tests", "deploy"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for words in sorted(set(CITED.findall(file.read_text()))):
                yield Citation(str(file.relative_to(ROOT)), words)


def sections(page: Path) -> set[str]:
    """Return a page's headings, without the signs of Markdown."""
    return {
        line.lstrip("#").strip().replace("`", "")
        for line in page.read_text().splitlines()
        if line.startswith("#")
    }


@each("citation", list(citations()))
def test_what_is_cited_is_there(citation: Citation) -> None:
    path, _, named = citation.words.partition(",")
    page = ROOT / path
    assert page.is_file(), citation
    assert set(SECTION.findall(named)) <= sections(page), citation


def test_no_docstring_cites_a_page_without_its_place() -> None:
    vague = re.compile(r"Source: (?:the (?:page|protocol)|a page)")
    found = [it for it in (ROOT / "service").rglob("*.py") if vague.search(it.read_text())]
    assert not found


def test_the_original_pages_are_as_they_came() -> None:
    told = dict(HASH.findall((SOURCES / "README.md").read_text()))
    kept = {it.name: hashlib.sha256(it.read_bytes()).hexdigest() for it in SOURCES.glob("*.txt")}
    assert len(kept) == 3
    assert told == kept


def test_the_limits_that_the_pages_tell_are_the_defaults() -> None:
    limits, told = LimitSettings(), set()
    for page in sorted(PAGES.glob("*.md")):
        for name, number, unit in LIMIT.findall(page.read_text()):
            value = int(number.replace(",", "")) * UNITS[unit]
            assert getattr(limits, name) == value, (page.name, name)
            told.add(name)
    assert len(told) > 8, "the pattern finds none"
