"""What a client was given that it may acknowledge, and whether it is one that does."""

import pytest

from tertulia.chat.receipts import Receipts, Stream


def in_a_room(*, acknowledges_all: bool, said: int) -> tuple[Receipts, Stream]:
    stream, receipts = Stream(), Receipts(acknowledges_all=acknowledges_all)
    stream.messages = said
    receipts.join(stream)
    return receipts, stream


def test_received_are_public_messages_since_the_join_and_private_ones() -> None:
    receipts, stream = in_a_room(acknowledges_all=True, said=100)
    assert receipts.received() == 0
    stream.messages += 3
    assert [receipts.give(), receipts.give()] == [4, 5]
    assert receipts.received() == 5


def test_each_line_of_a_private_message_is_one_for_who_acknowledges_everything() -> None:
    assert in_a_room(acknowledges_all=True, said=0)[0].give(3) == 3
    assert in_a_room(acknowledges_all=False, said=0)[0].give(3) == 1


def test_messages_of_the_joins_own_entry_that_came_before_it_are_not_received() -> None:
    receipts, stream = in_a_room(acknowledges_all=True, said=0)
    stream.messages = 2
    receipts.skip(1)
    assert receipts.received() == 1


def test_where_only_private_messages_are_acknowledged_only_those_count() -> None:
    receipts, stream = in_a_room(acknowledges_all=False, said=0)
    stream.messages += 100
    assert [receipts.give() for _ in range(3)] == [1, 2, 3]
    assert receipts.received() == 3


def test_before_the_join_only_private_messages_count() -> None:
    receipts = Receipts(acknowledges_all=True)
    receipts.give()
    assert receipts.received() == 1


@pytest.mark.parametrize(
    ("received", "acknowledged", "is_acknowledging"),
    [(0, 0, True), (1, 0, False), (1, 1, True), (10, 4, False), (10, 5, True), (10, 11, True)],
)
def test_a_client_acknowledges_if_it_does_so_for_half(
    received: int, acknowledged: int, is_acknowledging: bool
) -> None:
    receipts = Receipts(acknowledges_all=True)
    for _ in range(received):
        receipts.give()
    receipts.acknowledged += acknowledged
    assert receipts.is_acknowledging is is_acknowledging
