"""How far a webhook is: only who relays it may move it, and never back."""

import pytest

from fakes.redis import fake_client
from tertulia.domain.position import Position
from tertulia.operators.webhooks import (
    MOST_DEAD_LETTERS,
    LeaseLost,
    WebhookRecord,
)
from tertulia.redis.client import Client

ONE, TWO, THREE = (Position("e", it) for it in (1, 2, 3))
KEY = "{main}:webhook:tickets"
LEASE = 3_600_000


@pytest.fixture
def redis() -> Client:
    return fake_client()


@pytest.fixture
def record(redis: Client) -> WebhookRecord:
    return WebhookRecord("main", "tickets", redis)


async def test_one_at_a_time_has_the_relay_and_each_has_another_term(record: WebhookRecord) -> None:
    assert (await record.lease("a", LEASE)).term == 1
    refused = await record.lease("b", LEASE)
    assert refused.term == 0
    assert 0 < refused.milliseconds <= LEASE
    assert (await record.lease("a", LEASE)).term == 1, "it keeps it"
    await record.release("b")
    assert (await record.read()).holder == "a", "nobody gives back what another one has"
    await record.release("a")
    assert (await record.read()).holder == ""
    assert (await record.lease("b", LEASE)).term == 2
    assert (await record.lease("a", LEASE)).term == 0


async def test_a_lease_runs_out_and_one_from_a_clock_that_was_set_back_holds_nobody_off(
    record: WebhookRecord, redis: Client
) -> None:
    await record.lease("a", LEASE)
    await redis.hset(KEY, "until", "5")
    assert (await record.read()).holder == ""
    assert (await record.lease("b", LEASE)).term == 2
    await redis.hset(KEY, "until", "99999999999999")
    assert (await record.lease("c", LEASE)).term == 3


async def test_a_delivery_is_pinned_tried_and_passed(record: WebhookRecord) -> None:
    steps = record.in_room("a", (await record.lease("a", LEASE)).term, "ops")
    await steps.begin(ONE)
    assert (await steps.pin(ONE, TWO)).tries == 0
    assert (await steps.fail(ONE, TWO, 1)).tries == 1
    assert (await steps.fail(ONE, TWO, 2)).tries == 2
    there = (await record.read()).rooms["ops"]
    assert (there.reached, there.dead) == (ONE, 0)
    assert there.attempt is not None
    assert (there.attempt.end, there.attempt.tries) == (TWO, 2)
    assert 0 <= there.attempt.seconds < 60
    await steps.advance(ONE, TWO)
    there = (await record.read()).rooms["ops"]
    assert (there.reached, there.attempt) == (TWO, None)


async def test_who_lost_the_relay_moves_nothing(record: WebhookRecord, redis: Client) -> None:
    old = record.in_room("a", (await record.lease("a", LEASE)).term, "ops")
    await old.begin(ONE)
    await redis.hset(KEY, "until", "5")
    new = record.in_room("b", (await record.lease("b", LEASE)).term, "ops")
    await new.advance(ONE, THREE)
    before = await redis.hgetall(KEY)
    for step in (old.pin, old.advance):
        with pytest.raises(LeaseLost):
            await step(ONE, TWO)
    with pytest.raises(LeaseLost):
        await old.bury(ONE, TWO, b"{}")
    with pytest.raises(LeaseLost):
        await old.gone(ONE, "digest")
    assert await redis.hgetall(KEY) == before
    # Nor when it has the relay again: a step that was late is of another term, and from another place.
    await redis.hset(KEY, "until", "5")
    again = record.in_room("a", (await record.lease("a", LEASE)).term, "ops")
    with pytest.raises(LeaseLost):
        await old.advance(THREE, TWO)
    with pytest.raises(LeaseLost):
        await again.advance(ONE, TWO)
    with pytest.raises(LeaseLost):
        await again.begin(ONE)
    assert (await record.read()).rooms["ops"].reached == THREE


async def test_what_was_given_up_is_counted_and_the_last_ones_are_kept(
    record: WebhookRecord,
) -> None:
    steps = record.in_room("a", (await record.lease("a", LEASE)).term, "ops")
    reached = ONE
    await steps.begin(reached)
    for number in range(MOST_DEAD_LETTERS + 5):
        end = Position("e", reached.offset + 1)
        await steps.pin(reached, end)
        await steps.bury(reached, end, b"%d" % number)
        reached = end
    letters = await record.dead_letters(1000)
    assert len(letters) == MOST_DEAD_LETTERS
    assert letters[0] == f"{MOST_DEAD_LETTERS + 4}"
    there = (await record.read()).rooms["ops"]
    assert (there.dead, there.reached, there.attempt) == (MOST_DEAD_LETTERS + 5, reached, None)


async def test_who_is_gone_stays_so_until_somebody_says_otherwise(record: WebhookRecord) -> None:
    steps = record.in_room("a", (await record.lease("a", LEASE)).term, "ops")
    await steps.begin(ONE)
    await steps.gone(ONE, "digest")
    assert (await record.lease("a", LEASE)).gone == "digest"
    await record.enable()
    assert (await record.lease("a", LEASE)).gone == ""
