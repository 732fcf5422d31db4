"""How much of a node one client may use.

Sans-IO: the time is an argument, in seconds of a monotonic clock.
"""

from typing import Final

from tertulia.domain.disconnects import Disconnect
from tertulia.domain.networks import network_of

_NEVER: Final = float("-inf")
ROUNDING: Final = 1e-6
"""Seconds. A timer that comes this much early is on time, so rounding never arms it twice."""


class TokenBucket:
    """A rate with a burst. It says for how long not to read.

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

        A cost above the burst is allowed when the bucket is full. It leaves a debt, so that nothing
        waits for ever.
        """
        full_at = self._full_at
        if full_at <= now:
            full_at = now  # full: whatever it costs
        else:
            spare = self._burst - cost
            wait = full_at - now - (spare / self._rate if spare > 0 else 0.0)
            if wait > ROUNDING:
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
        return debt if debt > ROUNDING else 0.0


class Seldom:
    """Says when to report again something that may happen thousands of times a second."""

    __slots__ = ("_seconds", "_told_at", "_untold")

    def __init__(self, seconds: float) -> None:
        """Tell once in so many seconds."""
        self._seconds = seconds
        self._told_at = _NEVER
        self._untold = 0

    def due(self, now: float) -> int:
        """Note that it happened; return how often since the last report, or 0 if none is due yet."""
        self._untold += 1
        if now - self._told_at < self._seconds:
            return 0
        untold, self._untold = self._untold, 0
        self._told_at = now
        return untold


class ConnectionCounts:
    """Counts the open connections, in all and by address, and says when there are too many.

    Holds one entry for each address that has an open connection, so at most as many as connections.
    An IPv6 address counts as its network, and an IPv4 address in IPv6 clothes as itself.
    """

    __slots__ = ("_by_network", "_per_address", "open", "total")

    def __init__(self, total: int, per_address: int) -> None:
        """Allow ``total`` connections, and ``per_address`` of them from one address."""
        self.total = total
        """How many may be open."""
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
        refused = self.admit_unknown()
        if refused is None:
            self._by_network[network] = of_network + 1
        return refused

    def admit_unknown(self) -> Disconnect | None:
        """Count a connection whose client is not known yet, or return why it is refused."""
        if self.open >= self.total:
            return Disconnect.TOO_MANY
        self.open += 1
        return None

    def release_unknown(self) -> None:
        """Forget a connection whose client was not known: the client is known by now, or gone."""
        self.open -= 1

    def release(self, address: str) -> None:
        """Forget a connection that was admitted. Raises KeyError where there is none."""
        network = network_of(address)
        of_network = self._by_network[network]
        if of_network == 1:
            del self._by_network[network]
        else:
            self._by_network[network] = of_network - 1
        self.open -= 1
