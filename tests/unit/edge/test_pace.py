"""Who says more than it may is told once, in its dialect's own way, and read more slowly."""

import sys

import pytest
from websockets.frames import Opcode

from fakes.wire import ENTER, WiredClient, masked
from harness.cases import each
from tertulia.domain import commands, requests
from tertulia.edge.pace import Pace, Rates
from tertulia.settings.listener import ListenerSettings
from tertulia.settings.sections import LimitSettings

LIMITS = LimitSettings(messages_per_second=10, messages_burst=20)


def said(text: bytes) -> bytes:
    return masked(Opcode.TEXT, b'{"type":"say","id":1,"text":"%s"}' % text)


def whispered(text: bytes) -> bytes:
    return masked(Opcode.TEXT, b'{"type":"whisper","id":1,"to":"anna","text":"%s"}' % text)


WAYS = {
    "chatte": b"100 hello\n",
    "protocollo": b"G\nhello\n",
    "protocollo classic": b"G\nhello\n",
    "browser": said(b"hello"),
}
PRIVATE = {
    "chatte": b"102 anna hello\n",
    "protocollo": b"anna\nhello\n",
    "protocollo classic": b"anna\nhello\n",
    "browser": whispered(b"hello"),
}
TOLD = {
    "chatte": b"102 G You write too fast: what you write is passed on more slowly, all of it.\n",
    "protocollo": "G> scrivi troppo in fretta: quello che scrivi passa più lentamente, ma tutto\n".encode(),
    "protocollo classic": "G> scrivi troppo in fretta: quello che scrivi passa più lentamente, ma tutto\n"
    .encode("latin-1"),
    "browser": b'{"type":"slowed"}',
}  # fmt: skip


def entered(kind: str, limits: LimitSettings = LIMITS) -> WiredClient:
    client = WiredClient(kind, limits)
    client.enter(ENTER[kind])
    client.wire.written.clear()
    return client


def carried_out(client: WiredClient) -> int:
    messages = (commands.Say, commands.Whisper, requests.Message)
    return sum(isinstance(it, messages) for it in client.commands)


def times_told(client: WiredClient, kind: str) -> int:
    return b"".join(client.wire.written).count(TOLD[kind])


@each("kind", list(WAYS))
@each("is_public", [True, False])
def test_who_says_too_much_is_told_once_and_slowed(kind: str, is_public: bool) -> None:
    client = entered(kind)
    each = (WAYS if is_public else PRIVATE)[kind]
    client.send(each * 60)
    client.clock.run()
    assert carried_out(client) == 21  # the one that was too much was read by then
    assert times_told(client, kind) == 1
    assert not client.wire.reading
    client.clock.advance(1.0)
    assert 30 <= carried_out(client) <= 32
    client.clock.advance(4.0)
    assert carried_out(client) == 60
    assert client.wire.reading
    assert times_told(client, kind) == 1
    assert client.house.counted("reads_paused_total", limit="messages") == 40
    assert client.house.counted("reads_paused_total", limit="commands") == 0


def test_who_goes_on_too_fast_is_not_told_again_and_again() -> None:
    client = entered("chatte")
    client.send(WAYS["chatte"] * 30)
    client.clock.advance(1.5)
    for _ in range(30):  # just below the rate
        client.send(WAYS["chatte"])
        client.clock.advance(0.11)
    client.send(WAYS["chatte"] * 10)
    client.clock.advance(0.0)
    assert times_told(client, "chatte") == 1


def test_who_has_paused_is_told_anew() -> None:
    client = entered("chatte")
    for times in (1, 2, 3):
        client.send(WAYS["chatte"] * 30)
        client.clock.advance(10.0)
        assert times_told(client, "chatte") == times
        assert carried_out(client) == 30 * times


def test_who_says_no_more_than_it_may_is_told_nothing() -> None:
    client = entered("chatte")
    client.send(WAYS["chatte"] * 20)
    for _ in range(50):
        client.clock.advance(0.1)
        client.send(WAYS["chatte"])
    assert carried_out(client) == 70
    assert times_told(client, "chatte") == 0
    assert client.house.counted("reads_paused_total", limit="messages") == 0


