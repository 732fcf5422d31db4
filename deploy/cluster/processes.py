"""Child processes: each is ended by its own id, and none outlives this one."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from layout import ClusterError, Layout
from parts import Part, read_tail

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_POLL_SECONDS: Final = 0.1
_START_SECONDS: Final = 60.0
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Child:
    """A part that was started."""

    def __init__(self, part: Part, layout: Layout) -> None:
        self.part = part
        self.expected = False
        """Whether it was told to end, so that its end is no news."""
        self._layout = layout
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")}
        with layout.log(part.name).open("ab") as log:
            self._process = subprocess.Popen(
                part.command,
                cwd=layout.folder,
                env={**environment, **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the cluster as a whole
                preexec_fn=_end_with(os.getpid()),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self.status is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, where it still runs."""
        self.expected = True
        self._process.send_signal(number)

    async def well(self) -> None:
        """Wait until it does its work. Raises ClusterError with the end of its log."""
        await wait(lambda: self._is_well(), _START_SECONDS, f"{self.part.name} does not answer")

    async def ended(self, seconds: float) -> bool:
        """Wait until it has ended; False where it has not in that time."""
        try:
            await wait(lambda: not self.is_running, seconds, "")
        except ClusterError:
            return False
        return True

    async def end(self, number: signal.Signals, seconds: float) -> None:
        """End it: in order, and if that takes too long, at once."""
        if self.is_running:
            self.send(number)
        if not await self.ended(seconds):
            self._process.kill()
            await self.ended(5)

    def _is_well(self) -> bool:
        if not self.is_running:
            log = self._layout.log(self.part.name)
            raise ClusterError(
                f"{self.part.name} has ended with {self.status}; {log} ends with:\n{read_tail(log)}"
            )
        return self.part.is_well()


async def wait(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait for a condition, asked beside the event loop. Raises ClusterError after so many seconds."""
    until = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if time.monotonic() > until:
            raise ClusterError(f"{otherwise} within {seconds:g} s")
        await asyncio.sleep(_POLL_SECONDS)


def _end_with(parent: int) -> Callable[[], None]:
    """Have the kernel end a child whose parent was killed."""

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return prepare
