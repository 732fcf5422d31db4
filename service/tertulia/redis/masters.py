"""Finding the master of a chat, and keeping all of the chat's connections on the same one.

A master that comes back after a failover still says that it is one, and accepts published messages. So its
role is not enough. When one connection is led to another server, all other connections of the chat are
dropped, and find their way anew.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

import structlog
from redis.asyncio.connection import AbstractConnection

from tertulia.redis.access import Access, Server
from tertulia.redis.errors import FAILURES, MISFORMED, StoreAway, strange, translate
from tertulia.telemetry.metrics import RetryCause

_T = TypeVar("_T")
_MOVED = re.compile(r"MOVED \d+ (.+):(\d{1,5})$")
_SHARDED_SINCE = (7, 0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Master:
    """A connection to a master, made by redis-py."""

    made: AbstractConnection
    run_id: bytes
    is_sharded: bool
    """Whether it publishes to a channel's own shard only."""


class Connected(Protocol):
    """A connection that can be dropped."""

    def disconnect(self) -> None:
        """Drop it; calls that wait for something on it fail."""
        ...


def replaced(server: Server) -> StoreAway:
    """Return the error that a server is not the master, though it may believe that it is."""
    return StoreAway(RetryCause.READ_ONLY, f"{server} is not the master any more")


async def ask_all(
    asks: Iterable[Coroutine[Any, Any, _T]], enough: int, moment: float = 0.0
) -> tuple[list[_T], list[StoreAway]]:
    """Ask several at once. When enough have answered, wait a moment more for the others.

    Return the answers and the refusals, in the order in which they came.
    """
    answers: list[_T] = []
    refusals: list[StoreAway] = []
    asking = {asyncio.create_task(it) for it in asks}
    try:
        while asking:
            patience = moment if len(answers) >= enough else None
            done, asking = await asyncio.wait(
                asking, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            for task in done:
                try:
                    answers.append(task.result())
                except StoreAway as error:
                    refusals.append(error)
    finally:
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)
    return answers, refusals


def gravest(refusals: Sequence[StoreAway]) -> StoreAway:
    """Return the refusal to report: one against which waiting does not help, if there is any."""
    return next((it for it in refusals if it.is_final), refusals[0])


class Masters(ABC):
    """Finds the server to connect to, anew each time."""

    is_cluster = False
    asked_at_once = 0
    """How many servers are asked at once where the master is, each on a connection of its own."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.now: Server | None = None
        """The master that was connected to last."""
        self._identity: tuple[Server, bytes] | None = None
        self._links: WeakSet[Connected] = WeakSet()

    def add(self, link: Connected) -> None:
        """Add a link, which is dropped as well when another one is led to another server."""
        self._links.add(link)

    def met(self, link: Connected, server: Server, run_id: bytes) -> None:
        """Note that a link found a master; if it is another one than before, drop all other links.

        ``run_id`` differs for each start of a server: there may be several behind one address.
        """
        before, self._identity, self.now = self._identity, (server, run_id), server
        if before in (None, self._identity):
            return
        log.warning("redis is another server", server=str(server), before=str(before and before[0]))
        for other in list(self._links):
            if other is not link:
                other.disconnect()

    def sent_to(self, server: Server) -> None:  # noqa: B027 (only a cluster has a use for it)
        """Note which server a refusal named as the right one."""

    @abstractmethod
    async def find(self, seconds: float) -> Server:
        """Return where the master is, within so many seconds. Raises StoreAway."""

    async def master_at(self, server: Server, name: str, seconds: float, **told: Any) -> Master:
        """Connect to a server, and make sure that it is the master: a replica would take a PUBLISH.

        ``told``: options of redis-py that differ here. Raises StoreAway.
        """
        try:
            made = await self.access.reach(server, name, seconds, **told)
        except FAILURES as error:
            raise translate(error) from error
        try:
            answers = []
            async with asyncio.timeout(seconds):
                for question in (("ROLE",), ("INFO", "server")):
                    await made.send_command(*question)
                    answers.append(await made.read_response(disable_decoding=True))
            run_id, is_sharded = _identified(server, *answers, is_cluster=self.is_cluster)
            # It may have been frozen until now, and still answer as a master though it was replaced.
            if await self.successor(server, seconds) is not None:
                raise replaced(server)
        except BaseException as error:
            await made.disconnect(nowait=True)
            if isinstance(error, FAILURES):
                raise translate(error) from error
            raise
        return Master(made, run_id, is_sharded)

    async def successor(self, server: Server, seconds: float) -> Server | None:
        """Return the server that has replaced a server; None if none has, or if none was named in time.

        If nothing else knows of masters, only the server's own word counts.
        """
        return None

    async def confirm(self, seconds: float) -> None:
        """Make sure, within so many seconds, that the connected server is still the master.

        If another server is the master by now, drop all links and raise StoreAway.
        """
        now = self.now
        if now is None:
            return
        successor = await self.successor(now, seconds)
        if successor is not None and now == self.now:
            log.warning("the master is another one", named=str(successor), left=str(now))
            self.drop_links()
            raise replaced(now)

    def drop_links(self) -> None:
        """Drop all links: each finds its way anew."""
        for link in list(self._links):
            link.disconnect()


class OneServer(Masters):
    """A single server, at the address in the URL."""

    async def find(self, seconds: float) -> Server:
        url = self.access.url
        return Server(url.socket) if url.socket else Server(*url.hosts[0])


def _identified(server: Server, role: Any, told: Any, *, is_cluster: bool) -> tuple[bytes, bool]:
    """Make sure, by the answers to ROLE and INFO, that a server is a master, alone or in a cluster.

    Return its run id, and whether it publishes to a channel's own shard only. Raises StoreAway.
    """
    try:
        info = _fields(told)
        mode = (info.get(b"redis_mode") or info[b"server_mode"]).decode()  # Redis; Valkey
        version = tuple(int(it) for it in info[b"redis_version"].split(b".")[:2])
        is_master, run_id = role[0] == b"master", info[b"run_id"]
    except MISFORMED as error:
        raise strange(server) from error
    if mode == "sentinel":
        raise StoreAway(
            RetryCause.OTHER, f"{server} is a Sentinel: write redis+sentinel://…/MASTER"
        )
    if (mode == "cluster") != is_cluster:
        scheme = "redis+cluster://" if mode == "cluster" else "redis://"
        raise StoreAway(RetryCause.OTHER, f"{server} runs in the mode {mode}: write {scheme}")
    if not is_master:
        raise StoreAway(RetryCause.READ_ONLY, f"{server} is a replica")
    return run_id, is_cluster and version >= _SHARDED_SINCE


def moved_to(error: Exception) -> Server | None:
    """Return the server that an error reply names as the one with the slot; None if it names none."""
    moved = _MOVED.match(str(error))
    return Server(moved[1], int(moved[2])) if moved else None


def _fields(info: bytes) -> dict[bytes, bytes]:
    """Read the answer to INFO."""
    lines = (line.partition(b":") for line in info.split(b"\r\n"))
    return {name: value for name, _, value in lines}
