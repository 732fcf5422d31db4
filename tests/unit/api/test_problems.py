"""What an error says: what was wrong, where, and what to do; always as a problem."""

import json

import httpx
import pytest

from fakes.api import FakeApi
from tertulia.api.alert_lines import MOST_NAMES
from tertulia.api.problems import MEDIA_TYPE, MOST_ERRORS
from tertulia.api.tokens import Scope

JSON = {"Content-Type": "application/json", "Idempotency-Key": "k"}


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, kind and detail of a problem."""
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["type"].removeprefix("urn:tertulia:"), body["detail"]


async def test_an_address_that_is_none_is_named(api: FakeApi) -> None:
    status, kind, detail = told(await api.caller(Scope.READ).get("/nowhere"))
    assert (status, kind) == (404, "not-found")
    assert "/v1/nowhere" in detail and "/openapi.json" in detail


@pytest.mark.parametrize("path", ["/self/", "/rooms/lobby/", "/rooms/"])
async def test_nobody_is_led_to_another_address(api: FakeApi, path: str) -> None:
    # It would be http:// behind a balancer that ends TLS, and the token would go there in the clear.
    answer = await api.caller(*Scope).get(path)
    assert "location" not in answer.headers
    assert told(answer)[0] == 404


async def test_a_method_that_is_none_is_named(api: FakeApi) -> None:
    status, kind, detail = told(await api.caller(Scope.READ).request("BREW", "/self"))
    assert (status, kind) == (405, "method-not-allowed")
    assert "BREW" in detail and "Allow" in detail


async def test_a_file_that_the_console_has_not_is_a_problem(api: FakeApi) -> None:
    status, kind, detail = told(await api.caller().get("http://api.example/console/nope.js"))
    assert (status, kind) == (404, "not-found")
    assert "/console/nope.js" in detail


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
@pytest.mark.parametrize("path", ["messages", "alerts"])
async def test_a_body_of_another_type_is_refused_as_such(
    api: FakeApi, path: str, kind: str
) -> None:
    answer = await api.caller(Scope.SAY).post(
        f"/rooms/lobby/{path}", content=b'{"text": "x"}', headers=JSON | {"Content-Type": kind}
    )
    status, word, detail = told(answer)
    assert (status, word) == (415, "unsupported-media-type")
    assert "Content-Type: application/json" in detail


@pytest.mark.parametrize("body", [b'{"text": "\xff"}', b"[" * 30_000 + b"]" * 30_000])
async def test_a_body_that_cannot_be_read_says_what_it_has_to_be(api: FakeApi, body: bytes) -> None:
    answer = await api.caller(Scope.SAY).post("/rooms/lobby/messages", content=body, headers=JSON)
    status, _, detail = told(answer)
    assert status == 400
    assert "JSON" in detail and "UTF-8" in detail


async def test_a_list_where_an_object_should_be_is_no_matter_of_its_type(api: FakeApi) -> None:
    answer = await api.caller(Scope.SAY).post("/rooms/lobby/messages", content=b"[]", headers=JSON)
    assert told(answer)[:2] == (422, "invalid-request")


WRONG_ALERT = {"status": 1, "labels": 1, "annotations": 1, "startsAt": 1}
NAMES = dict.fromkeys(map(str, range(60_000)), 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages", dict.fromkeys(map(str, range(6_000)), 1)),
        ("messages", dict.fromkeys(map(str, range(90)), 1)),
        ("alerts", {"version": "4", "alerts": [WRONG_ALERT] * 9_000}),
        ("alerts", {"version": "4", "alerts": [{"status": "firing", "labels": NAMES}]}),
        ("alerts", {"version": "4", "alerts": [{"status": "firing", "annotations": NAMES}]}),
    ],
)
async def test_of_all_that_is_wrong_some_is_said(api: FakeApi, path: str, body: object) -> None:
    answer = await api.caller(Scope.SAY).post(
        f"/rooms/lobby/{path}", content=json.dumps(body), headers=JSON
    )
    assert told(answer)[0] == 422
    assert len(answer.json()["errors"]) <= MOST_ERRORS
    assert len(answer.content) < 8_192


async def test_many_labels_are_no_error(api: FakeApi) -> None:
    labels = dict.fromkeys(map(str, range(MOST_NAMES)), "x")
    body = {"version": "4", "alerts": [{"status": "firing", "labels": labels}]}
    answer = await api.caller(Scope.SAY).post("/rooms/lobby/alerts", json=body)
    assert told(answer)[1] == "no-account"
