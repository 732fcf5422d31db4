"""What Redis answers when it does not do what it was asked, and what becomes of that."""

import pytest
from redis import exceptions

from tertulia.metrics import RetryCause
from tertulia.store.errors import StoreAway, translate


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (exceptions.TimeoutError("Timeout reading from socket"), RetryCause.TIMEOUT),
        (TimeoutError(), RetryCause.TIMEOUT),
        (exceptions.ConnectionError("Connection closed by server."), RetryCause.CONNECTION),
        (ConnectionRefusedError(111, "Connection refused"), RetryCause.CONNECTION),
        (ConnectionResetError(), RetryCause.CONNECTION),
        (OSError(113, "No route to host"), RetryCause.CONNECTION),
        (exceptions.BusyLoadingError("Redis is loading the dataset"), RetryCause.LOADING),
        (exceptions.ReadOnlyError("You can't write"), RetryCause.READ_ONLY),
        (exceptions.MasterDownError("Link with MASTER is down"), RetryCause.READ_ONLY),
        (exceptions.OutOfMemoryError("command not allowed"), RetryCause.OUT_OF_MEMORY),
        (exceptions.ClusterDownError("The cluster is down"), RetryCause.CLUSTER),
        (exceptions.ResponseError("LOADING Redis is loading"), RetryCause.LOADING),
        (exceptions.ResponseError("READONLY You can't write"), RetryCause.READ_ONLY),
        (exceptions.ResponseError("OOM command not allowed"), RetryCause.OUT_OF_MEMORY),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF"), RetryCause.MISCONFIGURED),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), RetryCause.NO_REPLICAS),
        (exceptions.ResponseError("BUSY Redis is busy running a script"), RetryCause.BUSY),
        (exceptions.ResponseError("MASTERDOWN Link with MASTER is down"), RetryCause.READ_ONLY),
        (exceptions.ResponseError("CLUSTERDOWN Hash slot not served"), RetryCause.CLUSTER),
        (exceptions.ResponseError("TRYAGAIN Multiple keys request"), RetryCause.CLUSTER),
        (exceptions.ResponseError("MOVED 1234 127.0.0.1:6380"), RetryCause.CLUSTER),
        (exceptions.ResponseError("ASK 1234 127.0.0.1:6380"), RetryCause.CLUSTER),
        (exceptions.AuthenticationError("WRONGPASS invalid username"), RetryCause.OTHER),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), RetryCause.OTHER),
        (exceptions.ResponseError("ERR unknown command"), RetryCause.OTHER),
        (exceptions.NoPermissionError("this user has no permissions"), RetryCause.OTHER),
        (exceptions.InvalidResponse("Protocol Error"), RetryCause.OTHER),
    ],
)
def test_every_error_has_a_cause(error: Exception, cause: RetryCause) -> None:
    away = translate(error)
    assert isinstance(away, StoreAway)
    assert away.cause is cause
    assert str(away).startswith(str(error) or type(error).__name__)


def test_only_what_waiting_cannot_help_is_final() -> None:
    assert StoreAway(RetryCause.OTHER, "WRONGPASS").is_final
    assert not any(
        StoreAway(cause, "").is_final for cause in RetryCause if cause is not RetryCause.OTHER
    )
