"""The node's own Redis: a real server, private to the node, started and stopped with it."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from structlog.typing import FilteringBoundLogger

from tertulia.redis.server_program import DataDirUnusable as DataDirUnusable
from tertulia.redis.server_program import EmbeddedError as EmbeddedError
from tertulia.redis.server_program import NoServer as NoServer
from tertulia.redis.server_program import find_server

ANSWER_SECONDS = 30.0
"""How many seconds a server may take from its start to its first answer."""
LOAD_SECONDS = 600.0
"""For how many seconds it may answer that it is still reading its data."""
STOP_SECONDS = 10.0
"""How many seconds each way of stopping a server has before a harsher one is tried."""

_POLL_SECONDS = 0.02
_REPLY_SECONDS = 1.0
_WATCH_SECONDS = 0.25
_RESTART_SECONDS = 1.0
_SOCKET_BYTES = 100  # sockaddr_un has 108 on Linux, 104 on BSD and macOS; one ends the string
_SOCKET = "redis.sock"
_SOCKET_DIR = "tertulia-"
_LOG_BYTES = 1_048_576
_TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# `save ""`: the append-only file has the data; a snapshot beside it would be older.
# noeviction: acknowledged data are kept; it is better to refuse than to forget.
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {directory}
logfile {log}
daemonize no
save ""
appendonly yes
appendfsync {fsync}
maxmemory-policy noeviction
client-output-buffer-limit pubsub 256mb 64mb 60
"""


def running_url(data_dir: Path) -> str | None:
    """Return the URL of the Redis of the node that runs on ``data_dir``; None if none runs.

    Raises DataDirUnusable.
    """
    directory = data_dir / "redis"
    lock = directory / "server.lock"
    try:
        if not lock.exists() or not _is_locked(lock):
            return None
    except OSError as error:
        raise DataDirUnusable(
            f"the data folder {data_dir} can't be looked into ({error.strerror}): do this as the user that "
            "the node runs as, or set redis_url"
        ) from error
    _, _, address = _read(lock).partition("\n")
    return f"unix://{quote(address or str(directory / _SOCKET))}"


class DataDirInUse(EmbeddedError):
    """Another node runs on this data folder."""


class ServerFailed(EmbeddedError):
    """The server ended, or did not answer in time. The text ends with the tail of its log."""


