"""Further rooms as a dimension of the load: who is in which."""

from collections.abc import Sequence

from tertulia.clients.dialects.contract import Dialect
from tertulia_load.client import NOTHING_KNOWN, Client, Known, State
from tertulia_load.plan import Plan
from tertulia_load.sequences import Sequences


class Seat:
    """A client in a further room, and what it has read there."""

    __slots__ = (
        "at",
        "client",
        "fell_at",
        "in_step",
        "is_ordered",
        "known",
        "last_place",
        "public",
        "since",
        "watches",
    )

    def __init__(self, client: Client) -> None:
        self.client = client
        self.watches = -1
        self.at = self.fell_at = 0
        self.in_step = self.is_ordered = True
        self.known: Known = NOTHING_KNOWN
        self.public = Sequences()
        self.last_place = -1
        self.since: list[bytes] = []

    @property
    def id(self) -> int:
        """The client's number."""
        return self.client.id

    @property
    def dialect(self) -> Dialect:
        """What the client speaks."""
        return self.client.dialect

    @property
    def is_sender(self) -> bool:
        """Whether the client speaks here: whoever does, does it in all its rooms."""
        return self.client.is_sender

    @property
    def state(self) -> State:
        """How far the client's connection has come."""
        return self.client.state


def take_seats(plan: Plan, clients: Sequence[Client]) -> None:
    """Give the clients of a process their rooms, and in each somebody who watches for each sender."""
    rooms: dict[int, list[Seat]] = {}
    for client in clients:
        seats = {}
        for room in plan.rooms_of(client.id):
            seats[room] = Seat(client)
            rooms.setdefault(room, []).append(seats[room])
        client.seats = seats
        client.rooms = [plan.room_name(room) for room in seats]
    for seats_of_room in rooms.values():
        for i, seat in enumerate(seats_of_room):
            before = seats_of_room[i - 1]
            seat.watches = before.id if before.is_sender else -1
