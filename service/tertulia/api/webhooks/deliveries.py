"""What a webhook is told at once: events of one room, in order, with an id that stays the same."""

import hashlib
import hmac
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tertulia.api.event_stream import GAP, event_data, gap_data
from tertulia.api.positions import written
from tertulia.api.webhooks.hooks import Webhook
from tertulia.domain.position import Position
from tertulia.operators.following import Item
from tertulia.operators.log_reader import Gap

MOST_EVENTS: Final = 100
MOST_BYTES: Final = 262_144
"""Of a delivery's events. One entry of the log goes whole, whatever it takes."""


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """Events of a room, between two positions of its log."""

    id: str
    """The same at each try, also by another process."""
    reached: Position
    """Where it begins: up to there all was delivered before."""
    end: Position
    body: bytes
    at: float
    """When the first of it happened, in seconds since 1970, by the store's clock; 0: not known."""
    is_pinned: bool
    """Whether it is the delivery that was under way already."""


class Gathering:
    """What is to be delivered next in a room, as it is read from the log. Reads nothing itself."""

    def __init__(self, hook: Webhook, room: str, reached: Position, stop: Position | None) -> None:
        """Begin behind ``reached``. ``stop``: where a delivery under way ends; None: none is."""
        self._hook = hook
        self._room = room
        self._reached = reached
        self._stop = stop
        self.events: list[Mapping[str, Any]] = []
        """What is to be delivered, as programs read it."""
        self._bytes = 0
        self._at = 0.0
        self.end = reached
        """Where to read on from."""
        self.is_full = False
        """Whether nothing more belongs to this delivery."""

    @property
    def is_pinned(self) -> bool:
        """Whether it is the delivery that was under way: then it is to be full."""
        return self._stop is not None

    @property
    def has_events(self) -> bool:
        """Whether there is something to deliver."""
        return bool(self.events)

    def take(self, items: "deque[Item]") -> None:
        """Take what was read behind ``end``, as far as it belongs to this delivery; the rest is left."""
        while items and not self.is_full:
            if not self._took(items[0]):
                self.is_full = True
                return
            item = items.popleft()
            self.end = Position(item.position.epoch, item.position.offset)
            self.is_full = self.end == self._stop

    def delivery(self) -> HookDelivery:
        """Return what was gathered."""
        hook = self._hook
        named = (hook.chat, hook.name, self._room, written(self._reached), written(self.end))
        name = hashlib.sha256(" ".join(named).encode()).hexdigest()[:32]
        body = {
            "id": name,
            "hook": hook.name,
            "chat": hook.chat,
            "room": self._room,
            "position": written(self.end),
            "events": self.events,
        }
        told = msgspec.json.encode(body)
        return HookDelivery(name, self._reached, self.end, told, self._at, is_pinned=self.is_pinned)

    def _took(self, item: Item) -> bool:
        told: list[Mapping[str, Any]]
        if self._stop is not None and self._stop.epoch != item.position.epoch:
            self._stop = None  # what was to be delivered is not there any more
        if isinstance(item, Gap):
            told = [{"event": GAP, **gap_data(item)}]
            if self._is_behind_stop(item.position):
                self._stop = None
        else:
            wanted = self._hook.events
            told = [{"event": name, **it} for _, name, it in event_data(item) if name in wanted]
            if self._is_behind_stop(item.position):
                return False
        size = sum(len(msgspec.json.encode(it)) for it in told)
        is_much = len(self.events) + len(told) > MOST_EVENTS or self._bytes + size > MOST_BYTES
        if self._stop is None and self.events and is_much:
            return False
        self.events += told
        self._bytes += size
        if self.events and not self._at:
            self._at = item.position.at
        return True

    def _is_behind_stop(self, position: Position) -> bool:
        stop = self._stop
        return stop is not None and position.offset > stop.offset


def signature(secret: str, body: bytes, now: int) -> str:
    """Sign a body, at a time in seconds since 1970."""
    digest = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"
