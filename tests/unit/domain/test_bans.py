"""Bans: what can be banned, and whom a ban covers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.domain.bans import Ban, BanKind, Bans, subject_of

NOW = 1_000.0


def covers(bans: Bans, key: str = "", address: str = "", *, account: bool = False) -> str | None:
    ban = bans.covering(key, address, NOW, is_account=account)
    return None if ban is None else ban.name


def made(text: str, kind: BanKind | None = None, until: int = 0) -> Ban:
    return Ban(*subject_of(text, kind), until)


@each(
    ("text", "kind", "subject"),
    [
        ("Andy", BanKind.NICKNAME, "andy"),
        ("a.b-c+d_e", BanKind.NICKNAME, "a.b-c+d_e"),
        ("192.0.2.7", BanKind.ADDRESS, "192.0.2.7"),
        ("192.0.2.7/32", BanKind.ADDRESS, "192.0.2.7"),
        ("192.0.2.7/24", BanKind.NETWORK, "192.0.2.0/24"),
        ("0.0.0.0/0", BanKind.NETWORK, "0.0.0.0/0"),
        ("2001:DB8:0::1", BanKind.ADDRESS, "2001:db8::1"),
        ("2001:db8::/32", BanKind.NETWORK, "2001:db8::/32"),
        ("::ffff:192.0.2.7", BanKind.ADDRESS, "192.0.2.7"),
        ("::ffff:192.0.2.0/120", BanKind.NETWORK, "192.0.2.0/24"),
    ],
)
def test_what_is_meant(text: str, kind: BanKind, subject: str) -> None:
    assert subject_of(text) == (kind, subject)


def test_what_is_said_to_be_meant() -> None:
    assert subject_of("1.2.3.4", BanKind.NICKNAME) == (BanKind.NICKNAME, "1.2.3.4")
    assert subject_of("Ada", BanKind.ACCOUNT) == (BanKind.ACCOUNT, "ada")


@each(
    "text", ["", "two words", "x" * 33, "300.1.1.1/8", "1.2.3.4/33", "fe80::zz", "\x1b[1m", "ñandú"]
)
def test_what_is_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"no nickname|no address"):
        subject_of(text)


def test_an_error_shows_no_controls() -> None:
    with pytest.raises(ValueError, match=r"\\x1b\[1m") as raised:
        subject_of("\x1b[1m")
    assert "\x1b" not in str(raised.value)


def test_a_nickname_in_any_dialect_and_for_anybody() -> None:
    bans = Bans([made("Andy")])
    assert covers(bans, "andy", "192.0.2.1") == "nickname:andy"
    assert covers(bans, "andy", account=True) == "nickname:andy"
    assert covers(bans, "andys") is None


def test_an_account_is_who_proves_it() -> None:
    bans = Bans([made("ada", BanKind.ACCOUNT)])
    assert covers(bans, "ada", account=True) == "account:ada"
    assert covers(bans, "ada") is None
    assert covers(bans, "bob", account=True) is None


@each(
    ("ban", "address", "is_covered"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("0.0.0.0/0", "192.0.2.7", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "2001:db8::1", True),
        ("::/0", "192.0.2.7", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::", False),
        ("fe80::1", "fe80::1%eth0", True),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "/run/a.socket", False),
    ],
)
def test_addresses_and_networks(ban: str, address: str, is_covered: bool) -> None:
    bans = Bans([made(ban)])
    assert (covers(bans, "andy", address) is not None) is is_covered


def test_a_ban_that_is_over_covers_nobody_and_is_dropped() -> None:
    bans = Bans([made("andy", until=999_999), made("192.0.2.0/24", until=1_000_000)])
    assert covers(bans, "andy", "192.0.2.1") is None
    assert len(bans) == 0
    bans.add(made("andy", until=1_000_001))
    assert covers(bans, "andy") == "nickname:andy"


def test_taking_bans_back() -> None:
    bans = Bans([made("andy"), made("192.0.2.0/24"), made("192.0.2.7")])
    bans.remove("network:192.0.2.0/24")
    assert covers(bans, "", "192.0.2.8") is None
    assert covers(bans, "", "192.0.2.7") == "address:192.0.2.7"
    bans.remove("address:192.0.2.7")
    bans.remove("address:192.0.2.7")
    bans.remove("nickname:andy")
    assert covers(bans, "andy", "192.0.2.7") is None
    bans.add(made("andy"))
    bans.replace([made("betty")])
    assert covers(bans, "andy") is None
    assert [ban.name for ban in bans] == ["nickname:betty"]


@given(st.ip_addresses(), st.integers(0, 128), st.ip_addresses())
def test_networks_as_the_library_has_them(base: object, length: int, address: object) -> None:
    import ipaddress

    most = 32 if isinstance(base, ipaddress.IPv4Address) else 128
    network = ipaddress.ip_network(f"{base}/{min(length, most)}", strict=False)
    kind, subject = subject_of(str(network))
    plain = ipaddress.ip_network(subject)
    other = ipaddress.ip_address(str(address))
    if isinstance(other, ipaddress.IPv6Address) and other.ipv4_mapped:
        other = other.ipv4_mapped
    assert (covers(Bans([Ban(kind, subject)]), "", str(address)) is not None) is (other in plain)
