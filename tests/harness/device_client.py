"""A client of the dialect device: one connection, in either framing, that reads what it is told to."""

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Self

WITHIN = 60.0
"""Seconds to wait for something that should come at once."""
PASSWORD = "s3cret"
OWN_PORT = 5001


@dataclass(frozen=True, slots=True)
class Framing:
    """How integers and strings are written."""

    name: str

    def write(self, *values: int | str | bytes) -> bytes:
        """Return values one behind the other; bytes are a string that need not be UTF-8."""
        return b"".join(map(self._write, values))

    def lines(self, text: str) -> bytes:
        """Return a string that itself consists of lines, as the service writes it."""
        return self._write(text)

    def _write(self, value: int | str | bytes) -> bytes:
        if self.name == "text":
            raw = value if isinstance(value, bytes) else str(value).encode()
            return raw + b"\n"
        if isinstance(value, int):
            return struct.pack(">I", value)
        raw = value if isinstance(value, bytes) else value.encode()
        return struct.pack(">HH", len(raw), 0) + raw


BINARY = Framing("binary")
TEXT = Framing("text")
BOTH = (BINARY, TEXT)


class DeviceClient:
    """One connection to a node of this machine."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framing: Framing
    ) -> None:
        self.framing = framing
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(
        cls,
        port: int,
        framing: Framing = BINARY,
        *,
        source: str | None = None,
        header: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect; ``source`` is the address to come from.

        ``header`` is what a balancer writes in front of everything, ``tls`` how to be private.
        """
        local = (source, 0) if source is not None else None
        async with asyncio.timeout(WITHIN):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=local, limit=1 << 20, ssl=None if header else tls
            )
            writer.write(header)
            if header and tls:
                await writer.start_tls(tls, server_hostname="localhost")
        return cls(reader, writer, framing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    # What a device does

    def send(self, *values: int | str | bytes) -> None:
        """Write integers and strings."""
        self._writer.write(self.framing.write(*values))

    def send_raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)

    async def sent(self) -> None:
        """Wait until the system has taken everything."""
        async with asyncio.timeout(WITHIN):
            await self._writer.drain()

    def half_close(self) -> None:
        """Say that no more will come, and read on."""
        self._writer.write_eof()

    async def close(self) -> bytes:
        """Close in order: the own half, then, when the service's is closed, the rest.

        Returns what still came.
        """
        with contextlib.suppress(OSError):  # the service may have closed at this moment
            self.half_close()
        rest = await self.rest()
        self._writer.close()
        return rest

    def close_at_once(self) -> None:
        """Close in order, and don't wait for the service."""
        self._writer.close()

    def cork(self) -> None:
        """Let what is sent from here on go out together, with the end where that follows at once."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # the kernel holds it for 0.2 s

    def reset(self) -> None:
        """Break the connection: the service reads a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    # What it reads

    async def integer(self, within: float = WITHIN) -> int:
        """Return the next integer."""
        if self.framing is TEXT:
            return int(await self._line(within))
        async with asyncio.timeout(within):
            return int.from_bytes(await self._reader.readexactly(4), "big")

    async def string(self, within: float = WITHIN) -> str:
        """Return the next string, which consists of one line."""
        if self.framing is TEXT:
            return await self._line(within)
        async with asyncio.timeout(within):
            length, zeros = struct.unpack(">HH", await self._reader.readexactly(4))
            assert zeros == 0
            return (await self._reader.readexactly(length)).decode()

    async def lines(self, within: float = WITHIN) -> list[str]:
        """Return the lines of a string that consists of lines; ``["null"]`` where there were none."""
        if self.framing is BINARY:
            return (await self.string(within)).splitlines()
        lines: list[str] = []
        while line := await self._line(within):
            # What consists of spaces has one more than was said: else an empty message would end it.
            lines.append(line if line.strip(" ") else line[1:])
            if lines == ["null"]:
                return lines
        return lines

    async def exactly(self, data: bytes, within: float = WITHIN) -> None:
        """Read as many bytes as these. Raises AssertionError where they are others."""
        try:
            async with asyncio.timeout(within):
                got = await self._reader.readexactly(len(data))
        except asyncio.IncompleteReadError as error:
            raise AssertionError(f"{error.partial!r} and the end instead of {data!r}") from None
        assert got == data

    async def rest(self, within: float = WITHIN) -> bytes:
        """Return what comes until the service closes, by an end or a reset."""
        rest = b""
        async with asyncio.timeout(within):
            with contextlib.suppress(ConnectionError):
                while data := await self._reader.read(65_536):
                    rest += data
        return rest

    @property
    def has_end(self) -> bool:
        """Whether the service has closed its half, and nothing that it said is unread."""
        return self._reader.at_eof()

    async def ends_in_order(self, within: float = WITHIN) -> bytes:
        """Do as ``rest`` does. Raises ConnectionError where the service ends it by a reset."""
        async with asyncio.timeout(within):
            return await self._reader.read()

    async def _line(self, within: float) -> str:
        async with asyncio.timeout(within):
            line = await self._reader.readline()
        assert line.endswith(b"\n"), f"{line!r} and the end instead of a line"
        return line[:-1].decode()