def test_the_notice_comes_after_the_answers_to_what_was_said_before() -> None:
    client = entered("chatte")
    client.send(WAYS["chatte"] * 21)
    client.clock.run()
    answers = b"".join(client.wire.written)
    before, notice, after = answers.partition(TOLD["chatte"])
    assert notice
    assert before.count(b"101 Message sent.\n") == 21
    assert after == b""


@pytest.mark.parametrize("kind", ["device", "device binary"])
def test_what_devices_leave_is_slowed_without_a_word(kind: str) -> None:
    """They would take any word for a port."""
    client = entered(kind)
    each = b"\n" if kind == "device" else b"\0\0\0\0"
    client.send(each * 30)
    client.clock.run()
    assert carried_out(client) == 21
    client.clock.advance(2.0)
    assert carried_out(client) == 30
    assert client.wire.written == []


def test_coming_into_rooms_is_announced_and_so_counts_as_saying_something() -> None:
    client = entered("browser")
    frames = (b'{"type":"join","room":"r%d"}' % number for number in range(30))
    client.send(b"".join(masked(Opcode.TEXT, frame) for frame in frames))
    client.clock.run()
    assert len(client.commands) == 21
    assert times_told(client, "browser") == 1
    client.clock.advance(5.0)
    assert len(client.commands) == 30


def test_what_is_said_to_nobody_else_is_not_counted() -> None:
    client = entered("chatte")
    client.send(b"\n" * 50 + b"101 Message received.\n" * 50)
    client.clock.run()
    assert client.wire.reading
    assert len(client.commands) == 100


def test_messages_are_commands_as_well() -> None:
    limits = LimitSettings(commands_per_second=10, commands_burst=20)
    client = entered("chatte", limits)
    client.send(WAYS["chatte"] * 30)
    client.clock.run()
    assert carried_out(client) == 20  # one has entered
    assert times_told(client, "chatte") == 0
    assert client.house.counted("reads_paused_total", limit="commands") == 1


def test_a_command_that_is_owed_for_twice_waits_for_the_longer() -> None:
    limits = LimitSettings(
        commands_per_second=100, commands_burst=2, messages_per_second=1, messages_burst=1
    )
    client = entered("chatte", limits)
    client.send(WAYS["chatte"] * 5)
    client.clock.advance(3.9)
    assert carried_out(client) <= 5
    client.clock.advance(0.2)
    assert carried_out(client) == 5
    assert client.house.counted("reads_paused_total", limit="messages") >= 3


def test_an_episode_ends_when_the_whole_burst_is_there_again() -> None:
    pace = Pace(Rates(LIMITS))
    for _ in range(21):
        owed = pace.command(100.0, is_said=True)
    assert owed == pytest.approx(0.1)
    assert [pace.is_to_be_told(), pace.is_to_be_told()] == [True, False]
    pace.command(102.0, is_said=True)
    assert not pace.is_to_be_told()
    for _ in range(21):
        pace.command(104.3, is_said=True)
    assert pace.is_to_be_told()


def test_what_is_counted_of_each_client_takes_little_room() -> None:
    """Idle clients have it as well, thousands of them."""
    rates = Rates(LIMITS)
    paces = [Pace(rates) for _ in range(2)]
    for pace in paces:
        pace.read(100, 100.0)
        pace.command(100.0, is_said=True)
    own = [
        {id(value): value for name in Pace.__slots__ if (value := getattr(pace, name)) is not None}
        for pace in paces
    ]
    apart = [value for key, value in own[0].items() if key not in own[1]]
    assert not hasattr(paces[0], "__dict__")
    assert sys.getsizeof(paces[0]) + sum(map(sys.getsizeof, apart)) <= 168


def test_a_listener_may_differ() -> None:
    limits = LimitSettings(messages_per_second=10, messages_burst=50, commands_burst=7)
    same = limits.on(ListenerSettings(dialect="chatte"))
    more = limits.on(ListenerSettings(dialect="chatte", messages_per_second=500.0))
    both = limits.on(
        ListenerSettings(dialect="chatte", messages_per_second=500.0, messages_burst=900)
    )
    assert same == limits
    assert (more.messages_per_second, more.messages_burst) == (500, 50)
    assert (both.messages_per_second, both.messages_burst, both.commands_burst) == (500, 900, 7)


def test_without_settings_programs_may_talk() -> None:
    limits = LimitSettings()
    assert (limits.messages_per_second, limits.messages_burst) == (50, 200)
