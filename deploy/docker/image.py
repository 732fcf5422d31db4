#!/usr/bin/env python3
"""Build the image of the Dockerfile beside this, and run it as an orchestrator does, without an engine.

    apt-get install buildah runc mmdebstrap
    deploy/docker/image.py build
    deploy/docker/image.py run --env TERTULIA_REDIS_URL=redis://127.0.0.1:6379/0
    deploy/docker/image.py run settings          other arguments than the image's own

buildah builds, without a daemon. runc runs; Docker and containerd start their containers with it too. Both
need root. What runs has the image's user (10001), a read-only root, a /tmp in memory, no capability, no way
to gain one, and the system calls that containers have by default. It has the network of whoever starts it.
SIGTERM and Ctrl-C reach it, and its status is returned.

Where no registry is in reach, the base is made of Debian's packages, and the first line says so. VERSION in
the environment is what the image says of itself: VERSION=$(.venv/bin/python -m setuptools_scm).

All is kept for a week in ~/.cache/tertulia-image (XDG_CACHE_HOME), some 600 MB; delete it when you like.
Nothing stays mounted.
"""

import argparse
import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCKER = Path(__file__).resolve().parent
DOCKERFILE = DOCKER / "Dockerfile"
IMAGE = "localhost/tertulia:local"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tertulia-image"
SECCOMP = Path("/usr/share/containers/seccomp.json")
"""The default of Debian's tools for containers, which buildah brings; much the same as Docker's."""

PULL_SECONDS = 600
PACKAGES = {
    "buildah": "buildah",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "unshare": "util-linux",
}
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """Do what was asked for; returns the exit status."""
    missing = [package for it, package in PACKAGES.items() if shutil.which(it) is None]
    if missing:
        return refuse(f"this needs {' and '.join(missing)}: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        return refuse("only root can mount an image and start a container: run it as root")
    if arguments[:1] != ["--mounted-apart"]:
        # What is mounted in a mount namespace of its own goes with the process, however that ends.
        apart = ["unshare", "--mount", "--propagation", "private", sys.executable]
        os.execvp(apart[0], [*apart, __file__, "--mounted-apart", *arguments])
    asked = parse(arguments[1:])
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        return build(asked.base) if asked.do == "build" else run(asked)
    except subprocess.CalledProcessError as error:
        return refuse(
            f"{Path(error.cmd[0]).name} failed, with status {error.returncode}: see above"
        )
    except KeyboardInterrupt:
        return refuse("interrupted")


def refuse(why: str) -> int:
    print(f"{Path(__file__).name}: {why}", file=sys.stderr)
    return 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        Path(__file__).name,
        description=about,
        epilog=rest,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    do = parser.add_subparsers(dest="do", required=True)
    building = do.add_parser("build", help="build the image")
    building.add_argument(
        "--base",
        metavar="IMAGE",
        help="what to build on, instead of what the Dockerfile names; debian: of Debian's packages",
    )
    running = do.add_parser("run", help="run what was built")
    running.add_argument(
        "--env",
        action="append",
        default=[],
        type=variable,
        metavar="NAME[=VALUE]",
        help="a variable of the environment; without VALUE, the caller's own",
    )
    running.add_argument(
        "--seccomp",
        type=Path,
        default=SECCOMP,
        metavar="FILE",
        help="the system calls that it may make, instead of what containers may by default",
    )
    running.add_argument(
        "--volume",
        action="append",
        default=[],
        metavar="FILE:PLACE",
        type=placed,
        help="a file or folder that is to be at PLACE in the container, read-only",
    )
    running.add_argument("--entrypoint", metavar="PROGRAM", help="another program than the image's")
    running.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="other arguments than the image's"
    )
    return parser.parse_args(arguments)


def variable(given: str) -> str:
    """Read NAME=VALUE, or NAME for the caller's own value: a secret is not to stand in a command."""
    name, equals, _ = given.partition("=")
    if not equals and name not in os.environ:
        raise argparse.ArgumentTypeError(
            f"{name} is not in the environment: export it, or write {name}=VALUE"
        )
    return given if equals else f"{name}={os.environ[name]}"


