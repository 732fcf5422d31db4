"""How slow Python is on this machine, at this moment."""

import time
from typing import Final

_USUAL_SECONDS: Final = 0.002
"""What the yardstick takes on a machine that is as quick as is usual: 2 GHz or more, to itself."""


def slowness() -> float:
    """Return how many times as long as usual the machine works on a thing now; 1 where it is quick.

    A processor may be at half its speed for a while, as other machines are on it: a piece of work that is
    always the same says so. The waits of this thread are left out.
    """
    return max(1.0, min(_yardstick() for _ in range(3)) / _USUAL_SECONDS)


def _yardstick() -> float:
    began = time.thread_time()
    for number in range(10_000):
        str(b"%d %d" % (number, number)).split("1")
    return time.thread_time() - began
