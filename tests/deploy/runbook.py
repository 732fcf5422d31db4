"""What docs/runbook.md tells people to type."""

import re
import subprocess
from collections.abc import Mapping
from typing import Final

from deploy.tools import ROOT

PAGE: Final = ROOT / "docs" / "runbook.md"
_PLACEHOLDERS: Final = re.compile(r"NODE|BALANCER|FILE|:1234|askpass|journalctl")
_SECONDS: Final = 200.0


def commands(alert: str) -> list[str]:
    """Return the commands of an alert's section, each of which stands alone in a line."""
    text = PAGE.read_text().partition(f"## {alert}\n")[2].partition("\n## ")[0]
    return re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)


def look(alert: str, here: Mapping[str, str]) -> str:
    """Type them all, and return what they print; ``here`` has what stands for what is somewhere else."""
    typed = commands(alert)
    assert typed, f"the section {alert} has no command"
    return "".join(_type(command, here) for command in typed)


def _type(command: str, here: Mapping[str, str]) -> str:
    for there, mine in here.items():
        command = command.replace(there, mine)
    assert not _PLACEHOLDERS.search(command), command
    done = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
    )
    return f"$ {command}\n{done.stdout}"
