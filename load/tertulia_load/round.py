"""One round in one process: all come, some send, all read, and the account is drawn up.

joining ──all in──▶ waiting ──Send──▶ sending ──time is up──▶ waiting ──Settle──▶ settling ──▶ settled
"""

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

from tertulia_load.client import Client, State
from tertulia_load.control import (
    Joined,
    Progress,
    Report,
    Send,
    Settle,
    Settled,
    Stopped,
)
from tertulia_load.joining import Joining
from tertulia_load.latency import SAMPLES_PER_SECOND, Latency
from tertulia_load.pacing import Pace
from tertulia_load.plan import MAX_SETTLING, Plan
from tertulia_load.reading import Reading
from tertulia_load.sending import Sender, Sending

_LOOK: Final = 20_000
"""Microseconds between two looks whether everybody has everything."""
_CATCHING_UP: Final = 10_000_000
"""Microseconds after the end in which is sent what was due before it, where the tool was woken late."""
_GRACE: Final = 200_000
"""Microseconds to go on reading when everybody has everything: what comes twice comes soon."""
_STANDSTILL: Final = 100_000
"""Microseconds by which a look is late where this process did not run, nor, perhaps, the service."""


class Stage(Enum):
    """How far a round is."""

    JOINING = auto()
    WAITING = auto()
    SENDING = auto()
    SETTLING = auto()


Take = Callable[[Client, bytearray, int, int], None]


