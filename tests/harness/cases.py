"""Tests that go through many cases as one."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

LONGEST = 200
"""Characters of a case in a failure."""

Test = Callable[..., Any]


def each(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Test], Test]:
    """Call a test with each of the cases, as one test. A failure names the case that it is of.

    It takes what ``pytest.mark.parametrize`` takes. As tests of their own, cases that are looked at in
    microseconds are thousands, and take longer to be set up than to run. Fixtures are made once, for all
    cases.
    """
    every = [_given(names, case) for case in cases]
    assert every, f"there is no case of {names}"

    def decorate(test: Test) -> Test:
        @wraps(test)
        def with_each(**others: Any) -> None:
            for case in every:
                with _named(case):
                    test(**others, **case)

        @wraps(test)
        async def with_each_in_turn(**others: Any) -> None:
            for case in every:
                with _named(case):
                    await test(**others, **case)

        is_async = inspect.iscoroutinefunction(test)
        whole: Test = with_each_in_turn if is_async else with_each
        signature = inspect.signature(test)
        rest = [it for it in signature.parameters.values() if it.name not in every[0]]
        whole.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]  # pytest asks
        return whole

    return decorate


def _given(names: str | tuple[str, ...], case: Any) -> dict[str, Any]:
    if isinstance(names, str):
        return {names: case}
    return dict(zip(names, case, strict=True))


@contextmanager
def _named(case: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # what pytest raises is no Exception
        error.add_note("with " + ", ".join(f"{name} = {_short(it)}" for name, it in case.items()))
        raise


def _short(value: Any) -> str:
    whole = getattr(value, "__name__", None) or repr(value)
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}… ({len(whole)} characters)"
