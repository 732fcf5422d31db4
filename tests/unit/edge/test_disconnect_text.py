"""docs/disconnects.md says why connections end, how people read of it, and what to do."""

import re
from pathlib import Path

from tertulia.domain.disconnects import Disconnect
from tertulia.edge.disconnect_text import last_words, reasons

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "disconnects.md").read_text()


def told(name: str) -> str:
    (found,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE, re.DOTALL)
    assert isinstance(found, str)
    return found


def test_the_page_has_the_tables_as_they_are_printed() -> None:
    assert told("reasons") == reasons(), "run tertulia disconnects"
    assert told("words") == last_words(), "run tertulia disconnects"


def test_every_reason_is_there() -> None:
    assert re.findall(r"^\| `(\w+)` ", reasons(), re.M) == [it.label for it in Disconnect]


def test_the_chapters_of_the_runbook_that_it_names_are_there() -> None:
    chapters = re.findall(r"^## (\w+)$", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    named = re.findall(r"\[(\w+)\]\(runbook\.md#(\w+)\)", reasons())
    assert named and all(name in chapters and name.lower() == anchor for name, anchor in named)


def test_last_words_are_those_of_each_wording() -> None:
    row = next(it for it in last_words().splitlines() if it.startswith("| `displaced` |"))
    assert "`102 G Your nickname went to another connection.`" in row
    assert " | `ERROR :Closing link (Your nickname went to another connection)` | " in row
    assert row.count("è passato a un'altra connessione`, `close`") == 2, "classic is Latin-1"
    assert row.endswith(" | Your name is in use in another window or on another device now. |")
