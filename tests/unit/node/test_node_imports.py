"""What a node loads before it knows its settings: every start and every restart waits for it."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", ["redis", "opentelemetry", "cryptography.x509", "prompt_toolkit"]
)
def test_a_start_does_not_wait_for_what_it_may_not_need(package: str) -> None:
    code = f"import sys, tertulia.cli, tertulia.node.node; sys.exit({package!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False)
    assert done.returncode == 0
