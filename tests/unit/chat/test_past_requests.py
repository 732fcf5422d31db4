"""Reading further back, and searching: page by page, one at a time, not too often."""

from dataclasses import replace

import pytest

from fakes.encoder import PlainEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat import past_requests
from tertulia.chat.room import Room
from tertulia.domain import commands
from unit.chat.conftest import Enter

READER = PlainEncoder(history=3)


@pytest.fixture
def house() -> House:
    return House(replace(LIMITS, history=3, outbox_bytes=1_000_000))


@pytest.fixture
def andy(enter: Enter) -> Client:
    """Somebody who has said a, b, c and d, e in one entry, from offset 2 on."""
    client = enter("andy", READER)
    for texts in ("a", "b", "c", "de"):
        for text in texts:
            client.say(text)
        client.read()
    return client


def ask(client: Client, before: int, index: int = 0) -> list[str]:
    client.do(commands.LookBack(before, index))
    lines = client.read()
    client.house.clock.advance(1.0)
    return lines


def search(client: Client, text: str, before: int | None = None, index: int = 0) -> list[str]:
    client.do(commands.Search(text, before, index))
    lines = client.read()
    client.house.clock.advance(1.0)
    return lines


def test_what_came_before_a_place_is_read_oldest_first(andy: Client) -> None:
    assert ask(andy, 4) == ["past 2.0 andy a", "past 3.0 andy b", "before 1.0"]
    assert ask(andy, 5, 1) == [
        *("past 2.0 andy a", "past 3.0 andy b", "past 4.0 andy c", "past 5.0 andy d"),
        "before 1.0",
    ]
    assert ask(andy, 2) == ["before 1.0"]
    assert ask(andy, 999)[-2:] == ["past 5.1 andy e", "before 1.0"]


def test_an_answer_is_a_page(andy: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_requests, "MOST_MESSAGES", 2)
    assert ask(andy, 6) == ["past 5.0 andy d", "past 5.1 andy e", "before 5.0 more"]
    assert ask(andy, 5, 1) == ["past 4.0 andy c", "past 5.0 andy d", "before 4.0 more"]
    assert ask(andy, 4) == ["past 2.0 andy a", "past 3.0 andy b", "before 2.0 more"]
    assert ask(andy, 2) == ["before 1.0"]


@pytest.mark.parametrize("bound", ["MOST_BYTES", "MOST_SIZE", "MOST_ENTRIES"])
def test_an_answer_is_bounded(andy: Client, bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_requests, bound, 1)
    assert ask(andy, 5) == ["past 4.0 andy c", "before 4.0 more"]
    assert search(andy, "a")[-1].endswith("more")


def test_pages_put_together_are_all_that_was_said(
    andy: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_requests, "MOST_MESSAGES", 1)
    read: list[str] = []
    place, more = (999, 0), True
    while more:
        *lines, last = ask(andy, *place)
        read = lines + read
        offset, index = last.split()[1].split(".")
        place, more = (int(offset), int(index)), last.endswith("more")
    assert [line.split()[-1] for line in read] == [*"abcde"]


def test_nothing_is_read_across_the_closing(andy: Client, enter: Enter) -> None:
    andy.do(commands.CloseChat())
    andy.read()
    betty = enter("betty", READER)
    betty.say("f")
    betty.read()
    assert ask(betty, 999) == ["past 8.0 betty f", "before 6.0"]
    assert search(betty, "a") == ["found a", "before 6.0"]


def test_a_text_is_found_whatever_its_case(andy: Client) -> None:
    andy.say("Straße und ABEND")
    andy.read()
    for text in ("strasse", "STRASSE UND", "abend"):
        assert search(andy, text) == [
            *(f"found {text}", "past 6.0 andy Straße und ABEND", "before 1.0"),
        ]
    assert search(andy, "abende") == ["found abende", "before 1.0"]
    assert search(andy, "b", 4) == ["found b", "past 3.0 andy b", "before 1.0"]


def test_a_search_goes_on_where_it_ended(andy: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_requests, "MOST_FOUND", 1)
    for text in ("ax", "bx"):
        andy.say(text)
        andy.read()
    assert search(andy, "x") == ["found x", "past 7.0 andy bx", "before 7.0 more"]
    assert search(andy, "x", 7) == ["found x", "past 6.0 andy ax", "before 6.0 more"]
    assert search(andy, "x", 6) == ["found x", "before 1.0"]


def test_one_at_a_time(andy: Client) -> None:
    andy.do(commands.LookBack(3))
    andy.do(commands.Search("a"))
    assert andy.read() == ["fault malformed", "past 2.0 andy a", "before 1.0"]


def test_the_next_one_waits_a_little(andy: Client) -> None:
    andy.do(commands.LookBack(3))
    assert len(andy.read()) == 2
    andy.do(commands.LookBack(3))
    assert andy.read() == []
    andy.do(commands.LookBack(3))
    assert andy.read() == ["fault malformed"], "and no third"
    andy.house.clock.advance(past_requests.REST_SECONDS)
    assert len(andy.read()) == 2


def test_who_leaves_meanwhile_costs_nothing_more(andy: Client, enter: Enter, room: Room) -> None:
    betty = enter("betty", READER)
    assert len(ask(betty, 3)) == 2
    betty.do(commands.LookBack(3))
    betty.lose()
    andy.do(commands.LookBack(3))
    assert "past 2.0 andy a" in andy.read()
    andy.house.clock.advance(1.0)
    requests = room._asked._past_requests
    assert not requests._resting
    assert not requests._underway


def test_where_newcomers_read_nothing_nobody_looks_back(andy: Client, enter: Enter) -> None:
    carl = enter("carl")
    assert ask(carl, 999) == ["before 7.0"]
    assert search(carl, "a") == ["found a", "before 7.0"]


def test_what_is_not_told_yet_is_told_before_the_answer(andy: Client, room: Room) -> None:
    """The past comes behind what is written at that moment, in its place among everything else."""
    andy.do(commands.LookBack(3))
    andy.say("now")
    lines = andy.read()
    assert set(lines) == {"past 2.0 andy a", "before 1.0", "said andy now", "sent"}
