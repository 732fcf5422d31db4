"""An API for the console to talk to: one process, no Redis, and every fault on demand.

It serves the console's files and keeps to docs/api.md as far as the console can tell. What a test wants to
happen it does through the methods here.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.waiting import until
from tertulia.api import console

Body = dict[str, Any]
EPOCH = "e1"


def at(seconds: float = 0) -> str:
    """Return a moment of the last minutes as the API has it."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Room:
    """A room: what is known of it, who is there, what happened."""

    topic: str = ""
    people: list[Body] = field(default_factory=list)
    mutes: list[Body] = field(default_factory=list)
    moderators: list[str] = field(default_factory=list)
    owner: str | None = None
    settings: Body = field(default_factory=dict)
    log: list[tuple[str, Body]] = field(default_factory=list)
    audit: list[Body] = field(default_factory=list)
    is_lasting: bool = True


@dataclass
class ConsoleApi:
    """What there is, and what is done with it. Change it while it runs."""

    tokens: dict[str, Body] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    bans: list[Body] = field(default_factory=list)
    accounts: list[Body] = field(default_factory=list)
    nodes: list[Body] = field(default_factory=list)
    webhooks: list[Body] = field(default_factory=list)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    """What was done: method, path, body."""
    refusal: tuple[int, str] | None = None
    """The status and the detail with which everything is refused, and no stream stays."""
    address: str = ""
    streams: int = 0
    """How many are open now."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    # --- What tests do ---------------------------------------------------------------------------

    def happen(self, room: str, type_: str, **data: Any) -> str:
        """Let something happen in a room. Returns its place."""
        log = self.rooms[room].log
        place = f"{len(log) + 1}.0"
        position = f"{EPOCH}:{len(log) + 1}"
        shown = {"place": place} if type_ == "said" else {}
        log.append((type_, {"at": at(), "position": position, **shown, **data}))
        self._wake()
        return place

    def refuse(self, status: int, detail: str) -> None:
        """Refuse everything from now on, and cut every stream."""
        self.refusal = (status, detail)
        self._wake()

    def done(self, method: str) -> list[tuple[str, Any]]:
        """Return what was done by a method: paths and bodies."""
        return [(path, body) for it, path, body in self.calls if it == method]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- What it answers -------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        token = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if self.refusal is not None:
            return problem(*self.refusal)
        if token is None:
            return problem(401, "nobody has this token: see the file api.tokens")
        steps = request.path_params["path"].split("/")
        body = json.loads(await request.body() or b"null")
        if request.method != "GET":
            query = f"?{request.url.query}" if request.url.query else ""
            self.calls.append((request.method, f"{'/'.join(steps)}{query}", body))
        if steps == ["self"]:
            return JSONResponse(token)
        if steps[0] == "rooms" and len(steps) > 1:
            return await self._in_room(request, steps[1], steps[2:], body, token)
        if steps == ["rooms"]:
            return items([self._seen(name) for name in self.rooms])
        if "operate" not in token["scopes"]:
            return problem(403, f"the token {token['name']} has not the scope operate")
        return self._operate(request.method, steps, body)

    def _seen(self, name: str) -> Body:
        room = self.rooms[name]
        return {
            "name": name, "members": len(room.people), "messages": len(room.log), "bytes": 12_345,
            "topic": room.topic, "is_lasting": room.is_lasting, "error": None, "shard": "0",
        }  # fmt: skip

    async def _in_room(
        self, request: Request, name: str, steps: list[str], body: Any, token: Body
    ) -> Response:
        room = self.rooms.get(name)
        if room is None:
            return problem(404, f"there is no room {name}")
        by = f"{token['name']} (api)"
        match request.method, *steps:
            case ["GET"]:
                return JSONResponse(
                    {
                        "name": name, "topic": room.topic, "members": len(room.people), "slow_seconds": 0,
                        "accounts_only": False, "outsiders": False, "owner": room.owner,
                        "moderators": room.moderators, "mutes": room.mutes,
                        "is_lasting": room.is_lasting, **room.settings,
                    }
                )  # fmt: skip
            case ["GET", "events"]:
                return StreamingResponse(
                    self._events(room, request.headers.get("last-event-id")),
                    media_type="text/event-stream",
                )
            case ["GET", "messages"]:
                return self._messages(room, request.query_params)
            case ["GET", "people"]:
                return items(room.people)
            case ["GET", "audit"]:
                return items(room.audit)
            case ["PUT", "mutes", whom]:
                seconds = body["seconds"]
                until = None if seconds is None else at(seconds)
                mute = {
                    "nickname": whom,
                    "until": until,
                    "reason": body["reason"],
                    "by": by,
                }
                room.mutes = [it for it in room.mutes if it["nickname"] != whom] + [mute]
                self.happen(name, "muted", **mute)
            case ["DELETE", "mutes", whom]:
                room.mutes = [it for it in room.mutes if it["nickname"] != whom]
                self.happen(name, "unmuted", nickname=whom, by=by)
            case ["DELETE", "people", whom]:
                room.people = [it for it in room.people if it["nickname"] != whom]
                self.happen(name, "kicked", nickname=whom, by=by)
            case ["DELETE", "messages", place]:
                data = next(
                    it for type_, it in room.log if type_ == "said" and it["place"] == place
                )
                data.update(is_redacted=True, text="")
                self.happen(name, "redacted", place=place, by=by, reason="")
            case ["PUT", "topic"]:
                room.topic = body["text"]
                self.happen(name, "topic", text=body["text"], by=by)
            case ["PUT", "slow"]:
                room.settings["slow_seconds"] = body["seconds"]
            case ["PUT", "accounts-only" | "outsiders" | "lasting" as what]:
                key = "is_lasting" if what == "lasting" else what.replace("-", "_")
                room.settings[key] = body["on"]
            case ["PUT", "moderators", whom]:
                room.moderators.append(whom)
            case ["DELETE", "moderators", whom]:
                room.moderators.remove(whom)
            case ["POST", "announcements"]:
                self.happen(name, "said", nickname="G", text=body["text"])
            case _:
                return problem(404, "Not Found")
        action = f"{request.method.lower()} {steps[0]}"
        room.audit.append(
            {"at": at(), "by": by, "action": action, "subject": "", "text": "", "value": ""}
        )
        return Response(status_code=204)

    def _messages(self, room: Room, query: Any) -> Response:
        said = [it for type_, it in room.log if type_ == "said"]
        before = query.get("before")
        if before is not None:
            offset = int(before.split(":")[1])
            said = [it for it in said if int(it["place"].split(".")[0]) < offset]
        page = said[-int(query["limit"]) :]
        found = [
            {"is_account": True, "is_redacted": False, **it, "id": it["place"]}
            for it in page
        ]  # fmt: skip
        rest = found[0]["position"] if len(page) < len(said) else None
        return JSONResponse({"items": found, "next": rest})

    async def _events(self, room: Room, last: str | None) -> AsyncIterator[str]:
        done = len(room.log) if last is None else int(last.split(":")[1])
        self.streams += 1
        try:
            position = f"{EPOCH}:{done}"
            told = json.dumps({"position": position})
            yield f"retry: 100\nevent: hello\nid: {position}\ndata: {told}\n\n"
            while self.refusal is None:
                changed = self._changed
                while done < len(room.log):
                    type_, data = room.log[done]
                    done += 1
                    yield f"event: {type_}\nid: {EPOCH}:{done}\ndata: {json.dumps(data)}\n\n"
                await changed.wait()
        finally:
            self.streams -= 1

    def _operate(self, method: str, steps: list[str], body: Any) -> Response:
        match method, *steps:
            case ["GET", "bans" | "nodes" | "webhooks" as what]:
                return items(getattr(self, what))
            case ["GET", "accounts"]:
                return JSONResponse({"items": self.accounts, "next": None})
            case ["GET", "accounts", name]:
                found = [it for it in self.accounts if it["nickname"] == name]
                return JSONResponse(found[0]) if found else problem(404, f"no account {name}")
            case ["PUT", "bans", kind, *subject]:
                until = None if body["seconds"] is None else at(body["seconds"])
                self.bans.append(
                    {"kind": kind, "subject": "/".join(subject), "until": until,
                     "reason": body["reason"], "by": "olga (api)", "since": at()}
                )  # fmt: skip
                return JSONResponse({**self.bans[-1], "removed": []})
            case ["DELETE", "bans", kind, *subject]:
                gone = (kind, "/".join(subject))
                self.bans = [it for it in self.bans if (it["kind"], it["subject"]) != gone]
            case ["PUT", "accounts", name]:
                if any(it["nickname"] == name for it in self.accounts):
                    return problem(409, f"{name} has an account already")
                self.accounts.append(account(name))
                return JSONResponse(self.accounts[-1], 201)
            case ["PUT", "accounts", _, "password"]:
                pass
            case ["DELETE", "accounts", name]:
                self.accounts = [it for it in self.accounts if it["nickname"] != name]
            case ["POST", "invitations"]:
                return JSONResponse({"items": [{"number": 1, "code": "tea-at-five"}]}, 201)
            case ["POST", "nodes", name, "drain"]:
                for it in self.nodes:
                    it["state"] = "draining" if it["node"] == name else it["state"]
                return JSONResponse({"node": name, "sessions": 0}, 202)
            case _:
                return problem(404, "Not Found")
        return Response(status_code=204)


_METHODS = ["GET", "POST", "PUT", "DELETE"]


def problem(status: int, detail: str) -> Response:
    """Return an error as the API has it."""
    body = {"type": "urn:tertulia:wrong", "title": "Wrong", "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


def items(found: list[Body]) -> Response:
    return JSONResponse({"items": found})


def account(name: str) -> Body:
    return {
        "nickname": name, "since": at(-90_000), "used": at(-60), "is_logged_in": False, "pending": 2,
    }  # fmt: skip


def person(name: str, kind: str = "guest", dialect: str = "browser") -> Body:
    return {
        "nickname": name, "kind": kind, "dialect": dialect, "since": at(-600), "node": "node-1",
        "address": "192.0.2.7", "port": 4000,
    }  # fmt: skip


class ApiServer:
    """Serves one API after the other at the same address."""

    def __init__(self) -> None:
        self.api = ConsoleApi()
        self.address = ""

    def application(self) -> FastAPI:
        """Return it as an application."""
        app = FastAPI()
        app.include_router(console.router)
        app.mount("/v1", Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)]))
        return app

    async def _answer(self, request: Request) -> Response:
        return await self.api.answer(request)

    def begin(self) -> ConsoleApi:
        """Serve an API in which something is going on."""
        self.api = lively(self.address)
        return self.api


@asynccontextmanager
async def running_server() -> AsyncIterator[ApiServer]:
    """Serve on a free port of 127.0.0.1."""
    served = ApiServer()
    config = uvicorn.Config(
        served.application(), "127.0.0.1", 0, log_config=None, lifespan="off",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, 30, "the API to listen")
    port = server.servers[0].sockets[0].getsockname()[1]
    served.address = f"http://127.0.0.1:{port}/console/"
    try:
        yield served
    finally:
        server.should_exit = True
        await serving


def lively(address: str) -> ConsoleApi:
    """Return an API in which something is going on."""
    api = ConsoleApi(address=address)
    everywhere = {"rooms": ["*"], "chat": "main"}
    api.tokens = {
        "operator": {"name": "olga", "scopes": ["moderate", "operate", "read"], **everywhere},
        "moderator": {
            "name": "mara", "scopes": ["moderate", "read"], "rooms": ["ops"], "chat": "main",
        },
        "speaker": {"name": "alerts", "scopes": ["say"], **everywhere},
    }  # fmt: skip
    api.rooms = {
        "lobby": Room(people=[person("carla")], topic="coffee & more"),
        "ops": Room(
            people=[person("anna", "account"), person("bruno", dialect="chatte"), person("carla")],
            topic="what runs, and what does not",
            owner="anna",
            moderators=["anna", "dora"],
        ),
    }
    for name, text in (("anna", "node-2 is slow today"), ("bruno", "buy cheap watches now")):
        api.happen("ops", "said", nickname=name, text=text)
    api.bans = [
        {"kind": "address", "subject": "198.51.100.0/24", "until": None, "reason": "floods",
         "by": "olga (api)", "since": at()},
    ]  # fmt: skip
    api.accounts = [account("anna"), account("dora")]
    api.nodes = [
        {"node": name, "registration": f"{name}-1", "state": "up", "sessions": 12, "lag_seconds": 0.004,
         "lease_seconds": 8.0, "version": "1.0", "host": "host-1"}
        for name in ("node-1", "node-2")
    ]  # fmt: skip
    api.webhooks = [
        {"name": "tickets", "room": "ops", "position": f"{EPOCH}:2", "behind": 0, "failures": 3,
         "dead": 1, "is_disabled": False, "relay": "api-1"},
    ]  # fmt: skip
    return api