class EmbeddedRedis:
    """Run a private Redis on ``data_dir`` for as long as the context lasts.

    On entry the server answers, with the data of earlier runs. ``url`` then stays the same until
    the end, also when the server dies and is started again. On exit it is stopped in order, with
    all data on disk. The server does not outlive its node: when a node is killed, its server ends
    as well. Enter the context in a thread that lasts as long as the context (the event loop's):
    Linux ends the server when that thread ends.

    ``fsync`` is Redis' ``appendfsync``: ``always`` or ``everysec``. Raises EmbeddedError.
    """

    def __init__(self, data_dir: Path, fsync: str, log: FilteringBoundLogger) -> None:
        self._data_dir = data_dir.absolute()
        self._directory = self._data_dir / "redis"
        self._redis_log = self._data_dir / "redis.log"
        self._server_lock = self._directory / "server.lock"
        self._fsync = fsync
        self._log = log
        self._held = contextlib.ExitStack()
        self._program = ""
        self._socket = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL of the running server."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process id; None while there is no server."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        try:
            self._take_data_dir()
            self._program = find_server(self._directory)
            await self._end_leftover()
            self._place_socket()
            await self._start()
        except BaseException:
            await self._stop()
            raise
        self._watch = asyncio.create_task(self._restart_when_dead())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._stop()

    def _take_data_dir(self) -> None:
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self._directory.chmod(0o700)
            path = self._data_dir / "node.lock"
            lock = _try_lock(path)
            if lock is None:
                raise DataDirInUse(
                    f"{self._data_dir} is in use by another node (process {_read(path)}): stop "
                    "that one, or give this one a folder of its own (TERTULIA_DATA_DIR)"
                )
            self._held.callback(os.close, lock)
            _write(lock, str(os.getpid()))
            if self._redis_log.exists() and self._redis_log.stat().st_size > _LOG_BYTES:
                self._redis_log.replace(self._redis_log.with_suffix(".log.1"))
        except OSError as error:
            raise DataDirUnusable(
                f"the data folder {self._data_dir} cannot be used ({error.strerror}): make it "
                "writable, or set TERTULIA_DATA_DIR to one that is"
            ) from error

    async def _end_leftover(self) -> None:
        """Stop the server of a node that was killed, if it has not ended by itself.

        A server holds its lock as long as it lives, even if process ids and sockets change.
        """
        noted, _, address = _read(self._server_lock).partition("\n")
        pid = int(noted) if noted.isdecimal() else 0
        socket = Path(address) if address else self._directory / _SOCKET

        def send(harsher: signal.Signals) -> None:
            # Only a process that works in our folder: the noted id may be another process by now.
            if _works_in(pid, self._directory):
                os.kill(pid, harsher)

        if _is_locked(self._server_lock):
            self._log.warning("stopping the Redis that an earlier node left", pid=pid)
            if not await self._end(socket, send, lambda: not _is_locked(self._server_lock)):
                raise ServerFailed(
                    f"an earlier node's Redis (process {pid}) still holds {self._directory} and "
                    "cannot be stopped: end it, then start again"
                )
        if socket.parent.name.startswith(_SOCKET_DIR):
            _remove_socket(socket)

    def _place_socket(self) -> None:
        self._socket = self._directory / _SOCKET
        if _fits(self._socket):
            return
        for parent in (None, "/tmp"):  # noqa: S108 - mkdtemp makes a private one in it
            self._socket = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR, dir=parent)) / _SOCKET
            self._held.callback(_remove_socket, self._socket)
            if _fits(self._socket):
                return
        raise DataDirUnusable(f"the path {self._socket} is too long for a socket: set TMPDIR")

    async def _start(self) -> None:
        log_begin = self._redis_log.stat().st_size if self._redis_log.exists() else 0
        try:
            self._process = self._spawn()
        except OSError as error:
            raise ServerFailed(f"{self._program} cannot be started: {error.strerror}") from error
        self._log.info("started an embedded Redis", program=self._program, pid=self.pid)
        problem = await self._answers(self._process)
        if problem:
            with self._redis_log.open("rb") as file:
                file.seek(log_begin)
                tail = file.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
            told = "".join(f"\n    {line}" for line in tail) or " nothing"
            raise ServerFailed(
                f"{self._program} {problem}. The end of its log {self._redis_log}:{told}"
            )

    def _spawn(self) -> "subprocess.Popen[bytes]":
        configuration = self._directory / "redis.conf"
        text = _CONFIGURATION.format(
            socket=_quoted(self._socket),
            directory=_quoted(self._directory),
            log=_quoted(self._redis_log),
            fsync=self._fsync,
        )
        configuration.write_bytes(os.fsencode(text))
        # The server needs none of our settings, and one of them is a password.
        ours = {name: it for name, it in os.environ.items() if not name.startswith("TERTULIA_")}
        with contextlib.ExitStack() as only_here:
            lock = _try_lock(self._server_lock)
            if lock is None:
                raise BlockingIOError(None, f"{self._server_lock} is held by another server")
            only_here.callback(os.close, lock)  # the child has its own copy, and with it the lock
            output = os.open(self._redis_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            only_here.callback(os.close, output)
            # S603: the program is one that find_server knows, without a shell.
            process = subprocess.Popen(  # noqa: S603
                [self._program, configuration],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**ours, "LC_ALL": "C"},  # Redis refuses to start in a locale it does not know
                pass_fds=[lock],
                umask=0o077,
                start_new_session=True,  # Ctrl-C is for the node alone, which stops this last
                preexec_fn=_bound_to_parent(),
            )
            _write(lock, f"{process.pid}\n{self._socket}")
            return process

    async def _answers(self, process: "subprocess.Popen[bytes]") -> str | None:
        """Wait until the server answers; return None, or what it did instead."""
        begin = time.monotonic()
        deadline = begin + ANSWER_SECONDS
        while time.monotonic() < deadline:
            if (status := process.poll()) is not None:
                return f"ended at once, status {status}"
            try:
                await _ask(self._socket, Redis.ping)
                return None
            except BusyLoadingError:
                deadline = begin + LOAD_SECONDS
            except (RedisError, OSError):
                pass  # it does not listen yet
            await asyncio.sleep(_POLL_SECONDS)
        return f"did not answer within {deadline - begin:.0f} s"

    async def _restart_when_dead(self) -> None:
        """Start the server again whenever it dies. All acknowledged data are in its file."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._process is not None and self._process.poll() is None:
                continue
            status = None if self._process is None else self._process.returncode
            self._log.error("the embedded Redis died and is started again", status=status)
            try:
                await self._start()
            except EmbeddedError as error:
                self._log.error("the embedded Redis does not start", error=str(error))
                await asyncio.sleep(_RESTART_SECONDS)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        with self._held:
            if process is None:
                return

            def ended() -> bool:
                return process.poll() is not None

            try:
                if not ended() and not await self._end(self._socket, process.send_signal, ended):
                    self._log.error("the embedded Redis cannot be stopped", pid=process.pid)
            finally:
                if not ended():  # nobody waits any longer; it then ends in order by itself
                    process.terminate()

    async def _end(
        self, socket: Path, send: Callable[[signal.Signals], None], ended: Callable[[], bool]
    ) -> bool:
        """Stop a server: ask it, then send harsher and harsher signals. Return whether it has ended."""
        if await _ask_to_end(socket) and await _within(STOP_SECONDS, ended):
            return True
        for harsher in (signal.SIGTERM, signal.SIGKILL):
            self._log.warning("the embedded Redis does not stop by itself", signal=harsher.name)
            with contextlib.suppress(ProcessLookupError):
                send(harsher)
            if await _within(STOP_SECONDS, ended):
                return True
        return False


async def _ask(socket: Path, ask: Callable[[Redis], Awaitable[object]]) -> None:
    """Ask a server once. Raises RedisError, OSError."""
    redis = Redis(
        unix_socket_path=str(socket),
        client_name="tertulia-embedded",
        retry=Retry(NoBackoff(), 0),
        socket_timeout=None,  # its own limits may swallow a cancellation (before Python 3.12)
        driver_info=None,
        protocol=2,
    )
    try:
        async with asyncio.timeout(_REPLY_SECONDS):
            await ask(redis)
    finally:
        await redis.aclose()


async def _ask_to_end(socket: Path) -> bool:
    try:
        # This shows that a server is there: else a missing one would seem to have obeyed. A server that
        # is loading answers it as well.
        await _ask(socket, Redis.client_getname)
        await _ask(socket, Redis.shutdown)
    except (RedisError, OSError):
        return False
    return True


async def _within(seconds: float, ended: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not ended():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _bound_to_parent() -> Callable[[], None] | None:
    """Return what a child runs first, so that it ends when its parent is killed; None if not on Linux."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent was killed before prctl was called
            os._exit(1)

    return bind


def _works_in(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory.resolve()
    except OSError:
        return False


def _try_lock(path: Path) -> int | None:
    """Open a file and lock it; return None if another process has the lock."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


def _is_locked(path: Path) -> bool:
    lock = _try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, os.fsencode(text), 0)


def _read(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except OSError:
        return ""


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= _SOCKET_BYTES


def _remove_socket(socket: Path) -> None:
    """Remove a socket, and the folder that was made for it."""
    with contextlib.suppress(OSError):
        socket.unlink(missing_ok=True)
        socket.parent.rmdir()


def _quoted(path: Path) -> str:
    """Return a path as a word of Redis' configuration. The path may have any characters."""
    text = re.sub(r'[\x00-\x1f"\\\x7f]', lambda found: f"\\x{ord(found[0]):02x}", str(path))
    return f'"{text}"'
