"""A service for devices that fits in one process: the protocol page device, in memory, binary only.

For tests of the device's own side. What real nodes promise beyond the wire, it does not.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from harness.redis_server import free_port
from tertulia.clients.device.operations import Code
from tertulia.clients.device.wire import integer, string
from tertulia.domain import nicknames
from tertulia.domain.text import decode

START_SECONDS = 10.0
_ACK = integer(1)
_NO = integer(1)
_YES = integer(0)


@dataclass(slots=True)
class _Account:
    name: str
    password: str
    port: int = 0
    """0: not logged in."""
    onchat: str = ""
    pending: dict[str, list[str]] = field(default_factory=dict)
    waiting: asyncio.StreamWriter | None = None


class FakeDeviceService:
    """A service on some addresses of this machine, as if each were a node.

    It runs in a thread of its own, so that a test may block. What it keeps survives ``stop``.
    """

    def __init__(self, nodes: int = 2) -> None:
        self._accounts: dict[str, _Account] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devices", daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.StreamWriter] = set()
        self._ports = [free_port() for _ in range(nodes)]
        self.start()

    @property
    def addresses(self) -> list[str]:
        """HOST:PORT of each node."""
        return [f"127.0.0.1:{port}" for port in self._ports]

    def start(self) -> None:
        """Accept devices."""
        self._run(self._start)

    def stop(self) -> None:
        """Be away: accept nobody, and break every connection."""
        self._run(self._stop)

    def close(self) -> None:
        """End for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    def pending(self, recipient: str, sender: str) -> list[str]:
        """Return what waits for somebody."""
        return list(self._accounts[nicknames.fold(recipient)].pending.get(sender, ()))

    def port_of(self, name: str) -> int:
        """Return the port of a device that is logged in, else 0."""
        account = self._accounts.get(nicknames.fold(name))
        return account.port if account else 0

    def partner_of(self, name: str) -> str:
        """Return with whom somebody is onchat, or the empty string."""
        return self._accounts[nicknames.fold(name)].onchat

    def _run(self, step: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await step()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_SECONDS)

    async def _start(self) -> None:
        for port in self._ports:
            self._servers.append(await asyncio.start_server(self._serve, "127.0.0.1", port))

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in list(self._connections):
            connection.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        exchange = _Exchange(reader, writer, self._accounts)
        try:
            await exchange.run()
        except (asyncio.IncompleteReadError, OSError, _Refused):
            pass
        finally:
            self._connections.discard(writer)
            for account in self._accounts.values():
                if account.waiting is writer:
                    account.waiting, account.onchat = None, ""
            writer.close()


class _Refused(Exception):
    """The device did what it may not: it is hung up on."""


