"""``python -m fuzz``, in tests/: try all readers, or some, for a time or a number of inputs.

Prints a line for each reader, and what was found; exit status 1 where anything was.
"""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Sequence

from fuzz.readers import TARGETS
from fuzz.readers.edge import loud
from fuzz.target import Target
from fuzz.trying import Trial

SLICE_SECONDS = 2.0
"""For one reader, before it is the next one's turn."""


async def fuzz(targets: Sequence[Target], seconds: float, inputs: int | None, seed: int) -> int:
    """Try them in turn for so many seconds, or inputs in all. Return how many found anything."""
    trials = [Trial(target, seed) for target in targets]
    end = time.monotonic() + seconds

    def left() -> int:
        return sys.maxsize if inputs is None else inputs - sum(it.tried.inputs for it in trials)

    while time.monotonic() < end and left() > 0:
        for trial in trials:
            # A time for each, and not a number: the slow ones would have the others wait.
            had = trial.tried.finding
            trial.go_on(min(SLICE_SECONDS, seconds / len(trials), end - time.monotonic()), left())
            if trial.tried.finding is not had:
                print(f"{trial.tried.finding}\n", flush=True)  # noqa: T201
            await asyncio.sleep(0)  # what was begun goes on
        if all(trial.tried.finding for trial in trials):
            break
    print(f"{'reader':26} {'inputs':>10} {'seconds':>8} {'outcomes':>8} {'slowest':>8}")  # noqa: T201
    for trial in trials:
        it = trial.tried
        print(  # noqa: T201
            f"{trial.target.name:26} {it.inputs:>10,} {it.seconds:>8.1f} {len(it.shapes):>8} "
            f"{it.slowest * 1000:>5.0f} ms" + (" FOUND" if it.finding else "")
        )
    all_inputs = sum(it.tried.inputs for it in trials)
    findings = [it.tried.finding for it in trials if it.tried.finding]
    print(f"{all_inputs:,} inputs, seed {seed}: {len(findings)} readers failed")  # noqa: T201
    return len(findings)


def main() -> None:
    """Parse and call."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--inputs", type=int, help="end after so many in all, if that is sooner")
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="readers with this in their name"
    )
    parser.add_argument(
        "--seed", type=int, default=secrets.randbits(32), help="the inputs of an earlier run"
    )
    given = parser.parse_args()
    targets = [it for it in TARGETS if given.only in it.name]
    if not targets:
        parser.error(
            f"no reader has {given.only!r} in its name: {', '.join(it.name for it in TARGETS)}"
        )
    with loud():
        failed = asyncio.run(fuzz(targets, given.seconds, given.inputs, given.seed))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
