"""Programs that these tests run and that a developer's machine need not have."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
INSTALLED = ROOT / "build" / "tools" / "bin"
"""Where ``tests/deploy/install-tools`` puts what is not in the system's packages."""


def tool(name: str, how: str) -> str:
    """Return the path of a program; without it the test is skipped, or in CI fails.

    ``how`` says what to do to have it.
    """
    # /usr/sbin is not in everybody's PATH.
    path = os.pathsep.join([str(INSTALLED), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        missing = f"{name} is not installed: {how}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def installed(name: str) -> str:
    """Return the path of one of the programs that tests/deploy/install-tools installs."""
    return tool(name, "run tests/deploy/install-tools")


def packaged(name: str, package: str | None = None) -> str:
    """Return the path of a program that a system package brings."""
    return tool(name, f"apt-get install {package or name}")


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path = ROOT,
    text: str | None = None,
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
        timeout=100,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
