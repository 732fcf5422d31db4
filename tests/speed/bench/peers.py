"""The peers: other servers that do comparable work, as far as they are installed, and the limit.

What would hold a client back (flood control, buffers, look-ups of names) is off or far away, as it is for
the nodes.
"""

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.redis_server import free_port
from speed.bench.cores import Cores
from speed.bench.servers import Running, Server, missing_program, program, running, said_by

_INSPIRCD: Final = """\
<config format="xml">
<server name="irc.bench.example" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@bench.example">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="bench" allow="*" timeout="120" pingfreq="3600" fakelag="no" threshold="1000000"
    commandrate="1000000000" recvq="1M" softsendq="256M" hardsendq="256M" localmax="100000"
    globalmax="100000" maxconnwarn="no" limit="100000" useident="no" resolvehostnames="no">
<performance somaxconn="4096" softlimit="100000" netbuffersize="65534" quietbursts="yes">
<limits maxnick="32" maxuser="12">
<log method="file" type="*" level="error" target="{directory}/inspircd.log">
"""
_NGIRCD: Final = """\
[Global]
Name = irc.bench.example
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxNickLength = 31
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"""
_STREAM: Final = {
    "name": "LOAD",
    "subjects": ["load.>"],
    "storage": "file",
    "retention": "limits",
    "discard": "old",
    "max_bytes": 1_073_741_824,
    "num_replicas": 1,
}
"""Every message is stored in a file, and then acknowledged."""


@contextlib.contextmanager
def _start_limit(directory: Path, cores: Cores) -> Iterator[Running]:
    port = free_port()
    program_ = directory / "limit"
    source = Path(__file__).with_name("limit.c")
    subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-o", program_, source], check=True, capture_output=True
    )
    with running([str(program_), str(port)], directory, cores, port) as process:
        yield Running({"chatte": [port]}, {"limit": [process.pid]})


@contextlib.contextmanager
def _start_inspircd(directory: Path, cores: Cores) -> Iterator[Running]:
    port = free_port()
    config = directory / "inspircd.conf"
    config.write_text(_INSPIRCD.format(port=port, directory=directory))
    command = [program("inspircd") or "inspircd", "--config", str(config)]
    command += ["--nofork", "--nopid", "--runasroot"]
    with running(command, directory, cores, port) as process:
        yield Running({"irc": [port]}, {"inspircd": [process.pid]})


@contextlib.contextmanager
def _start_ngircd(directory: Path, cores: Cores) -> Iterator[Running]:
    port = free_port()
    config = directory / "ngircd.conf"
    config.write_text(_NGIRCD.format(port=port))
    command = [program("ngircd") or "ngircd", "--nodaemon", "--config", str(config)]
    # It lets ten connections wait to be accepted. A socket that it is given may have more, and a join
    # storm is not to be a test of that number.
    if activate := program("systemd-socket-activate"):
        command = [activate, "--listen", f"127.0.0.1:{port}", *command]
    with running(command, directory, cores, port) as process:
        yield Running({"irc": [port]}, {"ngircd": [process.pid]})


@contextlib.contextmanager
def _start_nats(directory: Path, cores: Cores, *, stored: bool = False) -> Iterator[Running]:
    port = free_port()
    config = directory / "nats.conf"
    settings: dict[str, object] = {
        "listen": f"127.0.0.1:{port}",
        "max_connections": 100_000,
        "max_pending": 268_435_456,
        "write_deadline": "60s",
        "ping_interval": "1h",
    }
    if stored:
        settings["jetstream"] = {"store_dir": str(directory / "store")}
    config.write_text(json.dumps(settings))  # its own format takes this as well
    command = [program("nats-server") or "nats-server", "--config", str(config)]
    with running(command, directory, cores, port) as process:
        if stored:
            _make_stream(port)
        yield Running({"jetstream" if stored else "nats": [port]}, {"nats": [process.pid]})


@contextlib.contextmanager
def _start_jetstream(directory: Path, cores: Cores) -> Iterator[Running]:
    with _start_nats(directory, cores, stored=True) as it:
        yield it


def _make_stream(port: int) -> None:
    """Have a NATS server store what is published. Raises RuntimeError where it does not want to."""
    stream = json.dumps(_STREAM)
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        asked = f"PUB $JS.API.STREAM.CREATE.LOAD made {len(stream)}\r\n{stream}\r\n"
        sock.sendall(f'CONNECT {{"verbose":false}}\r\nSUB made 1\r\n{asked}'.encode())
        answer = b""
        while b'"type":' not in answer or not answer.endswith(b"\r\n"):
            data = sock.recv(65_536)
            if not data:
                break
            answer += data
    if b'"error"' in answer or b'"type":' not in answer:
        raise RuntimeError(f"nats-server does not make a stream: {answer.decode()}")


def _no_compiler() -> str | None:
    return None if shutil.which("gcc") else "no gcc here: apt-get install gcc libc6-dev"


LIMIT: Final = Server(
    name="C limit",
    start=_start_limit,
    missing=_no_compiler,
    version=lambda: said_by(["gcc", "--version"]),
)
INSPIRCD: Final = Server(
    name="InspIRCd",
    start=_start_inspircd,
    missing=missing_program("inspircd", "inspircd"),
    version=lambda: said_by([program("inspircd") or "inspircd", "--version"]),
)
NGIRCD: Final = Server(
    name="ngIRCd",
    start=_start_ngircd,
    missing=missing_program("ngircd", "ngircd"),
    version=lambda: said_by([program("ngircd") or "ngircd", "--version"]),
)
NATS: Final = Server(
    name="nats-server",
    start=_start_nats,
    missing=missing_program("nats-server", "nats-server"),
    version=lambda: said_by([program("nats-server") or "nats-server", "--version"]),
)
JETSTREAM: Final = Server(
    name="nats-server, stored",
    start=_start_jetstream,
    missing=NATS.missing,
    version=NATS.version,
)
