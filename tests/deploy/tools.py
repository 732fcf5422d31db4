"""Programs that these tests run and that a developer's machine need not have."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.requirements import INSTALL, lack, program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
INSTALLED = ROOT / "build" / "tools" / "bin"
"""Where ``tests/deploy/install-tools`` puts what is not in the system's packages."""


def installed(name: str) -> str:
    """Return the path of one of the programs that tests/deploy/install-tools installs, or skip the test."""
    return program(name, how="tests/deploy/install-tools", first=str(INSTALLED))


def packaged(name: str, package: str = "") -> str:
    """Return the path of a program that a system package brings, or skip the test."""
    return program(name, package)


def faketime() -> str:
    """Return the library with which a program has another time than the machine, or skip the test."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else lack("faketime", INSTALL + "faketime")


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path = ROOT,
    text: str | None = None,
    seconds: float = 250.0,
) -> str:
    """Run a program and return all that it wrote. Raises AssertionError where it failed."""
    done = subprocess.run(
        [str(it) for it in command],
        cwd=directory,
        env={**os.environ, **(environment or {})},
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
