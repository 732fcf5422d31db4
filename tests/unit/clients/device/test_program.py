"""The command ``tertulia device``: what it takes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tertulia import cli
from tertulia.clients.device import program
from tertulia.clients.device.program import CannotStart, Options, default_folder

Run = Callable[..., Result]


@pytest.fixture
def ran_with(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    options: list[Options] = []
    monkeypatch.setattr(program, "run", options.append)
    return options


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli.main, ["device", *args])


def test_a_port_is_enough(ran_with: list[Options]) -> None:
    assert invoke("5000").exit_code == 0
    assert ran_with == [Options(5000, "127.0.0.1", 4242, None, default_folder())]


def test_everything_can_be_told(ran_with: list[Options]) -> None:
    where = ("--server", "[::1]:7", "--host", "0.0.0.0", "--dir", "here")
    result = invoke("5000", *where, "--classic")
    assert result.exit_code == 0, result.output
    assert ran_with == [Options(5000, "::1", 7, "0.0.0.0", Path("here"), classic=True)]


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("80",),
        ("65536",),
        ("x",),
        ("5000", "--server", "here"),
        ("5000", "--server", "here:x"),
        ("5000", "--server", "here:0"),
        ("5000", "--server", "here:65536"),
    ],
)
def test_what_is_wrong_is_refused(ran_with: list[Options], args: tuple[str, ...]) -> None:
    assert invoke(*args).exit_code == 2
    assert ran_with == []


def test_a_program_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: Options) -> None:
        raise CannotStart("cannot listen")

    monkeypatch.setattr(program, "run", fail)
    result = invoke("5000")
    assert (result.exit_code, result.stderr) == (1, "tertulia: cannot listen\n")


def test_the_folder_follows_the_xdg_specification(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "tertulia-device"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".local/share/tertulia-device"
