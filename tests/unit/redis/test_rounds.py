"""What is done once for all who want it at the same time."""

import asyncio

import pytest

from tertulia.redis.errors import StoreAway
from tertulia.redis.rounds import Rounds
from tertulia.telemetry.metrics import RetryCause


class Work:
    """Something to be done, which ends when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.ends = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def do(self) -> int:
        self.begun += 1
        number = self.begun
        await self.ends.acquire()
        if self.error is not None:
            raise self.error
        return number


async def joined(rounds: Rounds[int], work: Work) -> "asyncio.Task[int]":
    task = asyncio.create_task(rounds.join(work.do))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_who_comes_while_it_is_done_waits_for_the_next_time() -> None:
    rounds, work = Rounds[int](), Work()
    first = await joined(rounds, work)
    others = [await joined(rounds, work) for _ in range(5)]
    assert work.begun == 1
    work.ends.release()
    assert await first == 1
    assert not any(it.done() for it in others)
    work.ends.release()
    assert await asyncio.gather(*others) == [2] * 5
    assert work.begun == 2


async def test_all_learn_that_it_failed_and_it_can_be_done_again() -> None:
    rounds, work = Rounds[int](), Work()
    first = await joined(rounds, work)
    others = [await joined(rounds, work) for _ in range(2)]
    work.error = StoreAway(RetryCause.TIMEOUT, "too late")
    for task in (first, *others):
        work.ends.release()
        with pytest.raises(StoreAway, match="too late") as caught:
            await task
        assert caught.value.cause is RetryCause.TIMEOUT
    work.error = None
    work.ends.release()
    work.ends.release()
    assert await rounds.join(work.do) == 3


@pytest.mark.parametrize("begun", [True, False])
async def test_who_is_cancelled_is_missed_by_nobody(begun: bool) -> None:
    rounds, work = Rounds[int](), Work()
    first = await joined(rounds, work)
    leads, follows, stays = [await joined(rounds, work) for _ in range(3)]
    if begun:
        work.ends.release()
        assert await first == 1
    leads.cancel()
    follows.cancel()
    for _ in range(2):
        work.ends.release()
    assert await first == 1
    assert await stays == 2
