"""A lost session that goes on: who it was, what it missed, and in which order it reads that."""

from collections.abc import Callable

import pytest

from fakes.encoder import FramedEncoder, PlainEncoder
from fakes.house import Client, House
from tertulia.chat.ports import Entry, Replay
from tertulia.chat.room import Room
from tertulia.chat.tokens import new_token, token_key
from tertulia.domain import commands
from tertulia.domain.commands import Fault, Resume
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Left, Present
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter


def resume(client: Client, lost: Client, offset: int, epoch: str = "memory") -> None:
    """Enter again, as one who read up to an entry."""
    token = lost.session.token
    client.do(commands.Enter(lost.session.nickname, resume=Resume(token, epoch, offset)))


def test_tokens_are_not_to_be_guessed_nor_told_to_the_store() -> None:
    assert len({new_token() for _ in range(1000)}) == 1000
    token = new_token()
    assert len(token) >= 24
    assert token_key(token) != token
    assert token_key(token) == token_key(token)
    assert token_key("") == ""


def test_a_session_is_given_a_token_where_the_dialect_resumes(enter: Enter) -> None:
    assert enter("andy", FramedEncoder()).session.token
    assert not enter("betty", PlainEncoder()).session.token


def test_the_tokens_of_those_who_are_here_are_named_to_the_store(enter: Enter, room: Room) -> None:
    andy, betty = enter("andy", FramedEncoder()), enter("betty", FramedEncoder())
    enter("carla")
    assert list(room.tokens()) == [andy.session.token_key, betty.session.token_key]
    betty.do(commands.Leave())
    assert list(room.tokens()) == [andy.session.token_key]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_who_comes_back_reads_what_it_missed(
    enter: Enter, connect: Connect, house: House, elsewhere: bool
) -> None:
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    andy.say("read")
    assert betty.read() == ["3 [said andy read]"]
    betty.lose()
    for text in ("missed", "this too"):
        andy.say(text)
        andy.read()
    again = connect(FramedEncoder(), room=house.room("other") if elsewhere else None)
    resume(again, betty, 3)
    assert again.read() == [
        "welcome betty andy",
        "4 [left betty, said andy missed]",
        "5 [said andy this too]",
        "6 [joined betty]",
    ]
    andy.say("present")
    assert again.read() == ["7 [said andy present]"]


def test_who_comes_back_before_it_is_missed_takes_its_nickname_over(
    enter: Enter, connect: Connect
) -> None:
    """It alone reads of it, and it stays where it was in the order."""
    andy, betty, carla = enter("andy"), enter("betty", FramedEncoder()), enter("carla")
    andy.read()
    again = connect(FramedEncoder())
    resume(again, betty, 3)
    assert again.read() == ["welcome betty andy carla", "4 [joined betty]"]
    assert betty.closed is Disconnect.DISPLACED
    assert andy.read() == []
    again.say("mine", 1)
    assert again.read() == ["5 [said betty mine]", "sent #1"]
    andy.leave()
    assert again.read() == ["6 [left andy, promoted]"]
    assert carla.read() == ["said betty mine", "left andy"]


def test_what_was_refused_is_told_to_who_comes_back(enter: Enter, connect: Connect) -> None:
    """By the store, or by the node before it came there; its answer may be lost."""
    betty = enter("betty", FramedEncoder())
    betty.whisper("nobody", "one", 1)
    betty.whisper("no body", "two", 2)
    betty.do(commands.Faulty(Fault.TOO_LONG, tag=3))
    betty.say("four", 4)
    betty.read()
    again = connect(FramedEncoder())
    resume(again, betty, 2)
    assert again.read()[0] == "welcome betty done=4 refused=1,2,3"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_was_missed_tells_nothing_of_those_who_came_back(
    enter: Enter, connect: Connect, house: House, elsewhere: bool
) -> None:
    andy, betty = enter("andy", FramedEncoder()), enter("betty", FramedEncoder())
    betty.lose()
    again = connect(FramedEncoder())
    resume(again, andy, 2)
    again.read()
    late = connect(FramedEncoder(), room=house.room("other") if elsewhere else None)
    resume(late, betty, 2)
    assert late.read() == ["welcome betty andy", "3 [left betty]", "5 [joined betty]"]


