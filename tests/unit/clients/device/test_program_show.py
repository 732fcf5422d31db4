"""``show``, against a service that never comes to an end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from fakes.device_service import Listening
from tertulia.clients.device.account import Account
from tertulia.clients.device.program import SHOWN_ANSWERS, Device, Options
from tertulia.clients.device.terminal import Terminal
from tertulia.clients.device.wire import integer, string


class Screen:
    """A terminal that keeps what is written on it."""

    prompt = ""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.words: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def write_words(self, *lines: str) -> None:
        self.words += lines

    def mask(self, _masked: Callable[[str], str]) -> None:
        pass


async def test_what_never_ends_is_shown_in_parts(tmp_path: Path) -> None:
    async def shows(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(integer(1) + integer(1) + string("x" * 65_000 + "\n"))
        await reader.read()
        writer.close()

    it, screen = Listening(), Screen()
    it.scripts = [shows]
    server = await asyncio.start_server(it.serve, "127.0.0.1", it.port)
    try:
        options = Options(5000, "127.0.0.1", it.port, None, tmp_path)
        device = Device(options, cast(Terminal, screen))
        device._account = Account("anna", tmp_path)
        await device._do("show bob")
    finally:
        server.close()
    assert len(screen.words) == SHOWN_ANSWERS
    assert screen.notes == ["More of bob waits: show bob goes on."]
