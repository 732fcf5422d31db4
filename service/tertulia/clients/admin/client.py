"""Where an operator sits: connected to Redis, and from there to every chat."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from tertulia.domain.bans import Ban, BanKind, Bans
from tertulia.domain.nicknames import fold
from tertulia.operators.chats import chats
from tertulia.operators.commands import Operator, OrderRefused
from tertulia.operators.erasing import Traces
from tertulia.operators.log_reader import LogReader
from tertulia.operators.overview import NodeSeen, Overview, Person
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.embedded import DataDirUnusable, running_url
from tertulia.redis.topology import servers_of
from tertulia.settings.model import Settings
from tertulia.store.keys import Keys

_T = TypeVar("_T")
_LOOK_AGAIN_SECONDS = 0.1
_NAME = "tertulia-admin"


class NobodyThere(Exception):
    """There is no Redis to work on; the text says what to do."""


class AdminClient:
    """The chats of a deployment. Raises StoreAway where Redis can't be used."""

    def __init__(self, settings: Settings, by: str, patience: float) -> None:
        """``by``: who works here; ``patience``: seconds to wait for Redis, and for nodes.

        Raises NobodyThere where there is no Redis, because no node runs here.
        """
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        else:
            try:
                url = running_url(settings.data_dir) or ""
            except DataDirUnusable as error:
                raise NobodyThere(str(error)) from error
        if not url:
            raise NobodyThere(f"no node runs on {settings.data_dir}: start it, or set redis_url")
        self._access = Access.by(settings, url)
        self.patience = patience
        self._settings = settings
        self._by = by
        self._seconds = min(patience, settings.cluster.redis_timeout_seconds)
        self._clients: dict[str, Client] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._clients.values():
            client.disconnect()

    def _redis(self, chat: str) -> Client:
        client = self._clients.get(chat)
        if client is None:
            servers = servers_of(self._access, Keys(chat).meta)
            client = self._clients[chat] = Client(servers, _NAME, self._seconds)
        return client

    # --- Looking ---------------------------------------------------------------------------------

    async def chats(self, only: str | None) -> list[str]:
        """Return all chats, or the one that is asked for. Raises OrderRefused where there is none."""
        there = await chats(self._access, _NAME, self._seconds)
        if only is None:
            return there
        if only not in there:
            known = f"there are {', '.join(there)}" if there else "no node has ever served one"
            raise OrderRefused(f"there is no chat {only}: {known}")
        return [only]

    def overview(self, chat: str) -> Overview:
        """Look at a chat."""
        return Overview(chat, self._redis(chat))

    def log_reader(self, chat: str) -> LogReader:
        """Look at what happened in a chat."""
        return LogReader(chat, self._redis(chat))

    def traces(self, chat: str, key: str) -> Traces:
        """Look for what a chat keeps of a person, by their nickname, folded."""
        return Traces(chat, self._redis(chat), key)

    async def nodes(self, only: str | None = None) -> list[NodeSeen]:
        """Return the registrations of all nodes, by chat."""
        return [
            node
            for chat in await self.chats(only)
            for node in await self.overview(chat).nodes(self._settings.cluster)
        ]

    # --- Acting ----------------------------------------------------------------------------------

    def operator(self, chat: str) -> Operator:
        """Give orders in a chat."""
        return Operator(chat, self._redis(chat), self._by, self.patience)

    async def ban(
        self, chat: str, kind: BanKind, subject: str, milliseconds: int | None, reason: str
    ) -> tuple[Ban, list[str]]:
        """Ban somebody, and wait until nobody is in the room whom it covers; return who was."""
        overview, operator = self.overview(chat), self.operator(chat)
        before = await self._covered(overview, Ban(kind, subject))
        ban = await operator.ban(kind, subject, milliseconds, reason)

        async def nobody_left() -> bool:
            return not await self._covered(overview, ban)

        if not await self._within(nobody_left):
            # Their nodes are away: what they hold is taken from them, and they learn of it later.
            for person in await self._covered(overview, ban):
                with contextlib.suppress(OrderRefused):  # gone just now
                    await operator.kick(person.nickname, reason)
        return ban, [person.nickname for person in before]

    async def close(self, chat: str) -> int:
        """Close a chat; return how many were in it."""
        if chat in self._settings.lasting_chats:
            raise OrderRefused(f"nobody may close the chat {chat}: it stands in lasting_chats")
        return await self.operator(chat).close()

    async def drain(self, node: str) -> list[NodeSeen]:
        """Tell a node to drain, and wait until it does; return its registrations as they were."""
        nodes = await self.nodes()
        meant = [each for each in nodes if node in (each.node, each.registration)]
        if not meant:
            known = ", ".join(sorted({each.node for each in nodes})) or "none"
            raise OrderRefused(f"there is no node {node}: known are {known}")
        name = meant[0].node
        alive = [each for each in meant if each.state not in ("stale", "buried")]
        if not alive:
            raise OrderRefused(f"the node {name} does not hear: its lease is out")
        there = {each.registration for each in alive}
        await self.operator(alive[0].chat).drain(name)

        async def obeyed() -> bool:
            now = await self.nodes()
            return all(each.state == "draining" for each in now if each.registration in there)

        if not await self._within(obeyed):
            raise OrderRefused(
                f"the node {name} did not answer within {self.patience:g} s: the order has lapsed, "
                "nodes says how it is"
            )
        return alive

    async def _covered(self, overview: Overview, ban: Ban) -> list[Person]:
        bans = Bans([ban])
        return [
            person
            for person in await overview.in_room()
            if bans.covering(
                fold(person.nickname),
                person.address or "",
                0.0,
                is_account=person.kind == "account",
            )
        ]

    async def _within(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.patience
        while not await condition():
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return True
