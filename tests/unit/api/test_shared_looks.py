"""What takes long is looked at by one for all."""

import asyncio

import pytest

from tertulia.api.shared_looks import SharedLooks


class Looking:
    """Somebody who looks, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0
        self.go_on = asyncio.Event()
        self.looks = SharedLooks[int](lambda: self.now)

    async def look(self) -> int:
        self.count += 1
        seen = self.count
        await self.go_on.wait()
        if seen == 9:
            raise ValueError
        return seen

    async def begin(self, key: str = "main") -> "asyncio.Task[int]":
        task = asyncio.create_task(self.looks.at(key, self.look))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task


async def test_one_looks_for_all_and_goes_on_where_the_first_gives_up() -> None:
    it = Looking()
    first, second, other = await it.begin(), await it.begin(), await it.begin("chess")
    first.cancel()
    it.now = 1.0
    it.go_on.set()
    assert (await second, await other) == (1, 2)
    assert first.cancelled()


async def test_a_look_is_good_for_four_times_as_long_as_it_took() -> None:
    it = Looking()
    first = await it.begin()
    it.now = 1.0
    it.go_on.set()
    assert await first == 1
    it.now = 4.9
    assert await it.looks.at("main", it.look) == 1
    it.now = 5.1
    assert await it.looks.at("main", it.look) == 2


async def test_a_quick_one_is_taken_each_time_and_a_failed_one_as_well() -> None:
    it = Looking()
    it.go_on.set()
    assert [await it.looks.at("main", it.look) for _ in range(2)] == [1, 2]
    it.count = 8
    it.go_on.clear()
    failing = await it.begin()
    it.now = 1.0
    it.go_on.set()
    with pytest.raises(ValueError):
        await failing
    assert await it.looks.at("main", it.look) == 10
