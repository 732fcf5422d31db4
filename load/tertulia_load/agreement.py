"""Which order the readers of a process agree on, and who reads in another.

A reader is *in step* as long as all that it reads is as in the order. Otherwise it keeps its own account, and
what it has read since. The first reader made the order, and may be the one that missed something. So the
order is that of the most readers without a fault, message by message. A reader that agrees with it is in step
again. The others are compared with it.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Final

from tertulia_load.client import NOTHING_KNOWN, Known, Reader, State
from tertulia_load.order import Order
from tertulia_load.sequences import Sequences

_MOST_KEPT: Final = 1_000_000
"""Messages that all readers out of step together may have to be compared. Where there are more, their
order is no longer looked at."""


def reads_all(client: Reader) -> bool:
    """Say whether a client reads every public message. A client that does not read its own can't know their
    places, and is never in step."""
    return client.dialect.echoes or not client.is_sender


class Agreement:
    """The order of the public messages of one room in one round, and who agrees with it."""

    def __init__(self, order: Order, clients: Sequence[Reader]) -> None:
        """Begin with all readers at the beginning of an empty order."""
        self.out_of_order = 0
        """What was found by comparing, as far as that is done."""
        self._order = order
        self._clients = clients
        self._known: dict[str, Known] = {}
        for client in clients:
            client.at = client.fell_at = 0
            client.last_place = -1
            client.since = []
            client.is_ordered = client.dialect.one_order
            client.public = Sequences()
            client.in_step = client.is_ordered and reads_all(client)
            client.known = self._known_to(client)

    def fall_out(self, client: Reader) -> None:
        """Let a reader keep its own account from here on."""
        client.in_step = False
        client.known = NOTHING_KNOWN
        client.public = Sequences(self._order.heads_at(client.at))
        client.fell_at = client.at
        client.last_place = client.at - 1
        client.since = []

    def reconcile(self) -> bool:
        """Find out who is right, and compare the others. To be called now and then.

        Return whether there is somebody to compare.
        """
        apart = [client for client in self._clients if not client.in_step and client.is_ordered]
        if not apart:
            return False
        faultless = [client for client in apart if self._is_faultless(client)]
        in_step = sum(client.in_step for client in self._clients)
        if right := self._right(faultless):
            self._adopt(right)
        for client in faultless:
            if self._order.follows(client.fell_at, client.since):
                client.at = client.fell_at + len(client.since)
                client.in_step, client.since = True, []
                client.known = self._known_to(client)
        grows = bool(in_step or faultless)
        settled = self._settled()
        for client in apart:
            if not client.in_step:
                if not self._is_faultless(client):
                    self._compare(client, settled)
                if not grows or len(client.since) > _MOST_KEPT // len(apart):
                    self.out_of_order += self._pending(client)
                    client.is_ordered, client.since = False, []
        return True

    def disorder(self) -> int:
        """Count how often messages came before others that have their place before them."""
        return self.out_of_order + sum(map(self._pending, self._clients))

    def forget(self) -> None:
        """Forget the part of the order that nobody will be compared with."""
        places = [
            client.last_place + 1
            for client in self._clients
            if self._counts(client) and not client.in_step and not self._is_faultless(client)
        ]
        self._order.forget(min([self._settled(), *places]))

    def _known_to(self, client: Reader) -> Known:
        # What a sender reads has its own answers in it.
        if client.is_sender or not client.in_step:
            return NOTHING_KNOWN
        return self._known.setdefault(client.dialect.name, {})

    @staticmethod
    def _is_faultless(client: Reader) -> bool:
        return client.is_ordered and reads_all(client) and client.public.is_faultless

    @staticmethod
    def _counts(client: Reader) -> bool:
        return client.state is State.IN and client.is_ordered

    def _settled(self) -> int:
        """Return up to where the order will not change any more."""
        places = [
            client.at if client.in_step else client.fell_at
            for client in self._clients
            if self._counts(client) and (client.in_step or self._is_faultless(client))
        ]
        return min(places, default=self._order.end)

    def _right(self, faultless: Sequence[Reader]) -> Reader | None:
        """Return who has read what most have, message by message; None where that is in the order."""
        if not faultless:
            return None
        start = min(client.fell_at for client in faultless)
        order = self._order.between(start, self._order.end)
        sides = [(order[: reader.fell_at - start] + reader.since, reader) for reader in faultless]
        ends = sorted(client.at for client in self._clients if client.in_step)
        follows_order = True
        for index in count():
            votes = Counter(read[index] for read, _ in sides if index < len(read))
            if not votes or (follows_order and index >= len(order)):
                break
            if follows_order:
                votes[order[index]] += len(ends) - bisect_right(ends, start + index)
            best, most = votes.most_common(1)[0]
            if follows_order and votes[order[index]] == most:
                best = order[index]  # an equal number does not overturn it
            else:
                follows_order = False
            sides = [side for side in sides if index >= len(side[0]) or side[0][index] == best]
        return None if follows_order else max(sides, key=lambda it: len(it[0]))[1]

    def _adopt(self, right: Reader) -> None:
        """Take a reader's messages as the order, from where it differs."""
        order, place = self._order, right.fell_at
        for client in self._clients:
            if client.in_step and client.at > place:
                read = order.between(place, client.at)
                self.fall_out(client)
            elif not client.in_step and reads_all(client) and client.fell_at > place:
                read = order.between(place, client.fell_at)
            else:
                continue
            client.since[:0] = read
            client.fell_at, client.last_place = place, place - 1
        order.cut(place)
        for known in self._known.values():
            known.clear()
        order.follows(place, right.since)

    def _compare(self, client: Reader, settled: int) -> None:
        """Compare what a reader has read with the part of the order that does not change."""
        count = 0
        for raw in client.since:
            place = self._order.place(raw)
            if place is None or place >= settled:
                break
            self.out_of_order += place < client.last_place
            client.last_place = max(place, client.last_place)
            count += 1
        del client.since[:count]

    def _pending(self, client: Reader) -> int:
        """Count the same in what is not yet compared; what has no place is left out."""
        count, last = 0, client.last_place
        for raw in client.since:
            place = self._order.place(raw)
            if place is not None:
                count += place < last
                last = max(place, last)
        return count
