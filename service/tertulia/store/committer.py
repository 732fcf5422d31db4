"""Group commit: one batch in flight, and while Redis works on it, the next gathers.

Load makes batches larger, not slower, and an idle node commits a lone message at once. When a batch is
committed and ops wait, its events are first written, and what their readers say at once joins the next batch.
A batch whose reply is lost is sent again under its number, and the script does nothing twice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import structlog

from tertulia.chat.device_ops import RequestOp
from tertulia.chat.ports import Follower, Op, Outcome, SayOp
from tertulia.domain.position import Position
from tertulia.domain.requests import OpenChat
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import Fenced, NewEpoch, StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.batch import Batch
from tertulia.store.keys import Keys
from tertulia.store.membership import Membership, new_epoch_name
from tertulia.store.scripts import COMMIT, SHOW
from tertulia.telemetry.metrics import Metrics, RetryCause
from tertulia.telemetry.tracer import Tracer

_FIXED_KEYS = 9
_LATE_SECONDS = 0.5
LATE_HEARTBEATS: Final = 1.5
"""Heartbeats without a word from a server, after which it may have been replaced without noticing.

An idle node gets an answer, and a probe over the bus, about every heartbeat; it never waits longer for them.
"""
_TURNS = 2
"""Turns of the loop: in one the bus brings what was committed, in the next its readers' words are read."""
_OUTCOMES = {ord(outcome.value): outcome for outcome in Outcome}

log = structlog.get_logger(__name__)


class _Committed(NamedTuple):
    """A committed batch, and the entry and letter that have to be delivered before it is settled."""

    number: int
    epoch: str
    entry: int
    """The offset of its entry; 0 if it has none."""
    letter: int
    """The number of its last letter to this node; 0 if it has none."""
    ops: list[Op]


