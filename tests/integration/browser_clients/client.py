"""A client of the dialect browser, from its page: client.py NICKNAME[@ROOM] URL... It says what it reads."""

import asyncio
import itertools
import json
import sys
from functools import partial
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

told = partial(print, flush=True)
unanswered: dict[int, str] = {}
nickname, _, room = sys.argv[1].partition("@")
here = {"room": room} if room else {}  # where it speaks, and what it shows
places: dict[str, dict[str, Any]] = {}  # how far it has read, by room
tokens: list[str] = []
sockets: list[ClientConnection] = []  # the one that is in, if there is one


async def take(socket: ClientConnection, frame: dict[str, Any]) -> None:
    """Take a frame of the service."""
    kind, of = frame["type"], frame.get("room", "")
    if kind in ("events", "missed") or (kind in ("welcome", "room") and not frame["resumed"]):
        places[of] = {"epoch": frame["epoch"], "offset": frame["offset"]}
    if kind == "welcome":
        tokens.append(frame["token"])
        if room and room not in places:
            await socket.send(json.dumps({"type": "join", "room": room}))
    if of != room:
        return
    if kind in ("welcome", "room"):
        told("BACK" if frame["resumed"] else "IN")
        for number in [it for it in unanswered if it <= frame["done"]]:
            del unanswered[number]
        for again in list(unanswered.values()):
            await socket.send(again)
        sockets.append(socket)
    for it in [*frame.get("messages", ()), *frame.get("events", ())]:
        if kind == "past" or it["type"] == "said":
            told("PAST" if kind == "past" else "SAID", it["nickname"], it["text"])
    if kind in ("sent", "kept", "failed"):
        unanswered.pop(frame["id"], None)


async def speak() -> None:
    """Say each line; without a connection it is said on the next one."""
    for number in itertools.count(1):
        if not (text := await asyncio.to_thread(sys.stdin.readline)):
            return
        message = {"type": "say", "id": number, "text": text.rstrip("\n"), **here}
        unanswered[number] = json.dumps(message)
        if sockets:
            await sockets[-1].send(unanswered[number])


def enter() -> dict[str, Any]:
    """Return the first frame: it goes on in the lobby and in its room, where it was in."""
    going_on = {"resume": {"token": tokens[-1], **places[""]}} if tokens else {}
    rooms = {"rooms": {room: places[room]}} if room in places and room else {}
    return {"type": "enter", "nickname": nickname, **going_on, **rooms}


async def main(*urls: str) -> None:
    """Stay in the chat until the service says that it is over."""
    speaking = asyncio.create_task(speak())
    for url in itertools.cycle(urls):
        try:
            async with connect(url) as socket:
                await socket.send(json.dumps(enter()))
                async for data in socket:
                    await take(socket, json.loads(data))
        except (OSError, ConnectionClosed):
            pass
        sockets.clear()
        if socket.close_code in (1000, 4001):
            speaking.cancel()
            told("END", socket.close_reason or "")
            return
        await asyncio.sleep(0.2)


asyncio.run(main(*sys.argv[2:]))
