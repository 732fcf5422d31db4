"""Where devices are, and when what the service tells of one is where a connection comes from."""

import pytest

from harness.cases import each
from tertulia.clients.device.hosts import (
    is_loopback,
    is_same_host,
    source_for,
    source_to,
    told_host,
)


@each(
    ("told", "service", "host"),
    [
        ("10.0.0.7", "10.0.0.1", "10.0.0.7"),
        ("10.0.0.7", "127.0.0.1", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.1", "10.0.0.7"),
        ("2001:DB8::7", "10.0.0.1", "2001:db8::7"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.3", "::1", "127.0.0.3"),
        ("127.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("::1", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_one_host_is_told(told: str, service: str, host: str) -> None:
    assert told_host(told, service) == host


@each(
    "told",
    [
        "",
        "chat.example",
        "localhost",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "10.0.0.7:80",
        "\x1b",
    ],
)
def test_no_host_is_told(told: str) -> None:
    assert told_host(told, "10.0.0.1") == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.7", "::ffff:10.0.0.7"),
        ("2001:db8::7", "2001:DB8:0:0::7"),
        ("fe80::7", "fe80::7%eth0"),
        ("127.0.0.1", "::1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
    ],
)
def test_the_same_host(one: str, other: str) -> None:
    assert is_same_host(one, other)
    assert is_same_host(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.7", "10.0.0.8"),
        ("127.0.0.2", "127.0.0.1"),
        ("127.0.0.2", "::1"),
        ("2001:db8::7", "2001:db8::8"),  # one network, and not one host
        ("", ""),
        ("chat.example", "chat.example"),
    ],
)
def test_not_the_same_host(one: str, other: str) -> None:
    assert not is_same_host(one, other)
    assert not is_same_host(other, one)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST."])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "::", "chat.example", "", "localhost.example"])
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


@each(
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


@pytest.mark.parametrize(
    ("own", "host", "source"),
    [
        *(("10.0.0.7", "10.0.0.8", "10.0.0.7"), ("127.0.0.2", "127.0.0.3", "127.0.0.2")),
        *(("127.0.0.1", "10.0.0.8", None), ("10.0.0.7", "127.0.0.1", None)),
        *(("10.0.0.7", "2001:db8::8", None), ("", "10.0.0.8", None), ("::1", "::1", "::1")),
    ],
)
def test_where_a_peer_is_dialled_from(own: str, host: str, source: str | None) -> None:
    assert source_to(own, host) == source
