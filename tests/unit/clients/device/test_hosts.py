"""Where a peer is dialled."""

from collections.abc import Sequence

import pytest

from tertulia.clients.device.hosts import is_loopback, likely_hosts, source_for


@pytest.mark.parametrize(
    ("told", "partner", "service", "hosts"),
    [
        ("10.0.0.7", "", "chat.example", ["10.0.0.7"]),
        ("10.0.0.7", "10.0.0.8", "127.0.0.1", ["10.0.0.7"]),
        ("127.0.0.1", "", "127.0.0.1", ["127.0.0.1"]),
        ("127.0.0.1", "", "chat.example", ["chat.example"]),
        ("::1", "", "10.0.0.1", ["10.0.0.1"]),
        ("", "", "127.0.0.1", ["127.0.0.1"]),
        ("", "10.0.0.8", "10.0.0.1", ["10.0.0.8", "10.0.0.1"]),
        ("", "10.0.0.1", "10.0.0.1", ["10.0.0.1"]),
    ],
)
def test_hosts(told: str, partner: str, service: str, hosts: Sequence[str]) -> None:
    assert likely_hosts(told, partner, service) == hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST."])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "::", "chat.example", "", "localhost.example"])
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "service", "source"),
    [
        *((None, "127.0.0.1", None), ("0.0.0.0", "10.0.0.1", None), ("::", "::1", None)),
        *(("localhost", "127.0.0.1", None), ("chat.example", "10.0.0.1", None)),
        *(("10.0.0.7", "10.0.0.1", "10.0.0.7"), ("10.0.0.7", "127.0.0.1", "10.0.0.7")),
        *(("127.0.0.2", "127.0.0.1", "127.0.0.2"), ("127.0.0.1", "10.0.0.1", None)),
    ],
)
def test_where_the_service_is_called_from(host: str | None, service: str, source: str) -> None:
    assert source_for(host, service) == source
