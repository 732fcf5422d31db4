"""Everybody on a node who reads the same: sent to by one call to the kernel, where it has that."""

from collections.abc import Collection
from typing import Protocol

from tertulia.chat.fanout import OneByOne
from tertulia.chat.ports import Outbox
from tertulia.edge.io_uring import IoUring, Requests


class Receiver(Outbox, Protocol):
    """An outbox as a broadcast on a ring needs it.

    It tells its broadcast at once when the kernel has not taken everything that was written to it. Later
    bytes have to wait behind the rest.
    """

    broadcast: "UringBroadcast | None"

    def plain_socket(self) -> int | None:
        """Return the number of the socket, if bytes go there as they are."""
        ...


class UringBroadcast:
    """A broadcast whose members are sent to with a ring, as long as nothing waits to be sent to them."""

    def __init__(self, ring: IoUring) -> None:
        self._ring = ring
        self._requests = Requests()
        self._members: list[Receiver] = []  # in the order of the requests
        self._numbers: list[int] = []  # in the ring, in the same order
        self._places: dict[Receiver, int] = {}
        self._apart = OneByOne()

    def add(self, member: Receiver) -> None:
        """Take one in."""
        member.broadcast = self
        if member.backlog() or not self._enter(member):
            self._apart.add(member)

    def discard(self, member: Receiver) -> None:
        """Let one go, if it is there."""
        member.broadcast = None
        self._leave(member)
        self._apart.discard(member)

    def set_aside(self, member: Receiver) -> None:
        """Write to one behind what waits for it."""
        self._leave(member)
        self._apart.add(member)

    def take_back(self, member: Receiver) -> None:
        """Send to one with the others: nothing waits for it any more."""
        if self._enter(member):
            self._apart.discard(member)

    def write(self, data: bytes, but: Collection[Receiver]) -> None:
        """Write to all, but for some."""
        places = [self._places[member] for member in but if member in self._places] if but else ()
        short = self._ring.send(self._requests, data, places)
        left = [(self._members[place], data[max(0, sent) :]) for place, sent in short]
        # From here on members may change sides, as what is written tells them how they stand.
        self._apart.write(data, but)
        for member, rest in left:
            member.write(rest)

    def _enter(self, member: Receiver) -> bool:
        if member in self._places:
            return True
        fd = member.plain_socket()
        number = None if fd is None else self._ring.hold(fd)
        if number is None:
            return False
        self._places[member] = len(self._members)
        self._members.append(member)
        self._numbers.append(number)
        self._requests.append(number)
        return True

    def _leave(self, member: Receiver) -> None:
        place = self._places.pop(member, None)
        if place is None:
            return
        self._ring.release(self._numbers[place])
        self._requests.take(place)
        last, number = self._members.pop(), self._numbers.pop()
        if last is not member:
            self._members[place], self._numbers[place] = last, number
            self._places[last] = place
