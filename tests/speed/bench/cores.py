"""Which core is whose: the server side on one, the load on the others, where the machine has two."""

import contextlib
import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Who may run where. What is empty may run anywhere."""

    servers: tuple[frozenset[int], ...]
    """The cores of each process of the server side."""
    load: frozenset[int]
    """The cores of the load tool, and of the benchmark itself."""

    @property
    def words(self) -> str:
        """Say it."""
        if not self.load:
            return "nothing is pinned: there is but one core"
        distinct = list(dict.fromkeys(self.servers))
        servers = " and ".join(_numbers(it) for it in distinct)
        each = "one each" if len(distinct) > 1 else "all"
        return f"server side on core {servers} ({each}), load on {_numbers(self.load)}"


def divide(available: Set[int], processes: int, *, apart: bool = False) -> Cores:
    """Give the server side of so many processes its cores.

    All get the same one, so that servers of one thread and of many are comparable; with ``apart`` each
    gets its own, if there is one more for the load.
    """
    ordered = sorted(available)
    if len(ordered) < 2:
        return Cores((frozenset(),) * processes, frozenset())
    own = processes if apart and len(ordered) > processes else 1
    servers = tuple(frozenset({ordered[i % own]}) for i in range(processes))
    return Cores(servers, frozenset(ordered[own:]))


@contextlib.contextmanager
def pinned(cores: Set[int]) -> Iterator[None]:
    """Have what is started in the block run on these cores."""
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _numbers(cores: Set[int] | Sequence[int]) -> str:
    ordered = sorted(cores)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}-{ordered[-1]}"
    return ", ".join(map(str, ordered))
