"""What can go wrong with Redis: one exception for each reaction of the node.

StoreAway   Redis does not answer, or does not take writes now: wait, try again
Fenced      this node's lease is gone: start over under another name
NewEpoch    Redis lost data: write down again what is known
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hiredis import HiredisError
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError, ResponseError

from tertulia.telemetry.metrics import RetryCause


class StoreAway(Exception):
    """Redis can't be reached, or refuses for a while."""

    def __init__(self, cause: RetryCause, message: str) -> None:
        super().__init__(message)
        self.cause = cause

    @property
    def is_final(self) -> bool:
        """Whether waiting can't help: Redis answers, and does not let us in."""
        return self.cause in (RetryCause.NO_PERMISSION, RetryCause.OTHER)

    @property
    def is_elsewhere(self) -> bool:
        """Whether such a Redis may not exist: nothing answers, or a replica answers."""
        return self.cause in (RetryCause.CONNECTION, RetryCause.TIMEOUT, RetryCause.READ_ONLY)


class ErrorReply(Exception):
    """An error reply, in Redis' words. An error within a script has the form of 7.0 and newer."""

    def __init__(self, text: str) -> None:
        super().__init__(
            _WRAPPED.sub(r"\3 script: \1, on @user_script:\2.", text).removeprefix("ERR ")
        )

    @property
    def word(self) -> str:
        """The word that names the kind of error: the first, or the one that Redis omits within scripts."""
        text = str(self)
        return next((it for it, words in _LEFT_OUT if words in text), text.partition(" ")[0])


FAILURES = (ErrorReply, RedisError, HiredisError, OSError)
"""The errors of connecting to a Redis, by redis-py, and of asking it."""
_MISFORMED = (LookupError, ValueError, TypeError, AttributeError)
"""The errors of reading an answer that does not have the form in which Redis gives it."""


_STRANGE = ("Error setting client name", "Invalid Database", "Invalid Username or Password")
"""What redis-py says if an answer to a login is neither OK nor an error."""


class Fenced(Exception):
    """This node was thought dead, and its sessions were announced as gone."""


class NewEpoch(Exception):
    """The log is of another epoch than the one that this node follows."""


# How Redis 6.2 reports an error within a script.
_WRAPPED = re.compile(
    r"^ERR Error running script \(call to f_(\w+)\): @user_script:(\d+): "
    r"(?:@user_script: \d+: -?)?(.*)",
    re.DOTALL,
)
_LEFT_OUT = (
    ("NOPERM", "The user executing the script can't"),  # until 7.0
    ("NOPERM", "ACL failure in script"),  # from 7.2 on
    ("CLUSTERDOWN", "while the cluster is down"),
    ("BUSY", "Script killed by user"),  # it has written nothing: Redis kills no other scripts
)
_BY_WORD = {
    "BUSY": RetryCause.BUSY,
    "LOADING": RetryCause.LOADING,
    "READONLY": RetryCause.READ_ONLY,
    "MASTERDOWN": RetryCause.READ_ONLY,
    "OOM": RetryCause.OUT_OF_MEMORY,
    "MISCONF": RetryCause.MISCONFIGURED,
    "NOREPLICAS": RetryCause.NO_REPLICAS,
    "NOPERM": RetryCause.NO_PERMISSION,
    "CLUSTERDOWN": RetryCause.CLUSTER,
    "TRYAGAIN": RetryCause.CLUSTER,
    "MOVED": RetryCause.CLUSTER,
    "ASK": RetryCause.CLUSTER,
    "max": RetryCause.CONNECTION,  # number of clients reached
}
_LOG_IN = "set the user in redis_url and the password there or in redis_password_file"
# What to do about it, by the words in the reply or in the system's error.
_ADVICE = {
    "CERTIFICATE_VERIFY_FAILED": "set redis_ca_file to the certificate of who signed Redis' own; "
    "redis_verify says what of it is checked",
    "WRONGPASS": _LOG_IN,
    "NOAUTH": _LOG_IN,
    "invalid username-password pair": _LOG_IN,
    "NOPERM": "grant what deploy/redis/users.acl grants",
    "Protocol error": "what answers there is no Redis, or wants TLS (rediss://)",
    "Name or service not known": "there is no such host",
    "Connection refused": "nothing listens there",
}


@contextmanager
def failing(server: object, kind: str = "Redis") -> Iterator[None]:
    """Have each failure to ask a server be a StoreAway; only that of a Redis does not say where it was."""
    try:
        yield
    except (*_MISFORMED, *FAILURES) as error:
        if isinstance(error, _MISFORMED) or str(error) in _STRANGE:
            away = StoreAway(RetryCause.OTHER, f"what answers at {server} is no {kind}")
        else:
            away = translate(error)
            if kind != "Redis":
                away = StoreAway(away.cause, f"the {kind} at {server}: {away}")
        raise away from error


def plain(error: BaseException) -> BaseException:
    """Return what Redis or the system said, of an error of redis-py."""
    if not isinstance(error, RedisError):
        return error
    if error.status_code or isinstance(error, ResponseError):
        return ErrorReply(f"{error.status_code or ''} {error}".lstrip())
    within = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(within, (OSError, RedisError, StoreAway)):
        return plain(within)
    return ConnectionError(str(error)) if isinstance(error, LostConnection) else error


def translate(error: BaseException) -> StoreAway:
    """Return why Redis did not do what it was asked, and advice if there is any."""
    error = plain(error)
    if isinstance(error, StoreAway):
        return error
    text = str(error) or type(error).__name__
    told = text
    if isinstance(error, ErrorReply):
        told = f"{error.word} {text}"
        cause = _BY_WORD.get(error.word, RetryCause.OTHER)
    elif isinstance(error, TimeoutError):
        cause = RetryCause.TIMEOUT
    elif isinstance(error, OSError) and "CERTIFICATE_VERIFY_FAILED" not in text:
        cause = RetryCause.CONNECTION
    else:
        cause = RetryCause.OTHER
    advice = next((it for words, it in _ADVICE.items() if words.lower() in told.lower()), "")
    return StoreAway(cause, f"{text} ({advice})" if advice else text)
