"""Private messages until they are done with: written, acknowledged, or returned."""

import pytest

from fakes.encoder import PlainEncoder
from fakes.outbox import RecordingOutbox
from tertulia.chat.letters import Letters
from tertulia.chat.ports import Delivery
from tertulia.chat.session import Session
from tertulia.domain.events import Undelivered, Whispered

PATIENCE = 30.0


def delivery(number: int) -> Delivery:
    return Delivery(number, "n:1", Whispered("andy", "n:2", "betty", str(number)), 0.0)


class Reader(Session):
    """A session whose outbox is at hand."""

    __slots__ = ("box",)

    def __init__(self) -> None:
        self.box = RecordingOutbox()
        super().__init__(PlainEncoder(), self.box, "192.0.2.1", 1)

    def acknowledge(self, count: int) -> None:
        """Acknowledge so many messages."""
        self.receipts.acknowledged += count

    def read(self, count: int) -> None:
        """Read so many private messages that are done with."""
        for _ in range(count):
            self.receipts.give()


@pytest.fixture
def letters() -> Letters:
    return Letters(PATIENCE)


@pytest.fixture
def reader() -> Reader:
    return Reader()


def give(letters: Letters, reader: Reader, *numbers: int, now: float = 0.0) -> None:
    for number in numbers:
        letters.give(delivery(number), reader, now)


def test_nothing_is_confirmed_before_anything_came(letters: Letters) -> None:
    assert letters.confirmed(0.0) == 0


def test_a_client_that_never_acknowledges_is_done_with_what_was_written(
    letters: Letters, reader: Reader
) -> None:
    reader.box.taken = False
    give(letters, reader, 1, 2)
    assert letters.confirmed(0.0) == 0
    reader.box.taken = True
    assert letters.confirmed(0.0) == 2


def test_once_written_is_written(letters: Letters, reader: Reader) -> None:
    """More is written meanwhile, and the kernel has not taken that."""
    give(letters, reader, 1)
    letters.look()
    reader.box.taken = False
    assert letters.confirmed(0.0) == 1


def test_one_that_is_to_be_acknowledged_is_written_when_it_was(
    letters: Letters, reader: Reader
) -> None:
    give(letters, reader, 1)
    reader.acknowledge(1)
    give(letters, reader, 2)
    (_, letter) = letters.of(reader)
    reader.box.taken = False
    assert letter.is_written()
    reader.acknowledge(1)
    assert letters.confirmed(0.0) == 2


def test_a_client_that_acknowledges_has_to(letters: Letters, reader: Reader) -> None:
    give(letters, reader, 1)
    reader.acknowledge(1)
    give(letters, reader, 2)
    assert letters.confirmed(0.0) == 1
    reader.acknowledge(1)
    assert letters.confirmed(0.0) == 2


def test_its_acknowledgement_is_not_waited_for_in_vain(letters: Letters, reader: Reader) -> None:
    reader.read(10)
    reader.acknowledge(10)
    give(letters, reader, 1, now=100.0)
    assert letters.confirmed(100.0 + PATIENCE - 0.1) == 0
    assert letters.confirmed(100.0 + PATIENCE) == 1


def test_patience_is_for_acknowledgements_not_for_the_kernel(
    letters: Letters, reader: Reader
) -> None:
    reader.box.taken = False
    give(letters, reader, 1)
    assert letters.confirmed(10 * PATIENCE) == 0


def test_who_acknowledges_only_now_and_then_is_not_waited_for(
    letters: Letters, reader: Reader
) -> None:
    reader.read(100)
    reader.acknowledge(10)
    give(letters, reader, 1)
    assert letters.confirmed(0.0) == 1


def test_one_that_is_open_holds_up_those_behind_it(letters: Letters, reader: Reader) -> None:
    slow = Reader()
    slow.box.taken = False
    give(letters, reader, 1)
    give(letters, slow, 2)
    give(letters, reader, 3)
    assert letters.confirmed(0.0) == 1
    slow.box.taken = True
    assert letters.confirmed(0.0) == 3


def test_one_that_is_skipped_is_done_with(letters: Letters, reader: Reader) -> None:
    letters.skip(1)
    assert letters.confirmed(0.0) == 1
    give(letters, reader, 2)
    letters.skip(3)
    assert letters.confirmed(0.0) == 3


