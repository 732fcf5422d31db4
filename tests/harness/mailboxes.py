"""Filling an account's mailbox, whatever its bounds are."""

from collections.abc import Sequence

import redis

from tertulia.store.keys import Keys

_STEP = 1000


def fill(
    control: redis.Redis, keys: Keys, messages: Sequence[tuple[str, str]], key: str = "dan"
) -> None:
    """Keep messages for an account, folded, as guests leave them; of each the sender and the text."""
    pipe = control.pipeline(transaction=False)
    lists: dict[str, list[tuple[int, str]]] = {}
    for number, (sender, text) in enumerate(messages, 1):
        lists.setdefault(sender, []).append((number, text))
    total = 0
    for sender, own in lists.items():
        for at in range(0, len(own), _STEP):
            items = (f"{number} 5 0 {sender} {text}" for number, text in own[at : at + _STEP])
            pipe.rpush(keys.pending(key, sender), *items)
        size = 512 + sum(len(text.encode()) + 64 for _, text in own)
        pipe.hset(keys.mailbox(key), sender, f"{len(own)} {size} {size} 5 0 {sender}")
        pipe.zadd(keys.senders(key), {sender: own[0][0]})
        total += size
    count = len(messages)
    pipe.hset(keys.mailbox(key), "", f"{count} {count} {total} {total}")
    pipe.hincrby(keys.meta, "pending", count)
    pipe.execute()
