"""A restart loses nothing of what nodes and operators have written, whatever the engine."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.inhabited_redis import Kept, assert_kept, contents, inhabit, missing_kinds
from deploy.shipped_redis import ShippedRedis, engines

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Inhabited:
    """A folder with what a Redis wrote to disk, and what it held."""

    program: str
    folder: Path
    before: Mapping[str, Kept]


@pytest.fixture(scope="module", params=engines().values(), ids=engines())
def inhabited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Inhabited:
    """Have nodes and operators write in a Redis as shipped, which is then killed."""
    folder = tmp_path_factory.mktemp("inhabited")
    server = ShippedRedis(folder / "redis", program=request.param)
    server.start()
    try:
        asyncio.run(inhabit(server, folder))
        before = contents(server.client("admin"))
    finally:
        server.kill()
    assert missing_kinds(before) == []
    return Inhabited(request.param, server.directory, before)


@pytest.fixture
def again(inhabited: Inhabited, tmp_path: Path) -> Iterator[ShippedRedis]:
    """Give a Redis as shipped on a copy of those data; it is not yet started."""
    shutil.copytree(inhabited.folder, tmp_path / "redis")
    server = ShippedRedis(tmp_path / "redis", program=inhabited.program)
    try:
        yield server
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_everything_is_there_after_a_restart(
    again: ShippedRedis, inhabited: Inhabited, how: str
) -> None:
    again.start()
    assert_kept(again, inhabited.before)
    (again.stop if how == "stop" else again.kill)()
    again.start()
    assert_kept(again, inhabited.before)
