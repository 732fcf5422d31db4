"""The console's modules that touch no document, tested where they run: by node."""

import subprocess
from pathlib import Path

from web.test_modules import node


def test_module() -> None:
    done = subprocess.run(
        [node(), "--test", "--test-reporter=spec", Path(__file__).with_name("parts.test.mjs")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
