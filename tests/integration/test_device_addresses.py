"""Operation 12 of the dialect device: who is told where somebody's device is, as `device_addresses` says."""

from collections.abc import Iterator

import pytest

from harness.device_chat import Chat, Cluster, both_framings, converse, hold, running_cluster
from harness.device_client import Framing, chat

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("nodes")
    with running_cluster(folder, ACCOUNTS__DEVICE_ADDRESSES="answered") as cluster:
        yield cluster


@pytest.fixture
def here(cluster: Cluster) -> Chat:
    return cluster.emptied()


async def told(here: Chat, framing: Framing, me: str, user: str, host: str) -> None:
    """Ask on either node; it is an empty string that refuses."""
    for port in here.ports:
        await hold(port, framing, converse((12, 1), (me, 1), (user, host)))


@both_framings
async def test_who_waits_for_somebody_that_never_answered_is_not_told_where_it_is(
    here: Chat, framing: Framing
) -> None:
    await here.users("anna", "bruno")
    anna, answer = await chat(here.ports[0], "anna", "bruno")
    assert answer == 1
    await told(here, framing, "anna", "bruno", "")
    await told(here, framing, "bruno", "anna", HERE)  # she has come to him
    assert await anna.close() == b""


@both_framings
async def test_who_were_brought_together_are_told_of_each_other(
    here: Chat, framing: Framing
) -> None:
    """Whoever is dialled can ask who that is, also long after: the place itself is used up."""
    await here.users("anna", "bruno", "carla")
    anna, answer = await chat(here.ports[0], "anna", "bruno")
    assert answer == 1
    bruno, answer = await chat(here.ports[1], "bruno", "anna")
    assert answer == 5001
    assert await anna.integer() == 5002
    for device in (anna, bruno):
        await device.close()
    await told(here, framing, "anna", "bruno", HERE)
    await told(here, framing, "bruno", "anna", HERE)
    await told(here, framing, "carla", "anna", "")


@both_framings
async def test_who_asks_somebody_in_is_told_when_it_has_come(here: Chat, framing: Framing) -> None:
    await here.users("anna", "bruno", "carla")
    anna, _ = await chat(here.ports[0], "anna", "bruno")
    bruno, _ = await chat(here.ports[1], "bruno", "anna")
    assert await anna.integer() == 5002
    asks_in = converse((20, "anna,bruno,carla,"), ("carla", 5003), ("bruno", None))
    await hold(here.ports[1], framing, asks_in)
    await told(here, framing, "bruno", "carla", "")
    await told(here, framing, "carla", "bruno", HERE)
    carla, answer = await chat(here.ports[0], "carla", "bruno")
    assert answer == 5002
    for device in (anna, bruno, carla):
        await device.close()
    for me, user in (("bruno", "carla"), ("carla", "bruno"), ("carla", "anna"), ("anna", "carla")):
        await told(here, framing, me, user, HERE)
