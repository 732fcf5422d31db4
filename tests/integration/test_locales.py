"""Commands in a locale that knows ASCII alone, as of a bare environment."""

import os
import subprocess
import sys

import pytest

from harness.node import NodeFactory
from harness.redis_server import RedisServer

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.slow
async def test_words_beyond_ascii_are_kept(
    node_factory: NodeFactory, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ASCII.items():
        monkeypatch.setenv(name, value)
    await node_factory.start()

    def tertulia(*words: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "tertulia", *words],
            env={**os.environ, "TERTULIA_REDIS_URL": redis_server.url},
            input=typed,
            capture_output=True,
            timeout=200,
        )

    for words, typed, status in (
        (("account", "add", "andy"), b"password\n", 0),
        (("account", "list"), b"", 0),
        (("account", "delete", "é"), b"", 1),
        (("admin", "pending", "é"), b"", 1),
        (("admin", "say", "--as", "Peña", "también"), b"", 0),
        (("admin", "audit"), b"", 0),
        (("check",), b"", 0),
    ):
        done = tertulia(*words, typed=typed)
        assert b"Traceback" not in done.stderr, done
        assert done.returncode == status, done
    order = redis_server.do("XREVRANGE", "{main}:audit", "+", "-", "COUNT", 1)
    assert "también" in str(order)
    assert "Peña" in str(order)
