"""What runs where the repository is hosted. Judged by actionlint and by GitHub's schemas; not run here."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.tools import ROOT, installed, run

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = {it for it in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if it.name != "config.yml"}


def test_actionlint_finds_nothing() -> None:
    assert WORKFLOWS
    run([installed("actionlint"), *WORKFLOWS])


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.dependabot", [GITHUB / "dependabot.yml"]),
        ("vendor.github-issue-config", [GITHUB / "ISSUE_TEMPLATE" / "config.yml"]),
        ("vendor.github-issue-forms", sorted(FORMS)),
    ],
)
def test_github_takes_it(schema: str, files: list[Path]) -> None:
    assert files
    run([installed("check-jsonschema"), "--builtin-schema", schema, *files])


def test_what_others_wrote_is_named_by_its_commit() -> None:
    """A tag can be moved to something else; a commit can't."""
    for workflow in WORKFLOWS:
        for line in re.findall(r"uses: (.*)", workflow.read_text()):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_the_matrix_has_every_python_that_is_promised() -> None:
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    matrix = re.search(r"python: \[(.*)\]", (GITHUB / "workflows" / "checks.yml").read_text())
    assert matrix
    pythons = re.findall(r'"(3\.\d+)"', matrix[1])
    assert least == f">={pythons[0]}"
    minors = [int(it.removeprefix("3.")) for it in pythons]
    assert minors == list(range(minors[0], 15))


def test_only_targets_that_there_are_are_made() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for workflow in WORKFLOWS:
        for line in re.findall(r"run: make (.*)|^ +make (.*)$", workflow.read_text(), re.M):
            assert set("".join(line).split()) <= targets, line


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("Say it\n\nNobody did.\n", ""),
        ("Say it\n# comment\n\nNobody did.\n", ""),
        ("x" * 72 + "\n\nNobody did.\n", ""),
        ("è" * 72 + "\n\nNobody did.\n", ""),
        ("x" * 73 + "\n\nNobody did.\n", "the subject has 73 characters"),
        ("Say it\n", "there is no body"),
        ("Say it\n\n# Please enter the commit message\n", "there is no body"),
        ("Say it\n\nSigned-off-by: Anna <anna@example.org>\n", "there is no body"),
        ("Say it\n\n# ---- >8 ----\ndiff --git a/x b/x\n", "there is no body"),
        ("Say it\nNobody did.\n", "the line after the subject is not empty"),
        ("# comment\n", "there is no subject"),
        ("Merge branch 'x'\n", ""),
    ],
)
def test_a_commit_has_a_short_subject_and_a_body(tmp_path: Path, message: str, fault: str) -> None:
    file = tmp_path / "COMMIT_EDITMSG"
    file.write_text(message)
    done = judged(ROOT, str(file))
    assert done.returncode == bool(fault)
    assert fault in done.stderr


def test_every_commit_of_a_change_is_looked_at(tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    run(["git", "init", "--quiet"], directory=tmp_path)
    for message in ("Begin\n\nIt has to.", "Stop", "Go on\n\nIt has to.", "y" * 80):
        run([*git, "commit", "--allow-empty", "--quiet", "-m", message], directory=tmp_path)
    done = judged(tmp_path, "HEAD~3..HEAD")
    assert done.returncode == 1
    assert re.findall(r": (there is|the subject)", done.stderr) == ["there is", "the subject"]
    assert judged(tmp_path, "HEAD~2..HEAD~1").returncode == 0


def judged(directory: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "commit-message", what],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_what_is_looked_at_before_a_commit_is_what_lint_has() -> None:
    entries = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    for entry in entries:
        first, _, rest = str(entry).partition(" ")
        second = rest.partition(" ")[0]
        if first == "make":
            assert f"\n{second}:" in makefile, entry
        elif first.startswith(".venv/"):
            assert f"\t{first} {second}".rstrip() in makefile, entry
        else:
            assert os.access(ROOT / first, os.X_OK), entry


def test_the_container_to_develop_in_has_what_ci_has() -> None:
    """A part of it: enough for most tests."""
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text()
    told = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
    packages = (
        told["postCreateCommand"].partition("--no-install-recommends ")[2].partition(" &&")[0]
    )
    needed = re.findall(r"^    \S+=(\S+)$", (ROOT / ".ci" / "run").read_text(), re.M)
    assert packages
    assert set(packages.split()) <= set(needed)
