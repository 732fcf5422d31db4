"""The lag of the event loop, with a clock that is advanced by hand."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from tertulia.edge.lag import INTERVAL, EventLoopLag, LagTimer
from tertulia.telemetry.metrics import Metrics


def test_in_time_is_no_lag() -> None:
    lag = EventLoopLag(now=100.0, interval=0.5)
    assert lag.due == 100.5
    assert lag.sample(100.5) == 0.0
    assert lag.due == 101.0


def test_a_sample_is_as_late_as_it_comes() -> None:
    lag = EventLoopLag(now=100.0, interval=0.5)
    assert lag.sample(103.0) == 2.5
    assert lag.due == 103.5


def test_a_sample_that_comes_early_is_not_negative() -> None:
    assert EventLoopLag(now=100.0, interval=0.5).sample(100.4) == 0.0


class Loop:
    """An event loop that has a clock and one timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        loop = cast(asyncio.AbstractEventLoop, self)
        self.timers.append(asyncio.TimerHandle(when, callback, (), loop))
        return self.timers[-1]

    def fire(self, late: float = 0.0) -> None:
        timer = self.timers[-1]
        self.now = timer.when() + late
        timer._run()


def test_the_timer_observes_each_sample_until_it_is_stopped() -> None:
    metrics = Metrics(CollectorRegistry(), dialects=(), chats=(), version="0")
    loop = Loop()
    timer = LagTimer(cast(asyncio.AbstractEventLoop, loop), metrics)

    def seen(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"tertulia_event_loop_lag_{name}")

    loop.fire()
    assert seen("seconds_count") == 1
    assert seen("last_seconds") == 0.0
    loop.fire(late=2.0)
    assert seen("seconds_count") == 2
    assert seen("seconds_sum") == pytest.approx(2.0)
    assert seen("last_seconds") == pytest.approx(2.0)
    assert loop.timers[-1].when() == pytest.approx(loop.now + INTERVAL)
    timer.stop()
    assert loop.timers[-1].cancelled()
    assert len(loop.timers) == 3
