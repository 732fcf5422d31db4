"""The history of each chat, in a file that a person can read.

A line each: mark, time, name, text, with tabs between. The mark is ``*`` on what I said and nobody has
read yet, ``**`` on what I said and was delivered, ``.`` on what others said.
"""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from tertulia.domain import nicknames
from tertulia.domain.text import clean, decode

MAX_HISTORY = 16 * 1_048_576
"""Bytes of one history: what others say may not fill the disk, nor take long to be read."""
_LOCK = ".lock"


class Mark(StrEnum):
    """Whose a message is, and how far it got."""

    WAITING = "*"
    DELIVERED = "**"
    THEIRS = "."


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a history."""

    mark: Mark
    at: datetime
    """With its time zone; kept to the second, in UTC."""
    name: str
    text: str

    def shown(self) -> str:
        """Return how a person reads it."""
        mark = "" if self.mark is Mark.THEIRS else self.mark
        return f"{mark:>2} {self.name}: {self.text}"


def folder_of(root: Path, me: str) -> Path:
    """Return the folder for all that belongs to an account."""
    # With a prefix no nickname is special to a file system: not "..", not "con".
    return root / f"account-{nicknames.fold(me)}"


class History:
    """The history of one account's chat with one other user.

    A process that dies while it writes leaves every earlier line as it was, or as it will be. Several
    processes may write. Raises OSError; also where the file would have more than ``MAX_HISTORY``.
    """

    def __init__(self, folder: Path, partner: str) -> None:
        self._folder = folder
        self.path = folder / f"chat-{nicknames.fold(partner)}.txt"

    def read(self, most: int | None = None) -> list[Utterance]:
        """Return everything, or so much of the newest, oldest first."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        newest = (message for line in reversed(lines) if (message := _parsed(line)) is not None)
        return list(islice(newest, most))[::-1]

    def add(self, messages: Iterable[Utterance], *, durable: bool = False) -> None:
        """Append messages; ``durable``: on disk when this returns, should the machine itself fail."""
        data = b"".join(map(_line, messages))
        if not data:
            return
        with self._alone():
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            file = os.open(self.path, flags, 0o600)
            try:
                end = os.lseek(file, 0, os.SEEK_END)
                if end and os.pread(file, 1, end - 1) != b"\n":
                    data = b"\n" + data  # somebody died here in the middle of a line
                if end + len(data) > MAX_HISTORY:
                    full = (
                        f"it has {MAX_HISTORY >> 20} MiB, the most; move it away to begin another"
                    )
                    raise OSError(errno.EFBIG, full)
                _write(file, data, durable=durable)
            finally:
                os.close(file)

    def mark_delivered(self) -> None:
        """Mark that all that I said was delivered."""
        with self._alone():
            try:
                lines = self.path.read_bytes().split(b"\n")
            except FileNotFoundError:
                return
            waiting = f"{Mark.WAITING}\t".encode()
            delivered = f"{Mark.DELIVERED}\t".encode()
            marked = [
                delivered + line.removeprefix(waiting) if line.startswith(waiting) else line
                for line in lines
            ]
            if marked != lines:
                self._replace(b"\n".join(marked))

    def _replace(self, data: bytes) -> None:
        file, name = tempfile.mkstemp(prefix=".", dir=self._folder)
        try:
            try:
                _write(file, data, durable=True)
            finally:
                os.close(file)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # What others wrote is private.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _write(file: int, data: bytes, *, durable: bool) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    if durable:
        os.fsync(file)


def _line(message: Utterance) -> bytes:
    at = message.at.astimezone(UTC).isoformat(timespec="seconds")
    return f"{message.mark}\t{at}\t{message.name}\t{clean(message.text)}\n".encode()


def _parsed(line: bytes) -> Utterance | None:
    """Return a line's message, or None where it is none: cut short, or changed by hand."""
    try:
        mark, at, name, text = decode(line).split("\t", 3)
        return Utterance(Mark(mark), datetime.fromisoformat(at), name, text)
    except ValueError:
        return None
