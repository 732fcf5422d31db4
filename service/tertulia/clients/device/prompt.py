"""The person at a terminal: what is said stays above what is typed. The keys are prompt_toolkit's."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Self

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.clipboard import DummyClipboard
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.vt100 import Vt100_Output

from tertulia.clients.device.rows import rows_of
from tertulia.clients.device.terminal import Terminal
from tertulia.domain.text import clean

MAX_TYPED = 8192
"""Characters of a line; more are not taken, so that each key is drawn at once."""
_MOST_TYPED_AT_ONCE = 8


class Prompt(Terminal):
    """A terminal, with one line to type on for as long as the context lasts.

    What is typed ahead waits. A line with a password is shown as ``mask`` says, and not remembered.
    """

    def __init__(self, output: Output | None = None) -> None:
        super().__init__()
        self._before = ""
        self._masked: Callable[[str], str] = str
        self._question: str | None = None
        self._secret = False
        self._session = PromptSession[str](
            self._shown_prompt,
            output=output or _screen(),
            color_depth=ColorDepth.DEPTH_1_BIT,
            clipboard=DummyClipboard(),  # what is cut may be a password
            erase_when_done=True,
            enable_suspend=True,
            input_processors=[_Masking(self._shown)],
            key_bindings=_keys(),
        )
        self._app = self._session.app
        self._buffer = self._session.default_buffer
        self._buffer.accept_handler = self._accept
        self._buffer.on_text_changed += _keep_clean
        keyboard = self._app.input
        read_keys = keyboard.read_keys
        keyboard.read_keys = lambda: _gathered(read_keys())  # type: ignore[method-assign]
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sink.reconfigure(errors="replace")  # type: ignore[union-attr]
        asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, self._come_back)
        self._reading = asyncio.create_task(self._read_keys())
        return self

    async def __aexit__(self, *_raised: object) -> None:
        self.end()
        if self._reading is not None:
            await self._reading
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCONT)

    @property
    def prompt(self) -> str:
        """What stands before the line that is typed."""
        return self._before

    @prompt.setter
    def prompt(self, prompt: str) -> None:
        self._before = prompt
        self._app.invalidate()

    def mask(self, masked: Callable[[str], str]) -> None:
        """Choose how lines may be shown while they are typed, character for character."""
        self._masked = masked
        self._app.invalidate()

    async def line(self) -> str | None:
        """Return the next line, or None once there are no more."""
        line = await super().line()
        if line is not None:
            self._remember(line)
        return line

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer to a question; empty where there will be none."""
        self._question, self._secret = question, secret
        self._app.invalidate()
        try:
            answer = await self.line() or ""
            self.echo(answer)
        finally:
            self._question, self._secret = None, False
            self._app.invalidate()
        return answer

    def echo(self, line: str) -> None:
        """Leave a line that was taken on the screen, as it may be shown."""
        self.write(self._shown_prompt() + self._shown(line))

    def write(self, *lines: str) -> None:
        """Write lines above the one that is typed. Nothing in them may be anything but text."""
        if self._app.is_running:
            with contextlib.suppress(OSError):  # what is written next fails as well
                self._app.renderer.erase()
        super().write(*lines)
        self._app.invalidate()

    def write_words(self, *lines: str) -> None:
        """Write what people say, in rows that can't pass for other lines."""
        columns = self._app.output.get_size().columns
        self.write(*(row for line in lines for row in rows_of(line, columns)))

    def end(self) -> None:
        """Take no more lines."""
        super().end()
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    async def _wait(self) -> None:
        await self._arrived.wait()

    async def _read_keys(self) -> None:
        try:
            if not self._ended:
                await self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
        except EOFError:  # Ctrl-D on an empty line
            pass
        except (OSError, termios.error):
            self._stop_writing()
        finally:
            self.end()

    def _accept(self, buffer: Buffer) -> bool:
        self._typed.append(buffer.text)
        self._arrived.set()
        # Only the one that takes the line knows whether it may be remembered: nothing is left to do so now.
        buffer.reset()
        return True

    def _remember(self, line: str) -> None:
        history = self._buffer.history
        if not line.strip() or self._shown(line) != line or [line] == history.get_strings()[-1:]:
            return
        history.append_string(line)
        self._buffer.reset(self._buffer.document)  # it reads its history anew; what is typed stays
        self._app.invalidate()

    def _come_back(self) -> None:
        """Take the terminal over again, as another program may have set it for itself meanwhile."""
        if self._app.is_running:
            try:
                self._app.input.raw_mode().__enter__()  # the end restores what was at the beginning
                self._app.renderer.erase()
            except (OSError, termios.error):  # it was closed, which continues a program as well
                self.end()
            self._app.invalidate()

    def _shown(self, line: str) -> str:
        if self._secret:
            return "*" * len(line)
        return line if self._question is not None else self._masked(line)

    def _shown_prompt(self) -> str:
        return self._before if self._question is None else self._question


class _Masking(Processor):
    """Shows a line as it may be shown."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        self._shown = shown

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        fragments = transformation_input.fragments
        line = fragment_list_to_text(fragments)
        shown = self._shown(line)
        return Transformation(fragments if shown == line else [("", shown)])


def _screen() -> Output:
    output = Vt100_Output.from_pty(sys.stdout, term=os.environ.get("TERM"))
    output.enable_cpr = False  # nothing is drawn below the line: where it stands need not be asked
    return output


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-c")
    def interrupt(_event: KeyPressEvent) -> None:
        signal.raise_signal(signal.SIGINT)  # as where no line is typed

    @keys.add(Keys.BracketedPaste)
    def paste(event: KeyPressEvent) -> None:
        """Take each line that is pasted, as if it had been typed."""
        buffer = event.current_buffer
        *lines, rest = event.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            buffer.insert_text(line)
            buffer.validate_and_handle()
        buffer.insert_text(rest)

    return keys


def _gathered(keys: Iterable[KeyPress]) -> list[KeyPress]:
    """Return keys with what no person types so fast as one that pastes it: each costs 0.2 ms by itself.

    Not all terminals say what is pasted. The first key of it may belong to those before, like Escape.
    """
    gathered = list[KeyPress]()
    for is_text, run in groupby(keys, lambda it: not isinstance(it.key, Keys)):
        first, *others = run
        if is_text and len(others) >= _MOST_TYPED_AT_ONCE:
            others = [KeyPress(Keys.BracketedPaste, "".join(other.data for other in others))]
        gathered += [first, *others]
    return gathered


def _keep_clean(buffer: Buffer) -> None:
    before = clean(buffer.document.text_before_cursor)[:MAX_TYPED]
    text = (before + clean(buffer.document.text_after_cursor))[:MAX_TYPED]
    if text != buffer.text:
        buffer.document = Document(text, len(before))
