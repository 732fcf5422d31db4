"""Bans: what they are about, whom they cover, and when they end."""

import ipaddress
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from tertulia.domain.networks import parsed
from tertulia.domain.nicknames import fold, is_well_formed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as a socket for both kinds shows them."""


class BanKind(StrEnum):
    """What a ban is about."""

    NICKNAME = "nickname"
    """Anybody with that nickname, account or guest."""
    ACCOUNT = "account"
    """Anybody who proves to be that account."""
    ADDRESS = "address"
    NETWORK = "network"


class Ban(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ban, as it stands in the store and in the room's log."""

    kind: BanKind
    subject: str
    """A nickname, folded; an address or a network in its usual spelling."""
    until: int = 0
    """Its end, in milliseconds since 1970 by the store's clock; 0 where it does not end."""
    reason: str = ""
    by: str = ""
    since: int = 0
    """Its start, in milliseconds since 1970 by the store's clock."""

    @property
    def name(self) -> str:
        """The ban's name, which no other ban of the chat has."""
        return f"{self.kind.value}:{self.subject}"

    @property
    def is_of_addresses(self) -> bool:
        """Whether it covers everybody from an address or a network, under any nickname."""
        return self.kind in (BanKind.ADDRESS, BanKind.NETWORK)

    def is_over(self, now: float) -> bool:
        """Say whether it has ended; ``now`` is in seconds since 1970."""
        return 0 < self.until <= now * 1000


def subject_of(text: str, kind: BanKind | None = None) -> tuple[BanKind, str]:
    """Read the subject of a ban: an address, a network with its ``/``, else a nickname.

    ``kind``: the kind that it has to be. Raises ValueError, whose text says what would be right.
    """
    if kind in (BanKind.NICKNAME, BanKind.ACCOUNT):
        return kind, _nickname(text)
    try:
        network = _plain(ipaddress.ip_network(text, strict=False))
    except ValueError:
        if kind is not None or "/" in text or ":" in text:
            raise ValueError(
                f"{text!a} is no address or network, like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
            ) from None
        return BanKind.NICKNAME, _nickname(text)
    if network.prefixlen == network.max_prefixlen:
        return BanKind.ADDRESS, str(network.network_address)
    return BanKind.NETWORK, str(network)


def _nickname(text: str) -> str:
    if not is_well_formed(text):
        raise ValueError(f"{text!a} is no nickname: 1 to 32 of A-Z a-z 0-9 . _ + -")
    return fold(text)


def _plain(network: Network) -> Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((low, network.prefixlen - 96))
    return network


class Bans:
    """The bans of a chat, and whom they cover. Bans that have ended cover nobody, and are dropped."""

    def __init__(self, bans: Iterable[Ban] = ()) -> None:
        self._by_name: dict[str, Ban] = {}
        # By IP version and prefix length, then by the prefix.
        self._networks: dict[tuple[int, int], dict[int, Ban]] = {}
        for ban in bans:
            self.add(ban)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Ban]:
        return iter(self._by_name.values())

    def replace(self, bans: Iterable[Ban]) -> None:
        """Replace all bans by these."""
        self._by_name.clear()
        self._networks.clear()
        for ban in bans:
            self.add(ban)

    def add(self, ban: Ban) -> None:
        """Add a ban; it replaces an earlier one of the same name."""
        self._by_name[ban.name] = ban
        if ban.is_of_addresses:
            slot, prefix = _place(ipaddress.ip_network(ban.subject))
            self._networks.setdefault(slot, {})[prefix] = ban

    def remove(self, name: str) -> None:
        """Drop a ban, if it is there."""
        ban = self._by_name.pop(name, None)
        if ban is not None and ban.is_of_addresses:
            slot, prefix = _place(ipaddress.ip_network(ban.subject))
            del self._networks[slot][prefix]
            if not self._networks[slot]:
                del self._networks[slot]

    def covering(self, key: str, address: str, now: float, *, is_account: bool) -> Ban | None:
        """Return a ban that covers somebody; None where none does. A ban of their address comes first.

        ``key`` is a nickname, folded, or empty; ``now`` is in seconds since 1970. ``is_account``: whether
        they prove, or want to prove, that the nickname is their account.
        """
        if not self._by_name:
            return None
        found = self._of_address(address, now)
        if found is None and key:
            found = self._current(f"{BanKind.NICKNAME.value}:{key}", now)
            if found is None and is_account:
                found = self._current(f"{BanKind.ACCOUNT.value}:{key}", now)
        return found

    def _current(self, name: str, now: float) -> Ban | None:
        ban = self._by_name.get(name)
        if ban is not None and ban.is_over(now):
            self.remove(name)
            return None
        return ban

    def _of_address(self, address: str, now: float) -> Ban | None:
        place = parsed(address) if self._networks else None
        if place is None:
            return None
        for (version, length), networks in list(self._networks.items()):
            if version == place.version:
                ban = networks.get(int(place) >> (place.max_prefixlen - length))
                if ban is not None and self._current(ban.name, now) is not None:
                    return ban
        return None


def _place(network: Network) -> tuple[tuple[int, int], int]:
    """Return where a network is looked up: IP version and prefix length, then the prefix."""
    prefix = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return (network.version, network.prefixlen), prefix
