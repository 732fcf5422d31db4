"""What is erased of a person in a log: the name, and all that is in the person's own words."""

import json
from typing import Any

import pytest

from fakes.redis import fake_client
from tertulia.domain.events import Event, Joined, Kicked, Left, Present, Said, encode
from tertulia.operators.erasing import LogTraces
from tertulia.store.keys import Keys

KEYS = Keys("main")


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (Joined("Wilhelm", "n:1", "irc", about="w Quince"), {"t": "joined", "d": "irc"}),
        (
            Present("Wilhelm", "n:1", "irc", away="quince", about="w Quince"),
            {"t": "present", "d": "irc"},
        ),
        (Left("Wilhelm", "n:1", True, "quince"), {"t": "left", "q": True}),
        (Said("Wilhelm", "n:1", "quince"), {"t": "said"}),
        (Kicked("ada", "n:1", "wilhelm", "quince"), {"t": "kicked", "w": "*"}),
    ],
)
async def test_a_persons_words_are_erased_from_a_log(event: Event, left: dict[str, object]) -> None:
    redis = fake_client()
    await redis.xadd(KEYS.log, {"p": "1", "b": "n 1", "e": encode(event).decode()}, "1-0")
    traces = LogTraces(KEYS, redis, "wilhelm")
    assert await traces.redact() == 1
    found: Any = await redis.xrange(KEYS.log)
    assert json.loads(found[0][1]["e"]) == {"n": "*", "s": "n:1", **left}