def test_what_comes_while_the_past_is_read_comes_after_it(
    enter: Enter, connect: Connect, house: House
) -> None:
    """Welcome, the past, the present: without a hole, and nothing twice."""
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    betty.lose()
    andy.say("past")
    andy.read()
    again = connect(FramedEncoder())
    resume(again, betty, 2)
    held: list[str] = []
    store = house.stores[again.room]
    replay = store.replay

    def late(after: Position, before: Position, token: str, done: Callable[[Replay], None]) -> None:
        """Answer only after more has happened."""
        andy.say("meanwhile")
        andy.whisper("betty", "meanwhile")
        house.clock.call_later(1.0, lambda: replay(after, before, token, done))

    store.replay = late  # type: ignore[method-assign]
    held += again.read()
    assert held == []
    house.clock.advance(1.0)
    assert again.read() == [
        "welcome betty andy",
        "3 [left betty, said andy past]",
        "4 [joined betty]",
        "5 [said andy meanwhile]",
        "whispered andy meanwhile",
    ]
    andy.say("later")
    assert again.read() == ["6 [said andy later]"]


def test_who_goes_while_the_past_is_read_reads_nothing(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    again = connect(FramedEncoder())
    resume(again, betty, 2)
    store = house.stores[again.room]
    replay = store.replay
    store.replay = lambda *asked: house.clock.call_later(  # type: ignore[assignment, method-assign]
        1.0, lambda: replay(*asked)
    )
    again.read()
    again.lose()
    house.clock.advance(1.0)
    assert again.outbox.read() == []
    assert andy.read()[-1] == "left betty"


def test_what_of_it_was_done_is_told(enter: Enter, connect: Connect) -> None:
    betty = enter("betty", FramedEncoder())
    for tag in (1, 2, 3):
        betty.say(f"number {tag}", tag)
    betty.whisper("betty", "number 4", 4)
    betty.read()
    again = connect(FramedEncoder())
    resume(again, betty, 2)
    assert again.read()[0] == "welcome betty done=4"


def test_a_place_that_the_log_never_had_means_that_some_is_missed(
    enter: Enter, connect: Connect
) -> None:
    betty = enter("betty", FramedEncoder())
    again = connect(FramedEncoder())
    resume(again, betty, 99, epoch="earlier")
    assert again.read()[0] == "welcome betty missed"


def test_who_has_another_token_is_refused(enter: Enter, connect: Connect) -> None:
    betty = enter("betty", FramedEncoder())
    thief = connect(FramedEncoder())
    thief.do(commands.Enter("betty", resume=Resume("guessed", "memory", 1)))
    assert thief.read() == ["refused nickname_taken betty"]
    assert betty.closed is None


def test_a_resume_is_nothing_to_a_dialect_that_has_none(enter: Enter, connect: Connect) -> None:
    betty = enter("betty", FramedEncoder())
    thief = connect(PlainEncoder())
    resume(thief, betty, 1)
    assert thief.read() == ["refused nickname_taken betty"]


def test_places_are_those_of_the_log(enter: Enter) -> None:
    places: list[Position] = []

    class Placed(FramedEncoder):
        """Notes the places that it is given."""

        def batch(self, pieces: object, position: Position, first: int = 0) -> bytes:
            places.append(position)
            return super().batch(pieces, position)  # type: ignore[arg-type]

    andy = enter("andy", Placed())
    andy.say("x")
    andy.read()
    assert {place.offset for place in places} == {1, 2}
    assert {place.epoch for place in places} == {"memory"}


def test_who_was_present_when_redis_lost_data_is_not_told_as_come(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    betty.lose()
    andy.say("before")
    andy.read()
    replay = house.stores[andy.room].replay

    def with_presence(
        after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        def add(found: Replay) -> None:
            place = found.entries[-1].position
            andy_again = Present("andy", andy.session.name, "plain")
            entries = [Entry(place, [andy_again]), Entry(place, [andy_again, Left("x", "n:9")])]
            done(Replay([*found.entries, *entries], found.is_complete, found.done))

        replay(after, before, token, add)

    house.stores[andy.room].replay = with_presence  # type: ignore[method-assign]
    again = connect(FramedEncoder())
    resume(again, betty, 2)
    assert again.read() == [
        "welcome betty andy",
        "3 [left betty, said andy before]",
        "3 [left x]",
        "4 [joined betty]",
    ]
