"""What the program does with a service: ``show`` that never comes to an end, and what is said at a login."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from fakes.device_service import PATIENT, Listening
from tertulia.clients.device import notices
from tertulia.clients.device.account import Account
from tertulia.clients.device.program import SHOWN_ANSWERS, SHOWN_SENDERS, Device, Options
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

    write = write_words

    def mask(self, _masked: Callable[[str], str]) -> None:
        pass


def device_of(service: Listening, screen: Screen, folder: Path) -> Device:
    device = Device(Options(5000, "127.0.0.1", service.port, None, folder), cast(Terminal, screen))
    device._service._patience = PATIENT
    return device


async def test_what_never_ends_is_shown_in_parts(tmp_path: Path) -> None:
    async def shows(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(integer(1) + integer(1) + string("x" * 65_000 + "\n"))
        await reader.read()
        writer.close()

    it, screen = Listening(), Screen()
    it.scripts = [shows]
    server = await it.begin()
    try:
        device = device_of(it, screen, tmp_path)
        device._account = Account("anna", tmp_path)
        await device._do("show bob")
    finally:
        server.close()
    assert len(screen.words) == SHOWN_ANSWERS
    assert screen.notes == ["More of bob waits: show bob goes on."]


async def test_who_learns_the_address_is_said_at_the_first_login(tmp_path: Path) -> None:
    async def lets_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(integer(1) + 3 * integer(0))
        await reader.read()
        writer.close()

    it, screen = Listening(), Screen()
    it.scripts = [lets_in, lets_in]
    server = await it.begin()
    try:
        device = device_of(it, screen, tmp_path)
        await device._do("in anna s3cret")
        await device._do("in anna s3cret")
    finally:
        server.close()
    assert screen.notes == ["You are anna.", notices.ADDRESS, "You are anna."]


async def test_whoever_has_many_accounts_does_not_fill_the_screen(tmp_path: Path) -> None:
    senders = SHOWN_SENDERS + 900

    async def tells(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (f"u{it}: 1 messaggi, 20-11-2026 23:11:05\n" for it in range(senders))
        writer.write(integer(1) + string("".join(lines)))
        await reader.read()
        writer.close()

    it, screen = Listening(), Screen()
    it.scripts = [tells]
    server = await it.begin()
    try:
        device = device_of(it, screen, tmp_path)
        device._account = Account("anna", tmp_path)
        await device._do("hanging")
    finally:
        server.close()
    assert screen.words[-1] == f"u{SHOWN_SENDERS - 1}: 1 message, 20-11-2026 23:11:05"
    assert len(screen.words) == SHOWN_SENDERS
    assert screen.notes == ["And of 900 more: show NAME reads one, then others come up here."]
