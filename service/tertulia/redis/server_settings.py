"""Finding those of Redis' own settings that endanger the promises, when a node starts."""

from collections.abc import Mapping

from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link

_OLDEST = (6, 2)
_CHECKS_WHAT_IT_LOADS = (7, 0)  # until 8.x: redis/redis#14541
_DEFAULT = "off ~* &* +@all"
_MIB = 1_048_576
_LEAST_HARD = 128 * _MIB
_LEAST_SOFT = 32 * _MIB
_BUFFER = "client-output-buffer-limit"


async def look(link: Link) -> list[str]:
    """Return what should be set otherwise, one sentence for each. Raises StoreAway."""
    told = await link.call("INFO")
    lines = (line.partition(":") for line in told.decode("utf-8", "replace").split("\r\n"))
    info = {name: value for name, _, value in lines}
    default = "OK"
    if info.get("aof_enabled") == "1" and _version(info) >= _CHECKS_WHAT_IT_LOADS:
        try:
            default = (await link.call("ACL", "DRYRUN", "default", "SET", "", "")).decode()
        except StoreAway:
            default = ""
    try:
        _, limits = await link.call("CONFIG", "GET", _BUFFER)
    except (StoreAway, ValueError):
        return [
            *advice(info, default),
            f"{_BUFFER} could not be checked, as this user may not ask for it: see to it that "
            "pubsub has 256mb 64mb 60",
        ]
    return advice(info, default, limits.decode())


def advice(info: Mapping[str, str], default: str, limits: str = "") -> list[str]:
    """Return what should be set otherwise, one sentence for each.

    ``info`` is the answer to INFO. ``default`` is the answer to ACL DRYRUN of a write by the user
    ``default``; empty if it can't be known. ``limits`` is the answer to CONFIG GET
    client-output-buffer-limit.
    """
    found = []
    if _version(info) < _OLDEST:
        found.append(f"Redis {info.get('redis_version', '')} is too old: use 6.2 or newer")
    if info.get("aof_enabled") == "0":
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
    return found


def _version(info: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(int(it) for it in info.get("redis_version", "").split(".")[:2] if it.isdecimal())
