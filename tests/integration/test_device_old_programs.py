"""Whole conversations of devices that do as their author's program does, on two nodes."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from harness.device_chat import Chat, Cluster, both_framings, running_cluster
from harness.device_client import Framing
from harness.old_device import OldDevice, live, talk

MEETINGS = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture
def here(cluster: Cluster) -> Chat:
    return cluster.emptied()


@pytest.fixture
async def three(here: Chat, framing: Framing) -> AsyncIterator[list[OldDevice]]:
    """Three who are signed up, each of whom takes the two nodes in turn."""
    names = ("anna", "bruno", "carla")
    devices = [OldDevice(name, here.ports, framing) for name in names]
    for device in devices:
        await device.signs_up()
    yield devices
    for device in devices:
        device.ends()


# Meeting again


@both_framings
@pytest.mark.parametrize("first", ["the same first", "the other first", "in turns"])
async def test_two_meet_again_as_if_for_the_first_time(three: list[OldDevice], first: str) -> None:
    """Neither ever says that it left."""
    anna, bruno, _ = three
    for meeting in range(MEETINGS):
        turned = first == "the other first" or (first == "in turns" and meeting % 2)
        waits, comes = (bruno, anna) if turned and meeting else (anna, bruno)
        await talk(waits, comes)


@both_framings
async def test_two_who_enter_again_at_once_meet_every_time(three: list[OldDevice]) -> None:
    """One waits and one dials; never two of either."""
    anna, bruno, _ = three
    for _ in range(20):
        one, two = await asyncio.gather(anna.chats("bruno"), bruno.chats("anna"))
        answers = {one.answer, two.answer}
        if one.answer == 1:
            assert answers == {1, anna.port}
            assert await one.told() == bruno.port
        else:
            assert answers == {1, bruno.port}
            assert await two.told() == anna.port
        await one.closes()
        await two.closes()


@both_framings
async def test_who_was_killed_before_it_heard_is_waited_for(three: list[OldDevice]) -> None:
    """The other dialled in vain, and enters again: it waits; so would the killed one, had it come first."""
    anna, bruno, _ = three
    for back, other in ((bruno, anna), (anna, bruno)):
        waiting = await anna.chats("bruno")
        assert waiting.answer == 1
        came = await bruno.chats("anna")
        assert came.answer == anna.port
        waiting.device.reset()
        await came.closes()
        again = await back.chats(other.name)
        assert again.answer == 1
        again.leave("ci sei?")
        met = await other.chats(back.name)
        assert met.answer == back.port
        assert await again.told() == other.port
        await again.closes()
        await met.closes()
        assert [*met.shown, *await other.shows(back.name)] == ["ci sei?"]


@both_framings
async def test_a_third_who_enters_waits_and_takes_nobody_s_place(three: list[OldDevice]) -> None:
    anna, bruno, carla = three
    first, second = await live(anna, bruno)
    third = await carla.chats("anna")
    assert third.answer == 1
    third.leave("quando hai finito?")
    await first.closes()
    await second.closes()
    # Anna goes to whom she likes: carla still waits, and bruno is as any other.
    again = await anna.chats("bruno")
    assert again.answer == 1
    await again.quits()
    met = await anna.chats("carla")
    assert met.answer == carla.port
    assert await third.told() == anna.port
    await met.closes()
    await third.closes()
    assert [*met.shown, *await anna.shows("carla")] == ["quando hai finito?"]