class _Exchange:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        accounts: dict[str, _Account],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._accounts = accounts

    async def run(self) -> None:
        operations: dict[int, Callable[[], Awaitable[None]]] = {
            Code.SIGN_UP: self._sign_up,
            Code.IN: self._log_in,
            Code.OUT: self._log_out,
            Code.CHAT: self._chat,
            Code.ADDRESS: self._address,
            Code.ADD: self._add,
            Code.LEAVE: self._leave,
            Code.HANGING: self._hanging,
            Code.SHOW: self._show,
        }
        operation = operations.get(await self._integer())
        if operation is None:
            raise _Refused
        await operation()
        await self._writer.drain()

    async def _sign_up(self) -> None:
        self._write(_ACK)
        name = await self._string()
        if not nicknames.is_valid(name) or nicknames.fold(name) in self._accounts:
            self._write(_NO)
            return
        self._write(_YES)
        password = await self._string()
        self._write(_YES)
        account = _Account(name, password, port=await self._integer())
        self._accounts[nicknames.fold(name)] = account
        self._write(_YES)

    async def _log_in(self) -> None:
        self._write(_ACK)
        account = self._accounts.get(nicknames.fold(await self._string()))
        self._write(_NO if account is None else _YES)
        if account is None:
            return
        right = await self._string() == account.password
        self._write(_YES if right else _NO)
        if right:
            account.port, account.onchat = await self._integer(), ""
            self._write(_YES)

    async def _log_out(self) -> None:
        self._write(_ACK)
        account = self._accounts.get(nicknames.fold(await self._string()))
        was_in = account is not None and account.port > 0
        if account is not None:
            account.port, account.onchat = 0, ""
        self._write(_YES if was_in else _NO)

    async def _chat(self) -> None:
        self._write(_ACK)
        me = await self._me()
        self._write(_ACK)
        dest = self._accounts.get(nicknames.fold(await self._string()))
        if dest is None:
            self._write(integer(0))
            return
        me.onchat = nicknames.fold(dest.name)
        if dest.onchat == nicknames.fold(me.name) and dest.port:
            self._write(integer(dest.port))
            self._tell(dest, me)
            return
        me.waiting = self._writer
        self._write(integer(1))
        await self._take_messages(me, dest)

    async def _take_messages(self, me: _Account, dest: _Account) -> None:
        while me.waiting is self._writer:
            header = await self._reader.readexactly(4)
            if header[2:] != b"\0\0":
                if int.from_bytes(header, "big") != Code.SHOW:
                    raise _Refused
                await self._show()
                continue
            text = decode(await self._reader.readexactly(int.from_bytes(header[:2], "big")))
            if text == r"\q":
                me.waiting, me.onchat = None, ""
                return
            dest.pending.setdefault(me.name, []).append(text)

    async def _address(self) -> None:
        self._write(_ACK)
        me = await self._me()
        self._write(_ACK)
        user = self._accounts.get(nicknames.fold(await self._string()))
        known = user is not None and (
            user.onchat == nicknames.fold(me.name) or me.onchat == nicknames.fold(user.name)
        )
        self._write(string("127.0.0.1" if known else ""))

    async def _add(self) -> None:
        online = [account.name for account in self._accounts.values() if account.port]
        names = "".join(f"{name}," for name in online)
        self._write(string(names or "nessun utente online"))
        user = self._accounts.get(nicknames.fold(await self._string()))
        self._write(integer(user.port if user else 0))
        me = await self._me()
        if user is not None and user.port:
            me.onchat = nicknames.fold(user.name)
            self._tell(user, me)

    async def _leave(self) -> None:
        self._write(_ACK)
        (await self._me()).onchat = ""

    async def _hanging(self) -> None:
        self._write(_ACK)
        me = await self._me()
        self._write(
            string(
                "".join(
                    f"{sender}: {len(messages)} messaggi, 20-11-2026 23:11:05\n"
                    for sender, messages in me.pending.items()
                )
            )
        )

    async def _show(self) -> None:
        self._write(_ACK)
        me = await self._me()
        self._write(_ACK)
        messages = me.pending.pop(await self._string(), None)
        self._write(string("null" if not messages else "".join(f"{it}\n" for it in messages)))

    def _tell(self, dest: _Account, me: _Account) -> None:
        """Tell the one who waits for me that I am here."""
        if dest.waiting is not None and dest.onchat == nicknames.fold(me.name):
            waiting, dest.waiting = dest.waiting, None
            waiting.write(integer(me.port))
            waiting.write_eof()

    async def _me(self) -> _Account:
        account = self._accounts.get(nicknames.fold(await self._string()))
        if account is None or not account.port:
            raise _Refused
        return account

    async def _integer(self) -> int:
        return int.from_bytes(await self._reader.readexactly(4), "big")

    async def _string(self) -> str:
        header = await self._reader.readexactly(4)
        if header[2:] != b"\0\0":
            raise _Refused
        return decode(await self._reader.readexactly(int.from_bytes(header[:2], "big")))

    def _write(self, data: bytes) -> None:
        self._writer.write(data)
