"""Operating in the console: bans, accounts, nodes, webhooks."""

import pytest

from console.console_page import ConsolePage
from console.fake_api import ConsoleApi

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_network_is_banned_and_a_ban_is_lifted(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/bans", "Bans")
    await page.click("[aria-label='Lift the ban of 198.51.100.0/24']")
    await page.click("#asking .primary")
    await console.told("198.51.100.0/24 is no longer banned")
    await page.wait_for_selector("text=Nobody is banned.")
    await page.click("text=New ban")
    await page.select_option("#field-kind", "address")
    await page.fill("#field-subject", "203.0.113.0/24")
    await page.fill("#field-reason", "floods")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("tbody th >> text=203.0.113.0/24")
    assert api.done("DELETE") == [("bans/address/198.51.100.0/24", None)]
    assert api.bans[0]["subject"] == "203.0.113.0/24"


async def test_accounts_are_made_changed_and_deleted(console: ConsolePage, api: ConsoleApi) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/accounts", "Accounts")
    await page.click("text=New account")
    await page.fill("#field-name", "anna")
    await page.fill("#field-password", "tea-at-five")
    await page.keyboard.press("Enter")
    await console.complained("anna has an account already")
    assert "tea-at-five" not in await page.content()
    await page.click("text=New account")
    await page.fill("#field-name", "evan")
    await page.fill("#field-password", "tea-at-five")
    await page.keyboard.press("Enter")
    await page.click("[aria-label='Password of evan']")
    await page.fill("#field-password", " coffee ")
    await page.keyboard.press("Enter")
    await console.told("evan has a new password")
    assert api.done("PUT")[-1] == ("accounts/evan/password", {"password": " coffee "})
    await page.fill(".find", "AN")
    await page.wait_for_selector("tbody th >> text=dora", state="detached")
    await page.fill(".find", "")
    await page.click("[aria-label='Delete the account dora']")
    await page.click("#asking .danger")
    await console.told("The account dora is deleted")
    assert [it["nickname"] for it in api.accounts] == ["anna", "evan"]
    await page.click("text=Invitation")
    await page.wait_for_selector("#asking output:text-is('tea-at-five')")


async def test_a_node_is_drained_once_it_is_confirmed(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/nodes", "Nodes")
    await page.click("[aria-label='Drain node-2']")
    assert await console.focused() == "Cancel"
    await page.keyboard.press("Enter")
    assert api.calls == []
    await page.click("[aria-label='Drain node-2']")
    await page.wait_for_selector("#asking >> text=12 sessions")
    await page.click("#asking .danger")
    await console.told("node-2 is told to drain")
    await page.wait_for_selector("tr:has-text('node-2') .is-unwell:text-is('draining')")
    assert api.done("POST") == [("nodes/node-2/drain", None)]
    await console.go_to("#/webhooks", "Webhooks")
    await page.wait_for_selector(
        "tr:has-text('tickets'):has-text('relayed by api-1') td:text-is('3')"
    )
