"""Files that people change while the process runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

LOOK_AGAIN_SECONDS: Final = 2.0

Mark = tuple[int, int, int]
Marks = dict[Path, Mark]
"""What tells each file from what it was before."""


def marks(files: Sequence[Path]) -> Marks:
    """Look at files: before they are read, so that no change in between is missed."""
    return {file: _mark(file) for file in files}


async def changes(seen: Marks, files: Callable[[], Sequence[Path]]) -> AsyncIterator[None]:
    """Give something each time that one of the files is another one than was seen."""
    seen = dict(seen)
    while True:
        now = await asyncio.to_thread(marks, files())
        for file in now.keys() - seen.keys():  # it was read just now for the first time
            seen[file] = now[file]
        if any(seen[file] != mark for file, mark in now.items()):
            seen.update(now)
            yield
            continue
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _mark(file: Path) -> Mark:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
