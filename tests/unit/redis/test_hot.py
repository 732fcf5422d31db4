"""A connection to Redis, once it is made: every reply to who asked for it, or the end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import pytest
from hiredis import HiredisError, pack_command

from fakes.loop_time import leaping
from harness.waiting import until
from tertulia.redis.errors import ErrorReply
from tertulia.redis.hot import HotConnection, Inbox

WITHIN = 30.0
SHORT = 0.05
_T = TypeVar("_T")


class Line(asyncio.Transport):
    """A connection, and the other side of it: what was written to it, and whether it was closed."""

    def __init__(self) -> None:
        self.written = b""
        self.is_aborted = False
        self.connection = HotConnection(self)
        self.says = self.connection.data_received

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True

    async def begun(self, work: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        """Begin something, and wait until it waits."""
        task = asyncio.create_task(work)
        await asyncio.sleep(0)
        return task

    async def asking(self, count: int = 1, seconds: float = WITHIN) -> "asyncio.Task[list[Any]]":
        """Begin to ask, so many questions at once."""
        return await self.begun(self.connection.ask(seconds, *[("PING",)] * count))

    async def subscribing(self, *channels: str) -> "asyncio.Task[Inbox]":
        """Begin to subscribe to channels."""
        return await self.begun(self.connection.subscribe(WITHIN, channels))

    async def listening(self, *channels: str) -> Inbox:
        """Subscribe to channels, and have that confirmed."""
        subscribing = await self.subscribing(*channels)
        self.says(b"".join(confirmed("subscribe", it) for it in channels))
        return await subscribing


def confirmed(what: str, channel: str) -> bytes:
    return array(what, channel).replace(b"*2", b"*3") + b":1\r\n"


def message(channel: str, text: str) -> bytes:
    return array("message", channel, text)


def array(*items: str) -> bytes:
    return bytes(pack_command(items))  # type: ignore[arg-type]


async def texts(inbox: Inbox, seconds: float = WITHIN) -> list[str]:
    """Receive messages, and return what they say."""
    return [it[2].decode() for it in await inbox.receive(seconds)]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    line.connection.end()


# --- Questions -----------------------------------------------------------------------------------


async def test_replies_come_in_any_split(line: Line) -> None:
    asking = await line.begun(line.connection.ask(WITHIN, ("PING", 1), ("PING", b"two")))
    assert line.written == b"*2\r\n$4\r\nPING\r\n$1\r\n1\r\n*2\r\n$4\r\nPING\r\n$3\r\ntwo\r\n"
    for byte in b"$1\r\n1\r\n*2\r\n:7\r\n$-1\r\n":
        assert not asking.done()
        line.says(bytes([byte]))
        await asyncio.sleep(0)
    assert await asking == [b"1", [7, None]]


@pytest.mark.parametrize("at", [0, 10, 36])
async def test_each_gets_the_replies_to_what_he_asked(line: Line, at: int) -> None:
    """A refusal is told when all replies to who asked are there: none is taken for another one's."""
    asking = [await line.asking(count) for count in (1, 3, 2, 1)]
    # False is of RESP3: no server says so to us.
    replies = b":0\r\n#f\r\n:2\r\n:3\r\n-ERR no such thing\r\n:5\r\n:6\r\n"
    line.says(replies[:at])
    await asyncio.sleep(0)
    assert not asking[2].done()
    line.says(replies[at:])
    assert [await asking[it] for it in (0, 1, 3)] == [[0], [False, 2, 3], [6]]
    with pytest.raises(ErrorReply, match=r"^no such thing$"):
        await asking[2]
    assert not line.connection.is_over


async def test_the_reply_to_who_was_cancelled_is_dropped(line: Line) -> None:
    """No reply is taken for another one's, and who waits behind loses nothing."""
    cancelled, behind = await line.asking(2), await line.asking()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    line.says(b":1\r\n:2\r\n:3\r\n")
    assert await behind == [3]


async def test_all_learn_of_one_who_waits_too_long(line: Line) -> None:
    """Also where a shorter time is given behind a longer one: one timer goes over all of them."""
    patient, hasty = await line.asking(seconds=60), await line.asking(seconds=SHORT)
    for asking in (hasty, patient):
        with pytest.raises(TimeoutError, match="nothing came"):
            await asyncio.wait_for(asking, WITHIN)
    assert line.is_aborted
    line.says(b"+LATE\r\n")
    with pytest.raises(TimeoutError):
        await line.connection.ask(WITHIN, ("PING",))


