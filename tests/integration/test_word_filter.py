"""Words that a listener refuses, in every dialect, read again on SIGHUP; and files that can't be used."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import processes
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import DIALECT, launch, listener, port
from harness.node import Node, NodeFactory
from harness.protocollo_client import ProtocolloClient
from harness.waiting import until

KINDS: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
IN_ENGLISH = "102 G Your message was not sent: it has words that are not allowed here"
FAILED = '{{"type":"failed","id":{},"reason":"filtered"}}'
IN_ITALIAN = "G> messaggio non inviato: contiene parole che qui non sono ammesse"


async def filtered(node: Node) -> dict[str, float]:
    name = "tertulia_messages_filtered_total"
    found = [it for it in await node.metrics() if it.name == name and it.value]
    return {it.labels["dialect"]: it.value for it in found}


async def hangup(node: Node, code: str) -> list[str]:
    """Have a node read its files again, and return what it says then of its three filters."""

    def told() -> list[str]:
        return [line for line in node.lines if code in line]

    before = len(told())
    os.kill(node.pid, signal.SIGHUP)
    await until(lambda: len(told()) == before + 3, 30, code)
    return told()[before:]


async def test_every_dialect_and_new_words(node_factory: NodeFactory, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("# ours\ncasino\n")
    node = launch(node_factory, [listener(it, filter=str(words)) for it in KINDS])
    await node.ready()
    chatte, page, browser = [await it.enter_chat(port(node, it), DIALECT[it]) for it in KINDS]
    assert isinstance(browser, BrowserClient)

    chatte.send(b"100 my CASINO\n102 browser my casino\n")
    for _ in range(2):
        await chatte.expect_line(IN_ENGLISH)
    page.say("my casino")
    await page.expect_line(IN_ITALIAN)
    page.whisper("browser", "my casino")
    await page.expect_line(IN_ITALIAN)
    browser.say("my casino")
    browser.whisper("chatte", "my casino")
    for number in (1, 2):
        await browser.expect_line(FAILED.format(number))
    assert await filtered(node) == {"chatte": 2, "protocollo": 2, "browser": 2}

    words.write_text("roulette\n")
    await hangup(node, "filter-taken")
    chatte.say("a casino, at last")
    for client in (page, browser):
        await client.expect_line(lambda line: "a casino, at last" in line)
        assert not any("my casino" in line for line in client.lines)
    words.write_text("roulette\nlotto\n(\n")
    for line in await hangup(node, "filter-not-taken"):
        assert json.loads(line)["error"].startswith(f"{words}, line 3: missing )")
    browser.say("lotto")
    await chatte.expect_line("100 browser lotto")
    browser.say("roulette")
    await browser.expect_line(FAILED.format(4))
    assert not any("my casino" in line for line in [*chatte.lines, *node.lines])


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_bad_file_is_one_line_and_status_2(tmp_path: Path, command: str) -> None:
    words = tmp_path / "words"
    words.write_text("fine\n[\n")
    listeners = [{"dialect": "chatte", "port": 0}, listener(ChatteClient, filter=str(words))]
    process = processes.start(
        [sys.executable, "-m", "tertulia", command],
        output=subprocess.PIPE,
        environment={
            **{k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")},
            "TERTULIA_LISTENERS": json.dumps(listeners),
            "TERTULIA_DATA_DIR": str(tmp_path),
            "TERTULIA_OPS": '{"port": 0}',
        },
    )
    try:
        (line,) = process.communicate(timeout=200)[0].decode().splitlines()
    finally:
        process.kill()
        process.wait(30)
    assert process.returncode == 2
    assert line.startswith(f"tertulia: listeners[1].filter: {words}, line 2: missing ]")
