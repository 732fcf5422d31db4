"""docs/settings.md says what there is to set."""

import re
from pathlib import Path

from tertulia.settings.text import table

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_has_the_table_as_it_is_printed() -> None:
    (told,) = re.findall(r"<!-- settings -->\n(.*?)<!-- /settings -->", PAGE.read_text(), re.DOTALL)
    assert told == table(), "run tertulia settings"
