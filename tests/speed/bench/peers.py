"""The peers: other servers that do comparable work, as far as they are installed, and the limit.

What would hold a client back (flood control, buffers, look-ups of names) is off or far away, as it is for
the nodes.
"""

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.redis_server import RedisServer, free_port
from speed.bench.cores import Cores, pinned
from speed.bench.servers import (
    REDIS_OPTIONS,
    Running,
    Server,
    missing_compiler,
    missing_program,
    program,
    running,
    said_by,
)

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
_ERGO_SERVER: Final = {
    "name": "irc.bench.example",
    "casemapping": "ascii",
    "enforce-utf8": True,
    "lookup-hostnames": False,
    "check-ident": False,
    "max-sendq": "256M",
    "ip-cloaking": {"enabled": False},
    "ip-limits": {"count": False, "throttle": False},
}
_ERGO: Final = {
    "network": {"name": "bench"},
    "datastore": {"path": "ircd.db", "autoupgrade": True},
    "accounts": {"authentication-enabled": True, "multiclient": {"enabled": False}},
    "channels": {"default-modes": "+n", "max-channels-per-client": 100},
    "limits": {
        "nicklen": 32,
        "identlen": 20,
        "realnamelen": 150,
        "channellen": 64,
        "awaylen": 390,
        "kicklen": 390,
        "topiclen": 390,
        "monitor-entries": 100,
        "whowas-entries": 100,
        "chan-list-modes": 100,
        "registration-messages": 1024,
    },
    "fakelag": {"enabled": False},
    "logging": [{"method": "stderr", "type": "*", "level": "error"}],
    "history": {
        "enabled": True,
        "channel-length": 2048,
        "client-length": 256,
        "autoreplay-on-join": 0,
        "chathistory-maxmessages": 1000,
    },
}
"""A channel keeps a history in memory, of the length that Ergo has by default."""
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


_CENTRIFUGO: Final = {
    "client": {
        "allow_anonymous_connect_without_token": True,
        "channel_limit": 1_000,
        "queue_max_size": 268_435_456,
        "ping_interval": "3600s",
    },
    "channel": {
        "without_namespace": {
            "allow_subscribe_for_client": True,
            "allow_subscribe_for_anonymous": True,
            "allow_publish_for_client": True,
            "allow_publish_for_anonymous": True,
            "allow_history_for_client": True,
            "allow_history_for_anonymous": True,
            "history_size": 1_000,
            "history_ttl": "1h",
            "force_recovery": True,
        }
    },
    "log": {"level": "warn"},
}
"""A channel keeps a history in Redis, with an epoch and offsets, as a room here does."""


def centrifugo(nodes: int = 1) -> Server:
    """Return so many nodes and a Redis, which writes to disk before each answer as ours does."""

    @contextlib.contextmanager
    def start(directory: Path, cores: Cores) -> Iterator[Running]:
        redis = RedisServer(fsync="always", options=REDIS_OPTIONS)
        ports, ids = [], []
        with contextlib.ExitStack() as stack:
            stack.callback(redis.close)
            with pinned(cores.servers[0]):
                redis.start()
            for number in range(nodes):
                port, of_node = free_port(), directory / f"node-{number}"
                of_node.mkdir()
                settings = {
                    **_CENTRIFUGO,
                    "engine": {"type": "redis", "redis": {"address": redis.url}},
                    "http_server": {"address": "127.0.0.1", "port": f"{port}"},
                }
                (of_node / "config.json").write_text(json.dumps(settings))
                its = replace(cores, servers=cores.servers[1 + number :])
                command = [
                    program("centrifugo") or "centrifugo",
                    "-c",
                    str(of_node / "config.json"),
                ]
                process = stack.enter_context(running(command, of_node, its, port))
                ports.append(port)
                ids.append(process.pid)
            yield Running({"centrifugo": ports}, {"node": ids, "redis": [redis.pid]}, [redis])

    return Server(
        name="Centrifugo",
        start=start,
        missing=lambda: None if program("centrifugo") else _NO_CENTRIFUGO,
        version=lambda: said_by([program("centrifugo") or "centrifugo", "version"]),
        processes=1 + nodes,
        apart=nodes > 1,
    )


_NO_CENTRIFUGO: Final = "no centrifugo here: tests/deploy/install-tools"


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
def _start_ergo(directory: Path, cores: Cores) -> Iterator[Running]:
    port = free_port()
    server = {**_ERGO_SERVER, "listeners": {f"127.0.0.1:{port}": {}}}
    config = directory / "ircd.yaml"
    config.write_text(json.dumps({**_ERGO, "server": server}))  # JSON is YAML
    its = [program("ergo") or "ergo"]
    subprocess.run(
        [*its, "initdb", "--conf", config], cwd=directory, check=True, capture_output=True
    )
    with running([*its, "run", "--conf", str(config)], directory, cores, port) as process:
        yield Running({"irc": [port]}, {"ergo": [process.pid]})


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


LIMIT: Final = Server(
    name="C limit",
    start=_start_limit,
    missing=missing_compiler,
    version=lambda: said_by(["gcc", "--version"]),
)
INSPIRCD: Final = Server(
    name="InspIRCd",
    start=_start_inspircd,
    missing=missing_program("inspircd", "apt-get install inspircd"),
    version=lambda: said_by([program("inspircd") or "inspircd", "--version"]),
)
NGIRCD: Final = Server(
    name="ngIRCd",
    start=_start_ngircd,
    missing=missing_program("ngircd", "apt-get install ngircd"),
    version=lambda: said_by([program("ngircd") or "ngircd", "--version"]),
)
ERGO: Final = Server(
    name="Ergo",
    start=_start_ergo,
    missing=missing_program("ergo", "tests/speed/bench/install-peers"),
    version=lambda: said_by([program("ergo") or "ergo", "--version"]),
)
NATS: Final = Server(
    name="nats-server",
    start=_start_nats,
    missing=missing_program("nats-server", "tests/speed/bench/install-peers"),
    version=lambda: said_by([program("nats-server") or "nats-server", "--version"]),
)
JETSTREAM: Final = Server(
    name="nats-server, stored",
    start=_start_jetstream,
    missing=NATS.missing,
    version=NATS.version,
)
