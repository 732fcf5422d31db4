"""Asking the service where a device is: its answers, its silence, and its being away."""

from collections.abc import AsyncIterator

import pytest

from fakes.device_service import Listening, answering, hanging_up
from tertulia.clients.device import locating
from tertulia.clients.device.effects import Locate, NoPlace, PeerPlace
from tertulia.clients.device.locating import locate
from tertulia.clients.device.wire import integer, string

ACK = integer(1)


def says(host: str) -> bytes:
    """Answer operation 12."""
    return ACK + ACK + string(host)


def port(number: int) -> bytes:
    """Answer operation 20."""
    return string("anna,bob,") + integer(number)


@pytest.fixture
async def listening(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listening]:
    monkeypatch.setattr(locating, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(locating, "LOCATE_SECONDS", 60.0)
    it = Listening()
    server = await it.begin()
    try:
        yield it
    finally:
        server.close()


async def test_host_and_port_are_the_service_s(listening: Listening) -> None:
    listening.scripts = [answering(says("10.0.0.7")), answering(port(6000))]
    assert await locate(listening.service, "anna", Locate("bob")) == PeerPlace("10.0.0.7", 6000)


async def test_a_port_that_it_has_said_is_not_asked_for(listening: Listening) -> None:
    listening.scripts = [answering(says("::ffff:10.0.0.7")), hanging_up]
    assert await locate(listening.service, "anna", Locate("bob", 6001)) == PeerPlace(
        "10.0.0.7", 6001
    )


@pytest.mark.parametrize("told", ["", "chat.example", "0.0.0.0", "224.0.0.1"])
async def test_what_is_no_address_is_not_dialled(listening: Listening, told: str) -> None:
    listening.scripts = [answering(says(told))]
    place = await locate(listening.service, "anna", Locate("bob"))
    assert place == NoPlace("the service does not say where bob's device is")


async def test_one_that_is_not_online_listens_nowhere(listening: Listening) -> None:
    listening.scripts = [answering(says("10.0.0.7")), answering(port(0))]
    place = await locate(listening.service, "anna", Locate("bob"))
    assert place == NoPlace("the service says bob is not online")


async def test_another_node_is_asked_where_one_has_died(listening: Listening) -> None:
    listening.scripts = [hanging_up, answering(says("10.0.0.7"))]
    place = await locate(listening.service, "anna", Locate("bob", 6000))
    assert place == PeerPlace("10.0.0.7", 6000)


async def test_one_that_hangs_up_each_time_can_t_be_asked(listening: Listening) -> None:
    listening.scripts = [hanging_up]
    place = await locate(listening.service, "anna", Locate("bob"))
    assert isinstance(place, NoPlace)
    assert place.why.startswith("the service can't be asked (The service at 127.0.0.1:")
    assert listening.told == [], "strangers could have it said again and again"


async def test_one_that_says_nothing_is_not_waited_for(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locating, "LOCATE_SECONDS", 0.1)
    listening.scripts = [answering(b"")]
    place = await locate(listening.service, "anna", Locate("bob"))
    assert place == NoPlace("the service does not say in time")
