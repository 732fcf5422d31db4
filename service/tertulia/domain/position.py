"""Where a node is in a chat's log, and what an entry at another place means: pure decisions."""

from enum import Enum, auto

import msgspec


class Position(msgspec.Struct, frozen=True):
    """A place in the log. Offsets go up by one with each entry; an epoch ends when the store loses data.

    The position of an entry also says when it was committed. So one place has two positions, one with that
    time and one without: to ask whether they are the same place, compare epoch and offset.
    """

    epoch: str
    offset: int
    at: float = 0.0
    """Seconds since the Unix epoch, by the store's clock; 0 where only a place is meant, not an entry."""


class Verdict(Enum):
    """What to do with an entry that arrived on the bus."""

    DELIVER = auto()
    """It is the next one."""
    DROP = auto()
    """It was delivered already."""
    RECOVER = auto()
    """Entries before it are missing: read on from the log first, then look at it again."""
    RESEAT = auto()
    """It is of another epoch: the store lost data, and this node has to write down again what it knows."""


def judge(have: Position, arrived: Position) -> Verdict:
    """Decide about an entry that arrived, given the last one that was delivered."""
    if arrived.epoch != have.epoch:
        return Verdict.RESEAT
    if arrived.offset <= have.offset:
        return Verdict.DROP
    return Verdict.DELIVER if arrived.offset == have.offset + 1 else Verdict.RECOVER


class LogEnd(msgspec.Struct, frozen=True):
    """How far a log may be read, as the store tells it."""

    epoch: str
    """Empty where there is no log."""
    offset: int
    base: int = 0
    """The offset at which the epoch began. Up to there the log is that of the epoch before."""
    before: str = ""
    """The epoch before; empty where nobody knows."""


class Onward(Enum):
    """How somebody goes on who has read a log up to a place."""

    ON = auto()
    """With the next entry."""
    REST = auto()
    """The epoch is over. Its log has more, up to the base of the next one, or others than were read."""
    REWOUND = auto()
    """The store came back with older data, so what was read is not there any more: from where they part."""
    OTHER = auto()
    """From where the epoch began, which is all that is sure to be new: something may be missing."""
    FIRST = auto()
    """From where the log begins: there was none before."""


def go_on(have: Position, end: LogEnd, *, is_other: bool) -> Onward:
    """Decide how to go on in a log. ``is_other``: another entry stands where the last one was read."""
    if not have.epoch:
        return Onward.FIRST
    if have.epoch == end.epoch:
        return Onward.REWOUND if is_other or end.offset < have.offset else Onward.ON
    if have.epoch == end.before and (is_other or have.offset != end.base):
        return Onward.REST
    return Onward.OTHER


def is_behind(have: Position, told: Position) -> bool:
    """Say whether the log has entries, up to the place that the store gave, that the bus has not brought."""
    return told.epoch != have.epoch or told.offset > have.offset


def missing(have: int, first: int | None, end: int) -> int:
    """Count the entries that the log has lost between ``have`` and ``end``.

    ``first`` is the first entry that the log still holds after ``have``, None where it holds none;
    ``end`` is the log's last offset. A trimmed log loses its oldest entries only.
    """
    held_from = end + 1 if first is None else first
    return max(0, held_from - have - 1)
