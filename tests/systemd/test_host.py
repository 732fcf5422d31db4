"""A host, set up by the commands that docs/operations.md prints, in a container that systemd runs."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools import ROOT, packaged, run
from harness import processes
from harness.requirements import lack
from harness.waiting import until_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PACKAGES = "systemd,systemd-sysv,dbus,redis-server,python3-venv,openssl,ca-certificates"
CAPABILITIES = {
    0: "CHOWN", 1: "DAC_OVERRIDE", 2: "DAC_READ_SEARCH", 3: "FOWNER", 4: "FSETID", 5: "KILL", 6: "SETGID",
    7: "SETUID", 8: "SETPCAP", 12: "NET_ADMIN", 18: "SYS_CHROOT", 19: "SYS_PTRACE", 21: "SYS_ADMIN",
    23: "SYS_NICE", 24: "SYS_RESOURCE", 27: "MKNOD", 29: "AUDIT_WRITE",
}  # fmt: skip
"""What systemd does its work with, by number."""
SYS_ADMIN = 21
STATUS = Path("/proc/self/status")
FOLDERS = {"/run": "755", "/run/lock": "1777", "/tmp": "1777"}
NODES = {"1": (1234, 9464), "2": (1235, 9465)}
TALK = """
import socket
people = [socket.create_connection(("127.0.0.1", port)) for port in (1234, 1235)]
files = [it.makefile("rw", newline="\\n") for it in people]
for file, name in zip(files, ("anna", "bruno")):
    print(name, file=file, flush=True)
    assert file.readline() and "200" in file.readline()
print("100 hello", file=files[0], flush=True)
while "100 anna hello" not in files[1].readline():
    pass
"""


def printed(after: str) -> list[str]:
    """Return the commands of the first block after a line of docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text().partition(f"\n{after}\n\n")[2]
    block = re.match(r"(?:    .*\n)+", text)
    assert block, after
    return [line.strip() for line in block[0].splitlines()]


ASK = """
import json, sys, time, urllib.request
who = {"Authorization": "Bearer " + sys.argv[1]}
asked = urllib.request.Request("http://127.0.0.1:8088/v1/nodes", headers=who)
for left in range(50, -1, -1):
    try:
        print(nodes := json.load(urllib.request.urlopen(asked, timeout=5))["items"])
        break
    except OSError:
        if not left:
            raise
        time.sleep(0.2)
assert {it["state"] for it in nodes} == {"up"} and len(nodes) == 2
"""
"""Asks the API for the nodes, as soon as it listens."""


