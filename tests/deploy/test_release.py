"""What `make release` builds, of a commit with a tag. (Its workflow builds twice, and compares.)"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from deploy.tools import ROOT, installed, run
from harness.requirements import lack, program

VERSION = "97.8.9"
TOOLS = ROOT / "build" / "release-tools" / "bin"
CHANGES = "- Moderators, named by nobody."


def tools() -> str:
    """Return the folders of the programs that build a release, or skip the test."""
    builder = Path(program("cyclonedx-py", how="make release-tools", first=str(TOOLS))).parent
    return os.pathsep.join([str(builder), str(Path(installed("helm")).parent), os.environ["PATH"]])


def committed(folder: Path) -> Path:
    """Put what is in the working tree into a commit with a tag, in a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        lack("git checkout", "git clone")
    folder.mkdir()
    names = [
        it for it in listed.stdout.split(b"\0") if it and os.path.lexists(ROOT / os.fsdecode(it))
    ]
    subprocess.run(
        ["cp", "--parents", "--no-dereference", "--preserve=mode", "-t", folder, *names],
        cwd=ROOT,
        check=True,
    )
    log = folder / "CHANGELOG.md"
    log.write_text(
        f"# Changelog\n\n## {VERSION} - 2026-11-29\n\n{CHANGES}\n\n## 0.0.1 - long ago\n\n- Began.\n"
    )
    git = [
        "git",
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    environment = {
        "GIT_AUTHOR_DATE": "2026-11-29T12:00Z",
        "GIT_COMMITTER_DATE": "2026-11-29T12:00Z",
    }
    for step in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-verify", "--message", "All"],
        ["tag", "--annotate", f"v{VERSION}", "--message", VERSION],
    ):
        run([*git, *step], directory=folder, environment=environment)
    return folder


def released(source: Path) -> dict[str, Path]:
    """Build what is published; return the files by their names."""
    environment = {"PATH": tools(), "VIRTUAL_ENV": ""}
    run(["release/build"], directory=source, environment=environment, seconds=600)
    return {it.name: it for it in (source / "build" / "release").iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(900)  # it starts some forty programs, one after the other
def test_a_release_is_whole_and_runs_and_is_in_the_changelog(tmp_path: Path) -> None:
    source = committed(tmp_path / "source")
    made = released(source)
    assert made.keys() == {
        "SHA256SUMS",
        f"tertulia-{VERSION}-image-context.tar.gz",
        f"tertulia-{VERSION}-image.cdx.json",
        f"tertulia-{VERSION}-py3-none-any.whl",
        f"tertulia-{VERSION}.cdx.json",
        f"tertulia-{VERSION}.tar.gz",
        f"tertulia-chart-{VERSION}.tgz",
        f"tertulia_load-{VERSION}-py3-none-any.whl",
        f"tertulia_load-{VERSION}.tar.gz",
    }
    assert (
        run(["sha256sum", "--check", "SHA256SUMS"], directory=made["SHA256SUMS"].parent).count(
            ": OK\n"
        )
        == len(made) - 1
    )
    it_runs(tmp_path / "installed", [made[name] for name in made if name.endswith(".whl")])
    the_context_is_what_the_image_is_made_of(
        made[f"tertulia-{VERSION}-image-context.tar.gz"], tmp_path
    )
    the_chart_is_of_the_version(made[f"tertulia-chart-{VERSION}.tgz"])
    all_of_a_lock_is_in(made[f"tertulia-{VERSION}.cdx.json"], "requirements.lock")
    all_of_a_lock_is_in(made[f"tertulia-{VERSION}-image.cdx.json"], "requirements-image.lock")

    run(["git", "tag", "--delete", f"v{VERSION}"], directory=source)
    run(["git", "tag", "v97.9.0"], directory=source)
    with pytest.raises(AssertionError, match=r"nothing under '## 97\.9\.0'"):
        released(source)


def it_runs(folder: Path, wheels: list[Path]) -> None:
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # What it depends on, as it is here: an environment that asks no index.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    run([*pip, "--quiet", "--no-deps", "--no-index", "--ignore-installed", *wheels])
    program = folder / "bin" / "tertulia"
    alone = {"PYTHONPATH": ""}
    assert (
        run([program, "--version"], directory=folder, environment=alone) == f"tertulia {VERSION}\n"
    )
    assert "--" in run([program, "load", "--help"], directory=folder, environment=alone)
    where = "import tertulia, tertulia_load; print(tertulia.__file__, tertulia_load.__file__)"
    told = run([folder / "bin" / "python", "-c", where], directory=folder, environment=alone)
    assert all(it.startswith(str(folder)) for it in told.split())


def the_context_is_what_the_image_is_made_of(context: Path, tmp_path: Path) -> None:
    """It has what the Dockerfile copies, and says its version without git."""
    unpacked = tmp_path / "context"
    with tarfile.open(context) as archive:
        archive.extractall(unpacked, filter="data")
    docker = unpacked / "deploy" / "docker"
    for line in re.findall(r"^COPY (?!--from)(.*)$", (docker / "Dockerfile").read_text(), re.M):
        for name in line.split()[:-1]:
            assert (unpacked / name).exists(), name
    assert (docker / "Dockerfile.dockerignore").exists()
    assert not (unpacked / "tests").exists()
    python = TOOLS / "python"
    assert run([python, "-m", "setuptools_scm"], directory=unpacked) == f"{VERSION}\n"


def the_chart_is_of_the_version(chart: Path) -> None:
    values = ["--set", "redis.url=redis://redis", "--kube-version", "1.29.0"]
    made = run([installed("helm"), "template", "chat", chart, *values])
    assert f'image: "tertulia:{VERSION}"' in made
    assert "found symbolic link" not in made


def all_of_a_lock_is_in(bill: Path, lock: str) -> None:
    told = json.loads(bill.read_text())
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["version"] == VERSION
    wanted = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.M)
    assert {(it["name"], it["version"]) for it in told["components"]} == set(wanted)


def test_the_notes_of_a_version_are_its_own_alone(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    notes = tmp_path / "release" / "notes"
    notes.write_bytes((ROOT / "release" / "notes").read_bytes())
    log = (
        "# Changelog\n\n## Unreleased\n\n- c\n\n## 1.10.0 - x\n\n- b\n  b\n\n## 1.1.0 - x\n\n- a\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(log)
    assert run(["sh", notes, "1.10.0"]).strip() == "- b\n  b"
    assert run(["sh", notes, "1.1.0"]).strip() == "- a"
    assert run(["sh", notes, "Unreleased"]).strip() == "- c"


def test_the_changelog_has_versions_newest_first() -> None:
    heads = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert heads.pop(0) == "Unreleased"
    assert heads, "no version"
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - \d{4}-\d\d-\d\d", it) for it in heads]
    assert all(found), heads
    numbers = [tuple(map(int, it.groups())) for it in found if it]
    assert numbers == sorted(set(numbers), reverse=True)
