"""What a node loads before it knows its settings: every start and every restart waits for it."""

import subprocess
import sys

import pytest

NOT_NEEDED = {"opentelemetry", "cryptography.x509", "jwt", "prompt_toolkit", "re2"}


@pytest.mark.slow
def test_a_start_does_not_wait_for_what_it_may_not_need() -> None:
    code = "import sys, tertulia.cli, tertulia.node.node; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=90, check=True, capture_output=True, text=True
    )
    assert not NOT_NEEDED & set(done.stdout.split())
