"""Nodes that are forked from a process which has imported the service: they start in a third of the time.

What is imported is most of a start's work, and tests start a thousand nodes. From there on a node is what it
always is: a process with a session, files, signals and an environment of its own. But its hashes of passwords
are cheap.
"""

import atexit
import ctypes
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Final

_QUICK_HASHES: Final = Path(__file__).with_name("quick_hashes.py")
_MOST_BYTES = 200_000
"""Of a request: what one packet between the two holds."""
_PR_SET_PDEATHSIG = 1


class Forked:
    """A process as ``subprocess.Popen`` is one, with as much of it as is asked for here."""

    def __init__(self, pid: int, stdout: IO[bytes], status: int) -> None:
        """``status``: a pipe on which its end is told."""
        self.pid = pid
        self.stdout: IO[bytes] | None = stdout
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float) -> int:
        """Wait until it has ended. Raises subprocess.TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a forked node", timeout)
        return code

    def send_signal(self, how: int) -> None:
        """Send it a signal, where it runs."""
        if self.poll() is None:
            os.kill(self.pid, how)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, within: float) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], within)[0]:
                told = os.read(self._status, 16)
                self.returncode = int(told) if told else -signal.SIGKILL
                os.close(self._status)
            return self.returncode


class _Parent:
    """The process that nodes are forked from."""

    def __init__(self) -> None:
        self.environment = _others(os.environ)
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        with theirs:
            # It ends where nobody can ask it any more, and its nodes with it.
            self._process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self.close)

    def fork(self, environment: dict[str, str], directory: Path, files: int | None) -> Forked:
        """Fork a node; what it writes can be read from its ``stdout``."""
        request = json.dumps([environment, str(directory), files]).encode()
        assert len(request) < _MOST_BYTES
        read, written = os.pipe()
        status, ended = os.pipe()
        with self._lock:
            socket.send_fds(self._asks, [request], [written, ended])
            os.close(written)
            os.close(ended)
            pid = int(self._asks.recv(16))
        return Forked(pid, os.fdopen(read, "rb"), status)

    def close(self) -> None:
        self._asks.close()
        self._process.wait(30)


def _others(environment: dict[str, str] | os._Environ[str]) -> dict[str, str]:
    return {name: it for name, it in environment.items() if not name.startswith("TERTULIA_")}


is_wanted = False
"""Whether nodes are forked: those of tests, and not those whose speed is measured."""
_parent: _Parent | None = None


def node(environment: dict[str, str], directory: Path, files: int | None = None) -> Forked | None:
    """Fork a node, which may have so many files open.

    Return None where it has to start by itself, to have such an environment.
    """
    global _parent
    if not is_wanted or sys.platform != "linux":
        return None
    if _parent is None:
        _parent = _Parent()
    changed = _others(environment).items() ^ _parent.environment.items()
    # Python and the C library look at some of it when a process starts.
    if any(not name.startswith("PYTEST_") for name, _ in changed):
        return None
    return _parent.fork(environment, directory, files)


def _serve(asked: socket.socket) -> tuple[bytes, int] | None:
    """Fork a process for each request. Return there with the request and where to write; None in the end."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    status: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asked.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 1000)
            while status and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pipe = status.pop(ended[0])
                os.write(pipe, b"%d" % os.waitstatus_to_exitcode(ended[1]))
                os.close(pipe)
        if asked.fileno() not in ready:
            continue
        request, files, _, _ = socket.recv_fds(asked, _MOST_BYTES, 2)
        if not request:
            return None
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for file in (woken, wakes, files[1], *status.values()):
                os.close(file)
            asked.close()
            return request, files[0]
        os.close(files[0])
        status[pid] = files[1]
        asked.send(b"%d" % pid)


def _become(request: bytes, output: int) -> None:
    """Make this the process that was asked for."""
    environment, directory, files = json.loads(request)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    if files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    sys.argv[1:] = ["serve"]


def _main() -> None:
    sys.modules["rich"] = None  # type: ignore[assignment]  # as in cli.py
    for name in ("tertulia.node.node", "tertulia.telemetry.tracing", "tertulia.settings.text"):
        importlib.import_module(name)
    runpy.run_path(str(_QUICK_HASHES))
    from tertulia.cli import main

    wanted = _serve(socket.socket(fileno=int(sys.argv[1])))
    if wanted is not None:
        _become(*wanted)
        main()


if __name__ == "__main__":
    _main()
