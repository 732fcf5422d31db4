"""A webhook's relay in one room: reads on in its log, delivers in order, one request at a time."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from tertulia.api.positions import written
from tertulia.api.webhooks.deliveries import MOST_BYTES, Gathering, HookDelivery
from tertulia.api.webhooks.hooks import Webhook
from tertulia.api.webhooks.sending import HookSender
from tertulia.api.webhooks.tallies import Tally
from tertulia.api.webhooks.trying import ReceiverAnswer, TryBounds, TryOutcome, decide
from tertulia.domain.position import Position
from tertulia.operators.following import Feed, FeedReader, Item, TooSlow
from tertulia.operators.webhooks import Attempt, RoomProgress, RoomSteps, WebhookRecord
from tertulia.redis.backoff import Backoff
from tertulia.redis.errors import StoreAway

_NOTE_SECONDS: Final = 5.0
"""After which the position is written down where nothing was to be delivered."""

Memory = tuple[Position, Position | None]
"""Up to where all is delivered in a room, and where the delivery under way ends; None: none is."""

_log = structlog.get_logger("tertulia.webhooks")


class ReceiverGone(Exception):
    """The receiver wants nothing more: that is noted."""


class RoomRelay:
    """One webhook in one room, as long as this process has its lease.

    ``run`` raises LeaseLost and ReceiverGone.
    """

    def __init__(
        self,
        hook: Webhook,
        room: str,
        feed: Callable[[], Feed],
        record: WebhookRecord,
        steps: RoomSteps,
        sender: HookSender,
        turns: asyncio.Semaphore,
        patience: TryBounds,
        tally: Tally,
        remembered: dict[str, Memory],
    ) -> None:
        """``feed``: what happens in the room; asked for each time, as one to which nobody listens ends.

        ``turns``: of the webhook's requests, in all rooms.

        ``remembered``: how far this process came in each room, should Redis not know it any more.
        """
        self._hook = hook
        self._room = room
        self._feed = feed
        self._record = record
        self._steps = steps
        self._sender = sender
        self._turns = turns
        self._patience = patience
        self._tally = tally
        self._remembered = remembered

    async def run(self) -> None:
        """Relay until this is cancelled."""
        backoff = Backoff()
        try:
            while True:
                try:
                    await self._relay(backoff)
                except StoreAway:
                    await backoff.wait()
                except TooSlow:
                    pass  # it goes on from the log
        finally:
            self._tally.waiting.pop(self._room, None)

    async def _relay(self, backoff: Backoff) -> None:
        progress = (await self._record.read()).rooms.get(self._room, RoomProgress())
        reader = FeedReader(self._feed())
        try:
            await self._relay_on(reader, progress, backoff)
        finally:
            reader.end()

    async def _relay_on(self, reader: FeedReader, progress: RoomProgress, backoff: Backoff) -> None:
        reached, attempt = progress.reached, progress.attempt
        if reached is None:
            at, end = self._remembered.get(self._room, (None, None))
            found = await reader.begin(at)
            reached = Position(found.epoch, found.offset)
            await self._steps.begin(reached)
            attempt = None if end is None else await self._steps.pin(reached, end)
        else:
            await reader.begin(reached)
        items: deque[Item] = deque()
        while True:
            backoff.reset()
            delivery = await self._gather(reader, items, reached, attempt)
            reached, attempt = await self._deliver(delivery, attempt), None

    async def _gather(
        self, reader: FeedReader, items: deque[Item], reached: Position, attempt: Attempt | None
    ) -> HookDelivery:
        """Wait for something to deliver, and pass what is not wanted. ``items``: read, and not taken yet."""
        clock = asyncio.get_running_loop().time
        while True:
            end = attempt.end if attempt is not None else None
            self._remembered[self._room] = reached, end
            gathering = Gathering(self._hook, self._room, reached, end)
            note_at = clock() + _NOTE_SECONDS
            while not gathering.is_full:
                if not items:
                    items.extend(await reader.items(MOST_BYTES))
                if items:
                    gathering.take(items)
                elif not gathering.is_pinned and (
                    gathering.has_events or (gathering.end != reached and clock() >= note_at)
                ):
                    break
                else:
                    # What was passed is noted, though nothing more comes.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_NOTE_SECONDS):
                            await reader.wake.wait()
            if gathering.has_events:
                return gathering.delivery()
            await self._steps.advance(reached, gathering.end)
            reached, attempt = gathering.end, None

    async def _deliver(self, delivery: HookDelivery, attempt: Attempt | None) -> Position:
        """Try until it is delivered or given up; return where to go on."""
        clock = asyncio.get_running_loop().time
        steps, reached, end = self._steps, delivery.reached, delivery.end
        if delivery.at:
            self._tally.waiting[self._room] = delivery.at
        if attempt is None or not delivery.is_pinned:
            attempt = await steps.pin(reached, end)
            self._remembered[self._room] = reached, end
        begun = clock() - attempt.seconds
        while True:
            async with self._turns:
                answer = await self._sender.send(delivery)
                tries, seconds = attempt.tries + 1, clock() - begun
                luck = random.random()  # noqa: S311 (jitter is no secret)
                decision = decide(answer, tries, seconds, self._patience, luck)
                self._tally.tries[decision.outcome] += 1
                match decision.outcome:
                    case TryOutcome.DELIVERED:
                        await steps.advance(reached, end)
                    case TryOutcome.GONE:
                        await steps.gone(reached, self._hook.receiver)
                        raise ReceiverGone
                    case TryOutcome.DEAD:
                        await steps.bury(reached, end, self._letter(delivery, answer, tries))
                        self._log_dead(delivery, answer, tries)
                    case TryOutcome.AGAIN:
                        attempt = await steps.fail(reached, end, tries)
                        self._log_failure(delivery, answer, tries)
            if decision.outcome is not TryOutcome.AGAIN:
                self._tally.waiting.pop(self._room, None)
                return end
            await asyncio.sleep(decision.wait)

    def _letter(self, delivery: HookDelivery, answer: ReceiverAnswer, tries: int) -> bytes:
        letter = {
            "delivery": delivery.id,
            "room": self._room,
            "after": written(delivery.reached),
            "position": written(delivery.end),
            "tries": tries,
            "why": answer.in_words,
        }
        return msgspec.json.encode(letter)

    def _log_failure(self, delivery: HookDelivery, answer: ReceiverAnswer, tries: int) -> None:
        if tries == 1:  # it is told once, and counted
            _log.warning(
                "a webhook does not take a delivery",
                hook=self._hook.name,
                chat=self._hook.chat,
                room=self._room,
                delivery=delivery.id,
                why=answer.in_words,
            )

    def _log_dead(self, delivery: HookDelivery, answer: ReceiverAnswer, tries: int) -> None:
        _log.error(
            "a delivery of a webhook is given up",
            hook=self._hook.name,
            chat=self._hook.chat,
            room=self._room,
            delivery=delivery.id,
            tries=tries,
            why=answer.in_words,
        )
