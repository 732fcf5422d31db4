"""Who dials, counted."""

from tertulia.clients.device import callers
from tertulia.clients.device.callers import CALLS_BURST, MAX_WAITING, TOLD, Callers, surplus
from tertulia.clients.device.effects import Parting
from tertulia.clients.device.links import PeerLink


def waiting(*hosts: str) -> list[PeerLink]:
    return [PeerLink(number, host) for number, host in enumerate(hosts)]


def test_one_network_may_call_so_often_and_another_all_the_same() -> None:
    them = Callers()
    assert not any(them.is_too_fast(f"2001:db8::{number:x}", 0.0) for number in range(CALLS_BURST))
    assert them.is_too_fast("2001:db8::ffff", 0.0)
    assert not them.is_too_fast("2001:db8:0:1::1", 0.0)
    assert not them.is_too_fast("2001:db8::ffff", 1.0)


def test_the_first_of_the_largest_network_goes() -> None:
    links = waiting("10.0.0.1", *["10.0.0.2"] * (MAX_WAITING - 1), "10.0.0.3")
    assert surplus(links) is links[1]
    assert surplus(links[:-1]) is None


def test_of_many_networks_the_oldest_goes() -> None:
    links = waiting(*(f"10.0.0.{number}" for number in range(MAX_WAITING + 1)))
    assert surplus(links) is links[0]


def test_what_is_counted_is_bounded() -> None:
    them = Callers()
    for number in range(5000):
        them.is_too_fast(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert len(them._networks) == callers._NETWORKS


def test_it_is_told_a_few_times() -> None:
    them = Callers()
    told = [list(them.turned_away(PeerLink(1, "h"), Parting.GARBLED, "")) for _ in range(50)]
    assert [len(it) for it in told] == [1] * TOLD + [0] * (50 - TOLD)
    assert [it[0].is_last for it in told[:TOLD]] == [False] * (TOLD - 1) + [True]
