"""What a node knows of itself in a chat: written in one place, told by verbs."""

import ast
import re
from pathlib import Path

from tertulia.domain.position import Position
from tertulia.store.membership import NOWHERE, Membership

STORE = Path(__file__).parents[3] / "service" / "tertulia" / "store"
OUTCOMES = {"outcome", "note", "refusal"}
"""Of ops, which are handed in to be answered; and of links, which begin to note refusals anew."""


def test_each_registration_has_an_id_of_its_own() -> None:
    member = Membership("node")
    first = member.node
    assert re.fullmatch(r"node~[0-9a-f]{6}", first)
    member.took(7)
    member.answered(member.next_batch())
    member.delivered(Position("e", 1, 1.0), first, 1)
    member.rename()
    assert member.node != first
    assert member.former == first
    assert (member.letters, member.delivered_batch, member.answered_batch) == (0, 0, 0)
    assert member.position == Position("e", 1, 1.0)
    assert member.next_batch() == 2


def test_only_batches_of_its_own_are_its_own() -> None:
    member = Membership("node")
    for offset, (node, batch) in enumerate([("other~1", 9), (member.node, 3), (member.node, 0)], 1):
        assert not member.delivered(Position("e", offset, 0.5), node, batch)
    assert member.delivered_batch == 3
    assert member.position == Position("e", 3, 0.5)
    assert member.last_stamp == "500000"


def test_what_redis_lost_is_known_when_it_comes_again() -> None:
    member = Membership("node")
    for offset in (1, 2, 3):
        member.delivered(Position("e", offset, 0.0), "other~1", offset)
    member.part(1)
    assert member.position == Position("e", 1)
    assert [member.delivered(Position("e", 2, 0.0), "other~1", it) for it in (1, 2, 3, 4)] == [
        False,
        True,
        True,
        False,
    ]


def test_an_epoch_begins_at_its_base() -> None:
    for is_read in (True, False):
        member = Membership("node")
        member.took(5)
        member.delivered(Position("e", 1, 0.0), "other~1", 1)
        member.reseat(Position("f", 4), is_read=is_read)
        assert (member.position, member.letters) == (Position("f", 4), 0)
        assert member.unread == (NOWHERE if is_read else Position("f", 4))
        assert member.delivered(Position("f", 5, 0.0), "other~1", 1) is not is_read


def test_letters_are_numbered_as_redis_says() -> None:
    member = Membership("node")
    member.took(5)
    member.registered(9)
    assert member.letters == 5
    member.registered(3)
    assert member.letters == 3


def test_what_was_trimmed_is_never_heard() -> None:
    member = Membership("node")
    member.missed(Position("e", 8))
    assert member.position == member.unread == Position("e", 8)
    assert member.last_stamp == ""


def test_nobody_in_the_store_writes_what_another_one_holds() -> None:
    written = {
        f"{file.name}: {ast.unparse(target)}"
        for file in STORE.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and re.match(r"self\.|(member|committer)$", ast.unparse(target.value))
        and target.attr not in OUTCOMES
    }
    assert written == set()
