"""What a node has submitted to a log: what waits, what is under way, and what is not settled yet."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypeGuard

from tertulia.chat.device_ops import RequestOp
from tertulia.chat.ports import JoinOp, Op, Outcome, SayOp, WhisperOp
from tertulia.domain.requests import OpenChat
from tertulia.settings.sections import ClusterSettings
from tertulia.store.membership import Progress

_OUTCOMES = {ord(outcome.value): outcome for outcome in Outcome}


class Committed(NamedTuple):
    """A committed batch, and the entry and letter that have to be delivered before it is settled."""

    number: int
    epoch: str
    entry: int
    """The offset of its entry; 0 if it has none."""
    letter: int
    """The number of its last letter to this node; 0 if it has none."""
    ops: list[Op]


def _is_noted(op: Op) -> TypeGuard[RequestOp | JoinOp | SayOp | WhisperOp]:
    """Say whether the script's reply has a note about an op that is answered."""
    if isinstance(op, RequestOp):
        return isinstance(op.asked, OpenChat)
    if isinstance(op, JoinOp):
        return op.outcome is Outcome.DONE
    return op.outcome is Outcome.MUTED or op.outcome is Outcome.SLOW


class Submitted(ABC):
    """The ops of this node for one log, from their submission until they are settled."""

    __slots__ = ("_flight", "_lost", "_member", "_queue", "_unsettled")

    def __init__(self, member: Progress) -> None:
        self._member = member
        self._queue: deque[Op] = deque()
        # The number and ops of the batch in flight: kept until its reply is read, over any number of links.
        self._flight: tuple[int, list[Op]] | None = None
        # Batches that Redis had and lost. They keep their numbers, as some nodes may have heard them.
        self._lost: list[tuple[int, list[Op]]] = []
        self._unsettled: list[Committed] = []

    @abstractmethod
    def _settle(self, ops: Sequence[Op]) -> None:
        """Tell the follower of ops that are settled."""

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
            del self._unsettled[0]
            self._settle(it.ops)

    def begin_epoch(self) -> None:
        """Decide, after Redis lost data, which of the submitted ops are to be committed again.

        Entries that were never delivered here are lost with the rest, so they are committed again. A batch
        whose entry was delivered is done as far as everybody could see; only its letters may be lost.
        """
        self._member.begin_epoch()
        batches = [(batch.number, batch.ops) for batch in self._unsettled]
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

    def _gather(self, settings: ClusterSettings) -> list[Op]:
        """Take what makes the next batch from the queue."""
        ops: list[Op] = []
        size = 0
        queue, most_bytes = self._queue, settings.batch_bytes
        for _ in range(min(len(queue), settings.batch_ops)):
            if size >= most_bytes:
                break
            op = queue.popleft()
            text = getattr(op, "text", "")
            size += len(text) if text.isascii() else len(text.encode())
            # No other message has a weight, and asking for it is a call.
            if op.kind is None or (type(op) is WhisperOp and op.away):
                size += op.weight
            ops.append(op)
        return ops

    def _take_outcomes(self, ops: list[Op], outcomes: bytes, notes: bytes) -> list[Op]:
        """Give the ops of a batch what the script answered, and return those that it answered."""
        if len(outcomes) < len(ops):  # Redis refused a command: the rest goes into the next batch
            self._queue.extendleft(reversed(ops[len(outcomes) :]))
            ops = ops[: len(outcomes)]
        for op, outcome in zip(ops, outcomes, strict=True):
            op.outcome = _OUTCOMES[outcome]
        if notes:
            left = iter(notes.decode().split(","))
            for op in filter(_is_noted, ops):
                note = next(left)
                if isinstance(op, RequestOp):
                    op.note = note
                elif isinstance(op, JoinOp):
                    op.number, op.account = int(note), int(next(left))
                else:
                    op.until = int(note)
        return ops
