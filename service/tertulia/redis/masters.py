"""Finding the master of a chat, and keeping all of the chat's connections on the same one.

A master that comes back after a failover still says that it is one, and accepts published messages. So its
role is not enough. When one connection is led to another server, all other connections of the chat are
dropped, and find their way anew.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar
from weakref import WeakSet

import structlog

from tertulia.redis.access import Access, Server
from tertulia.redis.commands import Commands
from tertulia.redis.errors import StoreAway
from tertulia.redis.rounds import Rounds
from tertulia.telemetry.metrics import RetryCause

_T = TypeVar("_T")
_MOVED = re.compile(r"MOVED \d+ (.+):(\d{1,5})$")
_SHARDED_SINCE = 7

log = structlog.get_logger(__name__)


class Connected(Protocol):
    """A link to a master."""

    def disconnect(self) -> None:
        """Let go of the connection; calls that wait for something on it fail."""
        ...


class Masters:
    """Finds the server to connect to, anew each time: here, the single one at the address in the URL."""

    is_cluster = False
    asked_at_once = 0
    """How many servers are asked at once where the master is, each on a connection of its own."""

    def __init__(self, access: Access, seconds: float) -> None:
        """``seconds``: how long a server may take to answer."""
        self.access = access
        self.seconds = seconds
        self.now: Server | None = None
        """The master that was connected to last."""
        self._run_id = ""
        self._links: WeakSet[Connected] = WeakSet()
        self._confirming: Rounds[None] = Rounds()

    def add(self, link: Connected) -> None:
        """Add a link, which is dropped as well when another one is led to another server."""
        self._links.add(link)

    def met(self, link: Connected, server: Server, run_id: str) -> None:
        """Note that a link found a master; if it is another one than before, drop all other links.

        ``run_id`` differs for each start of a server: there may be several behind one address.
        """
        before, is_another = self.now, (self.now, self._run_id) != (server, run_id)
        self.now, self._run_id = server, run_id
        if before is not None and is_another:
            log.warning("redis is another server", server=str(server), before=str(before))
            self._drop_all_but(link)

    def sent_to(self, server: Server) -> None:
        """Note which server a refusal named as the right one."""

    async def find(self) -> Server:
        """Return where the master is. Raises StoreAway."""
        url = self.access.url
        return Server(url.socket) if url.socket else Server(*url.hosts[0])

    async def successor(self, server: Server) -> Server | None:
        """Return the server that has replaced a server; None if none has, or if none was named in time."""
        try:
            named = await self.find()
        except StoreAway:
            return None  # a connected server may go on without Sentinels
        return None if named == server else named

    async def confirm(self) -> None:
        """Make sure that the connected server is still the master; asked once for all who want to know.

        If another server is the master by now, drop all links and raise StoreAway.
        """
        await self._confirming.join(self._confirm)

    async def _confirm(self) -> None:
        now = self.now
        successor = await self.successor(now) if now is not None else None
        if now is not None and successor is not None and now == self.now:
            log.warning("the master is another one", named=str(successor), left=str(now))
            self._drop_all_but(None)
            raise replaced(now)

    def _drop_all_but(self, link: Connected | None) -> None:
        for other in list(self._links):
            if other is not link:
                other.disconnect()


def replaced(server: Server) -> StoreAway:
    """Return the error that a server is not the master, though it may believe that it is."""
    return StoreAway(RetryCause.READ_ONLY, f"{server} is not the master any more")


def moved_to(error: Exception) -> Server | None:
    """Return the server that an error reply names as the one with the slot; None if it names none."""
    moved = _MOVED.match(str(error))
    return Server(moved[1], int(moved[2])) if moved else None


async def identify(redis: Commands, server: Server, *, is_cluster: bool) -> tuple[str, bool]:
    """Make sure that a server is a master, alone or in a cluster: a replica would take a PUBLISH.

    Return its run id, and whether it publishes to a channel's own shard only. Raises StoreAway.
    """
    role, info = await redis.role(), await redis.info("server")
    mode = info.get("redis_mode") or info["server_mode"]  # Redis; Valkey
    version = int(str(info["redis_version"]).partition(".")[0])
    if mode == "sentinel":
        raise StoreAway(
            RetryCause.OTHER, f"{server} is a Sentinel: write redis+sentinel://…/MASTER"
        )
    if (mode == "cluster") != is_cluster:
        scheme = "redis+cluster://" if mode == "cluster" else "redis://"
        raise StoreAway(RetryCause.OTHER, f"{server} runs in the mode {mode}: write {scheme}")
    if role[0] != "master":
        raise StoreAway(RetryCause.READ_ONLY, f"{server} is a replica")
    return str(info["run_id"]), is_cluster and version >= _SHARDED_SINCE


async def first_answers(
    ask: Callable[[Server], Awaitable[_T]],
    servers: Iterable[Server],
    enough: int = 1,
    moment: float = 0.0,
) -> list[_T]:
    """Ask several at once. When enough have answered, wait a moment more for the others.

    Raises StoreAway if none answers: the refusal against which waiting does not help, if there is one.
    """
    answers: list[_T] = []
    refusals: list[StoreAway] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None) as patience:

            async def ask_one(server: Server) -> None:
                try:
                    answers.append(await ask(server))
                except StoreAway as error:
                    refusals.append(error)
                if len(answers) >= enough:
                    patience.reschedule(asyncio.get_running_loop().time() + moment)

            await asyncio.gather(*map(ask_one, servers))
    if not answers:
        raise gravest(refusals)
    return answers


def gravest(refusals: Sequence[StoreAway]) -> StoreAway:
    """Return the first refusal against which waiting does not help; if there is none, the first."""
    return max(refusals, key=lambda refusal: refusal.is_final)
