"""What is said of Redis' settings: one sentence for each that should be another, none else."""

from typing import Any

import pytest

from tertulia.redis.server_settings import advice

WELL = {"redis_version": "7.0.15", "aof_enabled": 1, "maxmemory_policy": "noeviction"}
LIMITS = "normal 0 0 0 slave 268435456 67108864 60 pubsub 268435456 67108864 60"


def test_what_is_well_needs_no_advice() -> None:
    assert advice(WELL, "OK", LIMITS) == []
    assert advice({**WELL, "redis_version": "10.0.0"}, "OK", "normal 0 0 0 pubsub 0 0 0") == []
    assert advice(WELL, "OK") == []


@pytest.mark.parametrize(
    ("info", "limits", "told"),
    [
        ({"redis_version": "6.0.16"}, LIMITS, "Redis 6.0.16 is too old: use 6.2 or newer"),
        ({"aof_enabled": 0}, LIMITS, "CONFIG SET appendonly yes"),
        ({"maxmemory_policy": "allkeys-lru"}, LIMITS, "maxmemory-policy is allkeys-lru"),
        ({}, "pubsub 33554432 8388608 60", "pubsub 256mb 64mb 60"),
        ({}, "pubsub 0 8388608 60", "pubsub 256mb 64mb 60"),
    ],
)
def test_what_endangers_a_promise_is_told(info: dict[str, Any], limits: str, told: str) -> None:
    (sentence,) = advice({**WELL, **info}, "OK", limits)
    assert told in sentence


def test_what_default_may_not_do_may_be_lost_at_a_restart() -> None:
    refused = "This user has no permissions to run the 'set' command"
    for told, words in ((refused, "lacks permissions"), ("", "could not be checked")):
        (sentence,) = advice(WELL, told, LIMITS)
        assert f"the user default {words}" in sentence
        assert "off ~* &* +@all" in sentence


def test_one_shard_that_is_away_should_not_stop_the_others() -> None:
    assert advice(WELL, "OK", LIMITS, "no") == []
    (sentence,) = advice(WELL, "OK", LIMITS, "yes")
    assert "cluster-require-full-coverage is yes" in sentence
