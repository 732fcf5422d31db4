"""Where it was measured, and with what."""

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path

from speed.bench.cores import Cores
from speed.bench.servers import Server


def machine(cores: Cores) -> dict[str, str]:
    """Describe the machine, and who had which core of it."""
    cpus = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", cpus)
    clock = re.search(r"cpu MHz\s*:\s*([\d.]+)", cpus)
    total = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return {
        "CPU": " ".join((model[1] if model else platform.machine()).split()),
        "clock": f"{float(clock[1]) / 1000:.1f} GHz" if clock else "unknown",
        "virtual": "yes" if " hypervisor" in cpus else "no",
        "cores": f"{len(os.sched_getaffinity(0))}",
        "pinned": cores.words,
        "memory": f"{int(total[1]) / 1_048_576:.0f} GiB" if total else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": release,
    }


def versions(servers: Iterable[Server]) -> dict[str, str]:
    """Return what each server says that it is."""
    return {server.name: server.version() for server in servers if not server.missing()}
