"""Joining: connect, enter, and count the notices of who came."""

import heapq
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

from tertulia_load.client import Client, State
from tertulia_load.plan import Plan

_TRIES: Final = 6
"""How often a client tries to come back in a storm."""
_PAUSE: Final = (200_000, 1_000_000)
"""Microseconds from one try to the next: everybody's own, as decent clients have it."""


class Joining:
    """All clients of one process on their way into a round."""

    def __init__(self, plan: Plan, process: int, round_: int, clients: Sequence[Client]) -> None:
        self._clients = clients
        self._prefix = plan.joined_prefix(round_).encode()
        self._round = round_
        self._plan = plan
        self._process = process
        self._is_storm = round_ > 0
        self._random = random.Random()  # noqa: S311 - jitter
        self._waiting: list[tuple[int, int, Client]] = []  # a heap
        self._under_way = 0
        self.entered = 0
        self.failed: Counter[str] = Counter()
        """Why how many gave up."""
        self.retries = 0
        self.notices = 0
        """How often a client of this process read that one of this tool came."""
        self.begun = 0
        """When it began, microseconds."""
        self.last_entered = 0
        self.last_notice = 0

    def begin(self, now: int) -> None:
        """Drop all connections, and decide when each client comes."""
        for client in self._clients:
            client.drop()
            client.begin(self._plan.nickname(client.id, self._round))
        self._waiting = [
            (self._comes_at(client, now), client.id, client) for client in self._clients
        ]
        heapq.heapify(self._waiting)
        self.begun = self.last_entered = self.last_notice = now

    def connect(self, now: int) -> None:
        """Connect who is to come now."""
        while self._waiting and self._waiting[0][0] <= now and self._may_connect:
            _, _, client = heapq.heappop(self._waiting)
            self._under_way += 1
            try:
                client.connect()
            except OSError as error:
                self.gave_up(client, error.strerror or str(error), now)

    @property
    def next_at(self) -> int | None:
        """When the next client is to come; None where that depends on others."""
        return self._waiting[0][0] if self._waiting and self._may_connect else None

    @property
    def is_done(self) -> bool:
        """Whether all are in, or gave up."""
        return self.entered + self.failed.total() == len(self._clients)

    def take(self, client: Client, data: bytes, now: int) -> None:
        """Take what a client has read."""
        if client.state is not State.ENTERING:
            self._count_notices(client, client.carry + data, now)
            return
        entering = client.entering
        client.write(entering.feed(data))
        if entering.refused:
            self.gave_up(client, entering.refused, now)
        elif entering.entered:
            client.state = State.IN
            self._under_way -= 1
            self.entered += 1
            self.last_entered = now
            self._count_notices(client, entering.rest, now)

    def gave_up(self, client: Client, why: str, now: int) -> None:
        """Learn that a connection ended, or was never made."""
        if client.state is State.IN:
            self.entered -= 1
        else:
            self._under_way -= 1
        client.drop()
        client.tries += 1
        if self._is_storm and client.tries < _TRIES:
            self.retries += 1
            again = now + self._random.randint(*_PAUSE)
            heapq.heappush(self._waiting, (again, client.id, client))
        else:
            self.failed[why] += 1

    def _comes_at(self, client: Client, now: int) -> int:
        if self._is_storm:
            return now + self._random.randint(0, round(self._plan.jitter * 1_000_000))
        return now + round(client.id / self._plan.ramp * 1_000_000) if self._plan.ramp else now

    @property
    def _may_connect(self) -> bool:
        return self._is_storm or self._under_way < self._plan.at_once

    def _count_notices(self, client: Client, data: bytes, now: int) -> None:
        whole = client.dialect.whole(data)
        client.carry = data[whole.end :]
        if whole.reply:
            client.write(whole.reply)
        found = sum(map(data[: whole.end].count, client.dialect.joined(self._prefix)))
        if found:
            self.notices += found
            self.last_notice = now
        if whole.farewell:
            self.gave_up(client, whole.farewell, now)
