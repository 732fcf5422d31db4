"""Many sequences, one order: a graph of what was seen before what."""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Order(Generic[T]):
    """The least partial order in which every added sequence is in order."""

    def __init__(self) -> None:
        self._after: dict[T, dict[T, str]] = {}
        self._before: dict[T, dict[T, str]] = {}

    def __contains__(self, item: T) -> bool:
        return item in self._after

    def add(self, sequence: Iterable[T], witness: str) -> None:
        """Add what one witness saw, in its order."""
        previous: T | None = None
        for item in sequence:
            self._after.setdefault(item, {})
            self._before.setdefault(item, {})
            if previous is not None and previous != item:
                self._after[previous].setdefault(item, witness)
                self._before[item].setdefault(previous, witness)
            previous = item

    def positions(self) -> dict[T, int] | None:
        """Return every item's place in one total order, or None where there is no such order."""
        positions = self._place()
        return positions if len(positions) == len(self._after) else None

    def cycle(self) -> list[tuple[T, T, str]]:
        """Return a cycle as (earlier, later, who saw it so), or nothing where there is none."""
        placed = self._place()
        if len(placed) == len(self._after):
            return []
        # Whatever is left has a predecessor that is left: walk back until we meet ourselves.
        item = next(item for item in self._before if item not in placed)
        path: list[T] = []
        index: dict[T, int] = {}
        while item not in index:
            index[item] = len(path)
            path.append(item)
            item = next(before for before in self._before[item] if before not in placed)
        loop = [*path[index[item] :], item]
        loop.reverse()
        return [(a, b, self._after[a][b]) for a, b in pairwise(loop)]

    def after(self, item: T) -> set[T]:
        """Return what certainly comes after an item."""
        return self._reach(item, self._after)

    def holes(self, sequence: Sequence[T], positions: dict[T, int]) -> set[T]:
        """Return what certainly comes within a sequence that should be whole, and is not in it."""
        if not sequence or positions[sequence[-1]] - positions[sequence[0]] + 1 == len(sequence):
            return set()
        within = self.after(sequence[0]) & self._reach(sequence[-1], self._before)
        return within - set(sequence)

    def _place(self) -> dict[T, int]:
        """Place what has nothing unplaced before it; a cycle and what follows it stay out."""
        waiting = {item: len(before) for item, before in self._before.items()}
        ready = deque(item for item, count in waiting.items() if not count)
        places: dict[T, int] = {}
        while ready:
            item = ready.popleft()
            places[item] = len(places)
            for later in self._after[item]:
                waiting[later] -= 1
                if not waiting[later]:
                    ready.append(later)
        return places

    def _reach(self, start: T, edges: dict[T, dict[T, str]]) -> set[T]:
        reached: set[T] = set()
        todo = [start]
        while todo:
            for item in edges[todo.pop()]:
                if item not in reached:
                    reached.add(item)
                    todo.append(item)
        return reached
