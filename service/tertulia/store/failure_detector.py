"""Deciding which nodes are dead, by what this node has itself seen, on its own monotonic clock.

A node renews its lease about every heartbeat, and each time the lease has another value. Only that shows
that a node is alive. The value itself, a time by Redis' clock, counts for nothing. When that clock steps,
all leases seem to end at once, or a dead node's lease seems to hold for an hour. Pure decisions, no I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Lease:
    """A node's lease as it stands in Redis."""

    node: str
    expiry: float
    """Milliseconds by Redis' clock, different with each renewal; 0 when the node was condemned."""


class Suspects(NamedTuple):
    """Nodes that do not renew their leases."""

    over: list[Lease]
    """Not renewed for as long as a lease lasts, or condemned: these nodes are dead."""
    silent: list[Lease]
    """Not renewed for so long that these nodes are dead if nobody subscribes to their channel."""


@dataclass(slots=True)
class _Unrenewed:
    expiry: float
    told: float
    """For how many seconds it had this value before this node's first look, by Redis' clock."""
    seen: float = 0.0
    """For how many seconds this node has seen it with this value."""


class FailureDetector:
    """Looks at the leases of a chat's other nodes, several times a heartbeat. Times are in seconds."""

    def __init__(self, lease: float, silence: float, heartbeat: float) -> None:
        self._lease = lease
        self._silence = silence
        self._heartbeat = heartbeat
        self._looked_at: float | None = None
        self._patient_until = float("-inf")
        self._unrenewed: dict[str, _Unrenewed] = {}

    @property
    def has_looked(self) -> bool:
        """Whether it has looked at least once."""
        return self._looked_at is not None

    def look(
        self,
        leases: Iterable[Lease],
        at: float,
        healthy_since: float,
        redis_now: float | None = None,
    ) -> Suspects:
        """Take in the leases as they are, and return the suspects.

        ``at`` is now; ``healthy_since`` is since when Redis has answered this node without fail. Both are by
        this node's clock. ``redis_now`` is for the first look, in milliseconds by Redis' clock. It is given
        if Redis was up in the time before, and shows for how long each lease had not been renewed.
        """
        before, self._looked_at = self._looked_at, at
        if before is None:
            before = at
            if redis_now is None:
                self._patient_until = at + self._lease
        elif healthy_since > before:
            # Redis was away. It was so for the other nodes as well, and they may need longer to come back.
            self._unrenewed.clear()
            self._patient_until = healthy_since + self._lease
        elif at - before >= self._silence:
            # This node, perhaps the whole machine, stood still: it could not see others renew.
            self._unrenewed.clear()
        # A look that comes late still counts as one look.
        step = min(at - before, self._heartbeat)
        known, self._unrenewed = self._unrenewed, {}
        suspects = Suspects([], [])
        for lease in leases:
            it = known.get(lease.node)
            if it is None or it.expiry != lease.expiry:
                it = _Unrenewed(lease.expiry, self._told(lease, redis_now))
            else:
                it.seen += step
            self._unrenewed[lease.node] = it
            if not lease.expiry or it.told + it.seen >= self._lease:
                suspects.over.append(lease)
            elif it.seen >= self._silence and at >= self._patient_until:
                suspects.silent.append(lease)
        return suspects

    def _told(self, lease: Lease, redis_now: float | None) -> float:
        """Return for how many seconds a lease was not renewed, by Redis' clock.

        That alone condemns no node: each still has the time of ``silence`` to renew its lease.
        """
        if redis_now is None:
            return 0.0
        ago = self._lease - (lease.expiry - redis_now) / 1000
        return min(max(ago, 0.0), self._lease - self._silence)
