"""A connection to Redis, once it is made: every reply to who asked for it, or the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hiredis import HiredisError

from harness.waiting import until
from tertulia.redis.errors import ErrorReply
from tertulia.redis.hot import Connection

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
async def connection(transport: Transport) -> AsyncIterator[Connection]:
    connection = Connection()
    connection.connection_made(transport)
    yield connection
    connection.end()


async def begun(task: "asyncio.Task[list[Any]]", transport: Transport, times: int = 1) -> None:
    """Wait until a task has asked so many times in all."""
    await until(lambda: transport.written.count(b"PING") == times or task.done(), WITHIN, "asking")


async def test_replies_come_in_any_split(connection: Connection, transport: Transport) -> None:
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
    connection: Connection, transport: Transport
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


async def test_who_receives_goes_on_with_nothing_when_interrupted(connection: Connection) -> None:
    receiving = asyncio.create_task(connection.receive(WITHIN))
    await asyncio.sleep(0)
    connection.interrupt()
    assert await receiving == []
    connection.interrupt()  # nobody waits
    connection.data_received(b":1\r\n")
    assert await connection.receive(WITHIN) == [1]


async def test_who_receives_gets_all_that_has_come(connection: Connection) -> None:
    receiving = asyncio.create_task(connection.receive(WITHIN))
    await asyncio.sleep(0)
    connection.data_received(b":1\r\n:2\r\n:")
    assert await receiving == [1, 2]
    connection.data_received(b"3\r\n")  # nobody waits for it yet
    connection.connection_lost(None)
    assert await connection.receive(WITHIN) == [3]
    with pytest.raises(ConnectionError, match="closed"):
        await connection.receive(WITHIN)


async def test_what_takes_too_long_is_the_end(connection: Connection, transport: Transport) -> None:
    with pytest.raises(TimeoutError):
        await connection.ask(SHORT, ("PING",))
    assert transport.is_aborted
    connection.data_received(b"+LATE\r\n")
    with pytest.raises(TimeoutError):
        await connection.ask(WITHIN, ("PING",))


async def test_each_question_has_a_time_of_its_own(
    connection: Connection, transport: Transport
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
    connection: Connection, transport: Transport
) -> None:
    first = asyncio.create_task(connection.ask(60, ("PING",)))
    await begun(first, transport)
    connection.data_received(b":1\r\n")
    assert await first == [1]
    async with asyncio.timeout(WITHIN):
        with pytest.raises(TimeoutError, match="nothing came"):
            await connection.ask(SHORT, ("PING",))


async def test_no_reply_is_taken_for_another_ones(
    connection: Connection, transport: Transport
) -> None:
    asking = asyncio.create_task(connection.ask(WITHIN, ("PING",)))
    await begun(asking, transport)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert connection.is_over
    assert transport.is_aborted
    with pytest.raises(ConnectionError):
        await connection.ask(WITHIN, ("PING",))


async def test_a_reply_that_is_false_is_one(connection: Connection, transport: Transport) -> None:
    asking = asyncio.create_task(connection.ask(WITHIN, ("PING",), ("PING",)))
    await begun(asking, transport, 2)
    connection.data_received(b"#f\r\n:1\r\n")  # no server says so to us: it is of RESP3
    assert await asking == [False, 1]


async def test_what_no_server_says_to_us_is_the_end(
    connection: Connection, transport: Transport
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
    connection: Connection, transport: Transport, what: str, learns: type[Exception]
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
