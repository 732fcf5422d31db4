"""Files that change are noticed, also between their reading and the first look."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tertulia.api import watched


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOK_AGAIN_SECONDS", 0)


async def test_a_change_before_the_first_look_is_one(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    seen = watched.marks([file])
    file.write_text("another")
    async for _ in watched.changes(seen, lambda: [file]):
        break


async def test_each_change_is_given_once_and_so_is_that_a_file_is_gone(tmp_path: Path) -> None:
    files = [tmp_path / "a"]
    files[0].write_text("one")
    found = 0
    steps: list[Callable[[], object]] = [
        lambda: files[0].unlink(),
        lambda: files[0].write_text("two"),
        lambda: files.append(tmp_path / "b"),  # read with that change, so it is none
        lambda: (tmp_path / "b").write_text("three"),
    ]
    looks = 0

    def looked() -> list[Path]:
        nonlocal looks
        looks += 1
        if looks % 3 == 0 and steps:
            steps.pop(0)()
        assert looks < 100
        return files

    async for _ in watched.changes(watched.marks(files), looked):
        found += 1
        if found == 3:
            break
    assert not steps


async def test_a_file_put_in_its_place_is_another_one(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("one")
    other.write_text("two")
    seen = watched.marks([file])
    os.utime(other, ns=(seen[file][2], seen[file][2]))
    other.replace(file)
    async for _ in watched.changes(seen, lambda: [file]):
        break
