"""How somebody goes on in a log that they have read up to a place: every case."""

from harness.cases import each
from tertulia.domain.position import LogEnd, Onward, Position, go_on

SAME = LogEnd("e", 10)
NEXT = LogEnd("f", 10, 7, "e")
UNKNOWN = LogEnd("f", 10, 7, "d")


@each(
    ("have", "end", "is_other", "way"),
    [
        (Position("", 0), SAME, False, Onward.FIRST),
        (Position("e", 9), SAME, False, Onward.ON),
        (Position("e", 10), SAME, False, Onward.ON),
        (Position("e", 10), SAME, True, Onward.REWOUND),
        (Position("e", 11), SAME, False, Onward.REWOUND),
        (Position("e", 5), NEXT, False, Onward.REST),
        (Position("e", 7), NEXT, False, Onward.OTHER),
        (Position("e", 7), NEXT, True, Onward.REST),
        (Position("e", 9), NEXT, False, Onward.REST),
        (Position("e", 5), UNKNOWN, False, Onward.OTHER),
        (Position("e", 9), UNKNOWN, True, Onward.OTHER),
    ],
)
def test_going_on(have: Position, end: LogEnd, is_other: bool, way: Onward) -> None:
    assert go_on(have, end, is_other=is_other) is way
