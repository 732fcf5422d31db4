"""What is counted of webhooks, and that docs/metrics.md says so."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from tertulia.api.webhooks.tallies import Tallies, Tally
from tertulia.api.webhooks.trying import TryOutcome
from tertulia.telemetry.metric_text import rows

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"


def registry_of(*tallies: Tally) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Tallies(lambda: tallies, clock=lambda: 1000.0))
    return registry


def test_the_page_has_them() -> None:
    tally = Tally("main", "x")
    tally.is_relayed = True
    (told,) = re.findall(r"<!-- webhooks -->\n(.*?)<!-- /webhooks -->", PAGE.read_text(), re.S)
    head = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    assert told.splitlines() == [*head, *rows(registry_of(tally))]


def test_only_who_relays_a_webhook_says_how_far_it_is_behind() -> None:
    here, there = Tally("main", "here"), Tally("main", "there")
    here.is_relayed = True
    here.waiting = {"ops": 990.0, "lobby": 940.0}
    here.tries[TryOutcome.DEAD] += 2
    registry = registry_of(here, there)

    def value(name: str, hook: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"chat": "main", "hook": hook, **labels})

    assert value("tertulia_webhook_behind_seconds", "here") == 60
    assert value("tertulia_webhook_behind_seconds", "there") is None
    assert value("tertulia_webhook_relayed", "there") == 0
    assert value("tertulia_webhook_dead_letters_total", "here") == 2
    assert value("tertulia_webhook_tries_total", "here", outcome="dead") == 2
    assert value("tertulia_webhook_tries_total", "there", outcome="delivered") == 0
    here.waiting.clear()
    assert value("tertulia_webhook_behind_seconds", "here") == 0
