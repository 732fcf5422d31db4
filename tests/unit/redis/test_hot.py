"""A connection to Redis, once it is made: every reply to who asked for it, or the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hiredis import HiredisError

from harness.waiting import until
from tertulia.redis.errors import ErrorReply
from tertulia.redis.hot import HotConnection, Inbox

WITHIN = 5.0
SHORT = 0.05


class Transport(asyncio.Transport):
    """The other side: what was written to it, and whether it was closed."""

    def __init__(self) -> None:
        self.written = b""
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
async def connection(transport: Transport) -> AsyncIterator[HotConnection]:
    connection = HotConnection()
    connection.connection_made(transport)
    yield connection
    connection.end()


async def begun(task: "asyncio.Task[list[Any]]", transport: Transport, times: int = 1) -> None:
    """Wait until a task has asked so many times in all."""
    await until(lambda: transport.written.count(b"PING") == times or task.done(), WITHIN, "asking")


async def test_replies_come_in_any_split(connection: HotConnection, transport: Transport) -> None:
    asking = asyncio.create_task(connection.ask(WITHIN, ("PING", 1), ("PING", b"two")))
    await begun(asking, transport, 2)
    assert transport.written == (
        b"*2\r\n$4\r\nPING\r\n$1\r\n1\r\n*2\r\n$4\r\nPING\r\n$3\r\ntwo\r\n"
    )
    for byte in b"$1\r\n1\r\n*2\r\n:7\r\n$-1\r\n":
        assert not asking.done()
        connection.data_received(bytes([byte]))
        await asyncio.sleep(0)
    assert await asking == [b"1", [7, None]]


async def test_after_a_refusal_it_goes_on_with_the_next_question(
    connection: HotConnection, transport: Transport
) -> None:
    asking = asyncio.create_task(connection.ask(WITHIN, ("PING",), ("PING",)))
    await begun(asking, transport, 2)
    connection.data_received(b"-ERR no such thing\r\n")
    await asyncio.sleep(0)
    assert not asking.done(), "what comes next would be taken for the reply to the next question"
    connection.data_received(b":1\r\n")
    with pytest.raises(ErrorReply, match=r"^no such thing$"):
        await asking
    assert not connection.is_over
    asking = asyncio.create_task(connection.ask(WITHIN, ("PING",)))
    await begun(asking, transport, 3)
    connection.data_received(b":2\r\n")
    assert await asking == [2]


async def listening(connection: HotConnection, transport: Transport, *channels: str) -> Inbox:
    """Subscribe to channels, and have that confirmed."""
    subscribing = asyncio.create_task(connection.subscribe(WITHIN, channels))
    sent = transport.written.count(b"$9\r\nSUBSCRIBE")
    await until(
        lambda: transport.written.count(b"$9\r\nSUBSCRIBE") > sent or subscribing.done(),
        WITHIN,
        "it to be sent",
    )
    for channel in channels:
        connection.data_received(confirmed("subscribe", channel))
    return await subscribing


def confirmed(what: str, channel: str) -> bytes:
    return array(what, channel)[:-1].replace(b"*2", b"*3") + b"\n:1\r\n"


def message(channel: str, text: str) -> bytes:
    return array("message", channel, text)


def array(*items: str) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(
        b"$%d\r\n%s\r\n" % (len(it), it.encode()) for it in items
    )


async def test_who_receives_goes_on_with_nothing_when_interrupted(
    connection: HotConnection, transport: Transport
) -> None:
    inbox = await listening(connection, transport, "a")
    receiving = asyncio.create_task(inbox.receive(WITHIN))
    await asyncio.sleep(0)
    inbox.interrupt()
    assert await receiving == []
    inbox.interrupt()  # nobody waits
    connection.data_received(message("a", "1"))
    assert await inbox.receive(WITHIN) == [[b"message", b"a", b"1"]]


async def test_who_receives_gets_all_that_has_come(
    connection: HotConnection, transport: Transport
) -> None:
    inbox = await listening(connection, transport, "a")
    receiving = asyncio.create_task(inbox.receive(WITHIN))
    await asyncio.sleep(0)
    third = message("a", "3")
    connection.data_received(message("a", "1") + message("a", "2") + third[:-2])
    assert [it[2] for it in await receiving] == [b"1", b"2"]
    connection.data_received(third[-2:])  # nobody waits for it yet
    connection.connection_lost(None)
    assert [it[2] for it in await inbox.receive(WITHIN)] == [b"3"]
    with pytest.raises(ConnectionError, match="closed"):
        await inbox.receive(WITHIN)


async def test_who_listens_hears_his_own_channels_only(
    connection: HotConnection, transport: Transport
) -> None:
    one = await listening(connection, transport, "a", "b")
    two = await listening(connection, transport, "c")
    connection.data_received(
        message("a", "1") + message("c", "2") + message("nobody's", "3") + message("b", "4")
    )
    assert [it[2] for it in await one.receive(WITHIN)] == [b"1", b"4"]
    assert [it[2] for it in await two.receive(WITHIN)] == [b"2"]
    connection.unsubscribe(one, WITHIN)
    connection.data_received(message("a", "late") + message("c", "5"))
    with pytest.raises(ConnectionError):
        await one.receive(WITHIN)
    assert [it[2] for it in await two.receive(WITHIN)] == [b"5"]


async def test_what_comes_before_a_subscription_is_confirmed_is_left_out(
    connection: HotConnection, transport: Transport
) -> None:
    """Also where the channel was subscribed to before: that was another subscription."""
    old = await listening(connection, transport, "a", "b")
    connection.unsubscribe(old, WITHIN)
    subscribing = asyncio.create_task(connection.subscribe(WITHIN, ["a", "b"]))
    await until(lambda: transport.written.count(b"SUBSCRIBE") == 3, WITHIN, "it to be sent")
    connection.data_received(message("a", "of the old one"))
    for channel in ("a", "b"):
        connection.data_received(confirmed("unsubscribe", channel))
    connection.data_received(confirmed("subscribe", "a") + message("a", "too early"))
    connection.data_received(confirmed("subscribe", "b") + message("a", "heard"))
    inbox = await subscribing
    assert [it[2] for it in await inbox.receive(WITHIN)] == [b"heard"]


async def test_a_subscription_that_is_refused_is_nobody_elses_matter(
    connection: HotConnection, transport: Transport
) -> None:
    inbox = await listening(connection, transport, "a")
    subscribing = asyncio.create_task(connection.subscribe(WITHIN, ["b", "c"]))
    await until(lambda: transport.written.count(b"SUBSCRIBE") == 2, WITHIN, "it to be sent")
    connection.data_received(b"-NOPERM not this channel\r\n" + message("a", "1"))
    with pytest.raises(ErrorReply, match="NOPERM"):
        await subscribing
    assert [it[2] for it in await inbox.receive(WITHIN)] == [b"1"]
    assert not connection.is_over


async def test_who_subscribes_and_is_cancelled_hears_nothing(
    connection: HotConnection, transport: Transport
) -> None:
    subscribing = asyncio.create_task(connection.subscribe(WITHIN, ["a"]))
    await until(lambda: b"SUBSCRIBE" in transport.written, WITHIN, "it to be sent")
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing
    assert b"UNSUBSCRIBE" in transport.written
    connection.data_received(confirmed("subscribe", "a") + message("a", "1"))
    connection.data_received(confirmed("unsubscribe", "a"))
    assert not connection.is_over
    inbox = await listening(connection, transport, "a")
    connection.data_received(message("a", "2"))
    assert [it[2] for it in await inbox.receive(WITHIN)] == [b"2"]


async def test_a_channel_that_redis_gives_up_is_told_to_who_listens(
    connection: HotConnection, transport: Transport
) -> None:
    """As where its slot was moved to another shard."""
    one = await listening(connection, transport, "a")
    two = await listening(connection, transport, "b")
    connection.unsubscribe(two, WITHIN)
    connection.data_received(confirmed("sunsubscribe", "a") + confirmed("unsubscribe", "b"))
    assert await one.receive(WITHIN) == [[b"sunsubscribe", b"a", 1]]
    assert not connection.is_over


async def test_silence_ends_the_wait_of_one_and_not_the_connection(
    connection: HotConnection, transport: Transport
) -> None:
    inbox = await listening(connection, transport, "a")
    with pytest.raises(TimeoutError, match="nothing came"):
        await inbox.receive(SHORT)
    assert not connection.is_over
    connection.data_received(message("a", "1"))
    assert len(await inbox.receive(WITHIN)) == 1


@pytest.mark.parametrize("said", [b":1\r\n", b"*0\r\n", b"$-1\r\n", b"*1\r\n*0\r\n", b"-ERR x\r\n"])
async def test_what_no_server_says_to_those_who_listen_is_the_end(
    connection: HotConnection, transport: Transport, said: bytes
) -> None:
    inbox = await listening(connection, transport, "a")
    connection.data_received(said)
    with pytest.raises(HiredisError):
        await inbox.receive(WITHIN)
    assert transport.is_aborted


async def test_each_gets_the_replies_to_what_he_asked(
    connection: HotConnection, transport: Transport
) -> None:
    asking = [
        asyncio.create_task(connection.ask(WITHIN, *[("PING",)] * count)) for count in (1, 3, 2)
    ]
    await begun(asking[-1], transport, 6)
    replies = b"".join(b":%d\r\n" % number for number in range(6))
    connection.data_received(replies[:10])
    connection.data_received(replies[10:])
    assert await asyncio.gather(*asking) == [[0], [1, 2, 3], [4, 5]]


async def test_a_refusal_is_told_to_who_asked(
    connection: HotConnection, transport: Transport
) -> None:
    asking = [asyncio.create_task(connection.ask(WITHIN, ("PING",))) for _ in range(3)]
    await begun(asking[-1], transport, 3)
    connection.data_received(b":1\r\n-WRONGTYPE no\r\n:3\r\n")
    assert await asking[0] == [1]
    with pytest.raises(ErrorReply, match="WRONGTYPE"):
        await asking[1]
    assert await asking[2] == [3]
    assert not connection.is_over


async def test_all_learn_of_one_who_waits_too_long(
    connection: HotConnection, transport: Transport
) -> None:
    patient = asyncio.create_task(connection.ask(60, ("PING",)))
    await begun(patient, transport)
    hasty = asyncio.create_task(connection.ask(SHORT, ("PING",)))
    for asking in (hasty, patient):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, WITHIN)
    assert transport.is_aborted


async def test_what_takes_too_long_is_the_end(
    connection: HotConnection, transport: Transport
) -> None:
    with pytest.raises(TimeoutError):
        await connection.ask(SHORT, ("PING",))
    assert transport.is_aborted
    connection.data_received(b"+LATE\r\n")
    with pytest.raises(TimeoutError):
        await connection.ask(WITHIN, ("PING",))


@pytest.mark.slow
async def test_each_question_has_a_time_of_its_own(
    connection: HotConnection, transport: Transport
) -> None:
    """One timer goes on over all of them: it ends none early, and none late."""
    loop = asyncio.get_running_loop()
    seconds = 0.8
    first = asyncio.create_task(connection.ask(seconds, ("PING",)))
    await begun(first, transport)
    some = loop.time() + 0.1
    await until(lambda: loop.time() > some, WITHIN, "some of its time to pass")
    connection.data_received(b":1\r\n")
    assert await first == [1]
    asked = loop.time()
    with pytest.raises(TimeoutError):
        await connection.ask(seconds, ("PING",))
    assert loop.time() - asked >= seconds - 0.01


async def test_a_shorter_time_ends_before_a_longer_one_that_was_given_before(
    connection: HotConnection, transport: Transport
) -> None:
    first = asyncio.create_task(connection.ask(60, ("PING",)))
    await begun(first, transport)
    connection.data_received(b":1\r\n")
    assert await first == [1]
    async with asyncio.timeout(WITHIN):
        with pytest.raises(TimeoutError, match="nothing came"):
            await connection.ask(SHORT, ("PING",))


async def test_the_reply_to_who_was_cancelled_is_dropped(
    connection: HotConnection, transport: Transport
) -> None:
    """No reply is taken for another one's, and who waits behind loses nothing."""
    cancelled = asyncio.create_task(connection.ask(WITHIN, ("PING",), ("PING",)))
    await begun(cancelled, transport, 2)
    behind = asyncio.create_task(connection.ask(WITHIN, ("PING",)))
    await begun(behind, transport, 3)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert not connection.is_over
    connection.data_received(b":1\r\n:2\r\n:3\r\n")
    assert await behind == [3]