class Host:
    """A container that runs systemd."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *commands: str) -> str:
        """Run commands of a shell, and return what they wrote."""
        script = "\n".join(["set -ex; cd /root/tertulia", *commands])
        done = subprocess.run(
            ["runc", "exec", self.name, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def is_running(self) -> bool:
        """Say whether all that systemd starts by itself is up, and Redis answers."""
        asked = "systemctl is-system-running && redis-cli ping"
        done = subprocess.run(
            ["runc", "exec", self.name, "sh", "-c", asked], capture_output=True, text=True
        )
        return done.stdout.split() == ["running", "PONG"]


def described(bundle: Path) -> None:
    """Have runc describe a container, and make it one for systemd: all namespaces are its own."""
    own = int(dict(it.split(":\t") for it in STATUS.read_text().splitlines())["CapEff"], 16)
    if not own >> SYS_ADMIN & 1:
        lack("root that may mount", "sudo -E make test")
    run(["runc", "spec"], directory=bundle)
    told = json.loads((bundle / "config.json").read_text())
    told["root"] = {"path": str(bundle / "root"), "readonly": False}
    process = told["process"]
    process.update(terminal=False, args=["/lib/systemd/systemd"], noNewPrivileges=False)
    process["env"].append("container=runc")
    may = [f"CAP_{name}" for number, name in CAPABILITIES.items() if own >> number & 1]
    process["capabilities"] = dict.fromkeys(process["capabilities"], may)
    del process["rlimits"]
    told["linux"].update(maskedPaths=[], readonlyPaths=[])
    groups = ("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "rw"])
    folders = [(it, "tmpfs", ["nosuid", "nodev", f"mode={mode}"]) for it, mode in FOLDERS.items()]
    told["mounts"] = [it for it in told["mounts"] if it["destination"] != groups[0]]
    for at, kind, options in (groups, *folders):
        told["mounts"].append({"destination": at, "type": kind, "source": kind, "options": options})
    (bundle / "config.json").write_text(json.dumps(told))


def unmounted(root: Path) -> None:
    """Take away what is mounted in a folder. Whoever removes it would go into /dev/shm of this machine."""
    there = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(there):
        if Path(place).is_relative_to(root):
            subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Run Debian 12 with this checkout in /root/tertulia, and its programs in /opt/tertulia."""
    for program in ("runc", "mmdebstrap"):
        packaged(program)
    bundle = tmp_path_factory.mktemp("host")
    root, name = bundle / "root", f"tertulia-test-{os.getpid()}"
    described(bundle)
    try:
        run(
            ["mmdebstrap", "--variant=important", f"--include={PACKAGES}", "bookworm", root],
            seconds=600,
        )
    finally:
        unmounted(root)
    left_out = shutil.ignore_patterns(
        ".git", ".venv", "node_modules", "build", "var", "test-output"
    )
    shutil.copytree(ROOT, root / "root" / "tertulia", ignore=left_out, symlinks=True)
    # What pip is told on this machine, and whom it trusts.
    for here in ("/etc/pip.conf", "/etc/ssl/certs", "/etc/resolv.conf", "/etc/hosts"):
        if Path(here).exists():
            run(
                [
                    "cp",
                    "-aL",
                    "--remove-destination",
                    here,
                    root / "etc" / here.removeprefix("/etc/").rpartition("/")[0],
                ]
            )
    programs = "\n".join(
        ["set -ex; cd /root/tertulia", *printed("### A host: `deploy/systemd/`")[:3]]
    )
    version = {"SETUPTOOLS_SCM_PRETEND_VERSION": "7.6.5"}
    run(["chroot", root, "sh", "-c", programs], environment=version, seconds=300)
    with (bundle / "log").open("wb") as log:
        process = processes.start(["runc", "run", "--bundle", str(bundle), name], output=log)
        host = Host(name)
        try:
            until_sync(host.is_running, 120, lambda: (bundle / "log").read_text())
            yield host
        finally:
            subprocess.run(["runc", "kill", name, "KILL"], capture_output=True, check=False)
            process.wait(20)
            subprocess.run(["runc", "delete", "--force", name], capture_output=True, check=False)
            shutil.rmtree(root, ignore_errors=True)


def test_the_printed_commands_make_a_host_whose_nodes_systemd_looks_after(host: Host) -> None:
    host(*printed("No user has a password. Until you give one, only `health` can log in:"))
    host(*printed("With Debian's package:"))
    *commands, start = printed("### A host: `deploy/systemd/`")[3:]
    host(*commands)
    for node, (chatte, ops) in NODES.items():
        listener = f'[[listeners]]\ndialect = "chatte"\nhost = "127.0.0.1"\nport = {chatte}\n'
        file = f"cat > /etc/tertulia/{node}.toml <<'END'\n[ops]\nport = {ops}\n{listener}END"
        host(file, f"chmod 644 /etc/tertulia/{node}.toml")
    host("sed -i 's/redis.example.org/127.0.0.1/; /TRUSTED_PROXIES/d' /etc/tertulia/tertulia.env")
    host(start)

    assert 'Status: "ready; 0 connections"' in host("systemctl status --no-pager tertulia@1")
    host(f"python3 - <<'END'{TALK}END")
    host("systemctl reload tertulia@1")
    told = host("journalctl -u 'tertulia@*' -o cat --no-pager")
    assert '"signal": "SIGHUP"' in told
    warned = host("journalctl -u 'tertulia@*' -p warning -o cat --no-pager")
    assert '"level": "info"' not in warned

    said = host(
        *printed(
            "And for the [HTTP API](api.md#for-operators), on one of them or on a machine of its own:"
        )
    )
    token = re.search(r"the token of anna: (\S+)", said)
    assert token, said
    host(f"python3 - {token[1]} <<'END'{ASK}END")

    host("systemctl stop tertulia@2")
    assert host("systemctl show --value -p Result tertulia@2").endswith("success\n")
    # One whose event loop stands still is ended, and started again.
    host("kill -STOP $(systemctl show --value -p MainPID tertulia@1)")
    restarts = "systemctl show --value -p NRestarts -p ActiveState tertulia@1"
    until_sync(
        lambda: {"1", "active"} <= set(host(restarts).split()),
        60,
        lambda: host(restarts),
        every=1.0,
    )
    assert "0 loaded units" in host("systemctl --failed --no-pager")
