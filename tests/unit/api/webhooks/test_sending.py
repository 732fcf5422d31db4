"""Where no webhook may go."""

import ipaddress

import pytest

from tertulia.api.webhooks.sending import is_refused


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%2", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:100.100.100.200",
    ],
)  # fmt: skip
def test_link_local_and_what_tells_credentials_is_refused(address: str) -> None:
    assert is_refused(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "192.0.2.1", "2001:db8::1", "100.100.100.201"]
)
def test_other_addresses_are_not(address: str) -> None:
    assert not is_refused(ipaddress.ip_address(address))
