"""Listening sockets: on which addresses, and that one that is missing is no matter."""

import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest

from tertulia.edge.binding import bind_all

NOT_OURS = "192.0.2.1"
"""An address for documentation: no machine has it."""


@pytest.fixture
def held() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as held:
        yield held


def has_ipv6() -> bool:
    """Say whether this machine has IPv6, if only for itself."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=30).close()
    except OSError:
        return False
    return True


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name stand for some addresses."""
    real = socket.getaddrinfo

    def told(host: str, *where: int, **how: int) -> list[object]:
        asked = addresses if host == "a-name" else (host,)
        return [it for address in asked for it in real(address, *where, **how)]

    monkeypatch.setattr(socket, "getaddrinfo", told)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_all_addresses_of_ipv6_are_those_of_ipv4_as_well(held: contextlib.ExitStack) -> None:
    (listening,) = map(held.enter_context, bind_all("::", 0))
    port = listening.getsockname()[1]
    assert reaches("::1", port)
    assert reaches("127.0.0.1", port)


def test_a_name_is_all_of_its_addresses_on_one_port(
    monkeypatch: pytest.MonkeyPatch, held: contextlib.ExitStack
) -> None:
    named(monkeypatch, "127.0.0.1", NOT_OURS, "127.0.0.2", "127.0.0.1")
    bound = [held.enter_context(it) for it in bind_all("a-name", 0)]
    port = bound[0].getsockname()[1]
    assert [it.getsockname() for it in bound] == [("127.0.0.1", port), ("127.0.0.2", port)]


def test_a_name_of_which_one_address_is_taken_is_refused(
    monkeypatch: pytest.MonkeyPatch, held: contextlib.ExitStack
) -> None:
    (taken,) = map(held.enter_context, bind_all("127.0.0.2", 0))
    port = taken.getsockname()[1]
    named(monkeypatch, "127.0.0.1", "127.0.0.2")
    with pytest.raises(OSError) as caught:
        bind_all("a-name", port)
    assert caught.value.errno == errno.EADDRINUSE
    assert not reaches("127.0.0.1", port)


def test_a_name_of_no_address_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, NOT_OURS)
    with pytest.raises(OSError) as caught:
        bind_all("a-name", 0)
    assert caught.value.errno == errno.EADDRNOTAVAIL