# Whole operations, each on a connection of its own unless it is given one


async def sign_up(
    port: int,
    name: str,
    own_port: int = OWN_PORT,
    *,
    password: str = PASSWORD,
    framing: Framing = BINARY,
    source: str | None = None,
) -> None:
    """Make an account, which logs it in."""
    async with await DeviceClient.connect(port, framing, source=source) as device:
        for value in (1, name, password, own_port):
            device.send(value)
            expected = 1 if value == 1 else 0
            assert await device.integer() == expected, (name, value)
        await device.close()


async def log_in(
    port: int,
    name: str,
    own_port: int = OWN_PORT,
    *,
    password: str = PASSWORD,
    framing: Framing = BINARY,
    source: str | None = None,
    within: float = WITHIN,
) -> list[int]:
    """Log in, and return the answers, each within so many seconds: ``[1, 0, 0, 0]`` if it went well."""
    answers: list[int] = []
    async with await DeviceClient.connect(port, framing, source=source) as device:
        for value in (2, name, password, own_port):
            device.send(value)
            answers.append(await device.integer(within))
            if len(answers) > 1 and answers[-1] != 0:
                break
        await device.close()
    return answers


async def log_out(port: int, name: str) -> int:
    """Log out, and return the answer."""
    async with await DeviceClient.connect(port) as device:
        device.send(3)
        assert await device.integer() == 1
        device.send(name)
        answer = await device.integer()
        await device.close()
    return answer


async def chat(
    port: int, me: str, dest: str, *, framing: Framing = BINARY, source: str | None = None
) -> tuple[DeviceClient, int]:
    """Run operation 10 up to its answer; return the open connection and the answer."""
    device = await DeviceClient.connect(port, framing, source=source)
    device.send(10)
    assert await device.integer() == 1
    device.send(me)
    assert await device.integer() == 1
    device.send(dest)
    return device, await device.integer()


async def leave_messages(port: int, me: str, dest: str, *texts: str) -> None:
    """Leave messages for somebody who is offchat; they are kept when this returns."""
    device, answer = await chat(port, me, dest)
    assert answer == 1, (me, dest, answer)
    device.send(*texts, "\\q")
    assert await device.close() == b""


async def hanging(port: int, me: str, framing: Framing = BINARY) -> list[str]:
    """Return the lines of operation 100."""
    async with await DeviceClient.connect(port, framing) as device:
        device.send(100)
        assert await device.integer() == 1
        device.send(me)
        lines = await device.lines()
        await device.close()
    return lines


async def show(
    port: int,
    me: str,
    sender: str,
    *,
    on: DeviceClient | None = None,
    framing: Framing = BINARY,
) -> tuple[DeviceClient, list[str]]:
    """Run operation 200; return the connection, which is still open, and the messages."""
    device = on or await DeviceClient.connect(port, framing)
    device.send(200)
    assert await device.integer() == 1
    device.send(me)
    assert await device.integer() == 1
    device.send(sender)
    lines = await device.lines()
    return device, [] if lines == ["null"] else lines


async def take(port: int, me: str, sender: str) -> list[str]:
    """Run operation 200 and close in order, so that what was shown is pending no more."""
    device, lines = await show(port, me, sender)
    assert await device.close() == b""
    return lines
