"""What Redis answers when it does not do what it was asked, and what becomes of that."""

from ssl import SSLError

import pytest
from hiredis import ProtocolError

from tertulia.metrics import RetryCause
from tertulia.store.errors import Refused, StoreAway, translate


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), RetryCause.TIMEOUT),
        (ConnectionError("Redis closed the connection"), RetryCause.CONNECTION),
        (ConnectionRefusedError(111, "Connection refused"), RetryCause.CONNECTION),
        (ConnectionResetError(), RetryCause.CONNECTION),
        (OSError(113, "No route to host"), RetryCause.CONNECTION),
        (SSLError("WRONG_VERSION_NUMBER"), RetryCause.CONNECTION),
        (SSLError("CERTIFICATE_VERIFY_FAILED"), RetryCause.OTHER),
        (Refused("LOADING Redis is loading the dataset"), RetryCause.LOADING),
        (Refused("READONLY You can't write"), RetryCause.READ_ONLY),
        (Refused("OOM command not allowed"), RetryCause.OUT_OF_MEMORY),
        (Refused("MISCONF Errors writing to the AOF"), RetryCause.MISCONFIGURED),
        (Refused("NOREPLICAS Not enough good replicas"), RetryCause.NO_REPLICAS),
        (Refused("BUSY Redis is busy running a script"), RetryCause.BUSY),
        (Refused("MASTERDOWN Link with MASTER is down"), RetryCause.READ_ONLY),
        (Refused("CLUSTERDOWN Hash slot not served"), RetryCause.CLUSTER),
        (Refused("TRYAGAIN Multiple keys request"), RetryCause.CLUSTER),
        (Refused("MOVED 1234 127.0.0.1:6380"), RetryCause.CLUSTER),
        (Refused("ASK 1234 127.0.0.1:6380"), RetryCause.CLUSTER),
        (Refused("ERR max number of clients reached"), RetryCause.CONNECTION),
        (Refused("WRONGPASS invalid username"), RetryCause.OTHER),
        (Refused("WRONGTYPE Operation against a key"), RetryCause.OTHER),
        (Refused("ERR unknown command"), RetryCause.OTHER),
        (Refused("NOPERM this user has no permissions"), RetryCause.OTHER),
        (ProtocolError("Protocol error, got 'H'"), RetryCause.OTHER),
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