class Round:
    """One round. The time is an argument, in microseconds."""

    def __init__(
        self, plan: Plan, process: int, number: int, clients: Sequence[Client], now: int
    ) -> None:
        """Begin to join."""
        self._plan = plan
        self._process = process
        self._clients = clients
        self._tag = plan.round_tag(number)
        self._stage = Stage.JOINING
        self._joining = Joining(plan, process, number, clients)
        self._latency = Latency()
        self._early: list[str] = []
        """Why connections ended before anything was sent."""
        self._senders: dict[int, Sender] = {}
        self._sending: Sending | None = None
        self._reading: Reading | None = None
        self._sent: dict[int, int] = {}
        self._private: dict[int, int] = {}
        self._from = self._until = self._next_look = self._runs_since = 0
        self._complete: int | None = None
        self._expected = 0
        self._cpu = time.process_time()
        self._ticked = (now, 0)
        self.take: Take = self._take_early
        """Takes what a client has read: the first bytes of a buffer, at a time."""
        self._joining.begin(now)

    # --- Orders ----------------------------------------------------------------------------------

    def send(self, order: Send) -> None:
        """Begin to send, and to read in earnest."""
        self._stage = Stage.SENDING
        self._from = order.at
        self._until = order.at + round(order.seconds * 1_000_000)
        self._senders = {
            client.id: Sender(
                client, self._clients[(i + 1) % len(self._clients)], self._plan, self._tag
            )
            for i, client in enumerate(self._clients)
            if client.is_sender
        }
        pace = None
        expected = len(self._clients) * 1000.0  # until it is seen how many deliveries there are
        if self._plan.rate is not None and self._senders:
            share = len(self._senders) / self._plan.senders
            phase = self._process / self._plan.processes
            pace = Pace(self._plan.rate * share, self._from, self._until, phase)
            readers = self._plan.members if self._plan.rooms else self._plan.clients
            expected = self._plan.rate * readers / self._plan.processes
        most = self._plan.most_messages(self._process)
        self._sending = Sending(self._senders, pace, self._plan.in_flight, most)
        self._latency = Latency(round(expected / SAMPLES_PER_SECOND))
        reading = Reading(
            tag=self._tag,
            senders=self._plan.senders,
            acknowledge=self._plan.acknowledge,
            clients=self._clients,
            latency=self._latency,
            landed=self._sending.landed,
        )
        reading.tally.disconnected = len(self._early)
        reading.farewells.update(self._early)
        self._reading = reading
        self.take = reading.take
        self._cpu = time.process_time()

    def stop(self) -> None:
        """Send no more."""
        self._until = 0

    def settle(self, order: Settle, now: int) -> None:
        """Wait for what is still to come."""
        self._stage = Stage.SETTLING
        self._cpu = time.process_time() - self._cpu
        self._sent = order.sent
        self._from, self._next_look, self._complete = now, now, None
        self._runs_since = now
        self._expect()

    def _expect(self) -> None:
        if self._reading is not None:
            self._expected = self._reading.expected(self._sent, self._private)

    # --- What happens ----------------------------------------------------------------------------

    def ended(self, client: Client, why: str, now: int) -> None:
        """Learn that a connection is gone, or was not made."""
        if self._stage is Stage.JOINING:
            self._joining.gave_up(client, why, now)
        elif self._reading is None:
            client.drop()
            self._early.append(why)
        else:
            client.drop()
            self._reading.ended(why)
            if self._stage is Stage.SETTLING:
                self._expect()

    def go_on(self, now: int) -> list[Report]:
        """Do what is to be done at a time, and return what there is to report."""
        if self._stage is Stage.JOINING:
            self._joining.connect(now)
            return self._joined() if self._joining.is_done else []
        if self._stage is Stage.SENDING and self._sending is not None:
            if now < self._from:
                return []
            if self._is_sending(self._sending, now):
                self._sending.send(now)
                return []
            return self._stopped(self._sending, now)
        if self._stage is Stage.SETTLING and self._reading is not None and now >= self._next_look:
            if now - self._next_look > _STANDSTILL:
                self._runs_since = now
            self._next_look = now + _LOOK
            return self._settled(self._reading, now)
        return []

    def _is_sending(self, sending: Sending, now: int) -> bool:
        if sending.is_through or now < self._until:
            return not sending.is_through
        if not self._until:  # it was told to stop
            return False
        if now < self._until + _CATCHING_UP:
            return sending.next_at is not None
        sending.give_up()
        return False

    @property
    def next_at(self) -> int | None:
        """When to go on, at the latest; None where that depends on others."""
        if self._stage is Stage.JOINING:
            return self._joining.next_at
        if self._stage is Stage.SENDING and self._sending is not None:
            next_at = self._sending.next_at
            return self._until if next_at is None else min(next_at, self._until)
        return self._next_look if self._stage is Stage.SETTLING else None

    def progress(self, now: int) -> Progress:
        """Say how it goes. To be called a few times a second."""
        delivered = 0
        if self._reading is not None:
            self._reading.tidy()
            delivered = self._reading.tally.delivered
            then, before = self._ticked
            self._latency.adapt((delivered - before) * 1_000_000 / max(now - then, 1))
            self._ticked = now, delivered
        return Progress(
            clients=sum(client.state is State.IN for client in self._clients),
            notices=self._joining.notices,
            last_notice=self._joining.last_notice,
            sent=self._sending.sent if self._sending else 0,
            delivered=delivered,
            slowest=self._latency.longest,
        )

    # --- Steps -----------------------------------------------------------------------------------

    def _take_early(self, client: Client, buffer: bytearray, count: int, now: int) -> None:
        self._joining.take(client, bytes(memoryview(buffer)[:count]), now)

    def _joined(self) -> list[Report]:
        self._stage = Stage.WAITING
        joining = self._joining
        return [
            Joined(
                entered=joining.entered,
                failed=dict(joining.failed),
                retries=joining.retries,
                begun=joining.begun,
                last_entered=joining.last_entered,
                cpu_seconds=time.process_time() - self._cpu,
            )
        ]

    def _stopped(self, sending: Sending, now: int) -> list[Report]:
        self._stage = Stage.WAITING
        self._private = sending.private()
        return [
            Stopped(
                public=sending.public(),
                private=self._private,
                latest=sending.latest,
                held_back=sending.held_back,
                until=min(now, self._until) or now,
            )
        ]

    def _settled(self, reading: Reading, now: int) -> list[Report]:
        if self._complete is None:
            if reading.tally.delivered >= self._expected:
                account = reading.account(self._sent, self._private)
                if not account.lost:
                    self._complete = now
            quiet = now - max(reading.tally.last, self._from, self._runs_since)
            waited = now - self._from
            if quiet < self._plan.settle * 1_000_000 and waited < MAX_SETTLING * 1_000_000:
                return []
        elif now - self._complete < _GRACE:
            return []
        self._stage = Stage.WAITING
        return [
            Settled(
                tally=reading.account(self._sent, self._private),
                farewells=dict(reading.farewells),
                histogram=self._latency.encode(),
                recorded=self._latency.recorded,
                longest=self._latency.longest,
                orders={room: (it.digest(), it.end) for room, it in reading.orders.items()},
                cpu_seconds=self._cpu,
            )
        ]
