"""A listener to a room's events over the API: a socket of its own, which can be cut at any byte."""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass
from typing import Any, Self

from harness.api_process import OPERATOR
from harness.waiting import until

CONNECT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Heard:
    """An event as it came."""

    name: str
    id: str
    data: dict[str, Any]


class EventListener:
    """Reads a stream, and comes back behind the last event that it has read as a whole."""

    def __init__(self, port: int, room: str = "lobby", token: str = OPERATOR) -> None:
        self._port = port
        self._path = f"/v1/rooms/{room}/events"
        self._token = token
        self.heard: list[Heard] = []
        """All events but greetings, over all connections."""
        self.greetings = 0
        self.last_id = ""
        self.status = 0
        """Of the last answer; 0: none has come."""
        self.is_over = True
        """Whether the connection is gone, by whoever's will."""
        self._is_cut = False
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> Self:
        """Connect, and wait for the begin of the stream. Raises OSError."""
        self.status, self.is_over, self._is_cut = 0, False, False
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        again = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        self._writer.write(
            f"GET {self._path} HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer {self._token}\r\n"
            f"{again}\r\n".encode()
        )
        greetings = self.greetings
        self._task = asyncio.create_task(self._read(reader))
        await until(
            lambda: self.greetings > greetings or self.is_over or self.status > 200,
            CONNECT_SECONDS,
            lambda: f"the stream to begin: {self.status}",
        )
        return self

    def cut(self) -> None:
        """Lose the connection, wherever it is."""
        self._is_cut = True
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        """Go."""
        self.cut()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def said(self) -> list[str]:
        """Return all texts that were said, in order."""
        return [it.data["text"] for it in self.heard if it.name == "said"]

    async def hears(self, text: str, within: float = 30.0) -> None:
        """Wait until a text was said."""
        await until(lambda: text in self.said(), within, lambda: f"{text}: {self.heard[-5:]}")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.status = int(head.split(" ")[1])
            block: list[str] = []
            rest = b""
            while self.status == 200 and (size := int(await reader.readline(), 16)):
                while size:
                    # As it comes: of a piece that a cut leaves half, whole events count.
                    some = await reader.readexactly(min(size, random.randint(1, 300)))
                    size -= len(some)
                    *lines, rest = (rest + some).split(b"\n")
                    for line in lines:
                        if line:
                            block.append(line.decode())
                        else:
                            self._take(block)
                            block = []
                    await asyncio.sleep(0)
                    if self._is_cut:
                        break
                else:
                    await reader.readline()
                    continue
                break
        self.is_over = True

    def _take(self, block: list[str]) -> None:
        fields = dict(line.split(": ", 1) for line in block if ": " in line)
        if "event" not in fields:
            return  # a heartbeat
        heard = Heard(fields["event"], fields["id"], json.loads(fields["data"]))
        self.last_id = heard.id
        if heard.name == "hello":
            self.greetings += 1
        else:
            self.heard.append(heard)
