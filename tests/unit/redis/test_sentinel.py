"""Which Sentinel is believed, and how long the others are waited for."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.loop_time import leaping
from tertulia.redis.access import Access, Server
from tertulia.redis.errors import StoreAway
from tertulia.redis.sentinel import Sentinels
from tertulia.telemetry.metrics import RetryCause

OLD, NEW = Server("old", 6379), Server("new", 6379)
SOON, LATER, LATE, NEVER = 0.0, 0.001, 0.15, 3600.0
WITHIN = 30.0
Answer = tuple[float, StoreAway | tuple[int, Server]]
"""After how many seconds there is one, and what it is."""
AWAY = StoreAway(RetryCause.CONNECTION, "nothing listens there")
STRANGE = StoreAway(RetryCause.OTHER, "what answers there is no Sentinel")


class Answering(Sentinels):
    """Sentinels that answer as the test says."""

    def __init__(self, *answers: Answer) -> None:
        hosts = ",".join(f"sentinel-{number}" for number in range(len(answers)))
        super().__init__(Access.to(f"redis+sentinel://{hosts}/main"), 1.0)
        self.answers = dict(zip(self._sentinels, answers, strict=True))
        self.given_up = 0

    async def _ask(self, sentinel: Server) -> tuple[int, Server]:
        seconds, answer = self.answers[sentinel]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if isinstance(answer, StoreAway):
            raise answer
        return answer


@pytest.fixture(autouse=True)
async def _nobody_is_late() -> AsyncIterator[None]:
    with leaping():
        yield


@pytest.mark.parametrize(
    ("answers", "master", "given_up"),
    [
        ([(SOON, (3, NEW)), (SOON, (2, OLD)), (SOON, (2, OLD))], NEW, 0),
        ([(SOON, (2, OLD)), (SOON, (2, OLD)), (LATER, (3, NEW))], NEW, 0),  # it has a moment more
        (
            [(SOON, (2, OLD)), (LATE, (3, NEW)), (NEVER, (4, OLD))],
            NEW,
            1,
        ),  # one alone is not believed
        ([(SOON, (2, OLD)), (SOON, AWAY), (SOON, AWAY)], OLD, 0),  # as nobody else answers
    ],
)
async def test_who_knows_of_the_latest_failover_is_believed(
    answers: list[Answer], master: Server, given_up: int
) -> None:
    sentinels = Answering(*answers)
    assert await asyncio.wait_for(sentinels.find(), WITHIN) == master
    assert sentinels.given_up == given_up
    assert await sentinels.successor(master) is None
    assert await sentinels.successor(Server("another", 6379)) == master


async def test_what_waiting_does_not_help_is_told_first() -> None:
    with pytest.raises(StoreAway, match="no Sentinel"):
        await Answering((SOON, AWAY), (LATER, STRANGE), (SOON, AWAY)).find()
    with pytest.raises(StoreAway, match="nothing listens"):
        await Answering((SOON, AWAY), (SOON, AWAY)).find()
    assert await Answering((SOON, AWAY)).successor(NEW) is None


async def test_who_asks_can_be_cancelled() -> None:
    sentinels = Answering((NEVER, (1, OLD)), (NEVER, (1, OLD)))
    asking = asyncio.create_task(sentinels.find())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert sentinels.given_up == 2
