"""Who is in the room, in which order, under which nickname."""

from hypothesis import given
from hypothesis import strategies as st

from tertulia.chat.ports import Member
from tertulia.chat.roster import Roster
from tertulia.domain.events import Registered, WentAway


def member(nickname: str, session: str = "") -> Member:
    return Member(nickname, session or f"n:{nickname}", "plain")


def test_members_are_kept_in_the_order_of_their_joins() -> None:
    roster = Roster()
    for nickname in "cab":
        assert roster.add(member(nickname))
    assert [it.nickname for it in roster] == ["c", "a", "b"]
    assert len(roster) == 3
    assert list(roster.others("n:a")) == ["c", "b"]


def test_the_first_is_the_administrator_and_then_the_next() -> None:
    roster = Roster()
    assert roster.administrator is None
    for nickname in "ab":
        roster.add(member(nickname))
    assert roster.administrator == member("a")
    roster.remove("a", "n:a")
    assert roster.administrator == member("b")
    roster.add(member("a"))
    assert roster.administrator == member("b")


def test_nicknames_are_compared_without_case() -> None:
    roster = Roster()
    roster.add(member("Andy", "n:1"))
    assert roster.holder("aNDY") == member("Andy", "n:1")
    assert roster.holder("betty") is None
    assert roster.remove("ANDY", "n:1")
    assert len(roster) == 0


def test_the_same_session_is_taken_in_once() -> None:
    roster = Roster()
    assert roster.add(member("andy"))
    assert not roster.add(member("andy"))
    assert len(roster) == 1


def test_a_member_is_taken_out_by_its_own_session_only() -> None:
    roster = Roster()
    roster.add(member("andy", "n:2"))
    assert not roster.remove("andy", "n:1")
    assert not roster.remove("betty", "n:2")
    assert roster.holder("andy") == member("andy", "n:2")


def test_replacing_forgets_everybody() -> None:
    roster = Roster()
    roster.add(member("a"))
    roster.replace([member("c"), member("b")])
    assert [it.nickname for it in roster] == ["c", "b"]
    roster.clear()
    assert list(roster) == []
    assert roster.administrator is None


class RosterOfPairs(Roster):
    """Its parts are full soon."""

    part = 2


def told(roster: Roster) -> list[str]:
    return [nickname for part in roster.nicknames() for nickname in part.nicknames]


_STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["a", "A", "b", "c"]), st.sampled_from("12"))
)


@given(_STEPS)
def test_it_is_a_list_without_two_of_one_nickname(steps: list[tuple[bool, str, str]]) -> None:
    """Held against a plain list, which does the same slowly."""
    roster, model = RosterOfPairs(), list[Member]()
    for is_join, nickname, number in steps:
        mine = member(nickname, f"n:{number}")
        known = next((it for it in model if it.nickname.lower() == nickname.lower()), None)
        if is_join:
            assert roster.add(mine) is (known is None or known.session != mine.session)
            if known is None:
                model.append(mine)
            else:
                model[model.index(known)] = mine
        else:
            is_holder = known is not None and known.session == mine.session
            assert roster.remove(nickname, mine.session) is is_holder
            if is_holder and known is not None:
                model.remove(known)
        assert list(roster) == model
        assert told(roster) == [it.nickname for it in model]
        assert roster.administrator == (model[0] if model else None)


def test_what_is_another_way_with_somebody_is_noted() -> None:
    roster = Roster()
    roster.add(member("Andy"))
    assert roster.change(WentAway("andy", "n:Andy", "lunch"))
    assert roster.change(Registered("Andy", "n:Andy", True))
    assert roster.holder("andy") == Member("Andy", "n:Andy", "plain", 0, True, "lunch")
    assert roster.change(WentAway("Andy", "n:Andy"))
    assert roster.change(Registered("Andy", "n:Andy"))
    assert roster.holder("andy") == member("Andy")


def test_nothing_is_noted_of_who_is_not_there_or_is_so_already() -> None:
    roster = Roster()
    roster.add(member("andy"))
    for event in (
        *(WentAway("andy", "n:andy"), Registered("andy", "n:andy")),
        *(WentAway("andy", "n:2", "lunch"), Registered("betty", "n:betty", True)),
    ):
        assert not roster.change(event)
    assert list(roster) == [member("andy")]


def test_who_is_found_to_be_there_still_is_as_he_is_now() -> None:
    roster = Roster()
    roster.add(member("andy"))
    roster.add(member("betty"))
    assert not roster.add(Member("andy", "n:andy", "plain", is_account=True, away="lunch"))
    assert [(it.nickname, it.is_account, it.away) for it in roster] == [
        *(("andy", True, "lunch"), ("betty", False, "")),
    ]


def test_full_parts_of_the_nicknames_stay_while_only_more_come() -> None:
    roster = RosterOfPairs()
    assert roster.nicknames() == []
    for nickname in "abc":
        roster.add(member(nickname))
    first, rest = roster.nicknames()
    roster.add(member("d"))
    roster.add(member("e"))
    assert [it.nicknames for it in roster.nicknames()] == [("a", "b"), ("c", "d"), ("e",)]
    assert roster.nicknames()[0] is first
    assert rest.nicknames == ("c",)
    assert roster.nicknames()[1] is roster.nicknames()[1]


def test_the_nicknames_are_those_of_who_is_there_in_their_order() -> None:
    roster = RosterOfPairs()
    for nickname in "abc":
        roster.add(member(nickname))
    assert told(roster) == ["a", "b", "c"]
    assert roster.pass_on("n:a", member("A", "n:9"))
    assert told(roster) == ["A", "b", "c"]
    roster.reorder([member("b")])
    assert told(roster) == ["A", "c", "b"]
    roster.replace([member("d")])
    assert told(roster) == ["d"]
    roster.clear()
    assert told(roster) == []
