"""Who is in the room, in which order, under which nickname."""

from hypothesis import given
from hypothesis import strategies as st

from tertulia.chat.ports import Member
from tertulia.chat.roster import Roster


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


_STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["a", "A", "b", "c"]), st.sampled_from("12"))
)


@given(_STEPS)
def test_it_is_a_list_without_two_of_one_nickname(steps: list[tuple[bool, str, str]]) -> None:
    """Held against a plain list, which does the same slowly."""
    roster, model = Roster(), list[Member]()
    for is_join, nickname, number in steps:
        mine = member(nickname, f"n:{number}")
        known = next((it for it in model if it.nickname.lower() == nickname.lower()), None)
        if is_join:
            assert roster.add(mine) is (known is None or known.session != mine.session)
            if known is None:
                model.append(mine)
            elif known.session != mine.session:
                model[model.index(known)] = mine
        else:
            is_holder = known is not None and known.session == mine.session
            assert roster.remove(nickname, mine.session) is is_holder
            if is_holder and known is not None:
                model.remove(known)
        assert list(roster) == model
        assert roster.administrator == (model[0] if model else None)
