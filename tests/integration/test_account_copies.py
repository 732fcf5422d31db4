"""Accounts that are taken from one Redis to another, through the real command."""

import json
import os
import subprocess
import sys

import pytest

from harness.chatte_client import ChatteClient
from harness.device_client import PASSWORD, log_in, sign_up
from harness.dialects import launch, listener
from harness.node import NodeFactory
from harness.redis_server import RedisServer, running_redis

pytestmark = pytest.mark.slow

DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}


def account(url: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tertulia", "account", *words],
        env={**os.environ, "TERTULIA_REDIS_URL": url},
        input=text,
        capture_output=True,
        text=True,
        timeout=200,
    )


async def test_accounts_are_taken_elsewhere(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    here = launch(node_factory, [DEVICES])
    await here.ready()
    for name in ("Ada", "-h"):
        await sign_up(here.port("device"), name)
    printed = account(redis_server.url, "export").stdout
    assert [json.loads(line)["nickname"] for line in printed.splitlines()] == ["-h", "Ada"]
    with running_redis() as other:
        there = launch(node_factory, [DEVICES, listener(ChatteClient)], redis_url=other.url)
        await there.ready()
        told = account(other.url, "import", "-", text=printed)
        assert (told.returncode, told.stdout) == (0, "made 2 of 2 accounts\n"), told
        assert await log_in(there.port("device"), "ada", password=PASSWORD) == [1, 0, 0, 0]
        for since in ("{main}:account:ada", "{main}:account:-h"):
            assert other.control.hgetall(since) == redis_server.control.hgetall(since)
        guest = await ChatteClient.connect(there.port())
        assert not await guest.enter("ADA"), "it needs its password there, too"
        guest.close()

        again = account(other.url, "import", "-", text=printed)
        assert (again.returncode, again.stdout) == (1, "made 0 of 2 accounts\n")
        assert "there is an account Ada already" in again.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("what\n", "this is not what account export prints"),
        ('{"nickname":"ada"}\n', "this is not what account export prints"),
        ('{"nickname":"ada","hash":"plain","since":1}\n', "ada: its hash is none of argon2"),
        ('{"nickname":"ada","hash":"x","since":253402300800000}\n', "this is not what account export prints"),
        ('{"nickname":"ada","hash":"x","since":-1}\n', "this is not what account export prints"),
        ('{"nickname":"a\\nb","hash":"x","since":1}\n', r"'a\nb' is no nickname"),
        ('{"nickname":"a b","hash":"$argon2id$v=19$m=8,t=1,p=1$YWFhYWFhYWE$YQ","since":1}\n', "no nickname"),
    ],
)  # fmt: skip
def test_what_is_no_account_is_not_made(redis_server: RedisServer, text: str, problem: str) -> None:
    told = account(redis_server.url, "import", "-", text=text)
    assert told.returncode != 0
    assert problem in told.stderr
    assert redis_server.control.dbsize() == 0
