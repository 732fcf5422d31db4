"""A link over a connection that others end."""

from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from tertulia.redis.access import Server
from tertulia.redis.errors import StoreAway
from tertulia.redis.hot import HotConnection
from tertulia.redis.link import Link
from tertulia.redis.masters import Masters
from tertulia.redis.multiplexer import Multiplexer, Shared
from tertulia.redis.script import Script

SCRIPT = Script("return 1", lambda key: key)
CALL: Any = (["{main}:meta"], [1])


class Ended:
    """A connection that was given up a moment ago."""

    is_sharded = False
    is_over = False

    def request(self, *_: object) -> Any:
        raise ConnectionError("the connection was given up")

    def end(self) -> None: ...


class OverEnded(Multiplexer):
    """Gives everybody that connection."""

    def __init__(self) -> None:
        self.seconds = 1.0

    async def connected(self, masters: Masters, use: str) -> Shared:
        return Shared(cast(HotConnection, Ended()), Server("127.0.0.1", 1), "run")


@pytest.mark.parametrize(
    "run",
    [
        lambda link: link.run_many(SCRIPT, [CALL]),
        lambda link: link.run_many(SCRIPT, [CALL], is_replicated=True),
        lambda link: link.run_replicated(SCRIPT, *CALL),
    ],
    ids=["many", "many replicated", "replicated"],
)
async def test_a_connection_that_has_just_ended_is_redis_being_away(
    run: Callable[[Link], Coroutine[Any, Any, object]],
) -> None:
    redis = OverEnded()
    link = Link(Masters(cast(Any, None), 1.0), "commit", redis)
    with pytest.raises(StoreAway):
        await run(link)
