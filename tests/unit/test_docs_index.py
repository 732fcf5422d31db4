"""The map of the docs calls each page as it calls itself: the site's menu shows the page's own name."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_map_calls_every_page_as_it_calls_itself() -> None:
    named = re.findall(r"^- \[(.+?)\]\(([\w./-]+\.md)\)", (DOCS / "index.md").read_text(), re.M)
    assert len(named) > 30
    titles = {page: (DOCS / page).read_text().partition("\n")[0] for _, page in named}
    assert titles == {page: f"# {name}" for name, page in named}
