"""What is tried: a reader, and what is always true of it."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutating import LONGEST

Pieces = Sequence[bytes]


def folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder for files, in memory if there is one; it goes with whoever has it."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(
        prefix="tertulia-fuzz-", dir=memory if memory.is_dir() else None
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of bytes from outside."""

    name: str
    read: Callable[[Pieces], object]
    """Give it the pieces of an input, and return what came of them, refusals that it documents included.

    The same bytes come to the same in any pieces. An exception is a finding.
    """
    seeds: tuple[bytes, ...]
    """Inputs that are as they should be."""
    words: tuple[bytes, ...] = ()
    """What means something to the reader."""
    is_cut: bool = True
    """Whether its bytes come in pieces; else they are there as a whole: a file, a message."""
    longest: int = LONGEST


class Broken(AssertionError):
    """Something that is always true was not."""


def check(is_so: bool, what: str) -> None:
    """Require something that is always true. Raises Broken."""
    if not is_so:
        raise Broken(what)
