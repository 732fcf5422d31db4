"""What is done after a try: it is taken, tried again later and later, or given up."""

import pytest

from tertulia.api.webhooks.trying import (
    LONGEST_ASKED,
    LONGEST_WAIT,
    ReceiverAnswer,
    TryBounds,
    TryOutcome,
    decide,
    retry_after,
)

PATIENCE = TryBounds(5, 3600)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, TryOutcome.DELIVERED), (204, TryOutcome.DELIVERED), (299, TryOutcome.DELIVERED),
        (0, TryOutcome.AGAIN), (199, TryOutcome.AGAIN), (302, TryOutcome.AGAIN), (400, TryOutcome.AGAIN),
        (404, TryOutcome.AGAIN), (500, TryOutcome.AGAIN), (410, TryOutcome.GONE),
    ],
)  # fmt: skip
def test_only_2xx_is_taken_and_410_is_the_end(status: int, outcome: TryOutcome) -> None:
    assert decide(ReceiverAnswer(status), 1, 0, PATIENCE, 0).outcome is outcome


def test_waits_double_up_to_a_bound_and_luck_spreads_them() -> None:
    patient = TryBounds(10**6, 10**9)
    longest = [decide(ReceiverAnswer(500), it, 0, patient, 1).wait for it in range(1, 20)]
    assert longest[:4] == [0.5, 1, 2, 4]
    assert longest[-1] == LONGEST_WAIT
    shortest = [decide(ReceiverAnswer(500), it, 0, patient, 0).wait for it in range(1, 20)]
    assert shortest == [it / 2 for it in longest]
    assert decide(ReceiverAnswer(500), 10**5, 0, patient, 1).wait == LONGEST_WAIT


def test_who_asks_for_a_pause_gets_it_up_to_a_bound() -> None:
    def wait(asked: float) -> float:
        return decide(ReceiverAnswer(429, retry_after=asked), 1, 0, TryBounds(9, 10**6), 1).wait

    assert wait(30) == 30
    assert wait(0.1) == 0.5, "never sooner than otherwise"
    assert wait(10**9) == LONGEST_ASKED


def test_it_is_given_up_after_so_many_tries_or_so_much_time() -> None:
    assert decide(ReceiverAnswer(500), 4, 0, PATIENCE, 0).outcome is TryOutcome.AGAIN
    assert decide(ReceiverAnswer(500), 5, 0, PATIENCE, 0).outcome is TryOutcome.DEAD
    assert decide(ReceiverAnswer(500), 1, 3600, PATIENCE, 0).outcome is TryOutcome.DEAD
    assert decide(ReceiverAnswer(200), 9, 9999, PATIENCE, 0).outcome is TryOutcome.DELIVERED


def test_the_last_try_is_when_the_time_is_over() -> None:
    assert decide(ReceiverAnswer(503, retry_after=60), 2, 3590, PATIENCE, 0).wait == 10


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("120", 120), ("0", 0), ("", 0), ("soon", 0), ("-5", 0), ("١٢", 0), ("9" * 99, 999_999_999),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:17:40 +0000", 60), ("Thu, 99 Jan 1970 00:00:00 GMT", 0),
        ("1-Jan-2949672966 7:0 G", 0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(told: str, seconds: float) -> None:
    assert retry_after(told, 1000) == seconds


def test_an_answer_says_in_words_what_it_was() -> None:
    assert ReceiverAnswer(500).in_words == "it answered 500"
    assert ReceiverAnswer(why="it did not answer").in_words == "it did not answer"
