"""How far webhooks are: kept in Redis, where one process at a time may move it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tertulia.domain.position import Position
from tertulia.redis.client import Client
from tertulia.store.keys import Keys
from tertulia.store.scripts import WEBHOOK_LEASE, WEBHOOK_STEP

MOST_DEAD_LETTERS: Final = 100
"""How many deliveries that were given up are kept of a webhook."""
_NO_POSITION: Final = ""


class LeaseLost(Exception):
    """Somebody else relays the webhook, or its state in Redis is not the one that was left there."""


@dataclass(frozen=True, slots=True)
class RelayLease:
    """The answer to who wants to relay a webhook."""

    term: int
    """Of the relay that the asker has; 0: it has it not."""
    milliseconds: int
    """Until the relay is free, where somebody else has it."""
    gone: str
    """The digest of the receiver that wants nothing more; empty: none said so."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery under way: it ends there again, however often it is tried."""

    end: Position
    tries: int = 0
    """How often it was tried in vain."""
    seconds: float = 0.0
    """Since it was begun."""


@dataclass(frozen=True, slots=True)
class RoomProgress:
    """How far a webhook is in a room."""

    reached: Position | None = None
    """Up to there all is delivered, or given up. None: it has not begun."""
    attempt: Attempt | None = None
    dead: int = 0
    """Deliveries that were given up."""


@dataclass(frozen=True, slots=True)
class WebhookProgress:
    """How far a webhook is, and who relays it."""

    holder: str
    """Empty: nobody."""
    gone: str
    """As in ``RelayLease``."""
    rooms: Mapping[str, RoomProgress]
    """By their names in paths."""


class WebhookRecord:
    """What Redis keeps of one webhook. Raises StoreAway if Redis does not answer."""

    def __init__(self, chat: str, name: str, redis: Client) -> None:
        keys = Keys(chat)
        self._key, self._dead = keys.webhook(name), keys.dead_letters(name)
        self._redis: Any = redis  # the types of redis-py don't say that replies are text

    async def lease(self, holder: str, milliseconds: int) -> RelayLease:
        """Take the relay for so long, or keep it. Each one who takes it gets a higher term."""
        told = await self._redis.run(WEBHOOK_LEASE, [self._key], [holder, milliseconds])
        return RelayLease(int(told[0]), int(told[1]), told[2])

    async def release(self, holder: str) -> None:
        """Give the relay back, if the holder has it: somebody else may have it at once."""
        await self._redis.run(WEBHOOK_LEASE, [self._key], [holder, 0])

    async def read(self) -> WebhookProgress:
        """Return how far it is."""
        kept: dict[str, str] = await self._redis.hgetall(self._key)
        seconds, micros = await self._redis.time()
        now = seconds * 1000 + micros // 1000
        names = {field.partition(":")[2] for field in kept if field.startswith(("at:", "dead:"))}
        is_held = int(kept.get("until", 0)) > now
        rooms = {name: _progress(kept, name, now) for name in sorted(names)}
        holder = kept.get("holder", "") if is_held else ""
        return WebhookProgress(holder, kept.get("gone", ""), rooms)

    async def dead_letters(self, most: int) -> list[str]:
        """Return the deliveries that were given up, the last ones first, as JSON."""
        found: list[str] = await self._redis.lrange(self._dead, 0, most - 1)
        return found

    async def enable(self) -> None:
        """Forget that the receiver wants nothing more."""
        await self._redis.hdel(self._key, "gone")

    def in_room(self, holder: str, term: int, room: str) -> "RoomSteps":
        """Move on in a room, as who relays it in that term."""
        return RoomSteps(self._key, self._dead, self._redis, (holder, term, room))


class RoomSteps:
    """Steps of a webhook's relay in one room. Each raises LeaseLost where it may not be taken any more.

    Raises StoreAway: then it is not known whether the step was taken, and the progress is to be read again.
    """

    def __init__(self, key: str, dead: str, redis: Any, by: tuple[str, int, str]) -> None:
        self._names = [key, dead]
        self._redis = redis
        self._by = by

    async def begin(self, at: Position) -> None:
        """Begin at a position, where there is none yet."""
        await self._step(None, "begin", at)

    async def pin(self, reached: Position, end: Position) -> Attempt:
        """Begin a delivery: from now on it ends there, whoever relays it."""
        return await self._step(reached, "pin", end)

    async def fail(self, reached: Position, end: Position, tries: int) -> Attempt:
        """Note that a delivery was tried in vain, so many times by now."""
        return await self._step(reached, "fail", end, tries)

    async def advance(self, reached: Position, end: Position) -> None:
        """Go on from the end of what was delivered, or of what there is nothing to deliver of."""
        await self._step(reached, "pass", end)

    async def bury(self, reached: Position, end: Position, letter: bytes) -> None:
        """Go on from the end of a delivery that is given up, and keep it for looking at."""
        await self._step(reached, "bury", end, letter)

    async def gone(self, reached: Position, receiver: str) -> None:
        """Note that the receiver, a digest, wants nothing more."""
        await self._step(reached, "gone", receiver)

    async def _step(
        self, reached: Position | None, step: str, to: Position | str, more: bytes | int = b""
    ) -> Attempt:
        whence = _NO_POSITION if reached is None else _written(reached)
        given = to if isinstance(to, str) else _written(to)
        args = [*self._by, whence, step, given, more, MOST_DEAD_LETTERS]
        told = await self._redis.run(WEBHOOK_STEP, self._names, args)
        if int(told[0]) == 0:
            raise LeaseLost
        _, tries, since, now = map(int, told)
        end = to if isinstance(to, Position) else Position("", 0)
        return Attempt(end, tries, (now - since) / 1000)


def _written(position: Position) -> str:
    return f"{position.epoch}:{position.offset}"


def _read(told: str) -> Position:
    epoch, _, offset = told.rpartition(":")
    return Position(epoch, int(offset))


def _progress(kept: Mapping[str, str], room: str, now: int) -> RoomProgress:
    at, under_way = kept.get(f"at:{room}"), kept.get(f"next:{room}")
    attempt = None
    if under_way is not None:
        end, tries, since = under_way.split(" ")
        attempt = Attempt(_read(end), int(tries), (now - int(since)) / 1000)
    return RoomProgress(
        None if at is None else _read(at), attempt, int(kept.get(f"dead:{room}", 0))
    )
