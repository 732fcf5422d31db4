"""The person: lines in, text out; on a terminal with a line editor, else plainly."""

import asyncio
import os
import signal
import sys
import termios
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tertulia.clients.device.line_editor import Key, LineEditor, Typed
from tertulia.clients.device.rows import rows_of
from tertulia.dialects.lines import MAX_LINE, Lines, TooLong
from tertulia.domain.text import decode

NOTE = "-- "
"""Begins what the program says by itself."""
_READ_BYTES = 65_536
_LINES_AHEAD = 64
"""Lines that may wait to be taken before no more are read."""
_COLUMNS = 80
_CLEAR = "\r\x1b[K"


class Terminal:
    """Reads and writes the standard streams for as long as the context lasts.

    Where both are a terminal, what comes while the person types is written above the line.
    """

    def __init__(self) -> None:
        self._source = sys.stdin.fileno()
        self._sink = sys.stdout
        self._editor: LineEditor | None = None
        if os.isatty(self._source) and self._sink.isatty() and os.environ.get("TERM") != "dumb":
            self._editor = LineEditor()
        self._plain = Lines()
        self._typed: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self._watched = True
        self._prompt = ""
        self._question: str | None = None
        self._masked: Callable[[str], str] = str
        self._modes: list[Any] | None = None

    def __enter__(self) -> Self:
        self._sink.reconfigure(errors="replace")  # type: ignore[union-attr]
        loop = asyncio.get_running_loop()
        if self._editor is not None:
            self._modes = termios.tcgetattr(self._source)
            self._read_keys()
            loop.add_signal_handler(signal.SIGCONT, self._come_back)
            loop.add_signal_handler(signal.SIGWINCH, self._draw)
        try:
            loop.add_reader(self._source, self._read)
        except PermissionError:  # a file is always readable, and the system watches none
            self._watched = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        if self._watched:
            loop.remove_reader(self._source)
        if self._modes is not None:
            loop.remove_signal_handler(signal.SIGCONT)
            loop.remove_signal_handler(signal.SIGWINCH)
            self._write(_CLEAR)
            try:
                termios.tcsetattr(self._source, termios.TCSADRAIN, self._modes)
            except termios.error:
                self._ended = True  # the terminal is gone, and its modes with it

    @property
    def prompt(self) -> str:
        """What stands before the line that is typed."""
        return self._prompt

    @prompt.setter
    def prompt(self, prompt: str) -> None:
        self._prompt = prompt
        self._draw()

    def mask(self, masked: Callable[[str], str]) -> None:
        """Choose how typed lines may be shown; see ``LineEditor``."""
        self._masked = masked
        if self._editor is not None and self._question is None:
            self._editor.masked = masked
            self._draw()

    async def line(self) -> str | None:
        """Return the next line, or None once there are no more."""
        while not self._typed:
            if self._ended:
                return None
            if self._watched:
                self._arrived.clear()
                await self._arrived.wait()
            else:
                self._read()
                await asyncio.sleep(0)  # the rest of the program has a turn, however long the file
        line = self._typed.popleft()
        if self._watched and len(self._typed) == _LINES_AHEAD - 1 and not self._ended:
            asyncio.get_running_loop().add_reader(self._source, self._read)
        return line

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer to a question; empty where there will be none."""
        self._question = question
        if self._editor is not None:
            self._editor.masked = _stars if secret else str
        self._draw()
        try:
            answer = await self.line() or ""
            self.echo(answer)
        finally:
            self._question = None
            self.mask(self._masked)
        return answer

    def echo(self, line: str) -> None:
        """Leave a line that was taken on the screen, as it may be shown."""
        if self._editor is not None:
            self.write(self._shown_prompt() + self._editor.masked(line))

    def note(self, text: str) -> None:
        """Say something in the program's own name."""
        self.write(*(NOTE + line for line in text.split("\n")))

    def write(self, *lines: str) -> None:
        """Write lines. Nothing in them may be anything but text."""
        text = "".join(f"{line}\n" for line in lines)
        if self._editor is None:
            self._write(text)
        else:
            self._write(_CLEAR + text + self._drawn())

    def write_words(self, *lines: str) -> None:
        """Write what people say: on a terminal in rows that can't pass for other lines."""
        if self._editor is not None:
            lines = tuple(row for line in lines for row in rows_of(line, self._columns()))
        self.write(*lines)

    def end(self) -> None:
        """Take no more lines."""
        self._ended = True
        self._arrived.set()

    def _read(self) -> None:
        try:
            data = os.read(self._source, _READ_BYTES)
        except OSError:  # EIO: the terminal is gone
            data = b""
        if self._editor is None:
            self._take_plain(data)
        else:
            for typed in self._editor.feed(data) if data else [Key.END]:
                self._take_key(typed)
            self._draw()
        if not data or self._ended:
            self._stop_reading()
            self.end()
        elif len(self._typed) >= _LINES_AHEAD:
            self._stop_reading()
        self._arrived.set()

    def _take_key(self, typed: Typed) -> None:
        if isinstance(typed, str):
            self._typed.append(typed)
        elif typed is Key.END:
            self._ended = True

    def _take_plain(self, data: bytes) -> None:
        self._plain.feed(data or (b"\n" if self._plain.buffered else b""))
        while True:
            try:
                line = self._plain.next_line()
            except TooLong:
                self.note(f"A line of more than {MAX_LINE} bytes was left out.")
                continue
            if line is None:
                return
            self._typed.append(decode(line))

    def _stop_reading(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._source)

    def _read_keys(self) -> None:
        assert self._modes is not None
        modes = termios.tcgetattr(self._source)
        modes[3] &= ~(termios.ICANON | termios.ECHO)  # signals stay: Ctrl-C, Ctrl-Z
        modes[6] = [*modes[6]]
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._source, termios.TCSADRAIN, modes)

    def _come_back(self) -> None:
        """Take the terminal over again after the person has stopped and continued the program."""
        try:
            self._read_keys()
        except termios.error:  # it was closed, which stops and continues a program as well
            self.end()
        self._draw()

    def _draw(self) -> None:
        if self._editor is not None:
            self._write(self._drawn())

    def _drawn(self) -> str:
        assert self._editor is not None
        return self._editor.draw(self._shown_prompt(), self._columns())

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._sink.fileno()).columns or _COLUMNS
        except OSError:
            return _COLUMNS

    def _shown_prompt(self) -> str:
        return self._prompt if self._question is None else self._question

    def _write(self, text: str) -> None:
        try:
            self._sink.write(text)
            self._sink.flush()
        except OSError:  # nobody reads any more; what is left would fail the interpreter's end
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._sink.fileno())
            self.end()


def _stars(text: str) -> str:
    return "*" * len(text)