def placed(given: str) -> tuple[str, str]:
    """Read FILE:PLACE."""
    here, colon, place = given.rpartition(":")
    if not (colon and Path(here).exists() and place.startswith("/")):
        raise argparse.ArgumentTypeError(
            f"{given}: write a file that is here, ':', and its absolute place there"
        )
    return str(Path(here).resolve()), place


# --- Building -------------------------------------------------------------------------------------


def build(base: str | None) -> int:
    """Build the image, on the registry's base, or where that is not to be had on one of Debian's packages."""
    named = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert named, "the Dockerfile says what it is built on"
    for old in CACHE.iterdir():
        if old.name not in ("runc", this_week()):
            shutil.rmtree(old)
    if base is None:
        base = pulled(named[1]) or "debian"
    if base == "debian":
        base = debian()
    context = DOCKER.parents[1]
    # What pip is told on this machine, and whom it trusts, holds in the build too: a mirror, a company's CA.
    here = [it for it in ("/etc/pip.conf", "/etc/ssl/certs") if Path(it).exists()]
    buildah(
        "build",
        "--isolation=chroot",
        "--format=docker",  # the other one knows no HEALTHCHECK
        "--layers",
        "--force-rm",
        *(f"--volume={it}:{it}:ro" for it in here),
        f"--build-arg=PYTHON_IMAGE={base}",
        f"--build-arg=VERSION={os.environ.get('VERSION', '')}",
        f"--ignorefile={DOCKERFILE}.dockerignore",
        f"--file={DOCKERFILE}",
        f"--tag={IMAGE}",
        str(context),
    )
    print(f"built {IMAGE} on {base}", flush=True)
    return 0


def pulled(image: str) -> str | None:
    """Return the name of an image that is here, or could be fetched; where it could not, say why."""
    # buildah takes a tag or a digest, not both, and names with their registry.
    name = re.sub(r":[^:@/]+@", "@", image)
    name = name if "/" in name else f"docker.io/library/{name}"
    command = [*storing(), "pull", "--policy=missing", name]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        reason = f"no answer in {PULL_SECONDS} s"
    else:
        if told.returncode == 0:
            return name
        reason = told.stderr.strip().rpartition("\n")[2].rpartition(": ")[2]
    print(
        f"{image} can't be had here ({reason}): built on Debian's own Python 3.11 instead",
        flush=True,
    )
    return None


def debian() -> str:
    """Make a base of Debian's packages, with Python 3.11 where the other base has it; returns its name."""
    name = "localhost/python-of-debian:bookworm"
    if (
        subprocess.run(
            [*storing(), "inspect", "--type=image", name], capture_output=True
        ).returncode
        == 0
    ):
        return name
    print("fetching Debian's packages: a minute or two, once a week", flush=True)
    with container("scratch") as (made, root):
        subprocess.run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                "--include=python3,python3-venv,ca-certificates",
                "--dpkgopt=force-unsafe-io",
                *(f"--dpkgopt=path-exclude=/usr/share/{it}/*" for it in ("doc", "man", "locale")),
                "--skip=output/dev",
                # What the Dockerfile calls it.
                '--customize-hook=ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
                "bookworm",
                str(root),
            ],
            check=True,
        )
        buildah("commit", "--quiet", made, name)
    return name


# --- Running --------------------------------------------------------------------------------------


def run(asked: argparse.Namespace) -> int:
    """Run what was built, until it ends; returns its exit status."""
    told = subprocess.run(
        [*storing(), "inspect", "--type=image", IMAGE], capture_output=True, text=True
    )
    if told.returncode:
        return refuse(f"there is no {IMAGE} here: run {Path(__file__).name} build")
    image = json.loads(told.stdout)["Docker"]["config"]
    with (
        container(IMAGE) as (name, root),
        tempfile.TemporaryDirectory(dir=CACHE / this_week()) as bundle,
    ):
        (Path(bundle) / "config.json").write_text(json.dumps(specification(image, root, asked)))
        command = ["runc", "--root", str(CACHE / "runc"), "run", "--bundle", bundle, name]
        process = subprocess.Popen(command, preexec_fn=end_with_this)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _: process.send_signal(got))
        return process.wait()


