"""All chats of a deployment, over one connection to Redis, as an operator sees and changes them."""

import asyncio
import contextlib
import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from tertulia.domain.bans import Ban, BanKind, Bans
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action
from tertulia.operators.accounts import AccountBook
from tertulia.operators.chats import chats
from tertulia.operators.commands import Operator, RoomOperator
from tertulia.operators.erasing import LogTraces, Traces
from tertulia.operators.following import Feed, Feeds, Following
from tertulia.operators.invitations import InvitationBook, MadeInvitation
from tertulia.operators.log_reader import LogReader
from tertulia.operators.overview import (
    LogOverview,
    NodeSeen,
    Overview,
    Person,
    absent,
)
from tertulia.operators.past import PastTalk
from tertulia.operators.posting import Poster
from tertulia.operators.refusals import CommandRefused, NotThere
from tertulia.operators.rooms import RoomsOverview
from tertulia.operators.webhooks import WebhookRecord
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.embedded import DataDirUnusable, running_url
from tertulia.redis.link import Link, Subscriptions
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.visits import Visits
from tertulia.settings.model import Settings
from tertulia.settings.redis_url import RedisKind
from tertulia.store.keys import Keys, LogKeys, RoomKeys

_T = TypeVar("_T")
_LOOK_AGAIN_SECONDS = 0.1
_MOST_CLIENTS = 256
"""Ways to keys of a cluster that are kept: those that were asked last."""


class NobodyThere(Exception):
    """There is no Redis to work on; the text says what to do."""


def redis_of(settings: Settings) -> str:
    """Return the URL of the Redis that is set, or of the node that runs here. Raises NobodyThere."""
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    try:
        url = running_url(settings.data_dir)
    except DataDirUnusable as error:
        raise NobodyThere(str(error)) from error
    if not url:
        raise NobodyThere(f"no node runs on {settings.data_dir}: start it, or set redis_url")
    return url


