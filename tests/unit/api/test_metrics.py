"""docs/metrics.md says what the API counts."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from tertulia.api.metrics import METHODS, NO_ROUTE, OTHER_METHOD, ApiMetrics
from tertulia.telemetry.metric_text import rows

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_has_every_metric() -> None:
    registry = CollectorRegistry()
    metrics = ApiMetrics(registry)
    metrics.requests.labels(NO_ROUTE, METHODS[0], "2xx")
    metrics.request_duration.labels(NO_ROUTE)
    assert OTHER_METHOD not in METHODS
    (told,) = re.findall(
        r"<!-- api metrics -->\n(.*?)<!-- /api metrics -->", PAGE.read_text(), re.S
    )
    assert told.splitlines()[2:] == list(rows(registry))