async def test_each_question_has_a_time_of_its_own(line: Line) -> None:
    """The timer of one that is answered ends none early, and none late."""
    loop = asyncio.get_running_loop()
    seconds = 0.8
    with leaping():
        first = await line.asking(seconds=seconds)
        some = loop.time() + 0.1
        await until(lambda: loop.time() > some, WITHIN, "some of its time to pass")
        line.says(b":1\r\n")
        assert await first == [1]
        asked = loop.time()
        with pytest.raises(TimeoutError):
            await line.connection.ask(seconds, ("PING",))
        assert loop.time() - asked == pytest.approx(seconds, abs=0.01)


async def test_a_reply_that_nobody_waits_for_has_to_come_in_time_all_the_same(line: Line) -> None:
    """Also behind a question that had a longer time and was answered."""
    first = await line.asking(seconds=60)
    line.says(b":1\r\n")
    await first
    (await line.asking(seconds=SHORT)).cancel()
    await until(lambda: line.is_aborted, WITHIN, "the end")


@pytest.mark.parametrize(
    ("what", "learns"),
    [
        (lambda it: it.connection_lost(ConnectionResetError("by peer")), ConnectionResetError),
        (lambda it: it.end(), ConnectionError),
        (lambda it: it.data_received(b"HTTP/1.1 400 Bad Request\r\n"), HiredisError),
        (lambda it: it.data_received(b"%1\r\n*0\r\n:1\r\n"), HiredisError),  # a map by lists
    ],
    ids=["lost", "ended", "no Redis", "no values"],
)
async def test_who_waits_learns_of_the_end(line: Line, what: Any, learns: type[Exception]) -> None:
    asking = await line.asking(seconds=60)
    what(line.connection)
    with pytest.raises(learns):
        await asyncio.wait_for(asking, WITHIN)
    assert line.connection.is_over


# --- Messages ------------------------------------------------------------------------------------


async def test_who_receives_goes_on_with_nothing_when_interrupted(line: Line) -> None:
    inbox = await line.listening("a")
    receiving = await line.begun(inbox.receive(WITHIN))
    inbox.interrupt()
    assert await receiving == []
    inbox.interrupt()  # nobody waits
    line.says(message("a", "1"))
    assert await inbox.receive(WITHIN) == [[b"message", b"a", b"1"]]


async def test_who_receives_gets_all_that_has_come(line: Line) -> None:
    inbox = await line.listening("a")
    receiving = await line.begun(texts(inbox))
    third = message("a", "3")
    line.says(message("a", "1") + message("a", "2") + third[:-2])
    assert await receiving == ["1", "2"]
    line.says(third[-2:])  # nobody waits for it yet
    line.connection.connection_lost(None)
    assert await texts(inbox) == ["3"]
    with pytest.raises(ConnectionError, match="closed"):
        await inbox.receive(WITHIN)


async def test_who_waits_takes_what_comes_in_the_turn_in_which_it_is_read(line: Line) -> None:
    inbox = await line.listening("a", "b")
    taken: list[str] = []

    def take(messages: list[Any]) -> bool:
        taken.extend(it[2].decode() for it in messages)
        return taken[-1] != "four"

    line.says(message("a", "one"))  # nobody waits yet
    receiving = await line.begun(inbox.receive(WITHIN, take))
    assert [it[2] for it in await receiving] == [b"one"]
    receiving = await line.begun(inbox.receive(WITHIN, take))
    line.says(message("a", "two") + message("b", "three"))
    assert taken == ["two", "three"]
    line.says(message("b", "four") + message("a", "five"))  # the last decides
    line.says(message("b", "four"))  # which is not taken
    line.says(message("a", "six"))  # so what comes behind it is not given to be taken
    assert taken == ["two", "three", "four", "five", "four"]
    assert [it[2] for it in await receiving] == [b"four", b"six"]


async def test_what_fails_to_take_a_message_fails_who_receives_and_not_the_connection(
    line: Line,
) -> None:
    inbox, other = await line.listening("a"), await line.listening("b")

    def take(messages: list[Any]) -> bool:
        raise ValueError("it can't be taken")

    receiving = await line.begun(inbox.receive(WITHIN, take))
    line.says(message("a", "one"))
    with pytest.raises(ValueError, match="it can't be taken"):
        await receiving
    line.says(message("b", "two") + message("a", "three"))
    assert await texts(other) == ["two"]
    assert await texts(inbox) == ["three"]


async def test_who_takes_is_told_of_a_channel_behind_what_came_on_it(line: Line) -> None:
    inbox = await line.listening("a")
    taken: list[Any] = []

    def take(messages: list[Any]) -> bool:
        taken.append(messages)
        return True

    receiving = await line.begun(inbox.receive(WITHIN, take))
    line.says(message("a", "one") + array("unsubscribe", "a").replace(b"*2", b"*3") + b":0\r\n")
    assert [[it[0] for it in each] for each in taken] == [[b"message"], [b"unsubscribe"]]
    inbox.interrupt()
    assert await receiving == []


