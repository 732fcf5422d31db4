"""The unit, by systemd's own judgement."""

import re
import sys
from pathlib import Path

from deploy.tools import DEPLOY, packaged, run
from tertulia.settings import Settings

UNIT = DEPLOY / "systemd" / "tertulia@.service"
MOST_EXPOSED = 2.0
"""On systemd's scale from 0 to 10; up to here it says OK."""


def test_the_unit_is_valid(tmp_path: Path) -> None:
    # verify wants the program to be there, so it is given one that is.
    unit = tmp_path / "tertulia@one.service"
    unit.write_text(UNIT.read_text().replace("/opt/tertulia/bin/tertulia", sys.executable))
    assert run([packaged("systemd-analyze", "systemd"), "--man=no", "verify", unit]) == ""


def test_the_unit_is_exposed_to_little() -> None:
    told = run([packaged("systemd-analyze", "systemd"), "security", "--offline=true", UNIT])
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+) OK", told)
    assert found, told
    assert float(found[1]) <= MOST_EXPOSED


def test_the_node_is_given_the_time_to_drain() -> None:
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert seconds
    assert int(seconds[1]) > Settings.model_fields["drain_seconds"].default + 60
