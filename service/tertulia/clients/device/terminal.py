"""The person: lines in, text out. This is how it goes with pipes and files; a terminal has a prompt."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Self

from tertulia.dialects.lines import MAX_LINE, Lines, TooLong
from tertulia.domain.text import decode

NOTE = "-- "
"""Begins what the program says by itself."""
_READ_BYTES = 65_536
_LINES_AHEAD = 64
"""Lines that may wait to be taken before no more are read."""


class Terminal:
    """Reads and writes the standard streams for as long as the context lasts."""

    prompt = ""
    """What stands before the line that is typed, where one sees it being typed."""

    def __init__(self) -> None:
        self._source = -1
        self._sink = sys.stdout
        self._lines = Lines()
        self._typed: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self._watched = False

    async def __aenter__(self) -> Self:
        self._sink.reconfigure(errors="replace")  # type: ignore[union-attr]
        self._source = sys.stdin.fileno()
        self._read_on()
        return self

    async def __aexit__(self, *_raised: object) -> None:
        self._stop_reading()

    def mask(self, masked: Callable[[str], str]) -> None:
        """Choose how lines may be shown while they are typed, character for character."""

    async def line(self) -> str | None:
        """Return the next line, or None once there are no more."""
        while not self._typed:
            if self._ended:
                return None
            self._arrived.clear()
            await self._wait()
        return self._typed.popleft()

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer to a question; empty where there will be none."""
        return await self.line() or ""

    def echo(self, line: str) -> None:
        """Leave a line that was taken on the screen, as it may be shown."""

    def note(self, text: str) -> None:
        """Say something in the program's own name."""
        self.write(*(NOTE + line for line in text.split("\n")))

    def write(self, *lines: str) -> None:
        """Write lines. Nothing in them may be anything but text."""
        try:
            self._sink.write("".join(f"{line}\n" for line in lines))
            self._sink.flush()
        except OSError:
            self._stop_writing()
            self.end()

    def write_words(self, *lines: str) -> None:
        """Write what people say."""
        self.write(*lines)

    def end(self) -> None:
        """Take no more lines."""
        self._ended = True
        self._arrived.set()

    def _stop_writing(self) -> None:
        """Write nowhere, as nobody reads any more: what is left would fail the interpreter's end."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._sink.fileno())

    async def _wait(self) -> None:
        """Return once there may be more lines, or an end."""
        if self._watched or self._read_on():
            await self._arrived.wait()
        else:  # a file is always readable, and the system watches none
            self._read()
            await asyncio.sleep(0)  # the rest of the program has a turn, however long the file

    def _read_on(self) -> bool:
        try:
            asyncio.get_running_loop().add_reader(self._source, self._read)
        except PermissionError:
            return False
        self._watched = True
        return True

    def _stop_reading(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._source)
            self._watched = False

    def _read(self) -> None:
        try:
            data = os.read(self._source, _READ_BYTES)
        except OSError:  # EIO: the terminal is gone
            data = b""
        self._take(data or (b"\n" if self._lines.buffered else b""))
        if not data:
            self.end()
        if self._ended or len(self._typed) >= _LINES_AHEAD:
            self._stop_reading()
        self._arrived.set()

    def _take(self, data: bytes) -> None:
        self._lines.feed(data)
        while True:
            try:
                line = self._lines.next_line()
            except TooLong:
                self.note(f"A line of more than {MAX_LINE} bytes was left out.")
                continue
            if line is None:
                return
            self._typed.append(decode(line))
