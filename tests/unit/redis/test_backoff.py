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


async def test_waits_double_up_to_a_bound_with_jitter(waits: list[float]) -> None:
    backoff = Backoff()
    for _ in range(12):
        await backoff.wait()
    longest = [0.0] + [min(Backoff.LONGEST, Backoff.FIRST * 2**i) for i in range(11)]
    assert longest[-1] == Backoff.LONGEST
    for waited, most in zip(waits, longest, strict=True):
        assert most / 2 <= waited <= most
    jitter = {waited / most for waited, most in zip(waits[1:], longest[1:], strict=True)}
    assert len(jitter) > 5, "nodes would come back all at once"


async def test_after_an_answer_it_begins_anew_with_no_wait(waits: list[float]) -> None:
    backoff = Backoff()
    for _ in range(5):
        await backoff.wait()
    backoff.reset()
    await backoff.wait()
    await backoff.wait()
    assert waits[-2] == 0.0
    assert waits[-1] <= Backoff.FIRST
