"""A delivery is the same however often, and by whomever, it is put together."""

import hashlib
import hmac
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import SecretStr

from tertulia.api.webhooks.deliveries import (
    MOST_BYTES,
    MOST_EVENTS,
    Gathering,
    HookDelivery,
    signature,
)
from tertulia.api.webhooks.hooks import Webhook
from tertulia.chat.ports import Entry
from tertulia.domain.events import Joined, PublicEvent, Said
from tertulia.domain.position import Position
from tertulia.operators.following import Item
from tertulia.operators.log_reader import Gap

HOOK = Webhook(name="tickets", url="https://x.example", secret=SecretStr("s" * 16), rooms=("ops",))
AT = Position("e", 10)


def said(offset: int, *texts: str, epoch: str = "e") -> Entry:
    events: list[PublicEvent] = [Joined("andy", "n:1"), *(Said("andy", "n:1", it) for it in texts)]
    return Entry(Position(epoch, offset, 1000.0 + offset), events)


def gather(items: Sequence[Item], stop: Position | None = None) -> Gathering:
    gathering = Gathering(HOOK, "ops", AT, stop)
    gathering.take(deque(items))
    return gathering


def told(delivery: HookDelivery) -> Any:
    return msgspec.json.decode(delivery.body)


def texts(delivery: HookDelivery) -> list[str]:
    return [it["text"] for it in told(delivery)["events"]]


def test_only_what_is_wanted_is_told_and_all_of_it_is_passed() -> None:
    gathering = gather([said(11), said(12, "a", "b"), said(13)])
    delivery = gathering.delivery()
    assert texts(delivery) == ["a", "b"]
    assert (delivery.reached, delivery.end) == (AT, Position("e", 13))
    assert delivery.at == 1012
    body = told(delivery)
    del body["events"]
    assert body == {
        "id": delivery.id, "hook": "tickets", "chat": "main", "room": "ops", "position": "e:13",
    }  # fmt: skip


def test_what_nobody_wants_makes_no_delivery() -> None:
    gathering = gather([said(11), said(12)])
    assert not gathering.has_events
    assert gathering.end == Position("e", 12)


def test_it_ends_where_it_ended_at_the_first_try_though_more_is_there_by_now() -> None:
    first = gather([said(11, "a"), said(12, "b")]).delivery()
    again = gather([said(11, "a"), said(12, "b"), said(13, "c")], first.end)
    assert again.is_full
    assert again.delivery() == HookDelivery(
        first.id, first.reached, first.end, first.body, first.at, is_pinned=True
    )
    assert gather([said(11, "a"), said(12, "b"), said(13, "c")]).delivery().id != first.id


def test_it_is_full_only_at_its_end() -> None:
    gathering = gather([said(11, "a")], Position("e", 12))
    assert gathering.has_events
    assert not gathering.is_full
    gathering.take(deque([said(12)]))
    assert gathering.is_full
    assert gathering.is_pinned


def test_it_is_bounded_but_an_entry_goes_whole() -> None:
    many = ["x"] * (MOST_EVENTS - 1)
    gathering = gather([said(11, *many), said(12, "a"), said(13, "b")])
    assert gathering.is_full
    assert gathering.end == Position("e", 12)
    large = "x" * (MOST_BYTES // 2)
    gathering = gather([said(11, large, large, large), said(12, "a")])
    assert texts(gathering.delivery()) == [large] * 3
    assert gathering.is_full


def test_what_the_log_has_lost_is_told_in_its_place() -> None:
    gap = Gap(Position("e", 14), 4)
    delivery = gather([gap, said(15, "a")]).delivery()
    assert told(delivery)["events"] == [
        {"event": "gap", "position": "e:14", "entries": 4, "reason": "trimmed"},
        {
            "event": "said",
            "at": "1970-01-01T00:16:55Z",
            "position": "e:15",
            "place": "15.0",
            "nickname": "andy",
            "is_account": False,
            "text": "a",
            "is_redacted": False,
        },
    ]


def test_a_delivery_goes_on_with_a_gap_within_and_is_another_one_behind_a_larger_gap() -> None:
    within = gather([Gap(Position("e", 11), 1), said(12, "b"), said(13, "c")], Position("e", 12))
    assert (within.is_pinned, within.is_full, within.end) == (True, True, Position("e", 12))
    beyond = gather([Gap(Position("e", 20), 10), said(21, "c")], Position("e", 12))
    assert not beyond.is_pinned
    assert beyond.end == Position("e", 21)


def test_in_another_epoch_it_is_another_one() -> None:
    gap = Gap(Position("f", 3), None)
    gathering = gather([gap, said(4, "a", epoch="f")], Position("e", 12))
    assert not gathering.is_pinned
    assert gathering.end == Position("f", 4)
    assert told(gathering.delivery())["position"] == "f:4"


def test_a_signature_is_of_the_time_and_the_body() -> None:
    mac = hmac.new(b"secret", b"1700000000.{}", hashlib.sha256).hexdigest()
    assert signature("secret", b"{}", 1700000000) == f"t=1700000000,v1={mac}"
    assert signature("secret", b"{}", 1700000001) != signature("secret", b"{}", 1700000000)
