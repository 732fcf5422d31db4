"""Plays what a page prints for terminals, line by line, in real ones.

A paragraph that names a **terminal 1**, or **another terminal**, stands before each block; what its reader
types into a program is in backticks, behind "You type". ``^C`` and ``^\\`` are these keys, and ``…`` is
whatever is there.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.tools import ROOT
from harness import processes
from harness.waiting import until_sync

WITHIN = 60.0
BLOCK = re.compile(r"((?:[^\n]+\n)+)\n```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
KEYS = {"^C": signal.SIGINT, "^\\": signal.SIGQUIT}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Scene:
    """What one terminal shows next."""

    terminal: str
    typed: tuple[str, ...]
    lines: tuple[str, ...]


def scenes(text: str) -> list[Scene]:
    """Return what a page prints, in its order."""
    found: list[Scene] = []
    for before, block in BLOCK.findall(text):
        terminal = re.search(r"\*\*(another terminal|terminal \d)\*\*", before)
        assert terminal is not None, f"which terminal is this for? {before}"
        typed = re.findall(r"`([^`]+)`", before.partition("You type")[2])
        assert {*typed} <= {*block.splitlines()}, before
        found.append(Scene(terminal[1], tuple(typed), tuple(block.splitlines())))
    return found


@dataclass
class Terminal:
    """One reader's terminal: runs one command at a time."""

    folder: Path
    environment: Mapping[str, str]
    actual: Mapping[str, str]
    """What stands in this machine for what is printed, like ports."""
    _expected: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _commands: int = 0

    def plays(self, scene: Scene) -> None:
        """Do what is printed, and see all that is printed."""
        for line in scene.lines:
            if line.startswith("$ "):
                self._runs(line.removeprefix("$ "))
            elif line[:2] in KEYS:
                self._presses(KEYS[line[:2]])
            elif line in scene.typed:
                self._shows_it()
                self._types(line)
            else:
                self._expected.append(line)
        self._shows_it()

    def end(self) -> None:
        """End what runs here."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # what it started may outlive it
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def here(self, text: str) -> str:
        """Put what is actual in the place of what is printed."""
        parts = sorted(map(re.escape, self.actual), key=len, reverse=True)
        return re.sub("|".join(parts), lambda found: self.actual[found[0]], text)

    def _runs(self, command: str) -> None:
        self._shows_it()
        if self._process is not None:
            assert self._process.wait(WITHIN) is not None
        self._commands += 1
        self._expected = []
        with self._output.open("wb") as output:
            self._process = processes.start(
                ["bash", "-c", self.here(command)],
                output=output,
                keyboard=subprocess.PIPE,
                environment=self.environment,
                directory=ROOT,
            )

    def _presses(self, key: signal.Signals) -> None:
        self._shows_it()
        assert self._process is not None
        os.killpg(self._process.pid, key)

    def _types(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    @property
    def _output(self) -> Path:
        return self.folder / str(self._commands)

    def _shows_it(self) -> None:
        """Wait until all is there that is printed so far, and nothing in between."""
        if self._process is None:
            return
        pattern = ""
        for line in self._expected:
            parts = self.here(line).split("…")
            wild = (
                r"(?:[^\n]*\n)*?" if line == "…" else "[^\n]*".join(map(re.escape, parts)) + r"\n"
            )
            pattern += wild
        matcher = re.compile(pattern)

        def text() -> str:
            return COLOURS.sub("", self._output.read_text()).replace("\r", "")

        def is_there() -> bool:
            ended = self._process is not None and self._process.poll() is not None
            found = matcher.match(text()) is not None
            assert found or not ended, complaint()
            return found

        def complaint() -> str:
            return f"{self._expected}, and not\n{text()}"

        until_sync(is_there, WITHIN, complaint)
