"""Finding those of Redis' own settings that endanger the promises, when a node starts."""

from collections.abc import Mapping
from typing import Any

from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway

_OLDEST = (6, 2)
_CHECKS_WHAT_IT_LOADS = (7, 0)  # until 8.x: redis/redis#14541
_DEFAULT = "off ~* &* +@all"
_MIB = 1_048_576
_LEAST_HARD = 128 * _MIB
_LEAST_SOFT = 32 * _MIB
_BUFFER = "client-output-buffer-limit"
_COVERAGE = "cluster-require-full-coverage"


async def look(redis: Client) -> list[str]:
    """Return what should be set otherwise, one sentence for each. Raises StoreAway."""
    info = await redis.info()
    default = "OK"
    if info.get("aof_enabled") == 1 and _version(info) >= _CHECKS_WHAT_IT_LOADS:
        try:
            default = str(await redis.acl_dryrun("default", "SET", "", ""))
        except StoreAway:
            default = ""
    is_cluster = info.get("cluster_enabled") == 1
    try:
        limits = str((await redis.config_get(_BUFFER))[_BUFFER])
        coverage = str((await redis.config_get(_COVERAGE))[_COVERAGE]) if is_cluster else "no"
    except (StoreAway, KeyError):
        found = [
            *advice(info, default),
            f"{_BUFFER} could not be checked, as this user may not ask for it: see to it that "
            "pubsub has 256mb 64mb 60",
        ]
        if is_cluster:
            found.append(f"{_COVERAGE} could not be checked either: see to it that it is no")
        return found
    return advice(info, default, limits, coverage)


def advice(
    info: Mapping[str, Any], default: str, limits: str = "", coverage: str = "no"
) -> list[str]:
    """Return what should be set otherwise, one sentence for each.

    ``info`` is the answer to INFO, as redis-py reads it. ``default`` is the answer to ACL DRYRUN of a write
    by the user ``default``; empty if it can't be known. ``limits`` is the answer to CONFIG GET
    client-output-buffer-limit, ``coverage`` that to CONFIG GET cluster-require-full-coverage.
    """
    found = []
    if _version(info) < _OLDEST:
        found.append(f"Redis {info.get('redis_version', '')} is too old: use 6.2 or newer")
    if info.get("aof_enabled") == 0:
        found.append(
            "appendonly is no, so that a restart of Redis loses what was acknowledged: CONFIG SET "
            "appendonly yes, and only then write it into its file, or it would begin with nothing"
        )
    if not default:
        found.append(
            "the user default could not be checked, as this user may not ask (ACL DRYRUN): see to it "
            f"that it is {_DEFAULT}, else a restart of Redis may lose what nodes wrote"
        )
    elif default != "OK":
        found.append(
            "the user default lacks permissions, so that a restart of Redis may lose what nodes wrote: "
            f"make it {_DEFAULT}, and log in as another"
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(
            f"maxmemory-policy is {policy}, which may remove nicknames and logs of people who are "
            "there: set it to noeviction"
        )
    words = limits.split()
    if "pubsub" in words:
        at = words.index("pubsub")
        hard, soft = int(words[at + 1]), int(words[at + 2])
        if 0 < hard < _LEAST_HARD or 0 < soft < _LEAST_SOFT:
            found.append(
                f"{_BUFFER} is pubsub {' '.join(words[at + 1 : at + 4])}, so that a node that stands "
                "still for a moment is cut off: set it to pubsub 256mb 64mb 60"
            )
    if coverage != "no":
        found.append(
            f"{_COVERAGE} is {coverage}, so that one shard that is away stops all the others: set it to no"
        )
    return found


def _version(info: Mapping[str, Any]) -> tuple[int, ...]:
    words = str(info.get("redis_version", "")).split(".")
    return tuple(int(word) for word in words[:2] if word.isdecimal())
