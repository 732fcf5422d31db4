"""Renewing tokens: how many at a time, and when."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from tertulia.chat.ports import Follower
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link
from tertulia.store import renewing
from tertulia.store.keys import Keys
from tertulia.store.renewing import STEP, TOKEN_MS, TokenRenewal
from tertulia.telemetry.metrics import RetryCause


class FakeLink:
    def __init__(self) -> None:
        self.calls: list[Sequence[Sequence[Any]]] = []
        self.is_away = False

    async def ask(self, *commands: Sequence[Any]) -> list[int]:
        if self.is_away:
            raise StoreAway(RetryCause.CONNECTION, "away")
        self.calls.append(commands)
        return [1] * len(commands)

    @property
    def renewed(self) -> list[str]:
        return [name for commands in self.calls for _, name, _ in commands]


class House:
    def __init__(self, count: int) -> None:
        self.count = count

    def tokens(self) -> Iterable[str]:
        return [f"t{i}" for i in range(self.count)]


def made(count: int) -> tuple[TokenRenewal, FakeLink]:
    link = FakeLink()
    house = cast(Follower, House(count))
    return TokenRenewal(Keys("main"), cast(Link, link), house), link


async def test_all_are_renewed_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "EVERY_SECONDS", 0.0)
    renewal, link = made(STEP * 2 + 1)
    monkeypatch.setattr(renewing, "EVERY_SECONDS", 300.0)
    for _ in range(5):
        await renewal.round()
    assert [len(it) for it in link.calls] == [STEP, STEP, 1, 0, 0], "and then not for a while"
    assert set(link.renewed) == {Keys("main").token(f"t{i}") for i in range(STEP * 2 + 1)}
    assert {(command, ms) for it in link.calls for command, _, ms in it} == {("PEXPIRE", TOKEN_MS)}


async def test_nothing_is_asked_before_it_is_time() -> None:
    renewal, link = made(3)
    await renewal.round()
    assert link.renewed == []


async def test_what_redis_did_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "EVERY_SECONDS", 0.0)
    renewal, link = made(3)
    monkeypatch.setattr(renewing, "EVERY_SECONDS", 300.0)
    link.is_away = True
    with pytest.raises(StoreAway):
        await renewal.round()
    link.is_away = False
    await renewal.round()
    assert len(link.renewed) == 3
