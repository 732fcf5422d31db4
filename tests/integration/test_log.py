"""The log of a real node, held against its document."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from harness import log_schema, processes
from harness.certificates import make
from harness.redis_server import RedisServer

TOLD = (
    "listening",
    "ready",
    "redis answers",
    "redis is away",
    "bus lost",
    "signalled",
    "certificate taken",
    "certificate not taken",
    "draining",
    "stopped",
)


def test_every_line_of_a_node_is_as_documented(tmp_path: Path, redis_server: RedisServer) -> None:
    made = make(tmp_path)
    listeners = [
        {"dialect": "chatte", "port": 0},
        {"dialect": "browser", "port": 0, "certificate": str(made.both)},
    ]
    node = processes.start(
        [sys.executable, "-m", "tertulia", "serve"],
        output=subprocess.PIPE,
        environment={
            **{name: it for name, it in os.environ.items() if not name.startswith("TERTULIA_")},
            "TERTULIA_REDIS_URL": redis_server.url,
            "TERTULIA_NODE_ID": "eu-1",
            "TERTULIA_OPS": '{"port": 0}',
            "TERTULIA_LISTENERS": json.dumps(listeners),
            "TERTULIA_DRAIN_NOTICE_SECONDS": "0",
            "TERTULIA_LOG__LEVEL": "debug",
        },
    )
    assert node.stdout is not None
    lines = []
    # On a busy machine Redis may seem to be away, and to answer again, more often than it is stopped.
    is_away, step = False, "begun"
    with node.stdout:
        for raw in node.stdout:
            line = json.loads(raw)
            lines.append(line)
            match line["event"]:
                case "ready":
                    os.kill(node.pid, signal.SIGHUP)
                case "certificate taken":
                    made.both.write_bytes(b"")
                    os.kill(node.pid, signal.SIGHUP)
                case "certificate not taken" if step == "begun":
                    redis_server.stop()
                    step = "stopped"
                case "redis is away":
                    is_away = True
                case "redis answers":
                    is_away = False
            if step == "stopped" and is_away:
                redis_server.start()
                step = "restarted"
            elif step == "restarted" and not is_away:
                os.kill(node.pid, signal.SIGTERM)
                step = "ended"
    assert node.wait(30) == 0
    assert [problem for line in lines for problem in log_schema.problems(line)] == []
    assert {line["node"] for line in lines} == {"eu-1"}
    assert set(TOLD) <= {line["event"] for line in lines}
