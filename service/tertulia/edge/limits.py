"""How much of a node one client may use.

Sans-IO: the time is an argument, in seconds of a monotonic clock.
"""

from typing import Final

from tertulia.domain.disconnects import Disconnect
from tertulia.domain.networks import network_of

_NEVER: Final = float("-inf")
_ROUNDING: Final = 1e-6
"""Seconds. A timer that comes this much early is on time, so rounding never arms it twice."""


class TokenBucket:
    """A rate with a burst: what it has to say is how long not to read.

    It holds one number, when it will be full again, and starts full.
    """

    __slots__ = ("_burst", "_full_at", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        """Fill by ``rate`` tokens a second up to ``burst``.

        Raises ValueError unless both are positive.
        """
        if not (rate > 0 and burst > 0):
            raise ValueError(f"rate and burst must be positive, not {rate} and {burst}")
        self._rate = rate
        self._burst = burst
        self._full_at = _NEVER

    def take(self, cost: float, now: float) -> float:
        """Take ``cost`` and return 0.0, or take nothing and return the seconds to wait.

        What costs more than the burst is allowed when the bucket is full and leaves a debt, so that
        nothing waits for ever.
        """
        full_at = self._full_at
        if full_at <= now:
            full_at = now  # full: whatever it costs
        else:
            spare = self._burst - cost
            wait = full_at - now - (spare / self._rate if spare > 0 else 0.0)
            if wait > _ROUNDING:
                return wait
        self._full_at = full_at + cost / self._rate
        return 0.0

    def charge(self, cost: float, now: float) -> float:
        """Take ``cost`` for what was read already; return the seconds until the debt is paid."""
        full_at = self._full_at
        if full_at < now:
            full_at = now
        self._full_at = full_at = full_at + cost / self._rate
        debt = full_at - now - self._burst / self._rate
        return debt if debt > _ROUNDING else 0.0


class ConnectionCounts:
    """Counts the open connections, in all and by address, and says when there are too many.

    Holds one entry for each address that has an open connection, so at most as many as connections.
    An IPv6 address counts as its network, and an IPv4 address in IPv6 clothes as itself.
    """

    __slots__ = ("_by_network", "_per_address", "_total", "open")

    def __init__(self, total: int, per_address: int) -> None:
        """Allow ``total`` connections, and ``per_address`` of them from one address."""
        self._total = total
        self._per_address = per_address
        self._by_network: dict[str, int] = {}
        self.open = 0
        """How many connections are open."""

    def admit(self, address: str) -> Disconnect | None:
        """Count a connection and return None, or return why it can't be had (and count nothing)."""
        network = network_of(address)
        of_network = self._by_network.get(network, 0)
        if of_network >= self._per_address:
            return Disconnect.TOO_MANY_FROM_ADDRESS
        if self.open >= self._total:
            return Disconnect.TOO_MANY
        self._by_network[network] = of_network + 1
        self.open += 1
        return None

    def release(self, address: str) -> None:
        """Forget a connection that was admitted. Raises KeyError where there is none."""
        network = network_of(address)
        of_network = self._by_network[network]
        if of_network == 1:
            del self._by_network[network]
        else:
            self._by_network[network] = of_network - 1
        self.open -= 1
