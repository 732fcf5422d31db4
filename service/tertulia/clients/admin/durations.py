"""Spans and moments of time, as people type and read them."""

import re
from datetime import UTC, datetime

from tertulia.domain.operator_commands import LONGEST_SECONDS

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PARTS = re.compile(r"(\d{1,9})([smhdw])")


def span(text: str) -> int:
    """Return how many seconds ``90s``, ``15m``, ``2h``, ``7d``, ``1w`` or ``1h30m`` is.

    Raises ValueError with what would be right.
    """
    parts = _PARTS.findall(text)
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if (
        "".join(number + unit for number, unit in parts) != text
        or not 0 < seconds <= LONGEST_SECONDS
    ):
        raise ValueError(f"{text!a} should be a span of time, like 90s, 15m, 2h, 7d, 1w or 1h30m")
    return seconds


def moment(text: str, now: datetime) -> datetime:
    """Understand ``2h`` (ago) or ``2026-11-21T03:00`` (local time, unless it says which).

    ``now`` has a zone. Raises ValueError with what would be right.
    """
    try:
        return datetime.fromtimestamp(now.timestamp() - span(text), UTC)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!a} should be a span of time, like 2h, or a moment, like 2026-11-21T03:00"
        ) from None


def local(milliseconds: int | None) -> str:
    """Return a moment as people read it: local time, to the second."""
    if milliseconds is None:
        return "-"
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def iso(milliseconds: int | None) -> str | None:
    """Return a moment as programs read it: ISO 8601, UTC, to the millisecond."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def ago(milliseconds: int) -> str:
    """Return how long something takes or took, in its largest unit or two."""
    seconds = max(0, milliseconds // 1000)
    for unit, size, next_unit, next_size in (
        ("d", 86_400, "h", 3_600),
        ("h", 3_600, "m", 60),
        ("m", 60, "s", 1),
    ):
        if seconds >= size:
            rest = seconds % size // next_size
            return f"{seconds // size}{unit}" + (f"{rest}{next_unit}" if rest else "")
    return f"{seconds}s"