class Committer:
    """The only writer of a chat on this node."""

    def __init__(
        self,
        keys: Keys,
        link: Link,
        member: Membership,
        follower: Follower,
        settings: ClusterSettings,
        metrics: Metrics,
        *,
        is_replicated: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        """``is_replicated``: nothing is settled, or shown to anybody, before a replica has it."""
        self._is_replicated = is_replicated
        self._keys = keys
        self._link = link
        self._tracer = tracer
        self._member = member
        self._follower = follower
        self._settings = settings
        self._metrics = metrics
        self._clock = asyncio.get_running_loop().time
        self._queue: deque[Op] = deque()
        # The number and ops of the batch in flight: kept until its reply is read, over any number of links.
        self._flight: tuple[int, list[Op]] | None = None
        # Batches that Redis had and lost. They keep their numbers, as some nodes may have heard them.
        self._lost: deque[tuple[int, list[Op]]] = deque()
        self._unsettled: deque[_Committed] = deque()
        self._work = asyncio.Event()
        self._submitted = 0
        self._settled = 0
        self._progress = asyncio.Event()
        self._answered_at = float("-inf")
        self.answered = asyncio.Event()
        """Set when Redis has answered for the first time."""
        self._peers: set[str] = set()  # other nodes, to which letters may go
        self.log_end = member.position
        """The log's last position, by Redis' last answer."""
        self.healthy_since: float | None = None
        """Since when every batch was answered, in monotonic seconds; None while Redis is away."""
        self.lacks_replica = False
        """Whether there was no replica at the last commit, where one is wanted."""
        self._new_epoch = new_epoch_name()
        """The name of the epoch that a batch begins if Redis has lost data."""
        self._shown_to = 0
        self._confirmed = self._to_confirm = 0  # letters: that Redis knows of, and with this batch
        self._trouble: RetryCause | None = None

    # --- The chat's side -------------------------------------------------------------------------

    def submit(self, op: Op) -> None:
        """Put an op in the queue."""
        if not self._queue:
            self._work.set()
        self._queue.append(op)
        self._submitted += 1

    def acknowledge_delivered(self) -> None:
        """Settle the batches whose entries and letters were delivered: own copies come before answers.

        The offset of an entry does not prove that it was delivered. A server that was replaced meanwhile may
        have answered, and its successor has another entry at that offset.
        """
        member = self._member
        while self._unsettled:
            it = self._unsettled[0]
            if it.entry and it.number > member.delivered_batch:
                # If the log was trimmed past it, nobody here can hear it any more.
                unread = member.unread
                if it.epoch != unread.epoch or it.entry > unread.offset:
                    break
            if it.letter > member.letters:
                break
            self._unsettled.popleft()
            self._settle(it.ops)

    async def settle(self) -> None:
        """Wait until all that is submitted is settled."""
        while self._settled < self._submitted:
            await self.settle_submitted()

    async def settle_submitted(self) -> None:
        """Wait until everything that is submitted by now is settled. Later ops are not waited for."""
        until = self._submitted
        while self._settled < until:
            self._progress.clear()
            await self._progress.wait()

    def registered(self, log_end: Position) -> None:
        """Take the log's last position, as it was when this node was registered."""
        self.log_end = log_end

    def knows(self, peers: set[str]) -> None:
        """Take the names of the other nodes, to which letters may go."""
        self._peers = peers

    def clear(self) -> None:
        """Forget everything that is not settled: this node was fenced."""
        self._queue.clear()
        self._unsettled.clear()
        self._lost.clear()
        self._flight = None
        self._confirmed = 0
        self.healthy_since = None
        self._settled = self._submitted
        self._progress.set()

    def begin_epoch(self) -> None:
        """Decide, after Redis lost data, which of the submitted ops are to be committed again.

        Entries that were never delivered here are lost with the rest, so they are committed again. A batch
        whose entry was delivered is done as far as everybody could see; only its letters may be lost.
        """
        self.log_end = self._member.position
        self._new_epoch = new_epoch_name()
        self._shown_to = 0
        self._confirmed = 0
        self._member.begin_epoch()
        batches = [(it.number, it.ops) for it in self._unsettled]
        if self._flight is not None:
            batches.append(self._flight)
        batches += self._lost
        self._unsettled.clear()
        self._lost.clear()
        self._flight = None
        again: list[Op] = []
        for number, ops in batches:
            if number > self._member.delivered_batch:
                self._lost.append((number, ops))
                continue
            said = [op for op in ops if isinstance(op, SayOp)]
            for op in said:
                op.outcome = op.outcome or Outcome.DONE
            self._settle(said)
            again += [op for op in ops if not isinstance(op, SayOp)]
        if again:  # these come first, and so need the numbers
            again += [op for _, ops in self._lost for op in ops]
            self._lost.clear()
            self._queue.extendleft(reversed(again))

    def __len__(self) -> int:
        """Return how many ops wait for the next batch."""
        return len(self._queue)

    # --- Redis' side -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Commit submitted ops; with nothing submitted, renew the lease. Raises Fenced, NewEpoch."""
        heartbeat = asyncio.get_running_loop().call_later(0, self._work.set)
        beat_at = 0.0
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                now = self._clock()
                under_way = self._lost or self._flight is not None  # these come first
                if now - self._answered_at > self._settings.lease_seconds and not under_way:
                    # This node may have been frozen and buried: ask before anything is committed.
                    await self._commit([])
                while self._queue or self._lost or self._flight is not None:
                    await self._commit(None)
                    for _ in range(_TURNS if self._queue else 0):
                        await asyncio.sleep(0)
                if now >= beat_at:
                    if now - self._answered_at >= self._settings.heartbeat_seconds / 2:
                        await self._commit([])
                    beat_at = now + self._settings.heartbeat_seconds
                    heartbeat.cancel()
                    heartbeat = asyncio.get_running_loop().call_later(
                        self._settings.heartbeat_seconds, self._work.set
                    )
        finally:
            heartbeat.cancel()

    async def beat(self) -> None:
        """Commit an empty batch: the lease is renewed, and the inbox trimmed."""
        await self._commit([])

    def _gather(self) -> list[Op]:
        ops: list[Op] = []
        size = 0
        while (
            self._queue
            and len(ops) < self._settings.batch_ops
            and size < self._settings.batch_bytes
        ):
            op = self._queue.popleft()
            text = getattr(op, "text", "")
            size += (len(text) if text.isascii() else len(text.encode())) + op.weight
            ops.append(op)
        return ops

    async def _commit(self, ops: list[Op] | None) -> None:
        """Commit the batch in flight; else ``ops``; else the next ops of the queue."""
        if self._flight is None and ops is None and self._lost:
            self._flight = self._lost.popleft()
        elif self._flight is None:
            number = self._member.next_batch()
            self._flight = (number, self._gather() if ops is None else ops)
        number, ops = self._flight
        look_further = False
        batch = self._write(ops, look_further)
        started = time.perf_counter()  # the loop's clock stands still within a turn
        backoff = Backoff()
        late = LATE_HEARTBEATS * self._settings.heartbeat_seconds
        tries = 0
        while True:
            sent = self._clock()
            tries += 1
            try:
                reply = await self._run(*self._request(number, batch))
                now = self._clock()
                if now - sent > _LATE_SECONDS or now - self._answered_at > late:
                    # The server may have been frozen and replaced: then this commit is lost.
                    await self._link.confirm()
            except StoreAway as error:
                self._away(error)
                await backoff.wait()
                continue
            status = reply[0]
            if status == b"ok":
                break
            if status == b"peers":
                self._peers.update(node.decode() for node in reply[1:])
                batch = self._write(ops, look_further)  # indexes shift with the new keys
                continue
            if status == b"away":
                look_further = True
                batch = self._write(ops, look_further)
                continue
            self._trace(number, ops, batch, tries, started, status.decode())
            raise Fenced if status == b"fenced" else NewEpoch
        self._trace(number, ops, batch, tries, started, "committed")
        self._answered(started, number, ops, reply)

    async def _run(self, keys: list[str], args: list[Argument]) -> list[Any]:
        """Run the script. With replicas, wait until one has what it wrote, then show it to everybody."""
        if not self._is_replicated:
            reply: list[Any] = await self._link.run(COMMIT, keys, args)
            return reply
        reply, replicas = await self._link.run_replicated(COMMIT, keys, args)
        if reply[0] != b"ok":
            return reply
        self.lacks_replica = replicas < 1
        if self.lacks_replica:
            # The whole batch is sent again: that renews the lease, and nothing is done twice.
            raise StoreAway(RetryCause.NO_REPLICAS, "no replica has what was written last")
        epoch, offset = self._member.position.epoch, reply[1]
        if offset > self._shown_to:
            fixed = [self._keys.meta, self._keys.log]
            self._shown_to = await self._link.run(SHOW, fixed, [epoch, offset, self._keys.room])
        return reply

    def _trace(
        self, number: int, ops: list[Op], batch: Batch, tries: int, started: float, outcome: str
    ) -> None:
        if ops and self._tracer is not None:
            self._tracer.committed(
                self._keys.chat,
                self._member.node,
                number,
                ops=len(ops),
                size=batch.size,
                tries=tries,
                seconds=time.perf_counter() - started,
                outcome=outcome,
            )

    def _write(self, ops: list[Op], look_further: bool) -> Batch:
        batch = Batch(self._keys, _FIXED_KEYS, self._member.node, look_further=look_further)
        for op in ops:
            batch.add(op)
        return batch

    def _request(self, number: int, batch: Batch) -> tuple[list[str], list[Argument]]:
        keys, member, settings = self._keys, self._member, self._settings
        peers: list[Argument] = []
        if batch.has_letters:
            for node in (member.node, *self._peers):
                peers += (node, batch.key(keys.inbox(node)), keys.channel(node))
        self._to_confirm = self._follower.confirmed()
        head: list[Argument] = [
            member.node,
            number,
            member.position.epoch,
            member.position.offset,
            round(settings.lease_seconds * 1000),
            # Sent once, and again with each heartbeat: a master may be lost with what it was sent.
            0 if batch.args and self._to_confirm == self._confirmed else self._to_confirm,
            round(settings.log_age_seconds * 1000),
            settings.log_bytes,
            "" if self._is_replicated else keys.room,
            self._new_epoch,
            settings.pending_messages,
            settings.pending_sender_bytes,
            settings.pending_bytes,
            member.answered_batch,
            member.letters,
            round(settings.device_login_seconds * 1000),
            batch.letters,
            len(peers) // 3,
        ]
        fixed = [
            keys.meta,
            keys.log,
            keys.marks,
            keys.members,
            keys.leases,
            keys.batches,
            keys.inboxes,
            keys.nicks(member.node),
            keys.inbox(member.node),
        ]
        return fixed + batch.keys, head + peers + batch.args

    def _answered(self, started: float, number: int, ops: list[Op], reply: list[Any]) -> None:
        _, told, entry, letter, outcomes, notes = reply
        self._answered_at = now = self._clock()
        if self.healthy_since is None:
            self.healthy_since = now
            self.answered.set()
            log.info("redis answers", chat=self._keys.chat)
        self._trouble = None
        self._confirmed = self._to_confirm
        self.log_end = Position(self._member.position.epoch, told)
        self._flight = None
        if not ops:
            return
        self._member.answered(number)
        self._metrics.commit_duration.observe(time.perf_counter() - started)
        self._metrics.batch_ops.observe(len(ops))
        if len(outcomes) < len(ops):  # Redis refused a command: the rest goes into the next batch
            self._queue.extendleft(reversed(ops[len(outcomes) :]))
            ops = ops[: len(outcomes)]
        for op, outcome in zip(ops, outcomes, strict=True):
            op.outcome = _OUTCOMES[outcome]
        if notes:
            opened = (
                op for op in ops if isinstance(op, RequestOp) and isinstance(op.asked, OpenChat)
            )
            for op, note in zip(opened, notes.decode().split(",")[:-1], strict=True):
                op.note = note
        self._unsettled.append(_Committed(number, self.log_end.epoch, entry, letter, ops))
        self.acknowledge_delivered()

    def _away(self, error: StoreAway) -> None:
        self._metrics.commit_retries(error.cause).inc()
        before, self._trouble = self._trouble, error.cause
        if self.healthy_since is not None or before is not error.cause:
            self.healthy_since = None
            log.warning(
                "redis is away", chat=self._keys.chat, cause=error.cause.value, error=str(error)
            )

    def _settle(self, ops: Sequence[Op]) -> None:
        self._settled += len(ops)
        self._progress.set()
        self._follower.settled(ops)
