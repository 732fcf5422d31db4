"""Open files: how many this process may have, and how many of them clients may have.

A client's connection is one, as is a connection to Redis or of the operator's HTTP. When none
is left, the event loop closes a new client, unseen and uncounted, and a lost connection to Redis can't be
made again. So clients never get the last ones.
"""

import contextlib
import os
import resource
import sys
from dataclasses import dataclass, field
from typing import Final

LEAST: Final = 64
"""With fewer, a node does not get as far as to say so."""
_SPARE: Final = 64
"""For what comes and goes: clients accepted only to be refused, names looked up, files read (certificates,
passwords, what the system reports of this process), an embedded Redis started again, exported spans."""
_SHARE: Final = 8
_LOW: Final = 1024
"""Each file gets the lowest number that is free: before there are clients, none is above this."""


def allow_all() -> int:
    """Allow as many open files as the system lets this process have, and return how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems refuse their own value
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return allowed()


def allowed() -> int:
    """Return how many this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def set_aside(most: int, files: int) -> int:
    """Return how many of ``files`` are kept for a use that needs ``most``: less where there are few."""
    return min(most, files // _SHARE)


@dataclass(frozen=True, slots=True)
class Others:
    """What needs open files beside clients."""

    redis: int
    """Connections that may have to be made at once."""
    ops: int
    """Connections of the operator's HTTP, at most."""
    now: int = field(default_factory=lambda: sum(map(_is_open, range(min(allowed(), _LOW)))))
    """What is open by now."""

    def need(self, files: int) -> int:
        """Return how many of ``files`` clients may not have."""
        return self.now + self.redis + set_aside(self.ops, files) + set_aside(_SPARE, files)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
