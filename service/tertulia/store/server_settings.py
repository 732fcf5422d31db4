"""What of Redis' own settings endangers the promises: looked at when a node starts."""

from collections.abc import Mapping

from tertulia.store.errors import StoreAway
from tertulia.store.link import Link

_OLDEST = (6, 2)
_MIB = 1_048_576
_LEAST_HARD = 128 * _MIB
_LEAST_SOFT = 32 * _MIB
_BUFFER = "client-output-buffer-limit"


async def look(link: Link) -> list[str]:
    """Return what should be set otherwise, a sentence each. Raises StoreAway."""
    told = await link.call("INFO")
    lines = (line.partition(":") for line in told.decode("utf-8", "replace").split("\r\n"))
    info = {name: value for name, _, value in lines}
    try:
        _, limits = await link.call("CONFIG", "GET", _BUFFER)
    except (StoreAway, ValueError):
        return [
            *advice(info),
            f"{_BUFFER} could not be checked, as this user may not ask for it: see to it that "
            "pubsub has 256mb 64mb 60",
        ]
    return advice(info, limits.decode())


def advice(info: Mapping[str, str], limits: str = "") -> list[str]:
    """Say what should be set otherwise, by what INFO and CONFIG GET client-output-buffer-limit tell."""
    found = []
    version = info.get("redis_version", "")
    numbers = tuple(int(it) for it in version.split(".")[:2] if it.isdecimal())
    if numbers < _OLDEST:
        found.append(f"Redis {version} is too old: use 6.2 or newer")
    if info.get("aof_enabled") == "0":
        found.append(
            "appendonly is no, so that a restart of Redis loses what was acknowledged: set it to yes"
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
