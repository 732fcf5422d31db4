"""A shard of a Redis Cluster goes away, as docs/operations.md prints it, while people are in a room on it."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools import ROOT, packaged
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.crowd import listeners
from harness.load import settle
from harness.node import NodeFactory
from harness.redis_groups import ClusterRedis
from harness.waiting import until_sync
from history.record import Acked

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "operations.md").read_text()
QUESTION = "is anybody there?"
LOOKS = re.compile(r"sleep |tertulia admin |curl ")
"""Commands that change nothing."""


@pytest.fixture
def cluster() -> Iterator[ClusterRedis]:
    group = ClusterRedis(options=("--cluster-require-full-coverage", "no"))
    try:
        yield group.start()
    finally:
        group.close()


def blocks() -> list[list[tuple[str, str]]]:
    """Return what is printed: in each block, commands with what comes of them."""
    text = PAGE.partition("\n**A shard that goes away**")[2].partition("\n**A node")[0]
    found = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", it, re.MULTILINE) for it in found]


async def test_a_shard_that_goes_away(cluster: ClusterRedis, tmp_path: Path) -> None:
    packaged("nc", "netcat-openbsd")
    packaged("redis-cli", "redis-tools")
    factory = NodeFactory(tmp_path, cluster.url)
    try:
        node = factory.launch(listeners=listeners())
        await node.ready()
        carl = await ChatteClient.enter_chat(node.port(), "carl@ops")
        bert = await ChatteClient.enter_chat(node.port(), "bert@news")
        anna = await BrowserClient.enter_chat(node.port("browser"), "anna")
        for room in ("ops", "news"):
            await anna.join_room(room)
        people = [carl, bert, anna]
        await settle(people)
        away = cluster.owner("{main#ops}:meta")
        there = {
            "redis-1:6379": f"127.0.0.1:{away.port}",
            "redis-2:6379": f"127.0.0.1:{cluster.owner('{main#news}:meta').port}",
            "node1:9464": f"127.0.0.1:{node.ops_port}",
            "node1 1234": f"127.0.0.1 {node.port()}",
            "redis-cli -h redis-1 --user admin --askpass": f"redis-cli -p {away.port}",
            "tertulia admin": f"{sys.executable} -m tertulia admin",
        }

        def play(block: list[tuple[str, str]]) -> None:
            for command, printed in block:
                if command.startswith("systemctl start "):
                    away.start()
                    continue
                said = ""

                def is_as_printed(command: str = command, printed: str = printed) -> bool:
                    nonlocal said
                    done = subprocess.run(
                        ["bash", "-c", here(command, there)],
                        env=os.environ | {"TERTULIA_REDIS_URL": cluster.url},
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                        timeout=200,
                    )
                    said = squeezed(done.stdout)
                    return bool(re.fullmatch(pattern(here(printed, there)), said, re.DOTALL))

                # Five seconds are enough for an idle machine; a busy one is looked at again.
                within = 60.0 if LOOKS.match(command) else 0.0
                until_sync(
                    is_as_printed,
                    within,
                    lambda: f"$ {command}\n{said}\ninstead of\n{printed}",  # noqa: B023
                )

        first, second = blocks()
        await asyncio.to_thread(play, first)
        asked = anna.say(QUESTION, "ops")
        elsewhere = anna.say(room="news")
        await bert.expect_line(f"100 anna {elsewhere}")
        assert asked not in [it.text for it in anna.history.of(Acked)]
        await asyncio.to_thread(play, second)
        await settle(people)
        assert asked in [it.text for it in anna.history.of(Acked)]
        assert carl.lines.count(f"100 anna {QUESTION}") == 1
    finally:
        factory.end()


def here(text: str, there: dict[str, str]) -> str:
    """Put this machine's places in those of the printed ones."""
    for printed, actual in there.items():
        text = text.replace(printed, actual)
    return text


def squeezed(text: str) -> str:
    """Make one space of several: how wide a column is depends on what is in it."""
    return "".join(re.sub(r" +", " ", line).rstrip() + "\n" for line in text.splitlines())


def pattern(text: str) -> str:
    """Make a regular expression of what is printed."""
    return r"[^\n]*".join(re.escape(part) for part in squeezed(text).split("…"))
