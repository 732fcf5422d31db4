"""What holds for every request: bounds, headers, what is counted, and that it is answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from fakes.api import FakeApi
from tertulia.api.callers import stranger
from tertulia.api.guard import MOST_ALERTS_BYTES, MOST_BODY_BYTES, Guard
from tertulia.api.metrics import ApiMetrics
from tertulia.api.tokens import Scope, Tokens
from tertulia.operators.deployment import Deployment


class Guarded:
    """The API with its guard."""

    def __init__(self, api: FakeApi) -> None:
        self.registry = CollectorRegistry()
        self.guard = Guard(api.app, ApiMetrics(self.registry), stranger(api.desk))
        self.client: httpx.AsyncClient = api.caller(*Scope)
        transport = httpx.ASGITransport(app=self.guard, raise_app_exceptions=False)
        self.client._transport = transport

    def requests(self) -> dict[tuple[str, str, str], float]:
        return {
            (it.labels["route"], it.labels["method"], it.labels["status"]): it.value
            for family in self.registry.collect()
            for it in family.samples
            if it.name == "tertulia_api_requests_total"
        }


@pytest.fixture
def guarded(api: FakeApi) -> Guarded:
    return Guarded(api)


async def test_requests_are_counted_by_what_no_client_can_grow(guarded: Guarded) -> None:
    await guarded.client.get("/self")
    await guarded.client.get("/rooms/ops/messages")
    await guarded.client.get("/rooms/chess/messages")
    await guarded.client.get("/nowhere/at/all")
    await guarded.client.request("BREW", "/self")
    assert guarded.requests() == {
        ("/v1/self", "GET", "2xx"): 1,
        ("/v1/rooms/{room}/messages", "GET", "4xx"): 2,
        ("none", "GET", "4xx"): 1,
        ("/v1/self", "other", "4xx"): 1,
    }


@pytest.mark.parametrize("path", ["/self", "/nowhere", "/rooms/ops/messages"])
async def test_every_answer_has_headers_that_keep_a_browser_safe(
    guarded: Guarded, path: str
) -> None:
    headers = (await guarded.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers


async def test_who_answers_get_answers_head(guarded: Guarded) -> None:
    got, head = await guarded.client.get("/self"), await guarded.client.head("/self")
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert (await guarded.client.head("/nowhere")).status_code == 404


async def test_what_may_be_asked_is_told(guarded: Guarded) -> None:
    for path, allowed in (
        ("/rooms/ops/messages", "GET, HEAD, OPTIONS, POST"),
        ("/rooms/ops/topic", "OPTIONS, PUT"),
        ("/accounts/andy", "DELETE, GET, HEAD, OPTIONS, PUT"),
    ):
        told = await guarded.client.options(path)
        assert (told.status_code, told.headers["allow"]) == (204, allowed)
        told = await guarded.client.patch(path)
        assert (told.status_code, told.headers["allow"]) == (405, allowed)
    assert (await guarded.client.options("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("path", "most"), [("messages", MOST_BODY_BYTES), ("alerts", MOST_ALERTS_BYTES)]
)
async def test_a_body_is_bounded(guarded: Guarded, path: str, most: int) -> None:
    for size, status in ((most, 422), (most + 1, 413)):
        told = await guarded.client.post(
            f"/rooms/lobby/{path}",
            content=b"x" * size,
            headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
        )
        assert told.status_code == status
        assert told.json()["type"].startswith("urn:tertulia:")
    assert told.headers["connection"] == "close"


@pytest.mark.parametrize("authorization", ["", "Bearer nobody's", "Basic eA=="])
@pytest.mark.parametrize("path", ["/rooms/lobby/alerts", "/nowhere"])
async def test_a_body_of_nobody_is_not_read(
    guarded: Guarded, path: str, authorization: str
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 65_536
        pytest.fail("it was read")

    guarded.client.headers["Authorization"] = authorization
    told = await guarded.client.post(path, content=endless())
    assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")
    assert told.json()["type"] == "urn:tertulia:no-token"
    assert told.headers["x-content-type-options"] == "nosniff"


async def test_a_stream_does_not_begin_when_its_token_was_taken_away_meanwhile(
    guarded: Guarded, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_there(*_: object) -> bool:
        api.desk.tokens = Tokens({})  # the file was read while Redis was asked
        return True

    monkeypatch.setattr(Deployment, "is_there", is_there)
    assert (await guarded.client.head("/rooms/lobby/events")).status_code == 401


def scope_of(path: str, **state: object) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": [],
        "query_string": b"", "http_version": "1.1", "scheme": "http", "state": state,
    }  # fmt: skip


async def nothing_more() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_who_takes_nothing_of_an_answer_is_cut_off(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.api.guard.STUCK_SECONDS", 0.01)
    cut = asyncio.Event()

    async def send(_: object) -> None:
        if not cut.is_set():
            await asyncio.Event().wait()

    scope = scope_of("/openapi.json", abort=cut.set)
    await asyncio.wait_for(guarded.guard(scope, nothing_more, send), 20)
    assert cut.is_set()


async def test_who_has_no_answer_when_the_process_stops_is_told_so(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def chats(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Deployment, "chats", chats)
    asking = asyncio.create_task(guarded.client.get("/rooms"))
    await asyncio.wait_for(asked.wait(), 20)
    asking.cancel()
    told = await asking
    assert (told.status_code, told.headers["retry-after"]) == (503, "1")
    assert told.json()["type"] == "urn:tertulia:stopping"


async def test_a_body_that_does_not_come_is_not_waited_for(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.api.guard.BODY_SECONDS", 0.01)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    told = await guarded.client.post(
        "/rooms/lobby/messages",
        content=never(),
        headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
    )
    assert told.status_code == 408


async def test_a_defect_is_answered_and_logged_without_what_was_sent(
    guarded: Guarded, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(api.desk.paces, "wait", fail)
    with capture_logs() as lines:
        told = await guarded.client.get("/rooms/secret/messages?before=secret")
    assert (told.status_code, told.json()["type"]) == (500, "urn:tertulia:defect")
    (line,) = lines
    line.pop("exc_info")
    assert line == {
        "event": "an API request failed",
        "log_level": "error",
        "route": "/v1/rooms/{room}/messages",
        "method": "GET",
    }
    assert ("/v1/rooms/{room}/messages", "GET", "5xx") in guarded.requests()
    assert guarded.registry.get_sample_value("tertulia_api_defects_total") == 1


async def test_what_fails_in_the_middle_ends_the_connection() -> None:
    aborted: list[bool] = []

    async def half(scope: Any, receive: Any, send: Callable[[Any], Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("a defect")

    guard = Guard(FastAPI(), ApiMetrics(CollectorRegistry()), lambda _: None)
    guard._app = half

    async def sent(_message: object) -> None:
        pass

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "state": {"abort": lambda: aborted.append(True)},
    }
    with capture_logs() as lines:
        await guard(scope, sent, sent)  # type: ignore[arg-type]
    assert aborted == [True]
    assert [it["event"] for it in lines] == ["an API request failed"]
