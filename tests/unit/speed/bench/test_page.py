"""The benchmark's page and pictures, from results as they are kept."""

from pathlib import Path

import msgspec
import pytest

from speed.bench import page
from speed.bench.cases import everything
from speed.bench.results import CaseResult, Results, SideResult
from unit.speed.bench.test_results import NOTHING


@pytest.fixture
def results() -> Results:
    """Return results of all cases, the same for everybody."""
    measured = msgspec.structs.replace(
        NOTHING,
        deliveries=1e6,
        messages=1e4,
        cpu={"node": 1.5, "redis": 0.5},
        p50=1.0,
        p99=2.0,
        p99_9=3.0,
        longest=4.0,
        join_seconds=2.0,
        memory={"node": 2000.0},
    )
    return Results(
        began="2026-11-21T12:00:00+00:00",
        seconds=600,
        seconds_each=2,
        rounds=2,
        machine={"CPU": "one"},
        versions={"tertulia": "0"},
        missing=["ngIRCd: no ngircd here: apt-get install ngircd"],
        cases=[
            CaseResult(
                name=it.name,
                group=it.group,
                title=it.title,
                figure=it.figure,
                sides=[SideResult(name=each.name, measured=[measured]) for each in it.sides],
            )
            for it in everything()
        ],
    )


@pytest.mark.slow
def test_the_page_has_every_case_and_every_picture(results: Results, tmp_path: Path) -> None:
    from speed.bench import plots  # here, as matplotlib takes a second to import

    pictures = plots.draw(results, tmp_path)
    page.write(results, pictures, 1000, tmp_path)
    written = (tmp_path / "README.md").read_text()
    assert "## At a glance" in written
    for case in results.cases:
        assert f"(`{case.name}`)" in written
    for name in pictures:
        assert f"({name}.png)" in written
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()
    assert len(pictures) == 6
    assert "- ngIRCd: no ngircd here: apt-get install ngircd" in written
    assert page.NOTES not in written
    (tmp_path / page.NOTES).write_text("By hand.")
    page.write(results, pictures, 1000, tmp_path)
    assert f"({page.NOTES})" in (tmp_path / "README.md").read_text()


def test_results_are_read_as_they_were_written(results: Results) -> None:
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results