def test_one_that_is_on_its_way_back_is_kept_until_it_is_there(
    letters: Letters, reader: Reader
) -> None:
    letters.hold(1)
    give(letters, reader, 2)
    assert letters.confirmed(10 * PATIENCE) == 0
    letters.release(1)
    assert letters.confirmed(0.0) == 2
    letters.release(99)  # one that others held is nothing to us


def test_what_a_session_did_not_get_is_given_back_and_held(
    letters: Letters, reader: Reader
) -> None:
    give(letters, reader, 1)
    assert all(letter.is_written() for letter in letters.of(reader))
    reader.box.taken = False
    give(letters, reader, 2, 3)
    back = list(letters.unread(reader, 0.0))
    assert [(number, event.text) for number, event in back] == [(2, "2"), (3, "3")]
    assert letters.confirmed(0.0) == 1
    letters.release(2)
    assert letters.confirmed(0.0) == 2
    letters.release(3)
    assert letters.confirmed(0.0) == 3
    assert list(letters.unread(reader, 0.0)) == []


def test_what_was_written_and_not_acknowledged_is_given_back(
    letters: Letters, reader: Reader
) -> None:
    """By a client that acknowledges: it may have died with its buffers full."""
    reader.read(5)
    reader.acknowledge(5)
    give(letters, reader, 1)
    assert [number for number, _ in letters.unread(reader, 1.0)] == [1]
    assert letters.confirmed(2 * PATIENCE) == 0
    letters.release(1)
    assert letters.confirmed(2 * PATIENCE) == 1


def test_what_waited_long_enough_is_not_given_back(letters: Letters, reader: Reader) -> None:
    reader.read(5)
    reader.acknowledge(5)
    give(letters, reader, 1)
    assert list(letters.unread(reader, PATIENCE)) == []
    assert letters.confirmed(PATIENCE) == 1


def test_a_report_is_not_reported(letters: Letters, reader: Reader) -> None:
    reader.box.taken = False
    letters.give(Delivery(1, "n:1", Undelivered("a", "n:1", "b"), 0.0), reader, 0.0)
    assert list(letters.unread(reader, 0.0)) == []
    assert letters.confirmed(0.0) == 1


def test_a_session_without_letters_has_none_to_give_back(letters: Letters, reader: Reader) -> None:
    assert list(letters.unread(reader, 0.0)) == []


def test_everything_is_forgotten_when_the_inbox_is_numbered_anew(
    letters: Letters, reader: Reader
) -> None:
    reader.box.taken = False
    give(letters, reader, 7, 8)
    letters.hold(9)
    letters.clear()
    assert letters.confirmed(0.0) == 0
    reader.box.taken = True
    give(letters, reader, 1)
    assert letters.confirmed(0.0) == 1


def test_a_reader_keeps_nothing_of_what_is_done_with(letters: Letters, reader: Reader) -> None:
    give(letters, reader, 1, 2, 3)
    letters.confirmed(0.0)
    assert letters.of(reader) == []


def test_who_looks_too_early_loses_no_moment_in_which_it_was_written(
    letters: Letters, reader: Reader
) -> None:
    """The kernel takes it at the end of the turn; what is written after that does not count against it."""
    reader.box.taken = False
    give(letters, reader, 1)
    assert letters.confirmed(0.0) == 0
    reader.box.taken = True
    letters.look()
    reader.box.taken = False
    assert letters.confirmed(0.0) == 1


def test_letters_of_a_batch_are_given_together(letters: Letters, reader: Reader) -> None:
    slow = Reader()
    slow.box.taken = False
    readers = (reader, slow, reader)
    given = [(delivery(n), it, it.receipts.give()) for n, it in enumerate(readers, 1)]
    letters.give_together(given, 0.0)
    assert letters.confirmed(0.0) == 1
    assert [it.delivery.number for it in letters.of(slow)] == [2]
    slow.box.taken = True
    assert letters.confirmed(0.0) == 3


def test_a_letter_that_was_kept_is_done_with_once_it_is_given(
    letters: Letters, reader: Reader
) -> None:
    letters.keep(delivery(1), reader)
    give(letters, reader, 2)
    assert letters.confirmed(0.0) == 0
    (kept,) = letters.kept(reader)
    letters.give(kept, reader, 0.0)
    assert letters.confirmed(0.0) == 2
