"""docs/metrics.md says what there is."""

import re
from pathlib import Path

from tertulia.telemetry.metric_text import table

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_has_the_table_as_it_is_printed() -> None:
    (told,) = re.findall(r"<!-- metrics -->\n(.*?)<!-- /metrics -->", PAGE.read_text(), re.DOTALL)
    assert told == table(), "run tertulia metrics"


def test_every_metric_has_a_meaning() -> None:
    for row in table().splitlines()[2:]:
        name, kind, _, meaning = (it.strip() for it in row.strip("|").split("|"))
        assert name.startswith("`tertulia_") and kind and meaning.endswith("."), row
