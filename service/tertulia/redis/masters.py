"""Where the master of a chat is, and that all of a chat's connections are to the same one.

A master that comes back after a failover still says that it is one, and takes what is published. So its
role is not enough: when one connection is led to another server, all others of the chat are dropped, and
find their way anew.
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
    """Whether it keeps what is published to a channel's own shard."""


class Connected(Protocol):
    """A connection, as far as it can be dropped."""

    def disconnect(self) -> None:
        """Drop it; whoever waits for something on it learns that it is lost."""
        ...


def replaced(server: Server) -> StoreAway:
    """Say that a server may believe to be the master, and is not."""
    return StoreAway(RetryCause.READ_ONLY, f"{server} is not the master any more")


async def ask_all(
    asks: Iterable[Coroutine[Any, Any, _T]], enough: int, moment: float = 0.0
) -> tuple[list[_T], list[StoreAway]]:
    """Ask several at once, until enough have answered and for a moment more.

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
    """Return the refusal that is to be told: one that waiting can't help, if there is any."""
    return next((it for it in refusals if it.is_final), refusals[0])


class Masters(ABC):
    """Finds the server to connect to, each time anew."""

    is_cluster = False
    asked_at_once = 0
    """How many are asked where the master is, each on a connection of its own."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.now: Server | None = None
        """The master that was connected to last."""
        self._identity: tuple[Server, bytes] | None = None
        self._links: WeakSet[Connected] = WeakSet()

    def add(self, link: Connected) -> None:
        """Drop ``link`` as well, when another one is led elsewhere."""
        self._links.add(link)

    def met(self, link: Connected, server: Server, run_id: bytes) -> None:
        """Take note that a link found a master; drop those that are not connected to the same one.

        ``run_id`` is another one for each start of a server: behind one address there may be several.
        """
        before, self._identity, self.now = self._identity, (server, run_id), server
        if before in (None, self._identity):
            return
        log.warning("redis is another server", server=str(server), before=str(before and before[0]))
        for other in list(self._links):
            if other is not link:
                other.disconnect()

    def sent_to(self, server: Server) -> None:  # noqa: B027 (only who finds by shards has a use for it)
        """Take note that a server said who has what it was asked for."""

    @abstractmethod
    async def find(self, seconds: float) -> Server:
        """Return where the master is, within so many seconds. Raises StoreAway."""

    async def master_at(self, server: Server, name: str, seconds: float, **told: Any) -> Master:
        """Connect to a server, and make sure that it is the master: a replica would take a PUBLISH.

        ``told``: what redis-py is told otherwise. Raises StoreAway.
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
            # It may have been frozen until now: it answers as a master what others took over from it.
            if await self.successor(server, seconds) is not None:
                raise replaced(server)
        except BaseException as error:
            await made.disconnect(nowait=True)
            if isinstance(error, FAILURES):
                raise translate(error) from error
            raise
        return Master(made, run_id, is_sharded)

    async def successor(self, server: Server, seconds: float) -> Server | None:
        """Return who has replaced a server; None where nobody did, or nobody told within so many seconds.

        Where nothing else knows of masters, what a server says of itself is all there is.
        """
        return None

    async def confirm(self, seconds: float) -> None:
        """Make sure, within so many seconds, that what is connected is still the master.

        Where it is another one by now, all links are dropped. Raises StoreAway then.
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
    """It is where the URL says."""

    async def find(self, seconds: float) -> Server:
        url = self.access.url
        return Server(url.socket) if url.socket else Server(*url.hosts[0])


def _identified(server: Server, role: Any, told: Any, *, is_cluster: bool) -> tuple[bytes, bool]:
    """Make sure, by what ROLE and INFO tell, that a server is a master, alone or in a cluster.

    Return its run id, and whether it keeps what is published to a channel's own shard. Raises StoreAway.
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
    """Return the server that an error reply names as who has what it was asked for."""
    moved = _MOVED.match(str(error))
    return Server(moved[1], int(moved[2])) if moved else None


def _fields(info: bytes) -> dict[bytes, bytes]:
    """Read what INFO tells."""
    lines = (line.partition(b":") for line in info.split(b"\r\n"))
    return {name: value for name, _, value in lines}
