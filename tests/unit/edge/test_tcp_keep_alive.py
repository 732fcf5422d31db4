"""Who says nothing on a listener that asks is asked, and let go: by the loop's clock, which a test moves."""

from fakes.wire import WiredClient
from tertulia.domain.disconnects import Disconnect
from tertulia.edge.serving import LOOK_SECONDS
from tertulia.edge.tcp import LET_GO_SECONDS, PING_SECONDS
from tertulia.settings.sections import LimitSettings

PING = b"PING :tertulia\r\n"
SLOW = LimitSettings(bytes_per_second=1, bytes_burst=8192)


def entered(limits: LimitSettings | None = None, *, ping: bytes = PING) -> WiredClient:
    client = WiredClient("chatte", limits or LimitSettings(), ping=ping)
    client.enter(b"anna\n")
    client.wire.written.clear()
    return client


def asked(client: WiredClient, seconds: float) -> int:
    """Let time pass; return how often the client was asked meanwhile."""
    client.wire.written.clear()
    client.clock.advance(seconds)
    return client.wire.written.count(PING)


def silent(client: WiredClient) -> bool:
    return client.house.counted("disconnects_total", reason=Disconnect.SILENT.label) == 1


def test_the_times_are_those_of_the_protocol() -> None:
    assert (PING_SECONDS, LET_GO_SECONDS) == (90, 180)


def test_who_says_nothing_is_asked_once_and_let_go() -> None:
    client = entered()
    assert asked(client, PING_SECONDS - 0.1) == 0
    assert asked(client, 0.1 + LOOK_SECONDS) == 1
    assert asked(client, LET_GO_SECONDS - PING_SECONDS - LOOK_SECONDS - 0.1) == 0
    assert not client.connection.pump.is_over
    assert asked(client, 0.1 + LOOK_SECONDS) == 0
    assert silent(client)
    assert client.connection.pump.is_over


def test_whatever_comes_is_a_sign_of_life_and_the_next_silence_is_asked_again() -> None:
    client = entered()
    for _ in range(5):
        assert asked(client, PING_SECONDS + LOOK_SECONDS) == 1
        client.send(b"P")  # not even a line
    assert asked(client, PING_SECONDS - 0.1) == 0
    client.send(b"ONG\n")
    assert asked(client, PING_SECONDS - 0.1) == 0
    assert not client.connection.pump.is_over


def test_who_has_not_entered_has_the_listeners_patience_only() -> None:
    patient = LimitSettings(enter_seconds=60)
    client = WiredClient("chatte", patient, ping=PING)
    assert asked(client, 59) == 0
    assert not client.connection.pump.is_over
    client.clock.advance(2)
    assert client.house.counted("disconnects_total", reason="enter_timeout") == 1


def test_who_is_not_read_from_is_not_called_silent() -> None:
    client = entered(SLOW)
    client.send(b"x" * 9000)  # more than it may: it is read again only after many minutes
    assert not client.wire.reading
    assert asked(client, 3 * LET_GO_SECONDS) == 0
    assert not client.connection.pump.is_over
    assert not silent(client)


def test_nobody_is_asked_where_silence_is_no_fault() -> None:
    client = entered(ping=b"")
    assert asked(client, 9 * LET_GO_SECONDS) == 0
    assert client.wire.written == []
    assert not client.connection.pump.is_over


def test_all_share_one_timer_and_who_is_gone_is_looked_at_no_more() -> None:
    client = entered()
    slots = client.connection.listener.heartbeat._slots
    assert [len(slot) for slot in slots if slot] == [1]
    before = client.clock.timers
    for _ in range(100):
        client.connection.listener.heartbeat.add(Nobody())
    assert client.clock.timers == before
    client.connection.connection_lost(None)
    assert [len(slot) for slot in slots if slot] == [100]


class Nobody:
    def beat(self) -> None:
        """Take no notice."""
