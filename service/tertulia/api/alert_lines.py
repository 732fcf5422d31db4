"""Alerts of Alertmanager as lines of a chat, and the keys under which each is said once.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, FailFast, Field

from tertulia.domain.text import clean

MOST_LINES: Final = 10
"""Alerts of one notification that have a line each."""
MOST_ALERTS: Final = 10_000
MOST_NAMES: Final = 500
"""Labels, and annotations, of one alert."""
MOST_WORD: Final = 80
"""Characters of a name, a place, a severity."""
MOST_SUMMARY: Final = 400
_SAID_OF: Final = ("summary", "description", "message")
"""Annotations that say what is wrong, the best one first."""
_NOT_SHOWN: Final = frozenset({"alertname", "severity", "instance", "job"})
_MOST_LABELS: Final = 4
_SPACE: Final = re.compile(r"[\s\u2028\u2029]+")


def _few(given: object) -> object:
    # Before each of them is looked at: what is wrong with a hundred thousand takes seconds to say.
    if isinstance(given, dict) and len(given) > MOST_NAMES:
        raise ValueError(f"there may be {MOST_NAMES} of them")
    return given


_Named = Annotated[dict[str, str], BeforeValidator(_few)]


class Alert(BaseModel):
    """An alert of a notification."""

    status: Literal["firing", "resolved"]
    labels: _Named = {}
    annotations: _Named = {}
    starts_at: str = Field(alias="startsAt", default="")
    ends_at: str = Field(alias="endsAt", default="")
    fingerprint: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others: the same alert has it in each repetition."""
        named = self.fingerprint or sorted(self.labels.items())
        return _digest(named, self.status, self.starts_at, self.ends_at if self.is_over else "")

    @property
    def is_over(self) -> bool:
        """Whether what it says is no longer so."""
        return self.status == "resolved"


class Notification(BaseModel):
    """What Alertmanager sends, as far as it is read."""

    version: Literal["4"]
    truncated_alerts: Annotated[int, Field(ge=0)] = Field(alias="truncatedAlerts", default=0)
    """Alerts that it has left out, as its ``max_alerts`` says."""
    alerts: Annotated[list[Alert], Field(max_length=MOST_ALERTS), FailFast()]


@dataclass(frozen=True, slots=True)
class AlertLine:
    """Something to say."""

    key: str
    text: str


def lines(told: Notification) -> list[AlertLine]:
    """Return a line for each alert, what fires first; and one for how many more there are."""
    alerts = sorted(told.alerts, key=lambda it: it.is_over)
    shown = [AlertLine(it.key, line(it)) for it in alerts[:MOST_LINES]]
    left = alerts[MOST_LINES:]
    if count := len(left) + told.truncated_alerts:
        shown.append(
            AlertLine(_digest(*(it.key for it in left), count), f"and {count} more alerts")
        )
    return shown


def line(alert: Alert) -> str:
    """Return an alert in one line, without signs that would break it."""
    labels, annotations = alert.labels, alert.annotations
    severity = _short(labels.get("severity", ""), MOST_WORD)
    name = _short(labels.get("alertname", ""), MOST_WORD) or "an alert without a name"
    words = ["RESOLVED" if alert.is_over else "FIRING", *filter(None, [severity]), name]
    if instance := _short(labels.get("instance", ""), MOST_WORD):
        words += ["on", instance]
    summary = next(
        filter(None, (_short(annotations.get(it, ""), MOST_SUMMARY) for it in _SAID_OF)), ""
    )
    text = " ".join(words) + f": {summary or _labels(labels)}".rstrip(": ")
    runbook = _short(annotations.get("runbook_url", ""), MOST_SUMMARY)
    return f"{text} ({runbook})" if runbook and not alert.is_over else text


def _labels(labels: dict[str, str]) -> str:
    rest = sorted(it for it in labels if it not in _NOT_SHOWN)[:_MOST_LABELS]
    return ", ".join(f"{_short(it, MOST_WORD)}={_short(labels[it], MOST_WORD)}" for it in rest)


def _short(text: str, most: int) -> str:
    found = _SPACE.sub(" ", clean(_SPACE.sub(" ", text[: 8 * most]))).strip()
    return found if len(found) <= most else found[: most - 1].rstrip() + "…"


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode(errors="replace")).hexdigest()[:32]
