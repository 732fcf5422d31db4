"""Signing in at an issuer, in a real browser, on a real node."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from harness.browser_client import BrowserClient
from harness.dialects import launch, listener
from harness.issuer import CLIENT, Issuer
from harness.node import Node, NodeFactory
from web.chat_page import ChatPage, window

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest_asyncio.fixture(loop_scope="session")
async def node(node_factory: NodeFactory, issuer: Issuer) -> Node:
    oidc = {"issuer": issuer.url, "client_id": CLIENT}
    node = launch(node_factory, [{**listener(BrowserClient), "oidc": oidc}])
    await node.ready()
    return node


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, node: Node) -> AsyncIterator[ChatPage]:
    async with window(browser) as it:
        await it.open(f"http://127.0.0.1:{node.port('browser')}/")
        yield it


async def sign_in(page: ChatPage) -> None:
    await page.page.get_by_role("button", name="Sign in at 127.0.0.1").click()


async def test_one_comes_in_as_the_issuer_says_and_leaves_nothing_in_the_address(
    page: ChatPage,
) -> None:
    await sign_in(page)
    await page.inside()

    assert await page.page.inner_text("#own-name") == "anna"
    assert "?" not in page.page.url
    assert page.complaints == []
    await page.screenshot("signed-in")


async def test_who_loads_the_page_again_goes_on(page: ChatPage) -> None:
    await sign_in(page)
    await page.inside()

    await page.page.reload()
    await page.inside()

    assert await page.page.inner_text("#own-name") == "anna"


async def test_a_guest_still_comes_in_by_a_name(page: ChatPage) -> None:
    await page.enter("bruno")


async def test_a_token_for_somebody_else_lets_nobody_in(page: ChatPage, issuer: Issuer) -> None:
    issuer.claims["aud"] = "another"

    await sign_in(page)

    assert "sign in again" in await page.refusal()
    await page.screenshot("sign-in-refused")


async def test_an_answer_that_was_not_asked_for_is_none(page: ChatPage, node: Node) -> None:
    await page.open(f"http://127.0.0.1:{node.port('browser')}/?code=1&state=2")

    assert "sign in again" in await page.refusal()
    assert "?" not in page.page.url


async def test_an_answer_to_another_question_is_none(page: ChatPage, issuer: Issuer) -> None:
    issuer.claims["nonce"] = "another"

    await sign_in(page)

    assert "sign in again" in await page.refusal()


async def test_an_issuer_that_is_away_is_said_to_be(
    browser: Browser, page: ChatPage, issuer: Issuer
) -> None:
    issuer.close()

    await sign_in(page)

    assert "can’t be reached" in await page.refusal()


async def test_no_other_site_may_be_asked(page: ChatPage, issuer: Issuer) -> None:
    answer = await page.page.request.get(page.page.url)

    policy = answer.headers["content-security-policy"]
    assert f"connect-src 'self' {issuer.url};" in policy
    assert json.dumps(issuer.url) in await answer.text()