class Deployment:
    """The chats of a deployment. Raises StoreAway where Redis can't be used."""

    def __init__(
        self, settings: Settings, by: str, patience: float, name: str = "tertulia-admin"
    ) -> None:
        """``by``: who works here; ``patience``: seconds to wait for Redis, and for nodes.

        ``name``: what the connection is called.

        Raises NobodyThere where there is no Redis, because no node runs here.
        """
        self._access = Access.to(redis_of(settings), settings)
        self.patience = patience
        self._settings = settings
        self._by = by
        self._seconds = min(patience, settings.cluster.redis_timeout_seconds)
        self._name = name
        self._multiplexer = Multiplexer(self._access, self._seconds)
        self._clients: OrderedDict[str, Client] = OrderedDict()
        self._visits = Visits(self._access, name, self._seconds)
        self._is_cluster = self._access.url.kind is RedisKind.CLUSTER
        self._is_replicated = settings.durability == "replicated"
        self.feeds = Feeds(self._follow, settings.limits.outbox_bytes)
        """The rooms to which somebody listens."""

    def signed(self, by: str) -> Self:
        """Return the same deployment, on the same connection, for somebody else to work on."""
        other = copy.copy(self)
        other._by = by
        return other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.feeds.close()
        for client in self._clients.values():
            client.link.disconnect()
        self._visits.end()

    def _redis(self, keys: LogKeys) -> Client:
        # Outside a cluster, one master has all keys.
        name = keys.meta if self._is_cluster else ""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self._client(keys)
            if len(self._clients) > _MOST_CLIENTS:
                _, idle = self._clients.popitem(last=False)
                # What it was asked last is answered by then.
                asyncio.get_running_loop().call_later(2 * self._seconds, idle.link.disconnect)
        self._clients.move_to_end(name)
        return client

    def _client(self, keys: LogKeys) -> Client:
        masters = self._multiplexer.masters(keys.meta)
        return Client(Link(masters, self._name, self._multiplexer))

    def _follow(self, keys: LogKeys) -> Following:
        masters = self._multiplexer.masters(keys.meta)
        bus = Subscriptions(masters, f"{self._name}-bus", self._multiplexer)
        return Following(keys, self._client(keys), bus, is_replicated=self._is_replicated)

    async def answers(self) -> None:
        """Make sure that Redis answers, and takes what is written. Raises StoreAway."""
        await self._redis(Keys("main")).link.call("TIME")

    async def watch(self) -> None:
        """Check again and again whether the master is still the same one: it may not know it itself."""
        await self._multiplexer.watch(self._settings.cluster.heartbeat_seconds)

    # --- Looking ---------------------------------------------------------------------------------

    async def chats(self, only: str | None) -> list[str]:
        """Return all chats, or the one that is asked for. Raises NotThere where there is none."""
        if only is None:
            return await chats(self._access, self._name, self._seconds)
        keys = Keys(only)
        if not await self._redis(keys).exists(keys.meta):
            there = await chats(self._access, self._name, self._seconds)
            known = f"there are {', '.join(there)}" if there else "no node has ever served one"
            raise NotThere("chat", f"there is no chat {only}", known)
        return [only]

    async def is_there(self, chat: str, room: str | None) -> bool:
        """Say whether there is a chat, or a further room."""
        keys = _keys(chat, room)
        return bool(await self._redis(keys).exists(keys.meta))

    def overview(self, chat: str) -> Overview:
        """Look at a chat."""
        return Overview(chat, self._redis(Keys(chat)))

    async def room(self, chat: str, room: str | None) -> LogOverview:
        """Look at a chat's lobby, or at a further room. Raises NotThere where there is none."""
        await self.chats(chat)
        if room is None:
            return self.overview(chat)
        keys = RoomKeys(chat, room)
        if not await self.overview(chat).has_room(room):
            raise absent(keys)  # before a client is kept for what anybody may ask for
        overview = LogOverview(keys, self._redis(keys))
        if not await overview.exists():
            raise absent(keys)
        return overview

    async def people(self, chat: str, room: str | None) -> list[Person]:
        """Return who is in a chat's lobby, or in a further room, oldest first. Raises NotThere."""
        there = await (await self.room(chat, room)).members()
        return await self.overview(chat).present(there)

    def rooms(self, chat: str) -> RoomsOverview:
        """Look at all further rooms of a chat."""
        redis = self._redis(Keys(chat))
        return RoomsOverview(chat, redis, self._visits, is_cluster=self._is_cluster)

    def log_reader(self, chat: str, room: str | None) -> LogReader:
        """Look at what happened in a chat's lobby, or in a further room."""
        keys = _keys(chat, room)
        return LogReader(keys, self._redis(keys), is_replicated=self._is_replicated)

    def past_talk(self, chat: str, room: str | None) -> PastTalk:
        """Look at what was said in a chat's lobby, or in a further room."""
        keys = _keys(chat, room)
        return PastTalk(keys, self._redis(keys), is_replicated=self._is_replicated)

    def feed(self, chat: str, room: str | None) -> Feed:
        """Listen to what happens in a chat's lobby, or in a further room."""
        return self.feeds.of(_keys(chat, room))

    def webhook(self, chat: str, name: str) -> WebhookRecord:
        """Look at how far a webhook is, and move it."""
        return WebhookRecord(chat, name, self._redis(Keys(chat)))

    def accounts(self, chat: str) -> AccountBook:
        """Look at a chat's accounts, and change them."""
        return AccountBook(chat, self._redis(Keys(chat)))

    def invitations(self, chat: str) -> InvitationBook:
        """Look at a chat's invitations."""
        return InvitationBook(chat, self._redis(Keys(chat)))

    def traces(self, chat: str, key: str) -> Traces:
        """Look for what a chat keeps of a person, by their nickname, folded."""
        return Traces(chat, self._redis(Keys(chat)), key)

    async def redact_in_rooms(self, chat: str, key: str) -> int:
        """Remove a person from what a chat's further rooms keep; return how often the logs had him.

        Raises LogBusy.
        """
        count = 0
        for room in await self.rooms(chat).traces(key):
            keys = RoomKeys(chat, room)
            redis = Client.to(self._access, keys.meta, self._name, self._seconds)
            try:
                traces = LogTraces(keys, redis, key)
                await traces.forget_standing()
                count += await traces.redact()
            finally:
                redis.link.disconnect()
        return count

    async def nodes(self, only: str | None = None) -> list[NodeSeen]:
        """Return the registrations of all nodes, by chat."""
        return [
            node
            for chat in await self.chats(only)
            for node in await self.overview(chat).nodes(self._settings.cluster)
        ]

    # --- Acting ----------------------------------------------------------------------------------

    def operator(self, chat: str) -> Operator:
        """Give operator commands in a chat."""
        return Operator(chat, self._redis(Keys(chat)), self._by, self.patience)

    def room_operator(self, chat: str, room: str) -> RoomOperator:
        """Give operator commands in a further room."""
        keys = RoomKeys(chat, room)
        chats = self._redis(Keys(chat))
        return RoomOperator(keys, self._redis(keys), chats, self._by, self.patience)

    def poster(self, chat: str, room: str | None) -> Poster:
        """Say things in a chat's lobby, or in a further room, for programs that have no seat there."""
        keys = _keys(chat, room)
        return Poster(
            keys,
            self._redis(keys),
            self._redis(Keys(chat)),
            self._settings.cluster,
            self.patience,
            is_replicated=self._is_replicated,
        )

    def orders(self, chat: str, room: str | None) -> Operator | RoomOperator:
        """Give operator commands in a chat's lobby, or in a further room."""
        return self.operator(chat) if room is None else self.room_operator(chat, room)

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
                with contextlib.suppress(CommandRefused):  # gone just now
                    await operator.kick(person.nickname, reason)
        return ban, [person.nickname for person in before]

    async def invite(self, chat: str, count: int, seconds: int) -> list[MadeInvitation]:
        """Make some codes, as ``InvitationBook.invite``, and write down who did."""
        made = await self.invitations(chat).invite(count, seconds)
        numbers = "-".join(str(it.number) for it in dict.fromkeys((made[0], made[-1])))
        await self._note(chat, Action.INVITE, numbers)
        return made

    async def take_back_invitation(self, chat: str, number: int) -> None:
        """Let nobody use a code, as ``InvitationBook.take_back``, and write down who did that."""
        await self.invitations(chat).take_back(number)
        await self._note(chat, Action.UNINVITE, str(number))

    async def _note(self, chat: str, action: Action, value: str) -> None:
        with contextlib.suppress(
            NotThere
        ):  # before a node has served the chat, it has no audit log
            await self.operator(chat).note(action, "", value)

    async def close(self, chat: str) -> int:
        """Close a chat; return how many were in it."""
        if chat in self._settings.lasting_chats:
            raise CommandRefused(f"nobody may close the chat {chat}: it stands in lasting_chats")
        return await self.operator(chat).close()

    async def drain(self, node: str, chat: str | None = None) -> list[NodeSeen]:
        """Tell a node to drain, and wait until it does; return its registrations as they were.

        ``chat``: one that it has to serve, if any.
        """
        nodes = await self.nodes(chat)
        meant = [each for each in nodes if node in (each.node, each.registration)]
        if not meant:
            known = ", ".join(sorted({each.node for each in nodes})) or "none"
            raise NotThere("node", f"there is no node {node}: known are {known}")
        name = meant[0].node
        alive = [each for each in meant if each.state not in ("stale", "buried")]
        if not alive:
            raise CommandRefused(f"the node {name} does not hear: its lease is out")
        there = {each.registration for each in alive}
        await self.operator(alive[0].chat).drain(name)

        async def obeyed() -> bool:
            now = await self.nodes(chat)
            return all(each.state == "draining" for each in now if each.registration in there)

        if not await self._within(obeyed):
            raise CommandRefused(
                f"the node {name} did not answer within {self.patience:g} s: the command has lapsed",
                "nodes says how it is",
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


def _keys(chat: str, room: str | None) -> LogKeys:
    return Keys(chat) if room is None else RoomKeys(chat, room)
