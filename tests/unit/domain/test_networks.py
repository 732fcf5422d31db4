"""The network that counts as one client."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calls import calls_of
from tertulia.domain.networks import network_of


@given(st.ip_addresses(v=4).map(str))
def test_an_ipv4_address_is_its_own(address: str) -> None:
    assert network_of(address) == address
    assert network_of(f"::ffff:{address}") == address


@given(st.integers(1 << 48, (1 << 128) - 1).map(ipaddress.IPv6Address), st.booleans())
def test_an_ipv6_address_is_one_of_its_first_64_bits(
    address: ipaddress.IPv6Address, has_interface: bool
) -> None:
    network = ipaddress.IPv6Network((int(address), 64), strict=False)
    assert network_of(f"{address}%eth0" if has_interface else f"{address}") == f"{network}"


@pytest.mark.parametrize("address", ["", "/run/tertulia.sock", "a:b", "1.2.3", "example.org"])
def test_what_is_no_address_is_as_it_stands(address: str) -> None:
    assert network_of(address) == address


def test_an_ipv4_address_is_not_taken_apart() -> None:
    """It is asked for with each client that comes, and again when he goes."""
    assert calls_of(lambda: network_of("192.0.2.255")) < 5
