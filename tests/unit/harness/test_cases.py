"""Tests that are many cases: all of them are looked at, and the one that fails is named."""

import traceback
from collections.abc import Callable

import pytest

from harness.cases import LONGEST, each


def told(test: Callable[[], object]) -> str:
    """Run a test that fails, and return what is said of it last."""
    with pytest.raises(BaseException) as caught:
        test()
    return "".join(traceback.format_exception_only(caught.value))


def test_all_cases_are_gone_through_in_their_order() -> None:
    seen: list[object] = []

    @each(("number", "word"), [(1, "one"), (2, "two")])
    @each("ends", (True, False))
    def test(**case: object) -> None:
        seen.append(tuple(case.values()))

    test()
    assert seen == [(1, "one", True), (1, "one", False), (2, "two", True), (2, "two", False)]


@pytest.mark.parametrize(
    "fails", [lambda: None, lambda: pytest.fail("so it is")], ids=["assert", "fail"]
)
def test_the_case_that_fails_is_named(fails: Callable[[], None]) -> None:
    @each(("data", "most"), [(b"\r\n", 2), (b"\n", 1), (b"\r", 0)])
    @each("read", [len])
    def test(data: bytes, most: int, read: Callable[[bytes], int]) -> None:
        if data == b"\n":
            fails()
            assert read(data) > most

    assert told(test).endswith("with read = len\nwith data = b'\\n', most = 1\n")


def test_a_long_case_is_named_in_short() -> None:
    @each("data", ["x" * 5000])
    def test(data: str) -> None:
        raise AssertionError

    assert told(test).endswith("x… (5002 characters)\n")
    assert len(told(test)) < 2 * LONGEST


def test_no_case_at_all_is_no_test() -> None:
    with pytest.raises(AssertionError, match="no case of data"):
        each("data", [])


@pytest.fixture
def seen() -> list[object]:
    return []


@each("number", [1, 2, 3])
def test_a_fixture_is_made_once_for_all_cases(seen: list[object], number: int) -> None:
    seen.append(number)
    assert seen == [1, 2, 3][:number]


@each("number", [1, 2, 3])
async def test_a_test_that_waits_goes_through_them_too(seen: list[object], number: int) -> None:
    seen.append(number)
    assert seen == [1, 2, 3][:number]
