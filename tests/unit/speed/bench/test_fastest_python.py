"""Which Python is measured."""

import sys
from pathlib import Path

import pytest

from speed.bench.fastest_python import main


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ({"usual": "0.2", "other": "0.1", "third": "0.15"}, "/of/other build/bench-python"),
        ({"usual": "0.2", "other": "0.19"}, "usual .venv"),  # not worth another environment
        ({"usual": "0.1", "other": "0.2"}, "usual .venv"),
        ({"usual": "0.2", "other": "refused"}, "usual .venv"),
        ({"usual": "refused", "other": "0.2"}, "/of/other build/bench-python"),
        ({"usual": "0.2"}, "usual .venv"),
    ],
)
def test_the_fastest_is_measured(
    times: dict[str, str],
    chosen: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, seconds in times.items():
        program = tmp_path / name
        answer = "exit 1" if seconds == "refused" else f"echo {seconds} /of/{name}"
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    main("usual", ".venv", "other", "third", "not-here")
    assert capsys.readouterr().out.strip() == chosen


def test_a_real_one_says_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    main("not-here", ".venv", f"{sys.base_prefix}/bin/python3")
    path, environment = capsys.readouterr().out.split()
    assert Path(path).exists()
    assert environment == "build/bench-python"