def end_with_this() -> None:
    """Have the kernel end a child when this process is gone; the terminal's Ctrl-C comes by this process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setpgrp()


def specification(image: dict[str, Any], root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return what runc is to do, in the words of the OCI runtime specification."""
    user, _, group = image["User"].partition(":")
    program = [asked.entrypoint] if asked.entrypoint else image["Entrypoint"]
    arguments = [it for it in asked.arguments if it != "--"] or (
        image["Cmd"] if not asked.entrypoint else []
    )
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    binds = [
        *asked.volume,
        *((it, it) for it in ("/etc/hosts", "/etc/resolv.conf") if Path(it).exists()),
    ]
    inside = ["nosuid", "nodev", "noexec"]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(root), "readonly": True},
        "process": {
            "user": {"uid": int(user), "gid": int(group)},
            "args": [*program, *arguments],
            "env": [*image["Env"], *asked.env],
            "cwd": image.get("WorkingDir") or "/",
            "capabilities": {},
            "noNewPrivileges": True,
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}],
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": inside},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "dev",
                "options": ["nosuid", "mode=755"],
            },
            {
                "destination": "/dev/shm",  # noqa: S108 - the container's own
                "type": "tmpfs",
                "source": "shm",
                "options": [*inside, "mode=1777"],
            },
            {
                "destination": "/tmp",  # noqa: S108 - the container's own
                "type": "tmpfs",
                "source": "tmp",
                "options": [*inside, "mode=1777", "size=64m"],
            },
            *(
                {
                    "destination": there,
                    "type": "bind",
                    "source": here,
                    "options": ["bind", "ro"],
                }
                for here, there in binds
            ),
        ],
        "linux": {
            "namespaces": [{"type": it} for it in ("mount", "pid", "ipc", "uts")],
            "maskedPaths": [
                "/proc/acpi",
                "/proc/kcore",
                "/proc/keys",
                "/proc/sched_debug",
                "/proc/timer_list",
            ],
            "readonlyPaths": [
                "/proc/bus",
                "/proc/fs",
                "/proc/irq",
                "/proc/sys",
                "/proc/sysrq-trigger",
            ],
            "seccomp": seccomp(asked.seccomp),
        },
    }


def seccomp(file: Path) -> dict[str, Any]:
    """Return a filter of system calls, as it is for who has no capability."""
    profile = json.loads(file.read_text())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    word = f"SCMP_ARCH_{os.uname().machine.upper()}"
    architectures = [
        [it["architecture"], *it["subArchitectures"]]
        for it in profile["archMap"]
        if it["architecture"] == word
    ]
    rules = [
        {
            key: rule[key]
            for key in ("names", "action", "args", "errnoRet")
            if rule.get(key) is not None
        }
        for rule in profile["syscalls"]
        if not (only := rule.get("includes") or {}).get("caps")
        and machine in only.get("arches", [machine])
    ]
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [name for names in architectures for name in names],
        "syscalls": rules,
    }


# --- Storage --------------------------------------------------------------------------------------


def storing() -> list[str]:
    """Return buildah's command, with a storage of its own."""
    # Whole copies, where layers can't be laid over each other: in a container, whose root is layers itself.
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", CACHE], capture_output=True, text=True, check=True
    ).stdout.strip()
    layered = "overlay" in Path("/proc/filesystems").read_text() and kind != "overlayfs"
    driver = "overlay" if layered else "vfs"
    store = CACHE / this_week()
    return [
        "buildah",
        f"--root={store / driver}",
        f"--runroot={store / driver}-run",
        f"--storage-driver={driver}",
    ]


def this_week() -> str:
    """Return what this week's folder is called: next week's base has the corrections of then."""
    return datetime.now(UTC).strftime("%G-%V")


def buildah(*arguments: str) -> str:
    """Run buildah, whose messages are for whoever stands at the terminal; returns what it answered."""
    command = [*storing(), *arguments]
    # A session of its own: a second Ctrl-C is not to keep it from tidying up.
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, start_new_session=True
    ).stdout.strip()


@contextmanager
def container(image: str) -> Iterator[tuple[str, Path]]:
    """Have a container of an image, as its name and the folder where its root is, for a while."""
    name = buildah("from", "--pull-never", f"--name=tertulia-{os.getpid()}", image)
    try:
        yield name, Path(buildah("mount", name))
    finally:
        buildah("umount", name)
        buildah("rm", name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
