"""People of every kind on some nodes: in the lobby, in further rooms beside it, and shown one room only.

Whoever is in several rooms is so at a page, or speaks irc.
"""

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.irc_client import IrcClient
from harness.node import Listener, Node, NodeFactory
from history.record import InRoom, Parted, SawLeft, Welcomed

ROOMS: Final = ("ops", "news")
"""In a Redis Cluster of three, they and the lobby of ``main`` are on one shard each."""
ENTER_SECONDS: Final = 30.0


def listeners(chat: str = "main", *, irc: bool = True) -> tuple[Listener, ...]:
    """Return what a node has to listen on for a crowd; a version before this one knows no irc."""
    dialects = ("chatte", "browser", *(("irc",) if irc else ()))
    return tuple(Listener(it, chat) for it in dialects)


async def start_nodes(factory: NodeFactory, count: int, **settings: str) -> list[Node]:
    """Start several alike nodes for a crowd at once, and wait for all."""
    nodes = [factory.launch(listeners=listeners(), settings=settings) for _ in range(count)]
    for node in nodes:
        await node.ready()
    return nodes


class _Wandering:
    """Somebody who is in the lobby and in further rooms, and speaks in each of them in turn."""

    _turns: Iterator[int]

    def next_of(self, rooms: Iterable[str]) -> str:
        """Return the room whose turn it is."""
        places = ["", *(it for it in rooms if it)]
        return places[next(self._turns) % len(places)]


class Wanderer(BrowserClient, _Wandering):
    """One at a page."""

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=acknowledges)
        self._turns = itertools.count(1)

    def say(self, text: str | None = None, room: str | None = None) -> str:
        """Tell everybody in a room; without one, in the one whose turn it is."""
        return super().say(text, self.next_of(self.rooms) if room is None else room)


class IrcWanderer(IrcClient, _Wandering):
    """One who speaks irc."""

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=acknowledges)
        self._turns = itertools.count(1)

    def say(self, text: str | None = None, room: str | None = None) -> str:
        """Tell everybody in a room; without one, in the one whose turn it is."""
        return super().say(text, self.next_of(self.channels) if room is None else room)


class Way(Protocol):
    """How somebody comes."""

    async def __call__(
        self, node: Node, nickname: str, chat: str, acknowledges: bool
    ) -> ChatteClient: ...


async def to_the_lobby(node: Node, nickname: str, chat: str, acknowledges: bool) -> ChatteClient:
    """Come in lines, and be shown the lobby."""
    return await ChatteClient.enter_chat(
        node.port("chatte", chat), nickname, acknowledges=acknowledges, within=ENTER_SECONDS
    )


async def to_one_room(node: Node, nickname: str, chat: str, acknowledges: bool) -> ChatteClient:
    """Come in lines, and be shown a further room."""
    return await ChatteClient.enter_chat(
        node.port("chatte", chat),
        f"{nickname}@{ROOMS[0]}",
        acknowledges=acknowledges,
        within=ENTER_SECONDS,
    )


async def to_all_rooms(node: Node, nickname: str, chat: str, acknowledges: bool) -> ChatteClient:
    """Come at a page, and into every room."""
    client = await Wanderer.enter_chat(
        node.port("browser", chat), nickname, acknowledges=acknowledges, within=ENTER_SECONDS
    )
    for room in ROOMS:
        await client.join_room(room, within=ENTER_SECONDS)
    return client


async def to_all_channels(node: Node, nickname: str, chat: str, acknowledges: bool) -> ChatteClient:
    """Come by irc, and into every room."""
    client = await IrcWanderer.enter_chat(
        node.port("irc", chat), nickname, acknowledges=acknowledges, within=ENTER_SECONDS
    )
    for room in ROOMS:
        await client.join_room(room, within=ENTER_SECONDS)
    return client


WAYS: Final[Sequence[Way]] = (to_the_lobby, to_all_rooms, to_one_room, to_all_channels)


async def gather(
    nodes: Sequence[Node],
    count: int,
    prefix: str = "user",
    *,
    chat: str = "main",
    acknowledges: bool | None = None,
) -> list[ChatteClient]:
    """Let ``prefix-0`` and so on come, dealt out over the nodes; at each, one of every kind in turn.

    Every other one acknowledges what it receives, unless ``acknowledges`` says all do or none.
    """
    turns = [i // len(nodes) for i in range(count)]
    return list(
        await asyncio.gather(
            *(
                WAYS[turn % len(WAYS)](
                    nodes[i % len(nodes)],
                    f"{prefix}-{i}",
                    chat,
                    bool(turn % 2) if acknowledges is None else acknowledges,
                )
                for i, turn in enumerate(turns)
            )
        )
    )


async def come_as(client: ChatteClient, node: Node, chat: str = "main") -> ChatteClient:
    """Come under the nickname of somebody, and as it came."""
    if isinstance(client, Wanderer):
        return await to_all_rooms(node, client.nickname, chat, acknowledges=True)
    if isinstance(client, IrcWanderer):
        return await to_all_channels(node, client.nickname, chat, acknowledges=True)
    way = to_the_lobby if client.history.reads_lobby else to_one_room
    return await way(node, client.nickname, chat, True)


def seats(client: ChatteClient) -> set[tuple[str, str]]:
    """Return the rooms that somebody is in, each with its nickname."""
    found: set[tuple[str, str]] = set()
    for record in client.history.of(InRoom):
        if isinstance(record, Welcomed):
            found.add((record.room, record.nickname))
        elif isinstance(record, Parted):
            found.discard((record.room, client.nickname))
    return found


def read_by(client: ChatteClient) -> list[str]:
    """Return the rooms that somebody is shown, the lobby first."""
    rooms = sorted(room for room, _ in seats(client))
    return rooms if client.history.reads_lobby else [room for room in rooms if room]


def left_at(observer: ChatteClient, gone: Iterable[ChatteClient]) -> dict[tuple[str, str], float]:
    """Return when an observer saw each of some people go, in each of the rooms that it is shown."""
    theirs = {seat for client in gone for seat in seats(client)}
    return {
        (record.room, record.nickname): record.at
        for record in observer.history.of(SawLeft)
        if (record.room, record.nickname) in theirs
    }


def saw_all_leave(observer: ChatteClient, gone: Iterable[ChatteClient]) -> bool:
    """Say whether somebody has seen some people go, in each room that it is shown."""
    gone = list(gone)
    shown = {""} if observer.history.quits_once else set(read_by(observer))
    theirs = {seat for client in gone for seat in seats(client) if seat[0] in shown}
    return left_at(observer, gone).keys() == theirs
