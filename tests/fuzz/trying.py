"""Trying one target: input after input, whole and in pieces, until time or count is up."""

import random
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fuzz.mutating import Mutator
from fuzz.target import Target

SLOW_SECONDS: Final = 1.0
"""Of CPU time, for one input of some kilobytes: whoever takes that long can be held up."""
_SHAPE: Final = 12
_MOST_SHAPES: Final = 200_000
_SHRINKING_SECONDS: Final = 5.0
"""Of CPU time as well: a machine that stands still meanwhile leaves no input large."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that came to what it must not come to."""

    target: str
    pieces: tuple[bytes, ...]
    what: str
    """An exception with its traceback, or how pieces and whole differ."""

    def __str__(self) -> str:
        return f"{self.target}: {self.what}\nfound with {list(self.pieces)!r}"


@dataclass(slots=True)
class Tried:
    """How it went."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    """CPU seconds of one input."""
    finding: Finding | None = None
    shapes: set[int] = field(default_factory=set)
    """What has come of inputs, roughly."""


class Trial:
    """One target under way; may be gone on with."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target = target
        self.tried = Tried()
        rng = random.Random(f"{target.name} {seed}")
        self._mutator = Mutator(rng, target.seeds, target.words, target.longest)

    def go_on(self, seconds: float, inputs: int | None = None) -> Tried:
        """Try for so many seconds, or so many inputs; end with the first finding."""
        tried = self.tried
        begun = time.monotonic()
        last = None if inputs is None else tried.inputs + inputs
        while tried.finding is None and time.monotonic() < begun + seconds:
            if last is not None and tried.inputs >= last:
                break
            self._try_one()
        tried.seconds += time.monotonic() - begun
        return tried

    def _try_one(self) -> None:
        data = self._mutator.make()
        pieces = tuple(self._mutator.cuts(data) if self.target.is_cut else [data])
        tried = self.tried
        before = time.process_time()
        what = problem(self.target, pieces, tried.shapes, self._mutator)
        taken = time.process_time() - before
        tried.inputs += 1
        tried.slowest = max(tried.slowest, taken)
        if what is None and taken > SLOW_SECONDS:
            what = f"it takes {taken:.1f} s of CPU time"
        if what is not None:
            less = pieces if taken > SLOW_SECONDS else _shrunk(self.target, pieces, what)
            tried.finding = Finding(self.target.name, less, what)


def problem(
    target: Target,
    pieces: Sequence[bytes],
    shapes: set[int] | None = None,
    mutator: Mutator | None = None,
) -> str | None:
    """Try one input; return what is wrong, or None. New shapes are noted, and their input is kept."""
    whole = b"".join(pieces)
    try:
        came = target.read([whole] if whole else [])
        if target.is_cut:
            again = target.read(pieces)
            if again != came:
                return f"as a whole it comes to\n{came!r:.2000}\nin pieces to\n{again!r:.2000}"
    except Exception:
        return traceback.format_exc(limit=-6)
    if shapes is not None and mutator is not None:
        shape = _shape(came)
        if shape not in shapes and len(shapes) < _MOST_SHAPES:
            shapes.add(shape)
            mutator.keep(whole)
    return None


def _shape(came: object) -> int:
    """Return a number for what kinds of things came, and in which order."""
    if isinstance(came, list | tuple):
        return hash(tuple(map(_shape, came[:_SHAPE])))
    if isinstance(came, str):
        return hash(came if len(came) < 60 and came.isascii() and " " in came else str)
    if isinstance(came, bool | None):
        return hash(came)
    return hash(type(came))


def _shrunk(target: Target, pieces: tuple[bytes, ...], what: str) -> tuple[bytes, ...]:
    """Return less that comes to the same kind of problem, as far as that is found soon."""
    kind = what.rstrip().rpartition("\n")[2].partition(":")[0]
    until = time.process_time() + _SHRINKING_SECONDS
    step = max(map(len, pieces), default=0)
    while step and time.process_time() < until:
        smaller = None
        for index, piece in enumerate(pieces):
            for at in range(0, len(piece), step):
                less = piece[:at] + piece[at + step :]
                tried = (*pieces[:index], *([less] if less else []), *pieces[index + 1 :])
                found = problem(target, tried)
                if found is not None and kind in found:
                    smaller = tried
                    break
                if time.process_time() > until:
                    return pieces
            if smaller is not None:
                break
        if smaller is None:
            step //= 2
        else:
            pieces = smaller
            step = min(step, max(map(len, pieces), default=0))
    return pieces
