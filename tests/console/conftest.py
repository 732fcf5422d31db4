"""Fixtures for tests of the console in a real browser."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser

from console.console_page import ConsolePage, window
from console.fake_api import ApiServer, ConsoleApi, running_server
from web.chat_page import running_browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run a browser for all tests; each opens windows of its own."""
    async with running_browser() as it:
        yield it


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api_server() -> AsyncIterator[ApiServer]:
    """Run a server for all tests; each has an API of its own there."""
    async with running_server() as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def api(api_server: ApiServer) -> AsyncIterator[ConsoleApi]:
    """Serve an API in which something is going on."""
    it = api_server.begin()
    yield it
    it.refuse(503, "it ends")


@pytest_asyncio.fixture(loop_scope="session")
async def console(browser: Browser, api: ConsoleApi) -> AsyncIterator[ConsolePage]:
    """Open the console. At the end it must have complained of nothing and asked nobody else."""
    async with window(browser) as it:
        await it.open(api.address)
        yield it
        assert it.complaints == []
        assert it.hosts == {urlsplit(api.address).netloc}
