"""A wire between a node and Redis that fails when told to: the node's own code sees a real fault.

Each connection is known by the name that the node gives it (``tertulia-commit``, ``tertulia-bus``, …).
"""

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

_NAME = re.compile(rb"tertulia-(\w+)")


class Loss(Enum):
    """What becomes of a request and its reply. Where one of them is lost, the connection is cut."""

    REQUEST = auto()
    """Redis never gets it."""
    REPLY = auto()
    """Redis carries it out, and its reply is lost."""
    STALLED = auto()
    """Redis carries it out, and the connection stays open and silent: a half-open link."""
    NOTHING = auto()
    """All is well; only the test learns of it."""


@dataclass(slots=True)
class Fault:
    """One fault that waits for its request."""

    words: tuple[bytes, ...]
    loss: Loss
    then: Callable[[], object] | None
    skip: int
    link: str
    struck: asyncio.Event = field(default_factory=asyncio.Event)


class LossyProxy:
    """A TCP proxy in the test's own event loop."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[Fault] = []
        self._stalled: set[str] = set()
        self._refused = False
        self.port = 0

    async def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> str:
        """Where a node finds Redis."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def names(self) -> list[str]:
        """The names of the connections that are open."""
        return [wire.name for wire in self._wires]

    def lose(
        self,
        *words: str,
        loss: Loss = Loss.REPLY,
        skip: int = 0,
        link: str = "",
        then: Callable[[], object] | None = None,
    ) -> Fault:
        """Fail the next request that has all these words, after letting ``skip`` of them pass.

        ``link``: only on connections of this name. ``then`` is called at that moment, before anything
        else can happen; what it stalls holds up that very request.
        """
        fault = Fault(tuple(word.encode() for word in words), loss, then, skip, link)
        self._faults.append(fault)
        return fault

    def stall(self, name: str) -> None:
        """Let nothing through on connections of a name, new ones included: they stay open, silent."""
        self._stalled.add(name)

    def freeze(self, name: str) -> None:
        """Let nothing more through on the present connections of a name; new ones work."""
        for wire in self._wires:
            if wire.name == name:
                wire.frozen = True

    def flow(self, *names: str) -> None:
        """Let everything through again that was held back by a stall; or what has one of these names."""
        self._stalled -= set(names) or self._stalled
        for wire in self._wires:
            if not names or wire.name in names:
                wire.flow()

    def cut(self, name: str) -> int:
        """Cut the connections of a name; return how many there were."""
        wires = [wire for wire in self._wires if wire.name == name]
        for wire in wires:
            wire.cut()
        return len(wires)

    def cut_off(self) -> None:
        """Cut every connection and refuse new ones: the node is alone in the world."""
        self._refused = True
        for wire in list(self._wires):
            wire.cut()

    def restore(self) -> None:
        """Take connections again."""
        self._refused = False

    async def close(self) -> None:
        """End it."""
        self.cut_off()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_stalled(self, name: str) -> bool:
        """Say whether connections of this name are held back."""
        return name in self._stalled

    def strikes(self, data: bytes, link: str) -> Fault | None:
        """Return the fault that a request meets, which is then over."""
        for fault in self._faults:
            if fault.link in ("", link) and all(word in data for word in fault.words):
                if fault.skip:
                    fault.skip -= 1
                    continue
                self._faults.remove(fault)
                return fault
        return None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refused:
            writer.transport.abort()
            return
        wire, task = _Wire(self, reader, writer), asyncio.current_task()
        assert task is not None
        self._wires.add(wire)
        self._tasks.add(task)
        try:
            await wire.run(*self._target)
        finally:
            self._wires.discard(wire)
            self._tasks.discard(task)


class _Wire:
    """One connection through the proxy."""

    def __init__(
        self, proxy: LossyProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._client = (reader, writer)
        self._fault: Fault | None = None  # one whose reply is to be lost
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._was_cut = False
        self.frozen = False
        """Whether nothing more gets through, for ever."""
        self.name = ""

    async def run(self, host: str, port: int) -> None:
        """Carry bytes both ways until either end closes, or a fault strikes."""
        server_reader, server_writer = await asyncio.open_connection(host, port)
        client_reader, client_writer = self._client
        if not self._was_cut:
            self._tasks = [
                asyncio.create_task(self._requests(client_reader, server_writer)),
                asyncio.create_task(self._replies(server_reader, client_writer)),
            ]
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in (client_writer, server_writer):
            writer.transport.abort()

    def cut(self) -> None:
        """Close both ends."""
        self._was_cut = True
        for task in self._tasks:
            task.cancel()

    def flow(self) -> None:
        """Go on after a stall."""
        self._flowing.set()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if not self.name and (match := _NAME.search(data)):
                    self.name = match[1].decode()
                await self._hold()
                fault = self._proxy.strikes(data, self.name)
                if fault is not None and fault.loss in (Loss.REQUEST, Loss.NOTHING):
                    self._strike(fault)
                    if fault.loss is Loss.REQUEST:
                        return
                    await self._hold()
                elif fault is not None:
                    self._fault = fault
                writer.write(data)
                await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._hold()
                if self._fault is not None:
                    fault, self._fault = self._fault, None
                    self._strike(fault)
                    if fault.loss is Loss.REPLY:
                        return
                    self._flowing.clear()
                    await self._flowing.wait()
                writer.write(data)
                await writer.drain()

    async def _hold(self) -> None:
        while self.frozen or (self.name and self._proxy.is_stalled(self.name)):
            self._flowing.clear()
            await self._flowing.wait()

    def _strike(self, fault: Fault) -> None:
        fault.struck.set()
        if fault.then is not None:
            fault.then()
