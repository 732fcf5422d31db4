"""Times, as people type and read them."""

from datetime import UTC, datetime

import pytest

from harness.cases import each
from tertulia.clients.admin.durations import ago, iso, local, moment, span

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800), ("1w", 604_800), ("1h30m", 5_400)],
)
def test_spans(text: str, seconds: int) -> None:
    assert span(text) == seconds


@each("text", ["", "2", "h", "2 h", "-2h", "1.5h", "2H", "0s", "200w0", "9999w", "2h\n", "²h"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="like 90s"):
        span(text)


def test_moments() -> None:
    assert moment("2h", NOW) == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert moment("2026-11-21T03:00:00Z", NOW) == datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert moment("2026-11-21 03:00", NOW) == datetime(2026, 11, 21, 3).astimezone()
    for wrong in ("", "yesterday", "2026-13-01", "0001-01-01"):
        with pytest.raises(ValueError, match="like 2h"):
            moment(wrong, NOW)


def test_how_they_read() -> None:
    assert iso(1_795_222_515_007) == "2026-11-21T00:55:15.007Z"
    assert iso(None) is None
    assert local(None) == "-"
    assert len(local(1_795_222_515_007)) == len("2026-11-21 00:55:15")
    assert [ago(it * 1000) for it in (-5, 0, 59, 60, 3_661, 90_000)] == [
        *("0s", "0s", "59s", "1m", "1h1m", "1d1h"),
    ]