async def test_whoever_wants_to_be_told_at_once_is_told_in_the_turn_of_the_reply(
    line: Line,
) -> None:
    class Told:
        replies: Any = None

        def done(self) -> bool:
            return self.replies is not None

        def set_result(self, replies: list[Any], /) -> None:
            self.replies = replies

        def set_exception(self, error: Exception, /) -> None:
            self.replies = error

    first, second = Told(), Told()
    line.connection.request_for(first, WITHIN, ("PING",), ("PING",))
    line.connection.request_for(second, WITHIN, ("PING",))
    line.says(b"+one\r\n")
    assert first.replies is None
    line.says(b"+two\r\n")
    assert first.replies == [b"one", b"two"]
    line.connection.end()
    assert isinstance(second.replies, ConnectionError)
    assert first.replies == [b"one", b"two"]


async def test_who_listens_hears_his_own_channels_only(line: Line) -> None:
    one, two = await line.listening("a", "b"), await line.listening("c")
    said = (("a", "1"), ("c", "2"), ("nobody's", "3"), ("b", "4"))
    line.says(b"".join(message(*it) for it in said))
    assert (await texts(one), await texts(two)) == (["1", "4"], ["2"])
    line.connection.unsubscribe(one, WITHIN)
    line.says(message("a", "late") + message("c", "5"))
    with pytest.raises(ConnectionError):
        await one.receive(WITHIN)
    assert await texts(two) == ["5"]


async def test_what_comes_before_a_subscription_is_confirmed_is_left_out(line: Line) -> None:
    """Also where the channel was subscribed to before: that was another subscription."""
    line.connection.unsubscribe(await line.listening("a", "b"), WITHIN)
    subscribing = await line.subscribing("a", "b")
    line.says(message("a", "of the old one"))
    for channel in ("a", "b"):
        line.says(confirmed("unsubscribe", channel))
    line.says(confirmed("subscribe", "a") + message("a", "too early"))
    line.says(confirmed("subscribe", "b") + message("a", "heard"))
    assert await texts(await subscribing) == ["heard"]


async def test_a_subscription_that_is_refused_is_nobody_elses_matter(line: Line) -> None:
    inbox = await line.listening("a")
    subscribing = await line.subscribing("b", "c")
    line.says(b"-NOPERM not this channel\r\n" + message("a", "1"))
    with pytest.raises(ErrorReply, match="NOPERM"):
        await subscribing
    assert await texts(inbox) == ["1"]
    assert not line.connection.is_over


async def test_who_subscribes_and_is_cancelled_hears_nothing(line: Line) -> None:
    subscribing = await line.subscribing("a")
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing
    assert b"UNSUBSCRIBE" in line.written
    line.says(confirmed("subscribe", "a") + message("a", "1") + confirmed("unsubscribe", "a"))
    assert not line.connection._hearing, "messages would be kept for nobody"
    inbox = await line.listening("a")
    line.says(message("a", "2"))
    assert await texts(inbox) == ["2"]


async def test_a_channel_that_redis_gives_up_is_told_to_who_listens(line: Line) -> None:
    """As where its slot was moved to another shard."""
    one, two = await line.listening("a"), await line.listening("b")
    line.connection.unsubscribe(two, WITHIN)
    line.says(confirmed("sunsubscribe", "a") + confirmed("unsubscribe", "b"))
    assert await one.receive(WITHIN) == [[b"sunsubscribe", b"a", 1]]
    subscribing = await line.subscribing("c")
    line.says(confirmed("sunsubscribe", "c"))
    await asyncio.sleep(0)
    assert not subscribing.done()
    line.says(confirmed("subscribe", "c"))
    await subscribing


async def test_silence_ends_the_wait_of_one_and_not_the_connection(line: Line) -> None:
    inbox = await line.listening("a")
    with pytest.raises(TimeoutError, match="nothing came"):
        await inbox.receive(SHORT)
    assert not line.connection.is_over
    line.says(message("a", "1"))
    assert await texts(inbox) == ["1"]


@pytest.mark.parametrize("said", [b":1\r\n", b"*0\r\n", b"$-1\r\n", b"*1\r\n*0\r\n", b"-ERR x\r\n"])
async def test_what_no_server_says_to_those_who_listen_is_the_end(line: Line, said: bytes) -> None:
    inbox = await line.listening("a")
    line.says(said)
    with pytest.raises(HiredisError):
        await inbox.receive(WITHIN)
    assert line.is_aborted
