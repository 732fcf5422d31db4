"""Those who dial this device's port and are not in the chat: how many, how often, and what is reported.

Anybody who knows the port can dial it, so all that they cause is bounded. Time is an argument, in seconds of
a monotonic clock.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence

from tertulia.clients.device.effects import Parting, TurnedAway
from tertulia.clients.device.links import PeerLink
from tertulia.clients.device.peer import MAX_MEMBERS
from tertulia.domain.networks import network_of
from tertulia.edge.limits import TokenBucket

MAX_WAITING = 32
"""Connections of which it is not known yet who they are: one of each member whom a chat may have."""
CALLS_BURST = MAX_MEMBERS
"""Connections that may come from one network into a live chat at once: a whole group on one machine."""
CALLS_PER_SECOND = 1.0
"""And after that. People come one after the other; each may cost questions to the service."""
TOLD = 5
"""Times that a person is told in one chat that somebody was turned away: others can't fill the screen."""
_NETWORKS = 256
"""Networks that are counted; the one that has been quiet for longest is forgotten."""


class Callers:
    """Counts who dials in one chat."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, TokenBucket] = OrderedDict()
        self._told = 0

    def is_too_fast(self, host: str, now: float) -> bool:
        """Count one that dialled from a host, and say whether its network does so too often."""
        network = network_of(host)
        bucket = self._networks.pop(network, None) or TokenBucket(CALLS_PER_SECOND, CALLS_BURST)
        self._networks[network] = bucket
        if len(self._networks) > _NETWORKS:
            self._networks.popitem(last=False)
        return bucket.take(1, now) > 0

    def turned_away(self, caller: PeerLink, parting: Parting, why: str) -> Iterator[TurnedAway]:
        """Give what is to be reported of one that was turned away: nothing, where there were many."""
        self._told += 1
        if self._told <= TOLD:
            name = caller.claims.name if caller.claims else ""
            yield TurnedAway(caller.host, name, parting, why, is_last=self._told == TOLD)


def surplus(waiting: Sequence[PeerLink]) -> PeerLink | None:
    """Return which one has to go where too many wait: the first of the network that has most of them.

    So one network takes no other's place, and of many that have one each the oldest goes.
    """
    if len(waiting) <= MAX_WAITING:
        return None
    counts = Counter(network_of(link.host) for link in waiting)
    most = max(counts.values())
    return next(link for link in waiting if counts[network_of(link.host)] == most)
