"""Who is dead: decided by what this node has itself seen, on its own monotonic clock.

A node renews its lease about every heartbeat, and each time the lease has another value. Who is alive is
known by that alone. What the value is, by Redis' clock, counts for nothing: when that clock steps, all
leases seem to end at once, or one of the dead's seems to hold for an hour. Pure decisions, no I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Lease:
    """A node's lease as it stands in Redis."""

    node: str
    expiry: float
    """Milliseconds by Redis' clock, different with each renewal; 0 when it was condemned."""


class Suspects(NamedTuple):
    """Nodes that do not renew their leases."""

    over: list[Lease]
    """They have not for as long as a lease lasts, or were condemned: they are dead."""
    silent: list[Lease]
    """They have not for so long that they are dead if nobody subscribes to their channel."""


@dataclass(slots=True)
class _Unrenewed:
    expiry: float
    told: float
    """Seconds that it had stood there before this node looked for the first time, by Redis' word."""
    seen: float = 0.0
    """Seconds for which this node has seen it stand there."""


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
        """Whether it knows anything from before."""
        return self._looked_at is not None

    def look(
        self,
        leases: Iterable[Lease],
        at: float,
        healthy_since: float,
        redis_now: float | None = None,
    ) -> Suspects:
        """Take in the leases as they are, and say who is suspected.

        ``at``, and since when Redis has answered this node without fail, are by this node's clock.
        ``redis_now`` is for the first look, in milliseconds by Redis' clock: given where Redis was up in the
        time before, it is believed for how long each lease had not been renewed by then.
        """
        before, self._looked_at = self._looked_at, at
        if before is None:
            before = at
            if redis_now is None:
                self._patient_until = at + self._lease
        elif healthy_since > before:
            # Redis was away. The others had that as well, and may be longer about coming back.
            self._unrenewed.clear()
            self._patient_until = healthy_since + self._lease
        elif at - before >= self._silence:
            # This node stood still, and perhaps the whole machine: nobody could be seen to renew.
            self._unrenewed.clear()
        # However late a look comes, it is one look.
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
        """Return for how long a lease was not renewed, by Redis' word.

        That alone condemns nobody: every node is given the silence to be heard in.
        """
        if redis_now is None:
            return 0.0
        ago = self._lease - (lease.expiry - redis_now) / 1000
        return min(max(ago, 0.0), self._lease - self._silence)
