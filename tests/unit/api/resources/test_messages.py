"""Saying something over the API, and reading what was said."""

import pytest

from fakes.api import KEYS, FakeApi
from tertulia.api.tokens import Scope
from tertulia.domain.events import Closed, Joined, Redacted, Said, encode
from tertulia.domain.text import MAX_LINES, MAX_TEXT
from tertulia.store.keys import LogKeys


async def account(api: FakeApi, name: str = "bot") -> None:
    fields = {"nickname": name, "hash": "x", "since": "1"}
    await api.redis.hset(KEYS.account(name), mapping=fields)


async def write(api: FakeApi, offset: int, *events: bytes, keys: LogKeys = KEYS) -> None:
    entry = {
        "p": f"{1_700_000_000_000_000 + offset}",
        "b": "one 1",
        "e": b"\n".join(events).decode(),
    }
    await api.redis.xadd(keys.log, entry, id=f"{offset}-0")
    await api.redis.hset(keys.meta, "offset", offset)


def said(text: str) -> bytes:
    return encode(Said("anna", "one~1:1", text))


async def test_it_is_said_once_under_the_name_of_the_token(api: FakeApi) -> None:
    await account(api)
    bot = api.caller(Scope.SAY)
    sent = {"json": {"text": "a\r\nb\x07"}, "headers": {"Idempotency-Key": "k"}}
    first = await bot.post("/rooms/lobby/messages", **sent)  # type: ignore[arg-type]
    again = await bot.post("/rooms/Lobby/messages", **sent)  # type: ignore[arg-type]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    told = first.json()
    at = told.pop("at")
    assert told == {"id": "1.0", "position": "e:1", "nickname": "bot", "text": "a\nb"}
    assert at.endswith("Z")
    (entry,) = await api.log()
    assert entry["e"] == '{"t":"said","n":"bot","s":"-","x":"a\u2028b","a":true}'
    other = await bot.post(
        "/rooms/lobby/messages", json={"text": "other"}, headers={"Idempotency-Key": "k"}
    )
    assert (other.status_code, other.json()["type"]) == (422, "urn:tertulia:idempotency-key-reused")
    assert len(await api.log()) == 1
    assert api.desk.metrics.posts["said"]._value.get() == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * (MAX_TEXT + 1), "4096 bytes"),
        ("\u00e4" * (MAX_TEXT // 2 + 1), "4096 bytes"),
        ("\n".join("x" * (MAX_LINES + 1)), "50 lines"),
        ("", "nothing"),
        (" \r\n\t ", "nothing"),
        ("\x07", "nothing"),
    ],
)
async def test_a_text_that_can_not_be_said(api: FakeApi, text: str, why: str) -> None:
    await account(api)
    told = await api.caller(Scope.SAY).post(
        "/rooms/lobby/messages", json={"text": text}, headers={"Idempotency-Key": "k"}
    )
    assert (told.status_code, told.json()["type"]) == (422, "urn:tertulia:wrong-text")
    assert why in told.json()["detail"]
    assert await api.log() == []


async def test_the_longest_text_is_said(api: FakeApi) -> None:
    await account(api)
    told = await api.caller(Scope.SAY).post(
        "/rooms/lobby/messages",
        json={"text": "x" * MAX_TEXT},
        headers={"Idempotency-Key": "k" * 255},
    )
    assert told.status_code == 201


@pytest.mark.parametrize("key", [None, "", "k" * 256, "two words", "\u00e4"])
async def test_a_key_that_is_none(api: FakeApi, key: str | None) -> None:
    await account(api)
    headers = {} if key is None else {"Idempotency-Key": key.encode()}
    told = await api.caller(Scope.SAY).post(
        "/rooms/lobby/messages",
        json={"text": "x"},
        headers=headers,  # type: ignore[arg-type]
    )
    assert (told.status_code, told.json()["type"]) == (422, "urn:tertulia:invalid-request")


