"""Lighthouse finds nothing that lowers its scores for accessibility and best practices."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from harness.requirements import lack, program
from web.chat_page import ARGUMENTS, window
from web.fake_service import FakeService
from web.views import views

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

HERE = Path(__file__).parent
SECONDS = 120.0
JUDGED = ("chat", "settings", "rooms", "reconnecting")
"""Of what the page shows; axe, whose rules these mostly are, goes through all of it."""


class Lighthouse:
    """A program that judges a window of the browser on a port."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def judge(self, how: str) -> dict[str, Any]:
        """Judge the window as it is (``look``), or load it anew (``load``)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{how}\n".encode())
        line = await asyncio.wait_for(self._process.stdout.readline(), SECONDS)
        assert line, "Lighthouse has stopped: its reason stands above"
        found: dict[str, Any] = json.loads(line)
        return found


@asynccontextmanager
async def lighthouse(port: int, address: str) -> AsyncIterator[Lighthouse]:
    node = program("node", "nodejs")
    if not (HERE / "node_modules").exists():
        lack("Lighthouse", "run make lighthouse, which installs it")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        node, str(HERE / "scores.mjs"), str(port), address, stdin=pipe, stdout=pipe
    )
    try:
        yield Lighthouse(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port


async def test_the_scores_are_full(service: FakeService) -> None:
    port = free_port()
    arguments = [*ARGUMENTS, f"--remote-debugging-port={port}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), args=arguments
        )
        async with (
            window(browser, reduced_motion="reduce") as chat,
            lighthouse(port, service.address) as judge,
        ):
            await chat.open(service.address)
            judged = {"entrance": await judge.judge("load")}
            await chat.page.wait_for_selector("#entrance:not([hidden])")
            async for view in views(chat, service):
                if view in JUDGED:
                    judged[view] = await judge.judge("look")
        await browser.close()
    assert judged.keys() == {"entrance", *JUDGED}
    full = {"accessibility": 1, "best-practices": 1}
    less = {view: it for view, it in judged.items() if it["scores"] != full or it["run"]}
    assert not less, json.dumps(less, indent=1)
