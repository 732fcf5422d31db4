"""Looking at a chat as it is in Redis: its nodes, its people, the pending messages, the bans.

Of a further room: what is in force there, and who did what.

Everything is read in Redis, and no node is asked. Only one thing is changed: messages that an earlier
version kept for an account are converted to the form of this version.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tertulia.domain.bans import Ban, BanKind, Bans
from tertulia.domain.moderation import Rules
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.domain.operator_commands import decode as decode_command
from tertulia.domain.text import with_line_feeds
from tertulia.operators.refusals import NotThere
from tertulia.redis.client import Client, flat
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys, LogKeys, RoomKeys
from tertulia.store.pending import Mailboxes, Sender
from tertulia.store.wire import parse_bans, parse_rules

_PAGE = 500


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node's registration in a chat. Its node info is a few seconds old."""

    chat: str
    node: str
    """As configured."""
    registration: str
    state: str
    """up or draining; silent: it has not renewed its lease lately; stale: its lease has run out; buried: its
    sessions are being announced as gone."""
    sessions: int
    """Nicknames that it holds in this chat."""
    lease_seconds: float | None
    """For how long its lease still holds; negative if it has run out; None if it was taken away."""
    lag_seconds: float | None
    """How late, at worst, the timers of its event loop came lately."""
    version: str | None
    host: str | None
    ops: str | None
    """The address at which its operator's HTTP listens on that host."""
    pid: int | None
    started: int | None
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the room, or logged in from a device."""

    nickname: str
    kind: str
    """account or guest."""
    dialect: str
    node: str | None
    """The node's name as configured; None for a device that does not wait on a connection now."""
    address: str | None
    port: int | None
    since: int | None
    """Milliseconds since 1970; None for a device."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits for an account."""

    sender: str
    text: str
    at: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A command in the audit log."""

    command: OperatorCommand
    at: int
    """Milliseconds since 1970."""


class LogOverview:
    """What operators can see of a lobby and of a further room alike. Raises StoreAway."""

    def __init__(self, keys: LogKeys, redis: Client) -> None:
        self._keys = keys
        self._redis: Any = redis  # the types of redis-py don't say that replies are text

    async def now(self) -> int:
        """Return Redis' clock, in milliseconds since 1970."""
        seconds, micros = await self._redis.time()
        return int(seconds * 1000 + micros // 1000)

    async def exists(self) -> bool:
        """Return whether a node has ever served it."""
        return bool(await self._redis.exists(self._keys.meta))

    async def members(self) -> list[str]:
        """Return who is in it, folded, oldest first."""
        return list(await self._redis.zrange(self._keys.members, 0, -1))

    async def rules(self) -> Rules:
        """Return what moderators have set, and who they are; without mutes that have ended."""
        now = await self.now()
        rules = parse_rules(flat(await self._redis.hgetall(self._keys.moderation)), ())
        rules.mutes = {
            key: it for key in sorted(rules.mutes) if (it := rules.mute_of(key, now / 1000))
        }
        return rules

    async def audited(self, most: int) -> list[Audited]:
        """Return the last operator commands, oldest first."""
        return parse_audited(await self._redis.xrevrange(self._keys.audit, count=most))


def parse_audited(page: Sequence[tuple[str, dict[str, str]]]) -> list[Audited]:
    """Return the commands in a page of an audit log that was read backwards, oldest first."""
    return [
        Audited(decode_command(fields["e"]), _milliseconds(name)) for name, fields in reversed(page)
    ]


class Overview(LogOverview):
    """All that operators can see of one chat. Raises StoreAway if Redis does not answer."""

    _keys: Keys

    def __init__(self, chat: str, redis: Client) -> None:
        super().__init__(Keys(chat), redis)
        self._mailboxes = Mailboxes(self._keys, redis)

    async def nodes(self, settings: ClusterSettings) -> list[NodeSeen]:
        """Return all registered nodes, by name."""
        keys = self._keys
        now = await self.now()
        leases = await self._redis.zrange(keys.leases, 0, -1, withscores=True)
        told = await asyncio.gather(
            *(self._redis.hgetall(keys.node_info(node)) for node, _ in leases),
            *(self._redis.scard(keys.nicks(node)) for node, _ in leases),
        )
        node_infos, counts = told[: len(leases)], told[len(leases) :]
        seen = []
        for (node, expiry), node_info, sessions in zip(leases, node_infos, counts, strict=True):
            seen.append(
                NodeSeen(
                    chat=keys.chat,
                    node=configured(node),
                    registration=node,
                    state=_state(expiry, now, settings, node_info.get("state", "up")),
                    sessions=sessions,
                    lease_seconds=round((expiry - now) / 1000, 1) if expiry else None,
                    lag_seconds=float(node_info["lag"]) if "lag" in node_info else None,
                    version=node_info.get("version"),
                    host=node_info.get("host"),
                    ops=node_info.get("ops"),
                    pid=int(node_info["pid"]) if "pid" in node_info else None,
                    started=int(node_info["started"]) if "started" in node_info else None,
                )
            )
        return sorted(seen, key=lambda each: each.registration)

    async def has_room(self, room: str) -> bool:
        """Say whether there is a further room."""
        return await self._redis.zscore(self._keys.rooms, room) is not None

    async def is_lasting(self, room: str) -> bool:
        """Say whether a further room stays when nobody is in it and its log has aged out."""
        return await self._redis.hget(self._keys.room_facts, f"lasting:{room}") is not None

    async def people(self) -> list[Person]:
        """Return the people in the room, oldest first, then the people logged in from a device."""
        return [*await self.in_room(), *await self._logged_in()]

    async def holder(self, key: str) -> str | None:
        """Return the registration of the node that holds a nickname, given folded."""
        generation, (session, node, of_generation) = await asyncio.gather(
            self._redis.hget(self._keys.meta, "sitting"),
            self._redis.hmget(self._keys.nick(key), ["session", "node", "sitting"]),
        )
        if session is None or of_generation != (generation or "0"):
            return None
        return str(node)

    async def is_account(self, key: str) -> bool:
        """Return whether there is an account with a name, given folded."""
        return bool(await self._redis.exists(self._keys.account(key)))

    async def account_since(self, key: str) -> int:
        """Return since when there is an account, given folded, in ms since 1970; 0: there is none."""
        return int(await self._redis.hget(self._keys.account(key), "since") or 0)

    async def devices_covered(self, ban: Ban) -> list[tuple[str, str]]:
        """Return the accounts, logged in from a device, that a ban covers.

        Each comes with the address that the ban covers, or an empty text if the ban is of no addresses.
        """
        if ban.kind in (BanKind.NICKNAME, BanKind.ACCOUNT):
            return [(ban.subject, "")]
        bans = Bans([ban])
        return [
            (fold(person.nickname), person.address)
            for person in await self._logged_in()
            if person.address and bans.covering("", person.address, 0.0, is_account=True)
        ]

    async def bans(self) -> list[Ban]:
        """Return all bans that have not ended, by name."""
        now = await self.now()
        bans = parse_bans(flat(await self._redis.hgetall(self._keys.bans)))
        return sorted(
            (ban for ban in bans if not ban.is_over(now / 1000)), key=lambda ban: ban.name
        )

    async def senders(self, key: str) -> list[Sender]:
        """Return the senders of an account's pending messages; the one that has waited longest first."""
        return [sender async for sender in self._mailboxes.senders(key)]

    async def waiting(self, key: str) -> list[Waiting]:
        """Return the messages that wait for an account, oldest first."""
        found = await self._mailboxes.everything(key)
        return [
            Waiting(message.sender, with_line_feeds(message.text.decode()), message.at)
            for message in found
        ]

    async def in_room(self) -> list[Person]:
        """Return the people in the room, oldest first."""
        return await self.present(await self.members())

    async def present(self, names: Sequence[str]) -> list[Person]:
        """Return those of some people, folded, who are in the chat."""
        keys = self._keys
        fields = ["nickname", "dialect", "node", "address", "port", "since"]
        people = []
        for page in _pages(names):
            told = await asyncio.gather(
                *(self._redis.hmget(keys.nick(key), fields) for key in page),
                *(self._redis.exists(keys.account(key)) for key in page),
            )
            for found, is_account in zip(told[: len(page)], told[len(page) :], strict=True):
                nickname, dialect, node, address, port, since = found
                if nickname is not None:  # else they left since
                    people.append(
                        Person(
                            nickname,
                            "account" if is_account else "guest",
                            dialect or "",
                            configured(node or ""),
                            address,
                            int(port) if port else None,
                            int(since) if since else None,
                        )
                    )
        return people

    async def _logged_in(self) -> list[Person]:
        keys, fields = self._keys, ["nickname", "node", "address", "port"]
        people = []
        for page in _pages(await self._redis.zrange(keys.devices, 0, -1)):
            for nickname, node, address, port in await asyncio.gather(
                *(self._redis.hmget(keys.device(key), fields) for key in page)
            ):
                if nickname is not None:  # else the login has expired
                    people.append(
                        Person(
                            nickname,
                            "account",
                            "device",
                            configured(node) if node else None,
                            address,
                            int(port) if port else None,
                            None,
                        )
                    )
        return people


def room_in_words(keys: RoomKeys) -> str:
    """Return which further room it is, for people."""
    return f"the room #{keys.name} of the chat {keys.chat}"


def absent(keys: RoomKeys) -> NotThere:
    """Return what says that there is no such further room."""
    why = f"there is no room #{keys.name} in the chat {keys.chat}"
    return NotThere("room", why, "rooms lists those that are there")


def configured(registration: str) -> str:
    """Return a node's configured name, from its registration."""
    return registration.rpartition("~")[0] or registration


def _state(expiry: float, now: float, settings: ClusterSettings, stated: str) -> str:
    if expiry == 0:
        return "buried"
    if expiry <= now:
        return "stale"
    silent = now - (expiry - settings.lease_seconds * 1000)
    return "silent" if silent >= settings.silence_seconds * 1000 else stated


def _milliseconds(entry: str) -> int:
    return int(entry.partition("-")[0])


def _pages(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return [names[at : at + _PAGE] for at in range(0, len(names), _PAGE)]
