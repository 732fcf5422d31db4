"""The page's modules that touch no document, tested where they run: by node."""

import re
import subprocess
from pathlib import Path

import pytest

from harness.requirements import lack, program

HERE = Path(__file__).parent
OLDEST = 20


def node() -> str:
    """Return the path of node, or skip the test."""
    path = program("node", "nodejs")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < OLDEST:
        lack(f"node {OLDEST} or newer", f"install Node.js {OLDEST} or newer")
    return path


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.stem)
def test_module(file: Path) -> None:
    # The page's modules end in .js: package.json tells node that they are modules.
    done = subprocess.run(
        [node(), "--test", "--test-reporter=spec", file],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
