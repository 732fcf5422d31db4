"""A program in tmux, as people run one on a machine elsewhere: a test types keys and looks at the pane."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.requirements import program
from harness.screen import WITHIN
from harness.waiting import until_sync


class Tmux:
    """One server of tmux, which nobody else uses, with one pane."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        columns: int,
        rows: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it in a folder, which is its home as well."""
        folder.mkdir(parents=True, exist_ok=True)
        self._tmux = [program("tmux"), "-S", str(folder / "tmux"), "-f", os.devnull]
        ours = {it: value for it, value in os.environ.items() if it not in ("TMUX", "NO_COLOR")}
        self._environment = {
            **ours,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            **(environment or {}),
        }
        size = ["-x", str(columns), "-y", str(rows)]
        # It stays when the program has ended, so that one reads what that said last.
        shell = f"{shlex.join(command)}; echo ended with $?; exec cat"
        self._run("new-session", "-d", *size, "-c", str(folder), shell)

    @property
    def text(self) -> str:
        """What is in the pane now, row by row."""
        return self._run("capture-pane", "-p")

    @property
    def coloured(self) -> str:
        """The same, with the escape sequences that draw it."""
        return self._run("capture-pane", "-p", "-e")

    def presses(self, *keys: str) -> None:
        """Press keys, as tmux calls them."""
        self._run("send-keys", *keys)

    def types(self, line: str) -> None:
        """Type a line and press Enter, all in one go."""
        self._run("send-keys", "-l", line)
        self._run("send-keys", "Enter")

    def shows(self, *texts: str, within: float = WITHIN) -> None:
        """Wait until all of some texts are in the pane."""
        until_sync(
            lambda: all(it in self.text for it in texts),
            within,
            lambda: f"{texts} in the pane:\n{self.text}",
            every=0.1,
        )

    def end(self) -> None:
        """End it, and what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], env=self._environment, check=False)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=WITHIN,
        )
        return done.stdout.decode()
