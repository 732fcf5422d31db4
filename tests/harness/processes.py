"""Processes that a test starts, and that end with it however it ends."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

TERTULIA: Final = (
    sys.executable,
    "-c",
    "from tertulia.cli import main; main()",
)
"""The command, as where it is installed."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def start(
    command: Sequence[str],
    *,
    output: int | IO[bytes],
    keyboard: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    files: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process; what it writes, to either stream, goes to ``output``.

    ``files``: how many it may have open, as by ``ulimit -n``.
    """
    parent = os.getpid()

    def prepare() -> None:
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        # Where the tests are ended by a signal, no teardown runs: then the kernel sees to it.
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=keyboard,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # an interrupt from the keyboard is pytest's, not theirs
        preexec_fn=prepare,
    )
