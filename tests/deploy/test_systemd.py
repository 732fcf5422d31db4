"""The unit, by systemd's own judgement."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.tools import DEPLOY, packaged, run
from tertulia.node.open_files import Others
from tertulia.settings.model import Settings

UNIT = DEPLOY / "systemd" / "tertulia@.service"
API = DEPLOY / "systemd" / "tertulia-api.service"
MOST_EXPOSED = 2.0
"""On systemd's scale from 0 to 10; up to here it says OK."""
FILES = Settings().limits.connections + Others(redis=200, ops=64, now=100).need(sys.maxsize)
"""What a node of several chats needs."""
SAYING_GOODBYE_SECONDS = 20
"""For slow clients, and for Redis."""


@pytest.mark.parametrize("shipped", [UNIT, API], ids=["node", "api"])
def test_the_unit_is_valid(tmp_path: Path, shipped: Path) -> None:
    # verify wants the program to be there, so it is given one that is.
    unit = tmp_path / shipped.name.replace("@", "@one")
    unit.write_text(shipped.read_text().replace("/opt/tertulia/bin/tertulia", sys.executable))
    assert run([packaged("systemd-analyze", "systemd"), "--man=no", "verify", unit]) == ""


@pytest.mark.parametrize("shipped", [UNIT, API], ids=["node", "api"])
def test_the_unit_is_exposed_to_little(shipped: Path) -> None:
    told = run([packaged("systemd-analyze", "systemd"), "security", "--offline=true", shipped])
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+) OK", told)
    assert found, told
    assert float(found[1]) <= MOST_EXPOSED


def test_a_node_may_have_as_many_clients_as_it_should() -> None:
    files = re.search(r"^LimitNOFILE=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert files
    assert int(files[1]) > FILES


def test_the_node_is_given_the_time_to_drain() -> None:
    unit = UNIT.read_text()
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert seconds
    told = dict(re.findall(r"^Environment=TERTULIA_(DRAIN_\w+)=(\d+)$", unit, re.MULTILINE))
    settings = Settings.model_validate({name.lower(): value for name, value in told.items()})
    needed = settings.drain_notice_seconds + settings.drain_seconds
    assert int(seconds[1]) > needed + SAYING_GOODBYE_SECONDS
    assert settings.drain_spread_seconds > 0, "not all clients at once"
    assert settings.drain_notice_seconds > 3, "the balancer looks every second"


def test_journald_is_told_the_levels_of_lines() -> None:
    unit = UNIT.read_text()
    assert re.search(r"^StandardError=journal$", unit, re.MULTILINE), (
        "its lines begin with their level"
    )
    assert "SyslogLevelPrefix" not in unit, "which journald takes off, unless it is told not to"


def test_the_apis_settings_are_right_and_not_a_nodes() -> None:
    example = DEPLOY / "systemd" / "api.toml.example"
    run([sys.executable, "-m", "tertulia", "check", "--config", example])
    settings = Settings.model_validate(tomllib.loads(example.read_text()))
    assert settings.api.tokens is not None
    assert settings.ops.port != Settings().ops.port
