"""What can go wrong with Redis, by what the node does about it.

StoreAway   it does not answer, or will not take writes now: wait, try again
Fenced      this node's lease is gone: start over under another name
NewEpoch    Redis lost data: write down again what is known
"""

from redis import exceptions

from tertulia.metrics import RetryCause


class StoreAway(Exception):
    """Redis is out of reach, or refuses for a while."""

    def __init__(self, cause: RetryCause, message: str) -> None:
        super().__init__(message)
        self.cause = cause

    @property
    def is_final(self) -> bool:
        """Whether waiting can't help: it answers, and does not let us in."""
        return self.cause is RetryCause.OTHER

    @property
    def is_elsewhere(self) -> bool:
        """Whether it may be that there is no such Redis: nothing answers, or a replica does."""
        return self.cause in (RetryCause.CONNECTION, RetryCause.TIMEOUT, RetryCause.READ_ONLY)


class Fenced(Exception):
    """This node was thought dead, and its sessions were announced as gone."""


class NewEpoch(Exception):
    """The log is of another epoch than this node follows."""


_BY_TYPE: tuple[tuple[type[Exception], RetryCause], ...] = (
    (exceptions.TimeoutError, RetryCause.TIMEOUT),
    (TimeoutError, RetryCause.TIMEOUT),
    (exceptions.AuthenticationError, RetryCause.OTHER),  # though it is a connection error there
    (exceptions.BusyLoadingError, RetryCause.LOADING),
    (exceptions.ConnectionError, RetryCause.CONNECTION),
    (OSError, RetryCause.CONNECTION),
    (exceptions.ReadOnlyError, RetryCause.READ_ONLY),
    (exceptions.OutOfMemoryError, RetryCause.OUT_OF_MEMORY),
    (exceptions.MasterDownError, RetryCause.READ_ONLY),
    (exceptions.ClusterError, RetryCause.CLUSTER),
)
# Replies that redis-py makes no type of, by their first word.
_BY_WORD = {
    "BUSY": RetryCause.BUSY,
    "LOADING": RetryCause.LOADING,
    "READONLY": RetryCause.READ_ONLY,
    "MASTERDOWN": RetryCause.READ_ONLY,
    "OOM": RetryCause.OUT_OF_MEMORY,
    "MISCONF": RetryCause.MISCONFIGURED,
    "NOREPLICAS": RetryCause.NO_REPLICAS,
    "CLUSTERDOWN": RetryCause.CLUSTER,
    "TRYAGAIN": RetryCause.CLUSTER,
    "MOVED": RetryCause.CLUSTER,
    "ASK": RetryCause.CLUSTER,
}


# What redis-py takes for a broken connection, and no waiting mends.
_NOT_LET_IN = ("invalid username-password", "WRONGPASS", "NOAUTH", "CERTIFICATE_VERIFY_FAILED")
# What to do about it, by what stands in the reply or in the system's words.
_ADVICE = {
    "CERTIFICATE_VERIFY_FAILED": "set redis_ca_file to the certificate of who signed Redis' own; "
    "redis_verify says what of it is checked",
    "WRONGPASS": "set the user in redis_url and the password there or in redis_password_file",
    "NOAUTH": "set the user in redis_url and the password there or in redis_password_file",
    "invalid username-password pair": "set the user in redis_url and the password there or in "
    "redis_password_file",
    "NOPERM": "grant what deploy/redis/users.acl grants",
    "no permissions": "grant what deploy/redis/users.acl grants",
    "Protocol error": "what answers there is no Redis, or wants TLS (rediss://)",
    "Name or service not known": "there is no such host",
    "Connection refused": "nothing listens there",
}


def translate(error: Exception) -> StoreAway:
    """Say why Redis did not do what it was asked, and what to do where that is known."""
    if isinstance(error, StoreAway):
        return error
    text = str(error) or type(error).__name__
    cause = _BY_WORD.get(text.partition(" ")[0])
    if any(words in text for words in _NOT_LET_IN):
        cause = RetryCause.OTHER
    if cause is None:
        cause = next((c for kind, c in _BY_TYPE if isinstance(error, kind)), RetryCause.OTHER)
    advice = next((it for words, it in _ADVICE.items() if words.lower() in text.lower()), "")
    return StoreAway(cause, f"{text} ({advice})" if advice else text)
