"""Group commit: one batch in flight, and while Redis works on it, the next gathers.

Load makes batches larger, not slower, and an idle node commits a lone message at once. When a batch is
committed and ops wait, its events are first written, and what their readers say at once joins the next batch.
A batch whose reply is lost is sent again under its number, and the script does nothing twice.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog

from tertulia.chat.ports import DONE, Delivery, Follower, Op, WhisperOp
from tertulia.domain.events import TaggedAlone, Whispered
from tertulia.domain.position import Position
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import Fenced, NewEpoch, StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.batch import Batch, Seen, letter_of
from tertulia.store.clock_offset import ClockOffset
from tertulia.store.keys import Keys
from tertulia.store.membership import Membership, new_epoch_name
from tertulia.store.scripts import COMMIT, SHOW
from tertulia.store.submitted import Committed, Submitted
from tertulia.telemetry.metrics import Metrics, RetryCause
from tertulia.telemetry.tracer import Tracer

_FIXED_KEYS = 9
_LATE_SECONDS = 0.5
LATE_HEARTBEATS: Final = 1.5
"""Heartbeats without a word from a server, after which it may have been replaced without noticing.

An idle node gets an answer, and a probe over the bus, about every heartbeat; it never waits longer for them.
"""
TURNS: Final = 2
"""Turns of the loop: in one the bus brings what was committed, in the next its readers' words are read."""
_RESTRAINED_SECONDS = 60.0
"""For how long batches bring what is needed to see who may not speak; then Redis says it again."""
_UNSEEN_SECONDS = 1.0
"""For how long batches have whispers looked up, once the log was found to have gone on meanwhile."""
_ELSEWHERE = "-"
"""In place of the session of a recipient on another node."""
_ADDRESSED = "*"
"""In place of all the sessions whose letters this node has written itself."""

log = structlog.get_logger(__name__)


class Committer(Submitted):
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
        clock_offset: ClockOffset | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """``is_replicated``: nothing is settled, or shown to anybody, before a replica has it."""
        super().__init__(member)
        self._member: Membership = member
        self._is_replicated = is_replicated
        self._clock_offset = clock_offset or ClockOffset()
        self._keys = keys
        self._link = link
        self._tracer = tracer
        self._follower = follower
        self._settings = settings
        self._metrics = metrics
        self._clock = asyncio.get_running_loop().time
        self._work = asyncio.Event()
        self._beat_is_due = False
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
        self._restrained_until = 0.0
        """Until when, as Redis has said, perhaps not everybody may speak."""
        self._unseen_until = 0.0
        """Until when Redis has to look up who holds which nickname."""
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
        self._restrained_until = 0.0
        self._new_epoch = new_epoch_name()
        self._shown_to = 0
        self._confirmed = 0
        super().begin_epoch()

    def __len__(self) -> int:
        """Return how many ops wait for the next batch."""
        return len(self._queue)

    # --- Redis' side -----------------------------------------------------------------------------

    @property
    def awaits_reply(self) -> bool:
        """Whether a batch is under way."""
        return self._flight is not None

    async def run(self) -> None:
        """Commit submitted ops; with nothing submitted, renew the lease. Raises Fenced, NewEpoch."""
        heartbeat = asyncio.get_running_loop().call_later(0, self._fall_due)
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
                    for _ in range(TURNS if self._queue else 0):
                        await asyncio.sleep(0)
                if self._beat_is_due:  # by its timer, which may come an instant early by the clock
                    self._beat_is_due = False
                    if now - self._answered_at >= self._settings.heartbeat_seconds / 2:
                        await self._commit([])
                    heartbeat = asyncio.get_running_loop().call_later(
                        self._settings.heartbeat_seconds, self._fall_due
                    )
        finally:
            heartbeat.cancel()

    def _fall_due(self) -> None:
        self._beat_is_due = True
        self._work.set()

    async def beat(self) -> None:
        """Commit an empty batch: the lease is renewed, and the inbox trimmed."""
        await self._commit([])

    async def _commit(self, ops: list[Op] | None) -> None:
        """Commit the batch in flight; else ``ops``; else the next ops of the queue."""
        if self._flight is None and ops is None and self._lost:
            self._flight = self._lost.pop(0)
        elif self._flight is None:
            number = self._member.next_batch()
            self._flight = (number, self._gather(self._settings) if ops is None else ops)
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
                batch = self._write(ops, look_further)  # who is here may have changed
                continue
            status = reply[0]
            if status == b"ok":
                break
            if status == b"peers":
                self._peers.update(node.decode() for node in reply[1:])
                batch = self._write(ops, look_further)  # indexes shift with the new keys
                continue
            if status == b"unseen":
                self._unseen_until = self._clock() + _UNSEEN_SECONDS
                batch = self._write(ops, look_further)
                continue
            if status == b"restrained":
                self._restrained_until = self._clock() + _RESTRAINED_SECONDS
                batch = self._write(ops, look_further)
                continue
            if status == b"away":
                look_further = True
                batch = self._write(ops, look_further)
                continue
            self._trace(number, ops, batch, tries, started, status.decode())
            raise Fenced if status == b"fenced" else NewEpoch
        self._trace(number, ops, batch, tries, started, "committed")
        self._answered(started, number, ops, batch, reply)

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
        now = self._clock()
        restrained = bool(ops) and now < self._restrained_until
        may_know = not restrained and now >= self._unseen_until
        known = None
        if may_know and self.log_end.offset <= self._member.position.offset:
            ms = round((time.time() - self._clock_offset.seconds) * 1000)
            known = Seen(self._follower.holders, self._member.letters, ms)
        batch = Batch(
            self._keys, _FIXED_KEYS, self._member.node,
            look_further=look_further, restrained=restrained, known=known,
        )  # fmt: skip
        batch.add(*ops)
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
            len(batch.written),
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
        return fixed + batch.keys, head + peers + batch.written + batch.args

    def _answered(
        self, started: float, number: int, ops: list[Op], batch: Batch, reply: list[Any]
    ) -> None:
        _, told, entry, letter, outcomes, notes, own = reply
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
        ops = self._take_outcomes(ops, outcomes, notes)
        if own:
            self._hand_over(ops, batch, letter, own)
        self._unsettled.append(Committed(number, self.log_end.epoch, entry, letter, ops))
        self.acknowledge_delivered()
        if own:
            self._follower.flush()

    def _hand_over(self, ops: Sequence[Op], batch: Batch, last: int, own: bytes) -> None:
        """Deliver a batch's letters to this node itself, which are not published: it has seen all before."""
        at, *readers = own.decode().split(" ")
        given = list[tuple[str, Whispered | TaggedAlone]]()
        done = [op for op in ops if op.outcome is DONE and isinstance(op, WhisperOp)]
        if readers[0] == _ADDRESSED:
            given = batch.addressed
            done, readers = done[len(given) :], readers[1:]
        for op, reader in zip(done, readers, strict=True):
            if reader != _ELSEWHERE:
                given.append((reader, letter_of(op)))
        first, when = last - len(given) + 1, int(at) / 1000
        # Else they were read in the inbox meanwhile.
        if first > self._member.letters:
            self._member.took(last)
            self._follower.deliveries(
                [
                    Delivery(i, reader, letter, when)
                    for i, (reader, letter) in enumerate(given, first)
                ]
            )

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