async def test_a_reply_that_nobody_waits_for_has_to_come_in_time_all_the_same(
    connection: HotConnection, transport: Transport
) -> None:
    cancelled = asyncio.create_task(connection.ask(SHORT, ("PING",)))
    await begun(cancelled, transport)
    cancelled.cancel()
    await until(lambda: transport.is_aborted, WITHIN, "the end")


async def test_a_reply_that_is_false_is_one(
    connection: HotConnection, transport: Transport
) -> None:
    asking = asyncio.create_task(connection.ask(WITHIN, ("PING",), ("PING",)))
    await begun(asking, transport, 2)
    connection.data_received(b"#f\r\n:1\r\n")  # no server says so to us: it is of RESP3
    assert await asking == [False, 1]


async def test_what_no_server_says_to_us_is_the_end(
    connection: HotConnection, transport: Transport
) -> None:
    asking = asyncio.create_task(connection.ask(60, ("PING",)))
    await begun(asking, transport)
    connection.data_received(b"%1\r\n*0\r\n:1\r\n")  # a map by lists
    with pytest.raises(HiredisError):
        await asyncio.wait_for(asking, WITHIN)
    assert transport.is_aborted


@pytest.mark.parametrize(
    ("what", "learns"),
    [("lost", ConnectionResetError), ("ended", ConnectionError), ("broken", HiredisError)],
)
async def test_who_waits_learns_of_the_end(
    connection: HotConnection, transport: Transport, what: str, learns: type[Exception]
) -> None:
    asking = asyncio.create_task(connection.ask(60, ("PING",)))
    await begun(asking, transport)
    match what:
        case "lost":
            connection.connection_lost(ConnectionResetError("by peer"))
        case "ended":
            connection.end()
        case _:
            connection.data_received(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(learns):
        await asyncio.wait_for(asking, WITHIN)
    assert connection.is_over
