"""docs/dialects.md adds a dialect: done as it says, in a copy, and people talk as it shows."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path

import pytest

from harness.node import Listener, NodeFactory

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dialects.md").read_text()
WITHIN = 30.0
LACKS_NOTHING = (
    "from tertulia.dialects.contract import Encoder",
    "from tertulia.dialects.tavern import TavernEncoder",
    "wanted = {*Encoder.__annotations__, *vars(Encoder)}",
    "lacks = {it for it in wanted if it[0] != '_' and not hasattr(TavernEncoder, it)}",
    "assert not lacks, lacks",
)

pytestmark = [pytest.mark.slow, pytest.mark.server]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy what the page changes, change it so, and let all that starts from here be of the copy."""
    root = tmp_path / "copy"
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "service", root / "service", ignore=skipped)
    shutil.copytree(ROOT / "tests" / "fuzz", root / "tests" / "fuzz", ignore=skipped)
    others = [ROOT / "deploy", ROOT / "load", ROOT / "pyproject.toml", *(ROOT / "tests").iterdir()]
    for it in others:
        if it.name not in ("fuzz", "unit", "__pycache__"):
            (root / it.relative_to(ROOT)).symlink_to(it)
    for name, text in re.findall(
        r"^`(\S+\.py)`:\n\n```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for patch in blocks("diff"):
        # Not git's: it leaves what is within another repository alone.
        done("patch", "--strip=1", "--no-backup-if-mismatch", directory=root, text=patch)
    paths = [root / "service", root / "tests", root / "load"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    return root


def done(*command: str | Path, directory: Path, text: str = "") -> str:
    """Run a program, which has to succeed; return what it wrote."""
    it = subprocess.run(
        command,
        cwd=directory,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
    )
    assert it.returncode == 0, f"{command}: {it.stdout}"
    return it.stdout


def test_its_tests_pass_and_it_is_in_the_style_of_the_house(copy: Path) -> None:
    python = sys.executable
    tests = ["tests/unit/dialects/test_tavern.py", "-c", os.devnull, "--rootdir", "."]
    passed = done(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, directory=copy)
    assert "6 passed" in passed
    fuzzed = done(
        python, "-m", "fuzz", "--seconds", "1", "--only", "tavern", directory=copy / "tests"
    )
    assert "tavern" in fuzzed
    done(python, "-c", "\n".join(LACKS_NOTHING), directory=copy)
    done(python, "-m", "ruff", "check", "--no-cache", "service", "tests", directory=copy)
    done(
        python, "-m", "ruff", "format", "--no-cache", "--check", "service", "tests", directory=copy
    )


async def test_people_talk_as_it_shows(copy: Path, node_factory: NodeFactory) -> None:
    node = node_factory.launch(listeners=(Listener("tavern"), Listener("chatte")))
    await node.ready()
    dialect = {"anna": "tavern", "bruno": "chatte"}
    talk = re.findall(r"^(\w+) +(> )?(.*)$", blocks("text")[-1], re.MULTILINE)
    assert {who for who, _, _ in talk} == dialect.keys()
    ways = {
        who: await asyncio.open_connection("127.0.0.1", node.port(of))
        for who, of in dialect.items()
    }
    for who, writes, line in talk:
        reader, writer = ways[who]
        if writes:
            writer.write(f"{line}\n".encode())
        else:
            read = await soon(reader.readline(), f"{who} to read {line}")
            assert read.decode() == f"{line}\n"
    assert await soon(ways["anna"][0].read(), "the end of anna's connection") == b""
    for _, writer in ways.values():
        writer.close()


async def soon(reading: Awaitable[bytes], what: str) -> bytes:
    try:
        return await asyncio.wait_for(reading, WITHIN)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None
