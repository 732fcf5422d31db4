"""How long Redis is left in peace: not at all the first time, then ever longer, never long."""

import asyncio

import pytest

from tertulia.redis.backoff import Backoff


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long is waited, and don't."""
    seen: list[float] = []

    async def sleep(seconds: float) -> None:
        seen.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seen


async def test_the_first_time_is_at_once(waits: list[float]) -> None:
    await Backoff().wait()
    assert waits == [0.0]


async def test_waits_double_up_to_a_bound_with_jitter(waits: list[float]) -> None:
    backoff = Backoff()
    for _ in range(12):
        await backoff.wait()
    longest = [0.0] + [min(Backoff.LONGEST, Backoff.FIRST * 2**i) for i in range(11)]
    assert longest[-1] == Backoff.LONGEST
    for waited, most in zip(waits, longest, strict=True):
        assert most / 2 <= waited <= most


async def test_nodes_do_not_come_back_all_at_once(waits: list[float]) -> None:
    for _ in range(20):
        backoff = Backoff()
        for _ in range(5):
            await backoff.wait()
    assert len(set(waits[4::5])) > 10


async def test_after_an_answer_it_begins_anew(waits: list[float]) -> None:
    backoff = Backoff()
    for _ in range(5):
        await backoff.wait()
    backoff.reset()
    await backoff.wait()
    assert waits[-1] == 0.0
    await backoff.wait()
    assert waits[-1] <= Backoff.FIRST
