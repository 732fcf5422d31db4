"""Somebody at a page: the same person over any number of connections, who misses and repeats nothing.

Does what the description of the dialect browser asks of a client that lost its connection.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from harness import browser_frames as frames
from harness.browser_client import BrowserClient, Happened, Outgoing, Position, Seat
from harness.chatte_client import WITHIN


class Displaced(Exception):
    """Another connection of the same person has taken over."""


class Person:
    """One nickname. What is said is said once, whatever happens to the connections."""

    def __init__(self, nickname: str) -> None:
        self.nickname = nickname
        self.connection: BrowserClient
        self.connections: list[BrowserClient] = []
        self.position: Position | None = None
        self.said: list[str] = []
        """Every text that was to be told to everybody, in order."""
        self.whispered: list[str] = []
        """Every text that was to be told to one user, in order."""
        self.resent = 0
        """How many messages had to be sent again."""
        self.spared = 0
        """How many messages turned out to be done though their answer was lost."""
        self.missed: list[str] = []
        """What each welcome said."""
        self._events: dict[str, list[Happened]] = defaultdict(list)
        self._outgoing: list[Outgoing] = []
        self._ids = 0

    @property
    def events(self) -> list[Happened]:
        """All events of the lobby over all connections, in the order in which they came."""
        return self.events_in("")

    def events_in(self, room: str) -> list[Happened]:
        """All events of a room over all connections, in the order in which they came."""
        seat = self._seats().get(room)
        return [*self._events[room], *(seat.events if seat else ())]

    def _seats(self) -> dict[str, Seat]:
        if not self.connections:
            return {}
        return {"": self.connection.lobby, **self.connection.rooms}

    async def come(self, port: int) -> None:
        """Enter for the first time."""
        self._take_up(await BrowserClient.enter_chat(port, self.nickname))
        self.position = self.connection.position

    async def join_room(self, room: str) -> None:
        """Come into a further room."""
        await self.connection.join_room(room)

    async def connect_again(self, port: int) -> None:
        """Connect and ask to go on, and don't wait. Raises OSError where nobody listens."""
        assert self.position is not None
        before = self.connection
        self._take_up(await BrowserClient.connect(port, self.nickname))
        self.connection.ask_again(self.nickname, self.position, before)

    async def is_back(self, within: float = WITHIN) -> None:
        """Wait for the welcomes of all rooms, and send again, in order, what was not carried out.

        Raises Displaced.
        """
        connection = self.connection
        seats = self._seats()
        await connection.wait_for(
            lambda: (
                all(seat.is_answered for seat in seats.values())
                or connection.refused
                or connection.closed
            ),
            within,
            f"{self.nickname} to be back",
        )
        if connection.closed and connection.close_reason == "displaced":
            raise Displaced
        assert connection.welcome is not None, connection.describe()
        self.missed.append(connection.welcome.missed)
        outgoing, self._outgoing = self._outgoing, []
        for message in outgoing:
            welcome = seats[message.room].welcome if message.room in seats else None
            if welcome is not None and message.id <= welcome.done:
                self.spared += 1
            else:
                self.resent += 1
                connection.send_again(message)

    async def come_back(self, port: int, within: float = WITHIN) -> None:
        """Connect and go on."""
        await self.connect_again(port)
        await self.is_back(within)

    async def stay(self, port: int, until: Callable[[], bool], within: float = WITHIN) -> None:
        """Wait until something came; come back where an attempt of before came late and took over."""
        async with asyncio.timeout(within):
            while True:
                connection = self.connection
                await connection.wait_for(
                    lambda: until() or connection.closed,  # noqa: B023 - it is waited for here
                    within,
                    f"{self.nickname} to have everything",
                )
                if not connection.closed:
                    return
                self.lose()
                await self.connect_again(port)
                with contextlib.suppress(Displaced):
                    await self.is_back(within)

    @property
    def has_to_send_again(self) -> bool:
        """Whether something that it said before waits for a welcome: nothing may be said until then."""
        return bool(self._outgoing)

    def is_answered(self) -> bool:
        """Say whether everything that it sent is answered."""
        return not self.connection.outgoing

    def say(self, room: str = "") -> None:
        """Tell everybody in a room something that nobody else says."""
        text = f"{self.nickname}-{len(self.said)}"
        self.said.append(text)
        self.connection.say(text, room)

    def whisper(self, recipient: str) -> None:
        """Tell one user something that nobody else says."""
        text = f"psst-{self.nickname}-{len(self.whispered)}"
        self.whispered.append(text)
        self.connection.whisper(recipient, text)

    def cut(self) -> None:
        """Break the connection: what is under way, both ways, may be lost."""
        self.connection.abort()
        self.lose()

    def lose(self) -> None:
        """Take with one what the connection leaves: up to where it was read, and what is not answered."""
        connection = self.connection
        connection.give_up()
        for room, seat in self._seats().items():
            self._events[room] += seat.events
            seat.events = []
        self.position = connection.position
        # What still waits for a welcome was said before anything that this connection was given.
        self._outgoing += connection.outgoing
        self._ids = next(connection.ids)

    def _take_up(self, connection: BrowserClient) -> None:
        connection.ids = count(self._ids or 1)
        self.connection = connection
        self.connections.append(connection)


def of_others(events: Iterable[Happened], nickname: str) -> list[Happened]:
    """Leave out what a client reads or not by its own part in it: its coming and going, its office."""
    return [
        it
        for it in events
        if not isinstance(it.event, frames.AdministratorEvent)
        and not (
            isinstance(it.event, frames.JoinedEvent | frames.LeftEvent)
            and it.event.nickname == nickname
        )
    ]


def since_joined(events: Sequence[Happened], nickname: str) -> list[Happened]:
    """Return what came after somebody's first coming."""
    first = next(i for i, it in enumerate(events) if it.event == frames.JoinedEvent(nickname))
    return list(events[first + 1 :])


def whispered_to(client: BrowserClient) -> list[str]:
    """Return the texts of all private messages that a client read."""
    return [it.text for it in client.frames if isinstance(it, frames.WhisperedFrame)]
