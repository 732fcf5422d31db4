"""The slot of a key, as a Redis Cluster counts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from tertulia.redis.cluster import slot_of


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"123456789", 0x31C3),  # the specification's own example
        (b"{user1000}.following", key_slot(b"user1000")),
        (b"{user1000}.followers", key_slot(b"user1000")),
        (b"foo{}{bar}", key_slot(b"foo{}{bar}")),
        (b"foo{{bar}}zap", key_slot(b"{bar")),
        (b"foo{bar}{zap}", key_slot(b"bar")),
        (b"foo{bar", key_slot(b"foo{bar")),
    ],
)
def test_the_slot_is_that_of_the_specification_s_examples(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


@given(st.binary() | st.text("{}ab").map(str.encode))
def test_the_slot_is_what_redis_py_finds(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)
