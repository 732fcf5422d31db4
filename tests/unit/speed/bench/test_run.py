"""A whole run: turns, rounds, and what is measured again where the load tool was busy."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from speed.bench import generator, run
from speed.bench.cases import Case, Load, Side
from speed.bench.measure import MeasureError
from speed.bench.results import CaseResult, Measured, Tool, is_held_back
from speed.bench.servers import Server
from unit.speed.bench.test_results import NOTHING


def a_server(name: str) -> Server:
    return Server(name=name, start=lambda *_: pytest.fail("nothing is to be started"))


CASE = Case(
    name="it",
    group="",
    title="",
    figure="deliveries",
    load=Load(10),
    sides=(Side(a_server("ours")), Side(a_server("theirs"))),
)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str]]]:
    """Measure nothing: the load tool is as busy as ``busy`` says, with the side of a name."""

    def prepare(busy: dict[str, float], *, can: bool = True) -> list[tuple[str, str]]:
        asked: list[tuple[str, str]] = []

        def measure(_: Case, side: Side, seconds: float, *, tool: Tool) -> Measured:
            asked.append((side.name, tool))
            if tool == "load" and side.name not in busy:
                raise MeasureError("not there")
            share = busy[side.name] if tool == "load" else 0.1
            return msgspec.structs.replace(NOTHING, deliveries=seconds, tool=share, by=tool)

        monkeypatch.setattr(run, "measure", measure)
        monkeypatch.setattr(generator, "can", lambda _: can)
        return asked

    return prepare


def measured(case: Case, rounds: int) -> CaseResult:
    (result,) = run.run([case], 1, rounds, lambda _: None).cases
    return result


def test_sides_take_turns(measuring: Callable[..., list[tuple[str, str]]]) -> None:
    asked = measuring({"ours": 0.5, "theirs": 0.8})
    result = measured(CASE, 2)
    assert asked == [("ours", "load"), ("theirs", "load")] * 2
    assert [len(side.measured) for side in result.sides] == [2, 2]


def test_where_the_tool_was_busy_all_is_measured_again_by_the_generator(
    measuring: Callable[..., list[tuple[str, str]]],
) -> None:
    asked = measuring({"theirs": 0.81})
    result = measured(CASE, 2)
    assert asked == [
        *(("ours", "load"), ("theirs", "load")),
        *[("ours", "generator"), ("theirs", "generator")] * 2,
    ]
    for side in result.sides:
        assert [it.by for it in side.measured] == ["generator"] * 2
        assert side.failed == []


def test_what_the_generator_can_not_do_stays_as_it_is(
    measuring: Callable[..., list[tuple[str, str]]],
) -> None:
    asked = measuring({"ours": 0.9, "theirs": 0.9}, can=False)
    result = measured(CASE, 1)
    assert asked == [("ours", "load"), ("theirs", "load")]
    assert all(is_held_back(side.measured, "deliveries") for side in result.sides)


def test_a_case_may_be_the_generators_from_the_start(
    measuring: Callable[..., list[tuple[str, str]]],
) -> None:
    asked = measuring({})
    measured(replace(CASE, tool="generator"), 1)
    assert asked == [("ours", "generator"), ("theirs", "generator")]
