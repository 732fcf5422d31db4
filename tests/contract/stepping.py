"""Nodes that take turns: every order in which their requests may reach Redis, one after the other.

The stores are the real ones, on a real Redis. Only what a store does by itself, again and again, is done here
when the test says so; and each of its requests that matters waits for its turn.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from contract.chat_stores import RedisStores
from contract.follower import RecordingFollower
from contract.node import DIALECT, Node
from harness.redis_server import RedisServer
from tertulia.redis.access import Access
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.script import Script
from tertulia.settings.sections import ClusterSettings
from tertulia.store.chat_store import ChatStore
from tertulia.store.failure_detector import Lease
from tertulia.telemetry.metrics import Metrics

_ENDS = 30.0
"""Seconds within which a request is answered, on however busy a machine."""
_SETTINGS = ClusterSettings()
_access = functools.cache(Access.to)
Action = Callable[["SteppedStore"], Awaitable[None]]


class Turns:
    """Whose request is next. Nobody waits for a turn before they are given by ``play``."""

    def __init__(self) -> None:
        self._is_playing = False
        self._waiting: dict[str, asyncio.Event] = {}
        self._stopped = asyncio.Event()

    async def wait(self, who: str) -> None:
        """Wait until it is this one's turn."""
        if not self._is_playing:
            return
        turn = self._waiting[who] = asyncio.Event()
        self._stopped.set()
        await turn.wait()

    def forget(self, who: str) -> None:
        """Give this one no more turns: it has ended."""
        self._waiting.pop(who, None)

    def idle(self) -> None:
        """Note that whoever has the turn has nothing more to do."""
        self._stopped.set()

    async def play(self, start: Sequence[Callable[[], None]], choose: "Choices") -> None:
        """Give turns to those who wait until nobody does, in the order that is chosen."""
        self._is_playing = True
        for begin in start:
            await self._one_goes(begin)
        last = ""
        while self._waiting:
            last = choose.one_of(sorted(self._waiting), last)
            await self._one_goes(self._waiting.pop(last).set)
        self._is_playing = False

    async def _one_goes(self, go: Callable[[], None]) -> None:
        self._stopped.clear()
        go()
        await asyncio.wait_for(self._stopped.wait(), _ENDS)


class Choices:
    """One way through all choices: some are given, then everybody goes on as long as it can."""

    def __init__(self, given: Sequence[int], switches: int) -> None:
        """``switches``: how often at the most somebody else is let go first."""
        self._given = given
        self._left = switches
        self.made: list[int] = []
        self.open: list[int] = []
        """How many could have been chosen, each time."""

    def one_of(self, names: Sequence[str], last: str) -> str:
        """Choose who is next; ``last`` is who was before."""
        at = len(self.made)
        goes_on = last in names
        order = ([last] if goes_on else []) + [name for name in names if name != last]
        self.open.append(len(order) if self._left or not goes_on else 1)
        choice = self._given[at] if at < len(self._given) else 0
        self.made.append(choice)
        self._left -= bool(goes_on and choice)
        return order[choice]


def all_ways(switches: int) -> Iterator[Choices]:
    """Give every way through, each to be gone before the next is asked for."""
    pending: list[list[int]] = [[]]
    while pending:
        given = pending.pop()
        way = Choices(given, switches)
        yield way
        for at in range(len(given), len(way.made)):
            pending += [[*way.made[:at], other] for other in range(1, way.open[at])]


class _Link(Link):
    """A connection whose scripts, and looks for the end of the log, wait for their turn."""

    turn: Callable[[], Awaitable[None]]

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        await self.turn()
        return await super().run(script, keys, args)

    async def ask(self, *commands: Sequence[Argument]) -> list[Any]:
        if commands and commands[0][0] == "HMGET" and "epoch" in commands[0]:
            await self.turn()
        return await super().ask(*commands)


class SteppedStore(ChatStore):
    """A store that commits, follows and cares when it is told to."""

    def prepare(self, turns: Turns) -> None:
        """Have it take turns; to be called before it is started."""
        self._turns = turns
        self._actions: asyncio.Queue[Action] = asyncio.Queue()
        for use, link in self._links.items():
            stepped = _Link(link._masters, link._use, link._multiplexer)
            stepped.turn = lambda: self._turns.wait(self._member.node_id)
            self._links[use] = stepped

    def then(self, *actions: Action) -> None:
        """Have it do these, after what it has to do already."""
        for action in actions:
            self._actions.put_nowait(action)

    async def rest(self) -> None:
        """Wait until it has done everything."""
        await asyncio.wait_for(self._actions.join(), _ENDS)

    async def _wait_for_parts(self) -> None:
        """It is only there once it has been told to do something."""

    async def _work(self) -> None:
        while True:
            if self._actions.empty():
                self._turns.idle()
            action = await self._actions.get()
            try:
                await action(self)
            finally:
                self._actions.task_done()

    def kill(self) -> None:
        """End it without a word."""
        assert self._life is not None
        self._life.cancel()
        self._turns.forget(self._member.node_id)
        for link in self._all_links:
            link.disconnect()

    async def commit(self) -> None:
        """Commit what waits, or renew the lease."""
        it = self._committer
        if not (it._lost or it._flight):
            await it.beat()
        while len(it) or it._lost or it._flight:
            await it._commit(None)

    async def follow(self) -> None:
        """Read the log to its end."""
        await self._bus.catch_up()

    async def look(self) -> None:
        """See what Redis has this node hold."""
        self._sweeper.look_soon()
        await self._sweeper.round()

    async def bury(self, lease: Lease) -> None:
        """Bury a node."""
        await self._burials._bury(lease)


class SteppedNode(Node):
    """A node whose store is told what to do."""

    store: SteppedStore

    def then(self, *actions: Action) -> None:
        """Have its store do these."""
        self.store.then(*actions)

    async def does(self, *actions: Action) -> None:
        """Have its store do these now."""
        self.then(*actions)
        await self.store.rest()


class SteppedStores(RedisStores):
    """Nodes of one chat that take turns."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__(server)
        self.turns = Turns()
        # Made once for all nodes of a chat, which are many: nobody looks at what they count.
        self._metrics = Metrics(
            CollectorRegistry(), dialects=[DIALECT], chats=[self.chat], version="t"
        )

    async def stepped(self, name: str) -> SteppedNode:
        """Start a node."""
        access = _access(self.server.url)
        redis = Multiplexer(access, _ENDS)
        store = SteppedStore(self.chat, redis, name, _SETTINGS, self._metrics)
        store.prepare(self.turns)
        node = SteppedNode(store, RecordingFollower(name))
        await store.start(node.follower)
        await node.does(SteppedStore.commit)
        return node
