"""All readers, for some seconds; `make fuzz` goes on for as long as one likes."""

import secrets
import time
from collections.abc import Sequence

import pytest

from fuzz.readers import TARGETS
from fuzz.readers.edge import loud
from fuzz.target import Pieces, Target, check
from fuzz.trying import SLOW_SECONDS, Trial, Tried
from tertulia.node.listeners import DEVICE, IRC
from tertulia.node.node import ENCODERS

pytestmark = pytest.mark.slow

SECONDS = 12.0
"""For all of them together."""


@pytest.mark.parametrize("target", TARGETS, ids=[it.name for it in TARGETS])
async def test_whatever_comes_is_read_or_refused(target: Target) -> None:
    seed = secrets.randbits(32)
    with loud():
        finding = Trial(target, seed).go_on(SECONDS / len(TARGETS)).finding
    assert finding is None, (
        f"{finding}\nagain: make fuzz FUZZ='--only \"{target.name}\" --seed {seed}'"
    )


def test_every_dialect_is_tried() -> None:
    for dialect in [*ENCODERS, IRC, DEVICE]:
        assert any(it.name.startswith(dialect) for it in TARGETS), dialect


def test_no_two_are_called_the_same() -> None:
    assert len({it.name for it in TARGETS}) == len(TARGETS)


# What tries them


def tried(read: object, *, is_cut: bool = True) -> Tried:
    target = Target("x", read, (b"hello world",), (b"\n",), is_cut=is_cut)  # type: ignore[arg-type]
    return Trial(target, 7).go_on(float("inf"), 20_000)


def test_a_reader_that_does_as_it_should_is_tried_to_the_end() -> None:
    went = tried(lambda pieces: b"".join(pieces).split(b"\n"))
    assert went.finding is None
    assert went.inputs == 20_000
    assert len(went.shapes) > 5, "new outcomes lead to newer ones"


def test_an_exception_is_found_and_its_input_made_small() -> None:
    def read(pieces: Pieces) -> object:
        return b"".join(pieces).index(b"o")

    finding = tried(read).finding
    assert finding is not None
    assert "ValueError" in str(finding)
    assert b"".join(finding.pieces) == b""


def test_what_depends_on_how_it_is_cut_is_found() -> None:
    def read(pieces: Pieces) -> object:
        return [b"wor" in piece for piece in pieces if b"wor" in piece]

    finding = tried(read).finding
    assert finding is not None
    assert "in pieces" in str(finding)
    assert len(finding.pieces) > 1
    assert b"wor" in b"".join(finding.pieces)
    assert tried(read, is_cut=False).finding is None


def test_what_is_always_true_and_is_not_is_found() -> None:
    def read(pieces: Pieces) -> object:
        check(sum(map(len, pieces)) < 100, "too much is kept")
        return None

    finding = tried(read).finding
    assert finding is not None
    assert "too much is kept" in str(finding)


def test_who_takes_long_is_found() -> None:
    def read(pieces: Pieces) -> object:
        until = time.process_time() + SLOW_SECONDS * 0.6
        while time.process_time() < until:
            pass
        return None

    finding = tried(read).finding
    assert finding is not None
    assert "CPU" in str(finding)


def test_the_same_seed_has_the_same_inputs() -> None:
    def inputs(seed: int) -> Sequence[bytes]:
        seen: list[bytes] = []

        def read(pieces: Pieces) -> object:
            seen.append(b"".join(pieces))
            return len(seen[-1]) > 10

        Trial(Target("x", read, (b"hello",), is_cut=False), seed).go_on(float("inf"), 500)
        return seen

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)
