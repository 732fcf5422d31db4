"""What a test needs beyond Python and make. Who lacks it skips the test, and reads at the end what to get."""

import os
import re
import shutil
from collections.abc import Iterable
from typing import NoReturn

import pytest

INSTALL = "apt-get install "
_LACK = re.compile(r"no .+ here: (.+)")


def lack(what: str, how: str) -> NoReturn:
    """Skip the test for want of something, or in CI fail it. ``how`` is the command that brings it."""
    leave_out(f"no {what} here: {how}")


def leave_out(lack: str) -> NoReturn:
    """Do as ``lack`` does, with its sentence made already."""
    assert _LACK.fullmatch(lack), lack
    if os.environ.get("CI"):
        pytest.fail(lack)
    pytest.skip(lack)


def program(name: str, package: str = "", *, how: str = "", first: str = "") -> str:
    """Return the path of a program, which a system package brings if ``how`` does not say otherwise.

    ``first``: a folder to look into before PATH.
    """
    # /usr/sbin is not in everybody's PATH.
    path = os.pathsep.join([first, os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        lack(name, how or INSTALL + (package or name))
    return found


def to_run_the_rest(reasons: Iterable[str]) -> tuple[int, list[str]]:
    """Return how many tests were left out for want of something, by why any were, and what brings it all."""
    lacks = [found[1] for it in reasons if (found := _LACK.search(it))]
    packages = {name for it in lacks if it.startswith(INSTALL) for name in it.split()[2:]}
    others = {it for it in lacks if not it.startswith(INSTALL)}
    return len(lacks), [INSTALL + " ".join(sorted(packages))] * bool(packages) + sorted(others)
