"""Sending: which message, from which client, and when."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from tertulia_load import texts
from tertulia_load.client import Client, State
from tertulia_load.pacing import Pace, Shares
from tertulia_load.plan import Plan
from tertulia_load.texts import Kind

_MOST_WAITING: Final = 1_048_576
"""Bytes of one sender that the service does not take. Beyond that its messages are held back."""
_MOST_DUE: Final = 256
"""Messages at once in open loop, so that reading has its turn."""


class Sender:
    """A client that sends."""

    __slots__ = (
        "_client",
        "_kinds",
        "_partner",
        "_random",
        "_rooms",
        "_sizes",
        "_tag",
        "_turn",
        "in_flight",
        "private",
        "public",
    )

    def __init__(self, client: Client, partner: Client, plan: Plan, tag: bytes) -> None:
        self._client = client
        self._partner = partner
        self._tag = tag
        self._sizes = plan.sizes
        self._kinds = Shares(plan.private)
        self._random = random.Random(client.id)  # noqa: S311 - sizes; the same in every run
        self._rooms = list(zip(client.seats, client.rooms or [""], strict=True))
        self._turn = client.id % len(self._rooms)
        self.in_flight = 0
        self.public = dict.fromkeys(client.seats, 0)
        """The number of the next public message in each room: how many were sent."""
        self.private = 0
        """The same of private ones."""

    @property
    def can_send(self) -> bool:
        """Whether it is there, and the service takes what it sends."""
        return self._client.state is State.IN and len(self._client.out) < _MOST_WAITING

    def send(self, due: Sequence[int]) -> None:
        """Send a message for each of the times at which one was due."""
        dialect, written = self._client.dialect, []
        for at in due:
            low, high = self._sizes
            size = low if low == high else self._random.randint(low, high)
            if self._kinds.take():
                token = texts.token(self._tag, Kind.PRIVATE, self._client.id, self.private, at)
                self.private += 1
                name = self._partner.nickname.encode()
                written.append(dialect.whisper(name, texts.text(token, size)))
                continue
            room, called = self._rooms[self._turn]
            self._turn = (self._turn + 1) % len(self._rooms)
            voice = texts.voice(self._client.id, room)
            token = texts.token(self._tag, Kind.PUBLIC, voice, self.public[room], at)
            self.public[room] += 1
            written.append(dialect.say(texts.text(token, size), called))
        self.in_flight += len(written)
        self._client.write(b"".join(written))


class Sending:
    """All senders of one process in one round."""

    def __init__(
        self, senders: Mapping[int, Sender], pace: Pace | None, in_flight: int, most: int
    ) -> None:
        """Send by a pace, or without one as soon as less than ``in_flight`` are under way.

        No more than ``most`` messages in all.
        """
        self._senders = senders
        self._turns = list(senders.values())
        self._turn = 0
        self._pace = pace
        self._window = in_flight
        self._left = most
        self._ready = set(senders.values()) if pace is None else set()
        self.sent = 0
        self.latest = 0
        """By how much the tool itself was late at most, in microseconds."""
        self.held_back = 0
        """Messages that were due and not sent, as what was before them took too long."""

    def landed(self, sender: int, count: int) -> None:
        """Learn that messages of a sender have arrived."""
        who = self._senders.get(sender)
        if who is not None:
            who.in_flight -= count
            if self._pace is None:
                self._ready.add(who)

    def send(self, now: int) -> None:
        """Send what is to be sent now."""
        if self._pace is not None:
            self._send_due(self._pace, now)
        elif self._ready:
            ready, self._ready = self._ready, set()
            for sender in ready:
                count = min(self._window - sender.in_flight, self._left)
                if count > 0 and sender.can_send:
                    sender.send([now] * count)
                    self.sent += count
                    self._left -= count

    @property
    def next_at(self) -> int | None:
        """When to send next; None where that depends on what arrives."""
        return self._pace.next_at if self._pace is not None and self._left else None

    def give_up(self) -> None:
        """Send nothing more; what was due counts as held back."""
        if self._pace is not None:
            self.held_back += min(self._pace.skip(), self._left)

    @property
    def is_through(self) -> bool:
        """Whether all was sent that may be sent; never, where nobody sends at all."""
        return not self._left

    def public(self) -> dict[int, int]:
        """Return how many public messages each sender has sent in each room, by the voice."""
        return {
            texts.voice(id_, room): count
            for id_, sender in self._senders.items()
            for room, count in sender.public.items()
        }

    def private(self) -> dict[int, int]:
        """Return how many private messages each sender has sent."""
        return {id_: sender.private for id_, sender in self._senders.items()}

    def _send_due(self, pace: Pace, now: int) -> None:
        for at in pace.due(now, min(_MOST_DUE, self._left)):
            self.latest = max(self.latest, now - at)
            sender = self._turns[self._turn]
            self._turn = (self._turn + 1) % len(self._turns)
            if sender.can_send:
                sender.send([at])
                self.sent += 1
                self._left -= 1
            else:
                self.held_back += 1
