"""The console as the API serves it: strict, packed, and asked for again."""

import re

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from tertulia.api import console


@pytest.fixture
def client() -> AsyncClient:
    app = FastAPI()
    app.include_router(console.router)
    return AsyncClient(transport=ASGITransport(app), base_url="http://api.example")


async def test_the_root_leads_to_it_behind_a_proxy_as_well(client: AsyncClient) -> None:
    for path in ("/", "/console"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, "console/")
    assert (await client.get("/", follow_redirects=True)).text.startswith("<!doctype html>")


async def test_nothing_runs_that_is_not_its_own(client: AsyncClient) -> None:
    answer = await client.get("/console/")
    policy = dict(
        it.strip().split(" ", 1) for it in answer.headers["content-security-policy"].split(";")
    )
    assert (
        policy.pop("default-src") == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    )
    assert {policy[it] for it in ("script-src", "style-src", "connect-src", "img-src")} == {
        "'self'"
    }
    assert "unsafe" not in str(policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert (
        re.findall(r"<script(?! type=\"module\" src)|<style|\bon\w+=|\bstyle=|https?:", answer.text)
        == []
    )
    missing = await client.get("/console/nothing.js")
    assert missing.status_code == 404
    assert "content-security-policy" in missing.headers


async def test_its_files_are_named_by_their_content_and_kept(client: AsyncClient) -> None:
    index = (await client.get("/console/")).text
    assert (await client.get("/console/")).headers["cache-control"] == "no-cache"
    names = re.findall(r'(?:src|href)="((?:page|style)\.[^"]+)"', index)
    assert len(names) == 2
    for name in names:
        answer = await client.get(f"/console/{name}", headers={"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]
        again = await client.get(
            f"/console/{name}", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    head = await client.head("/console/icon.svg")
    assert (head.status_code, head.headers["content-type"]) == (200, "image/svg+xml")
    assert (await client.post("/console/")).status_code == 405


async def test_every_language_is_there(client: AsyncClient) -> None:
    script = (await client.get("/console/page.js")).text
    names = re.findall(r'import\("\./(texts/\w\w\.js\?\w{12})"\)', script)
    assert len(names) == 5
    for name in names:
        assert (await client.get(f"/console/{name}")).status_code == 200
    # What it shares with the page is the page's own.
    assert "web/dialogs/asking.js" in (await client.get("/console/page.js.map")).text
