"""Files that peers share: kept under a safe name, never over another file.

Source: docs/protocols/device.md, "Live chat, between devices": sharing a file.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tertulia.clients.device.wire import MAX_STRING

MAX_FILE = MAX_STRING
"""Bytes of a file: it goes in one string."""
MAX_KEPT = 2000
"""Files in the folder: what peers share, in however many chats, does not fill the disk."""
NAMELESS = "file"
_LONGEST_NAME = 120  # in bytes, of the 255 that file systems take
_LONGEST_SUFFIX = 20
_TRIES = 1000
_FORBIDDEN = frozenset('<>:"|?*')
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"}
)


class CannotShare(Exception):
    """A file can't be sent. The text says why."""


class CannotKeep(Exception):
    """A file that came can't be kept. The text says why."""


def safe_name(name: str) -> str:
    """Return a name that is only a name, in any folder, on any system, for whatever a peer says."""
    last = name.replace("\\", "/").rpartition("/")[2]
    # Not printable are controls, line ends, and what would turn the direction of the text around.
    kept = "".join(it for it in last if it.isprintable() and it not in _FORBIDDEN)
    kept = kept.strip(". ")
    if kept.partition(".")[0].rstrip(" ").lower() in _RESERVED:
        kept = f"_{kept}"
    return _shortened(kept) or NAMELESS


def keep(folder: Path, name: str, content: bytes) -> Path:
    """Write a file that came into a folder, and return where.

    Raises CannotKeep, and leaves nothing of it.
    """
    if len(content) > MAX_FILE:
        raise CannotKeep(f"it has {len(content)} bytes; {MAX_FILE} are the most")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _ in folder.iterdir()) >= MAX_KEPT:
            raise CannotKeep(f"{folder} has {MAX_KEPT} files, the most; move them away")
        for path in _places(folder, safe_name(name)):
            try:
                _write_new(path, content)
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise CannotKeep(f"{folder}: {error.strerror}") from error
    raise CannotKeep(f"{folder} has too many files of that name")


def read_to_share(path: Path) -> tuple[bytes, bytes]:
    """Return a file's own name and its content. Raises CannotShare."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CannotShare(f"{path} is not a file")
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CannotShare(f"{path}: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise CannotShare(f"{path} has more than {MAX_FILE} bytes, the most that can be sent")
    return os.fsencode(path.name), content


def _places(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    path = Path(name)
    for number in range(1, _TRIES + 1):
        yield folder / f"{path.stem} ({number}){path.suffix}"


def _write_new(path: Path, content: bytes) -> None:
    with open(path, "xb", opener=_private) as file:
        try:
            file.write(content)
            file.flush()
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # opening a pipe would wait for its other end


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _shortened(name: str) -> str:
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    suffix = Path(name).suffix
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        suffix = ""
    stem = name.encode()[: _LONGEST_NAME - len(suffix.encode())].decode(errors="ignore")
    return stem.rstrip(". ") + suffix
