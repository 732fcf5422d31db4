"""The probe's page, its file, and what its command takes."""

import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from tertulia import cli
from tertulia.clients.probe.page import Page
from tertulia.clients.probe.visit import Passage, Stage, Visit, way, ways
from tertulia.clients.targets import TargetError
from tertulia.telemetry.metric_text import rows

METRICS = Path(__file__).parents[4] / "docs" / "metrics.md"
WORKED = Visit(
    [
        Passage(way("chatte=[::1]:1230"), {Stage.CONNECT: 0.5, Stage.ENTER: 1.5, Stage.READ: 2.5}),
        Passage(way("browser+tls=chat.example.org:8443"), {Stage.CONNECT: 3.0}, 1_800_000_000.0),
    ],
    ended=1_790_000_000.0,
)
FAILED = Visit(
    [Passage(way("chatte=[::1]:1230"), {Stage.CONNECT: 0.5})], "it is away", 1_790_000_015.0
)


def values(page: Page) -> dict[tuple[str, ...], float]:
    """Return the values by name, number of the way and its address."""
    return {
        (
            it.name.removeprefix("tertulia_probe_"),
            *(it.labels[label] for label in ("way", "address") if label in it.labels),
        ): it.value
        for family in text_string_to_metric_families(page.text().decode())
        for it in family.samples
    }


def test_each_stage_that_was_passed_has_its_time() -> None:
    page = Page()
    page.show(WORKED)
    one, two = ("1", "chatte=[::1]:1230"), ("2", "browser+tls=chat.example.org:8443")
    assert values(page) == {
        ("success",): 1,
        ("ended_timestamp_seconds",): 1_790_000_000,
        ("connect_seconds", *one): 0.5,
        ("connect_seconds", *two): 3,
        ("enter_seconds", *one): 1.5,
        ("read_seconds", *one): 2.5,
        ("certificate_expiry_timestamp_seconds", *two): 1_800_000_000,
    }


def test_what_a_visit_did_not_come_to_has_no_value_of_an_earlier_one() -> None:
    page = Page()
    page.show(WORKED)
    page.show(FAILED)
    assert values(page) == {
        ("success",): 0,
        ("ended_timestamp_seconds",): 1_790_000_015,
        ("connect_seconds", "1", "chatte=[::1]:1230"): 0.5,
    }


def test_a_file_is_written_as_a_whole_for_others_to_read(tmp_path: Path) -> None:
    page = Page()
    page.show(WORKED)
    file = tmp_path / "probe.prom"
    file.write_text("old")
    with file.open() as reading:
        page.write(file)
        assert reading.read() == "old", "not changed under who reads it"
    assert file.read_bytes() == page.text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    with pytest.raises(OSError, match="directory"):
        page.write(tmp_path / "away" / "probe.prom")
    assert [it.name for it in tmp_path.iterdir()] == ["probe.prom"]


def test_the_metrics_page_has_the_table() -> None:
    told = re.search(r"<!-- probe -->\n(.*?)<!-- /probe -->", METRICS.read_text(), re.DOTALL)
    page = Page()
    page.show(WORKED)
    assert told
    assert told[1].splitlines()[2:] == list(rows(page.registry))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["chatte"], "should be DIALECT=HOST:PORT"),
        (["device=a:4242"], "there is no dialect 'device'; there are chatte, chatte+tls,"),
        (["chatte=a:0"], "is no port"),
        (["protocollo=a:6789"], "nobody reads his own words in protocollo: give a second address"),
    ],
)
def test_a_wrong_address_is_told(given: list[str], problem: str) -> None:
    with pytest.raises(TargetError, match=re.escape(problem)):
        ways(given)


def test_a_way_is_shown_as_it_was_given() -> None:
    for given in ("chatte=[::1]:1230", "browser+tls=chat.example.org:8443"):
        assert str(way(given)) == given


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--listen", "127.0.0.1:9465"], "give --every as well"),
        (["--every", "15", "--prometheus"], "leave --every out"),
        (["--every", "15", "--listen", "9465"], "should be HOST:PORT"),
        (["--nickname", "a b"], "should be a letter"),
        (["--nickname", "x" * 28], "should be a letter"),
        (["--timeout", "0"], "is not in the range"),
        (["--ca-file", __file__], "holds no certificate"),
    ],
)
def test_a_wrong_option_is_told(options: list[str], problem: str) -> None:
    done = CliRunner().invoke(cli.main, ["probe", "chatte=127.0.0.1:1", *options])
    assert done.exit_code == 2
    assert problem in re.sub(r"\s+", " ", done.output)
