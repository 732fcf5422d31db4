"""What Redis answers when it does not do what it was asked, and what becomes of that."""

from ssl import SSLError

import pytest
from hiredis import ProtocolError

from harness.cases import each
from tertulia.redis.errors import ErrorReply, StoreAway, translate
from tertulia.telemetry.metrics import RetryCause


@each(
    ("error", "cause"),
    [
        (TimeoutError(), RetryCause.TIMEOUT),
        (ConnectionError("Redis closed the connection"), RetryCause.CONNECTION),
        (ConnectionRefusedError(111, "Connection refused"), RetryCause.CONNECTION),
        (ConnectionResetError(), RetryCause.CONNECTION),
        (OSError(113, "No route to host"), RetryCause.CONNECTION),
        (SSLError("WRONG_VERSION_NUMBER"), RetryCause.CONNECTION),
        (SSLError("CERTIFICATE_VERIFY_FAILED"), RetryCause.OTHER),
        (ErrorReply("LOADING Redis is loading the dataset"), RetryCause.LOADING),
        (ErrorReply("READONLY You can't write"), RetryCause.READ_ONLY),
        (ErrorReply("OOM command not allowed"), RetryCause.OUT_OF_MEMORY),
        (ErrorReply("MISCONF Errors writing to the AOF"), RetryCause.MISCONFIGURED),
        (ErrorReply("NOREPLICAS Not enough good replicas"), RetryCause.NO_REPLICAS),
        (ErrorReply("BUSY Redis is busy running a script"), RetryCause.BUSY),
        (ErrorReply("MASTERDOWN Link with MASTER is down"), RetryCause.READ_ONLY),
        (ErrorReply("CLUSTERDOWN Hash slot not served"), RetryCause.CLUSTER),
        (ErrorReply("TRYAGAIN Multiple keys request"), RetryCause.CLUSTER),
        (ErrorReply("MOVED 1234 127.0.0.1:6380"), RetryCause.CLUSTER),
        (ErrorReply("ASK 1234 127.0.0.1:6380"), RetryCause.CLUSTER),
        (ErrorReply("ERR max number of clients reached"), RetryCause.CONNECTION),
        (ErrorReply("WRONGPASS invalid username"), RetryCause.OTHER),
        (ErrorReply("WRONGTYPE Operation against a key"), RetryCause.OTHER),
        (ErrorReply("ERR unknown command"), RetryCause.OTHER),
        (ErrorReply("NOPERM this user has no permissions"), RetryCause.NO_PERMISSION),
        (ProtocolError("Protocol error, got 'H'"), RetryCause.OTHER),
    ],
)
def test_every_error_has_a_cause(error: Exception, cause: RetryCause) -> None:
    away = translate(error)
    assert isinstance(away, StoreAway)
    assert away.cause is cause
    assert str(away).startswith(str(error) or type(error).__name__)


SCRIPT = "62e6aac9c7520a78c28f012748b42ed670fff5d3"
OLD = f"ERR Error running script (call to f_{SCRIPT}): @user_script:35: "
"""What Redis 6.2 puts before what went wrong in a script."""
NEW = f" script: {SCRIPT}, on @user_script:35."
"""What Redis from 7.0 on puts behind it; Valkey 9 leaves out which script it was."""


@each(
    ("old", "new", "word", "cause"),
    [
        (
            "@user_script: 35: -OOM command not allowed when used memory > 'maxmemory'.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "OOM",
            RetryCause.OUT_OF_MEMORY,
        ),
        (
            "@user_script: 35: -NOREPLICAS Not enough good replicas to write.",
            "NOREPLICAS Not enough good replicas to write.",
            "NOREPLICAS",
            RetryCause.NO_REPLICAS,
        ),
        (
            "@user_script: 35: -MISCONF Errors writing to the AOF file: No space left on device",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "MISCONF",
            RetryCause.MISCONFIGURED,
        ),
        (
            "@user_script: 35: -READONLY You can't write against a read only replica.",
            "READONLY You can't write against a read only replica.",
            "READONLY",
            RetryCause.READ_ONLY,
        ),
        (
            "@user_script: 35: The user executing the script can't run this command or subcommand",
            "ERR The user executing the script can't run this command or subcommand",
            "NOPERM",
            RetryCause.NO_PERMISSION,
        ),
        (
            "@user_script: 35: Lua script attempted to execute a command while the cluster is down",
            "ERR Script attempted to execute a command while the cluster is down",
            "CLUSTERDOWN",
            RetryCause.CLUSTER,
        ),
        (
            "Script killed by user with SCRIPT KILL...",
            "ERR Script killed by user with SCRIPT KILL...",
            "BUSY",
            RetryCause.BUSY,
        ),
        (
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "WRONGTYPE",
            RetryCause.OTHER,
        ),
        (
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
            "The",
            RetryCause.OTHER,
        ),
        (
            "user_script:35: attempt to concatenate a nil value",
            "ERR user_script:35: attempt to concatenate a nil value",
            "user_script:35:",
            RetryCause.OTHER,
        ),
    ],
)
def test_a_refusal_within_a_script_is_what_it_is_outside(
    old: str, new: str, word: str, cause: RetryCause
) -> None:
    wrapped, plain = ErrorReply(OLD + old), ErrorReply(new + NEW)
    assert str(wrapped).replace("Lua script", "Script") == str(plain)
    for refused in (wrapped, plain, ErrorReply(f"{new} script: on @user_script:35.")):
        assert refused.word == word
        assert translate(refused).cause is cause


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


def test_only_what_waiting_cannot_help_is_final() -> None:
    assert StoreAway(RetryCause.OTHER, "WRONGPASS").is_final
    assert not any(
        StoreAway(cause, "").is_final
        for cause in RetryCause
        if cause not in (RetryCause.NO_PERMISSION, RetryCause.OTHER)
    )
