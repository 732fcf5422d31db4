"""The one order of public messages."""

from tertulia_load import texts
from tertulia_load.order import Order
from tertulia_load.texts import Kind

TAG = b"test0"


def raw(sender: int, number: int, *, tag: bytes = TAG, kind: Kind = Kind.PUBLIC) -> bytes:
    return texts.token(tag, kind, sender, number, 1000 * number)


def order() -> Order:
    """Return the order a0 b0 a1 b1."""
    made = Order(TAG, 2)
    assert made.follows(0, [raw(0, 0), raw(1, 0), raw(0, 1), raw(1, 1)])
    return made


def test_the_first_reader_makes_the_order_and_others_find_it() -> None:
    made = order()
    assert made.end == 4
    assert made.follows(1, [raw(1, 0), raw(0, 1)])
    assert made.follows(3, [raw(1, 1), raw(0, 2)])
    assert (made.end, made.owners, made.due[-1]) == (5, [0, 1, 0, 1, 0], 2000)


def test_what_is_elsewhere_does_not_follow() -> None:
    made = order()
    assert not made.follows(0, [raw(1, 0)])
    assert not made.follows(2, [raw(0, 1), raw(0, 1)])
    assert not made.follows(4, [raw(0, 1)])
    assert made.end == 4


def test_only_a_senders_next_message_of_this_round_is_new() -> None:
    made = order()
    for wrong in (
        raw(0, 3),
        raw(0, 0),
        raw(2, 0),
        raw(0, 2, tag=b"test1"),
        raw(0, 2, kind=Kind.PRIVATE),
        b"whatever",
    ):
        assert not made.follows(4, [wrong])
    assert made.end == 4


def test_places_and_heads() -> None:
    made = order()
    assert made.place(raw(0, 1)) == 2
    assert made.place(raw(0, 2)) is None
    assert made.follows(4, [raw(0, 2)])
    assert made.place(raw(0, 2)) == 4
    assert made.heads_at(0) == {0: 0, 1: 0}
    assert made.heads_at(3) == {0: 2, 1: 1}
    assert made.heads_at(5) == {0: 3, 1: 2}


def test_what_is_forgotten_changes_nothing_else() -> None:
    made, whole = order(), order()
    assert made.place(raw(0, 0)) == 0
    made.forget(3)
    made.forget(2)
    assert (made.base, made.end, len(made.tokens)) == (3, 4, 1)
    assert made.place(raw(0, 0)) is None
    assert made.place(raw(1, 1)) == 3
    assert made.follows(3, [raw(1, 1), raw(0, 2)])
    assert whole.follows(4, [raw(0, 2)])
    assert made.digest() == whole.digest()
    assert made.heads_at(4) == whole.heads_at(4)


def test_another_order_has_another_digest() -> None:
    other = Order(TAG, 2)
    assert other.follows(0, [raw(0, 0), raw(0, 1), raw(1, 0), raw(1, 1)])
    assert other.digest() != order().digest()
