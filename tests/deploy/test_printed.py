"""What docs/operations.md prints of commands that need nothing else goes so."""

import re
import sys
from pathlib import Path

import pytest

from deploy.tools import ROOT, packaged, run

PAGE = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize(
    ("begins", "program"),
    [
        ("tertulia check", ""),
        ("deploy/prometheus/with-runbook", ""),
        ("amtool check-config", "prometheus-alertmanager"),
    ],
)
def test_what_is_printed_is_what_comes(tmp_path: Path, begins: str, program: str) -> None:
    if program:
        packaged(begins.split()[0], program)
    (block,) = re.findall(rf"^```console\n(\$ {begins}.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    here = {
        "/etc/prometheus": str(tmp_path),
        "tertulia check": f"{sys.executable} -m tertulia check",
    }
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        for there, mine in here.items():
            command = command.replace(there, mine)
        assert run(["bash", "-euc", command]).rstrip() == expected.rstrip()
