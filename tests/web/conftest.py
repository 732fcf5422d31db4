"""Fixtures for tests of the page in a real browser."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser

from web.chat_page import ChatPage, running_browser, window
from web.fake_service import FakeService, running_service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run a browser for all tests; each opens windows of its own."""
    async with running_browser() as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[FakeService]:
    """Run a service with two people in the room."""
    async with running_service(["bruno", "Carla"]) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def chat(browser: Browser, service: FakeService) -> AsyncIterator[ChatPage]:
    """Open the page. At the end it must have complained of nothing and asked nobody else."""
    async with window(browser) as it:
        await it.open(service.address)
        yield it
        assert it.complaints == []
        assert it.hosts == {urlsplit(service.address).netloc}
