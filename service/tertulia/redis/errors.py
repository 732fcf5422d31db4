"""What can go wrong with Redis, by what the node does about it.

StoreAway   it does not answer, or will not take writes now: wait, try again
Fenced      this node's lease is gone: start over under another name
NewEpoch    Redis lost data: write down again what is known
"""

import re

from tertulia.telemetry.metrics import RetryCause


class StoreAway(Exception):
    """Redis is out of reach, or refuses for a while."""

    def __init__(self, cause: RetryCause, message: str) -> None:
        super().__init__(message)
        self.cause = cause

    @property
    def is_final(self) -> bool:
        """Whether waiting can't help: it answers, and does not let us in."""
        return self.cause in (RetryCause.NO_PERMISSION, RetryCause.OTHER)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it may be that there is no such Redis: nothing answers, or a replica does."""
        return self.cause in (RetryCause.CONNECTION, RetryCause.TIMEOUT, RetryCause.READ_ONLY)


class ErrorReply(Exception):
    """An error reply, in Redis' words; one from within a script as 7.0 and newer put it."""

    def __init__(self, text: str) -> None:
        super().__init__(
            _WRAPPED.sub(r"\3 script: \1, on @user_script:\2.", text).removeprefix("ERR ")
        )

    @property
    def word(self) -> str:
        """The word that says what it is about: its first, or what Redis leaves out within scripts."""
        text = str(self)
        return next((it for it, words in _LEFT_OUT if words in text), text.partition(" ")[0])


MISFORMED = (LookupError, ValueError, TypeError, AttributeError)
"""What comes of taking apart an answer that has not the form in which Redis gives it."""


class Fenced(Exception):
    """This node was thought dead, and its sessions were announced as gone."""


class NewEpoch(Exception):
    """The log is of another epoch than this node follows."""


# Redis 6.2, of what went wrong within a script.
_WRAPPED = re.compile(
    r"^ERR Error running script \(call to f_(\w+)\): @user_script:(\d+): "
    r"(?:@user_script: \d+: -?)?(.*)",
    re.DOTALL,
)
_LEFT_OUT = (
    ("NOPERM", "The user executing the script can't"),  # until 7.0
    ("NOPERM", "ACL failure in script"),  # from 7.2 on
    ("CLUSTERDOWN", "while the cluster is down"),
    ("BUSY", "Script killed by user"),  # which has written nothing: Redis kills no other
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
# What to do about it, by what stands in the reply or in the system's words.
_ADVICE = {
    "CERTIFICATE_VERIFY_FAILED": "set redis_ca_file to the certificate of who signed Redis' own; "
    "redis_verify says what of it is checked",
    "WRONGPASS": "set the user in redis_url and the password there or in redis_password_file",
    "NOAUTH": "set the user in redis_url and the password there or in redis_password_file",
    "invalid username-password pair": "set the user in redis_url and the password there or in "
    "redis_password_file",
    "NOPERM": "grant what deploy/redis/users.acl grants",
    "Protocol error": "what answers there is no Redis, or wants TLS (rediss://)",
    "Name or service not known": "there is no such host",
    "Connection refused": "nothing listens there",
}


def strange(server: object, what: str = "Redis") -> StoreAway:
    """Say that a server gives an answer of another form."""
    return StoreAway(RetryCause.OTHER, f"what answers at {server} is no {what}")


def translate(error: Exception) -> StoreAway:
    """Say why Redis did not do what it was asked, and what to do where that is known."""
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