async def test_who_may_not_say_it(api: FakeApi) -> None:
    send = {"json": {"text": "x"}, "headers": {"Idempotency-Key": "k"}}
    for caller, room, expected in (
        (api.caller(Scope.SAY), "lobby", (409, "no-account")),
        (api.caller(Scope.SAY), "ops", (404, "no-room")),
        (api.caller(Scope.SAY), "%20", (404, "no-room")),
        (api.caller(Scope.SAY, rooms=["ops"]), "lobby", (403, "room-not-yours")),
        (api.caller(Scope.READ, Scope.OPERATE), "lobby", (403, "scope-missing")),
    ):
        told = await caller.post(f"/rooms/{room}/messages", **send)  # type: ignore[arg-type]
        status, kind = expected
        assert (told.status_code, told.json()["type"]) == (status, f"urn:tertulia:{kind}")
        assert told.headers["content-type"] == "application/problem+json"


async def test_pages_go_back_to_where_the_log_begins(api: FakeApi) -> None:
    for offset in range(1, 5):
        await write(api, offset, *(said(f"{offset}.{index}") for index in range(3)))
    reader = api.caller(Scope.READ)
    found: list[str] = []
    before, pages = "", 0
    while True:
        query = f"&before={before}" if before else ""
        page = (await reader.get(f"/rooms/lobby/messages?limit=5{query}")).json()
        assert [it["id"] for it in page["items"]] == [it["text"] for it in page["items"]]
        found[:0] = [it["text"] for it in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        before = page["next"]
    assert pages == 3
    assert found == [f"{offset}.{index}" for offset in range(1, 5) for index in range(3)]


async def test_before_a_message_is_what_came_before_its_entry(api: FakeApi) -> None:
    for offset in range(1, 4):
        await write(api, offset, said(f"{offset}"))
    page = (await api.caller(Scope.READ).get("/rooms/lobby/messages?before=e:3")).json()
    assert [it["text"] for it in page["items"]] == ["1", "2"]
    assert page["next"] is None


async def test_what_is_redacted_is_not_read(api: FakeApi) -> None:
    await write(api, 1, said("kept"), said("secret"))
    await write(api, 2, encode(Redacted("G", "-", 1, 1, 1)))
    await api.redis.zadd(KEYS.redacted, {"1 1": 1})
    page = await api.caller(Scope.READ).get("/rooms/lobby/messages")
    assert [(it["text"], it["is_redacted"]) for it in page.json()["items"]] == [
        ("kept", False),
        ("", True),
    ]
    assert "secret" not in page.text


async def test_nothing_from_before_the_chat_was_closed(api: FakeApi) -> None:
    await write(api, 1, said("old"))
    await write(api, 2, said("old too"), encode(Closed("anna", "one~1:1")), said("new"))
    await api.redis.hset(KEYS.meta, "closed", 2)
    page = (await api.caller(Scope.READ).get("/rooms/lobby/messages")).json()
    assert [(it["id"], it["text"]) for it in page["items"]] == [("2.1", "new")]
    assert page["next"] is None


async def test_a_position_of_an_epoch_that_is_over(api: FakeApi) -> None:
    await write(api, 1, said("x"))
    reader = api.caller(Scope.READ)
    told = await reader.get("/rooms/lobby/messages?before=other:1")
    assert (told.status_code, told.json()["type"]) == (410, "urn:tertulia:position-gone")
    for wrong in ("nonsense", "e:x", ":1"):
        told = await reader.get(f"/rooms/lobby/messages?before={wrong}")
        assert (told.status_code, told.json()["type"]) == (422, "urn:tertulia:wrong-position")
    for limit in (0, 201, "x"):
        assert (await reader.get(f"/rooms/lobby/messages?limit={limit}")).status_code == 422
    assert (await reader.get("/rooms/ops/messages")).status_code == 404


async def test_a_log_of_nothing_but_joins_is_read_in_bounded_steps(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.operators.past._MOST_ENTRIES", 20)
    monkeypatch.setattr("tertulia.operators.past._PAGE_ENTRIES", 10)
    await write(api, 1, said("long ago"))
    for offset in range(2, 60):
        await write(api, offset, encode(Joined("anna", "one~1:1", "irc")))
    reader = api.caller(Scope.READ)
    page = (await reader.get("/rooms/lobby/messages")).json()
    assert page["items"] == [] and page["next"] is not None
    steps = 1
    while not page["items"]:
        page = (await reader.get(f"/rooms/lobby/messages?before={page['next']}")).json()
        steps += 1
    assert [it["text"] for it in page["items"]] == ["long ago"]
    assert steps == 3
