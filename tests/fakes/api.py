"""The HTTP API as an application, over a Redis in memory where a node serves the chat; and who calls it."""

from collections.abc import Sequence
from typing import Any

import httpx
from fakeredis import FakeServer
from fastapi import FastAPI
from httpx import ASGITransport
from prometheus_client import CollectorRegistry

from fakes.redis import FakeConnection, FakeMultiplexer, fake_client
from tertulia.api.app import application
from tertulia.api.desk import Desk
from tertulia.api.tokens import ANY_ROOM, Scope, Token, Tokens, digest
from tertulia.operators.deployment import Deployment
from tertulia.settings.model import Settings
from tertulia.store.keys import Keys, LogKeys, RoomKeys

KEYS = Keys("main")


_applications: list[FastAPI] = []


def _application(desk: Desk) -> FastAPI:
    """Return the application; it is made once, which takes long."""
    if not _applications:
        _applications.append(application(desk))
    return _applications[0]


class FakeDeployment(Deployment):
    """A deployment on a Redis in memory."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(Settings.model_validate({"redis_url": "redis://127.0.0.1"}), "test", 1.0)
        self._multiplexer = FakeMultiplexer(server)


class FakeApi:
    """The application, and the Redis behind it, where the node ``one`` has a lease for an hour."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.redis: Any = fake_client(self.server)
        self.deployment = FakeDeployment(self.server)
        self.tokens: dict[str, Token] = {}
        settings = Settings.model_validate({"api": {"requests_burst": 100_000}})
        self.desk = Desk(settings, Tokens({}), self.deployment, CollectorRegistry())
        self.app = _application(self.desk)
        self.app.state.desk = self.desk

    async def begin(self) -> None:
        """Have the chat served."""
        fields = {"epoch": "e", "base": "0", "offset": "0", "sitting": "1"}
        await self.redis.hset(KEYS.meta, mapping=fields)
        seconds, _ = await self.redis.time()
        await self.redis.zadd(KEYS.leases, {"one~1": (seconds + 3600) * 1000})

    async def connect(self, *_: object) -> FakeConnection:
        """Connect as ``Access.connect`` does."""
        return FakeConnection(self.server)

    async def chats(self, *_: object) -> list[str]:
        """Return all chats."""
        return ["main"]

    async def open_room(self, name: str) -> RoomKeys:
        """Have a further room."""
        keys = RoomKeys("main", name)
        await self.redis.zadd(KEYS.rooms, {name: 9e15})
        fields = {"epoch": "r", "base": "0", "offset": "0", "sitting": "0"}
        await self.redis.hset(keys.meta, mapping=fields)
        return keys

    async def seat(self, nickname: str, keys: LogKeys = KEYS, **fields: str) -> None:
        """Have somebody in a room."""
        key = nickname.lower()
        count = await self.redis.zcard(keys.members)
        await self.redis.zadd(keys.members, {key: count + 1})
        given = {
            "nickname": nickname,
            "node": "one~1",
            "session": f"one~1:{count}",
            "sitting": "1" if keys is KEYS else "0",
            "dialect": "chatte",
            "address": "192.0.2.1",
            "port": "5000",
            "since": "1700000000000",
        }
        await self.redis.hset(keys.nick(key), mapping=given | fields)
        if keys is KEYS:
            await self.redis.sadd(KEYS.nicks("one~1"), key)

    async def log(self, keys: LogKeys = KEYS) -> list[dict[str, str]]:
        """Return the entries of a room's log."""
        return [fields for _, fields in await self.redis.xrange(keys.log)]

    def caller(
        self,
        *scopes: Scope,
        name: str = "bot",
        rooms: Sequence[str] = (ANY_ROOM,),
        chat: str = "main",
    ) -> httpx.AsyncClient:
        """Return a client with a token of its own."""
        secret = f"secret of {name} {len(self.tokens)}"
        token = Token(
            name=name,
            sha256=digest(secret),
            scopes=frozenset(scopes),
            rooms=tuple(rooms),
            chat=chat,
        )
        self.tokens[token.sha256] = token
        self.desk.tokens = Tokens(self.tokens)
        return httpx.AsyncClient(
            transport=ASGITransport(app=self.app, raise_app_exceptions=True),
            base_url="http://api.example/v1",
            headers={"Authorization": f"Bearer {secret}"},
        )
