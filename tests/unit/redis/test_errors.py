"""What Redis answers when it does not do what it was asked, and what becomes of that."""

import re
from ssl import SSLError

import pytest
from hiredis import ProtocolError
from redis import exceptions as redis_pys

from harness.cases import each
from tertulia.redis.errors import ErrorReply, StoreAway, plain, translate
from tertulia.telemetry.metrics import RetryCause

CAUSES: dict[RetryCause, list[str | Exception]] = {
    RetryCause.TIMEOUT: [TimeoutError()],
    RetryCause.CONNECTION: [
        ConnectionError("Redis closed the connection"),
        ConnectionRefusedError(111, "Connection refused"),
        ConnectionResetError(),
        OSError(113, "No route to host"),
        SSLError("WRONG_VERSION_NUMBER"),
        "ERR max number of clients reached",
    ],
    RetryCause.LOADING: ["LOADING Redis is loading the dataset"],
    RetryCause.READ_ONLY: ["READONLY You can't write", "MASTERDOWN Link with MASTER is down"],
    RetryCause.OUT_OF_MEMORY: ["OOM command not allowed"],
    RetryCause.MISCONFIGURED: ["MISCONF Errors writing to the AOF"],
    RetryCause.NO_REPLICAS: ["NOREPLICAS Not enough good replicas"],
    RetryCause.BUSY: ["BUSY Redis is busy running a script"],
    RetryCause.CLUSTER: [
        "CLUSTERDOWN Hash slot not served",
        "TRYAGAIN Multiple keys request",
        "MOVED 1234 127.0.0.1:6380",
        "ASK 1234 127.0.0.1:6380",
    ],
    RetryCause.NO_PERMISSION: ["NOPERM this user has no permissions"],
    RetryCause.OTHER: [
        SSLError("CERTIFICATE_VERIFY_FAILED"),
        ProtocolError("Protocol error, got 'H'"),
        "WRONGPASS invalid username",
        "WRONGTYPE Operation against a key",
        "ERR unknown command",
    ],
}


@each(("said", "cause"), [(said, cause) for cause, some in CAUSES.items() for said in some])
def test_every_error_has_a_cause(said: str | Exception, cause: RetryCause) -> None:
    error = ErrorReply(said) if isinstance(said, str) else said
    away = translate(error)
    assert away.cause is cause
    assert str(away).startswith(str(error) or type(error).__name__)
    # Only what waiting can't help.
    assert away.is_final is (cause in (RetryCause.NO_PERMISSION, RetryCause.OTHER))


SCRIPT = "62e6aac9c7520a78c28f012748b42ed670fff5d3"
OLD = f"ERR Error running script (call to f_{SCRIPT}): @user_script:35: "
"""What Redis 6.2 puts before what went wrong in a script."""
NEW = f" script: {SCRIPT}, on @user_script:35."
"""What Redis from 7.0 on puts behind it; Valkey 9 leaves out which script it was."""


@each(
    ("old", "word"),
    [
        ("@user_script: 35: -OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("@user_script: 35: -NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"),
        ("@user_script: 35: -READONLY You can't write against a read only replica.", "READONLY"),
        ("@user_script: 35: The user executing the script can't run this command or", "NOPERM"),
        ("@user_script: 35: Script attempted a command while the cluster is down", "CLUSTERDOWN"),
        ("Script killed by user with SCRIPT KILL...", "BUSY"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
        ("ERR The ID specified in XADD is equal or smaller than the target stream top", "The"),
        ("user_script:35: attempt to concatenate a nil value", "user_script:35:"),
    ],
)
def test_a_refusal_within_a_script_is_what_it_is_outside(old: str, word: str) -> None:
    new = re.sub("^(@user_script: 35: -?|ERR )", "", old)
    wrapped, plain = ErrorReply(OLD + old), ErrorReply(new + NEW)
    assert str(wrapped) == str(plain)
    for refused in (wrapped, plain, ErrorReply(f"ERR {new} script: on @user_script:35.")):
        assert refused.word == word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The user executing the script can't access at least one of the keys", "NOPERM"),
        ("The user executing the script can't publish to the channel mentioned", "NOPERM"),
        ("ACL failure in script: User u has no permissions to run the 'set' command", "NOPERM"),
        ("ACL failure in script: No permissions to access a channel", "NOPERM"),
        ("Can not execute a write command 'set' while the cluster is down and", "CLUSTERDOWN"),
    ],
)
def test_a_word_that_redis_leaves_out_within_scripts_is_known(text: str, word: str) -> None:
    refused = ErrorReply(f"ERR {text}{NEW}")
    assert refused.word == word
    advised = "deploy/redis/users.acl" in str(translate(refused))
    assert advised is (word == "NOPERM")


def raised(outer: Exception, inner: Exception | None) -> Exception:
    """Return what redis-py raises while it handles an error."""
    try:
        try:
            if inner is not None:
                raise inner
        finally:
            raise outer
    except Exception as error:
        return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (redis_pys.ResponseError("BUSY Redis is busy"), ErrorReply("BUSY Redis is busy")),
        (redis_pys.NoPermissionError("no", status_code="NOPERM"), ErrorReply("NOPERM no")),
        (redis_pys.BusyLoadingError("wait", status_code="LOADING"), ErrorReply("LOADING wait")),
        (redis_pys.MovedError("1 h:2", status_code="MOVED"), ErrorReply("MOVED 1 h:2")),
        (redis_pys.ResponseError(OLD.removeprefix("ERR ") + "x", status_code="ERR"), ErrorReply(OLD + "x")),
        (raised(redis_pys.TimeoutError("x"), TimeoutError(110, "late")), TimeoutError(110, "late")),
        (redis_pys.ConnectionError("closed"), ConnectionError("closed")),
        (raised(redis_pys.ConnectionError("x"), OSError(113, "No route")), OSError(113, "No route")),
        (
            raised(
                redis_pys.ConnectionError("x"),
                redis_pys.AuthenticationError("no", status_code="WRONGPASS"),
            ),
            ErrorReply("WRONGPASS no"),
        ),
        (
            raised(redis_pys.ConnectionError("x"), StoreAway(RetryCause.OTHER, "no file")),
            StoreAway(RetryCause.OTHER, "no file"),
        ),
        (raised(redis_pys.ConnectionError("x"), KeyError("y")), ConnectionError("x")),
        (OSError(1, "x"), OSError(1, "x")),
    ],
)  # fmt: skip
def test_what_redis_py_says_is_what_was_said(error: Exception, told: Exception) -> None:
    found = plain(error)
    assert (type(found), str(found)) == (type(told), str(told))
    assert translate(error).cause is translate(told).cause
