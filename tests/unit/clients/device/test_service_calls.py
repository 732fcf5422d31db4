"""Calls to the service, over real sockets: what is tried again, and how a connection ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.device_service import (
    HASTY,
    PATIENT,
    Listening,
    Script,
    answering,
    hanging_up,
    resetting,
)
from harness.waiting import until
from tertulia.clients.device.exchange import Steps, an_integer
from tertulia.clients.device.operations import (
    LoginAnswer,
    PendingFrom,
    hanging,
    leave_chat,
    show,
    sign_up,
)
from tertulia.clients.device.service_calls import (
    MAX_UNREAD,
    Away,
    Garbled,
    HungUp,
    NoAnswer,
    Retrying,
    Service,
)
from tertulia.clients.device.wire import integer, string

SHOWN = integer(1) + integer(1) + string("ciao\n")


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    it = Listening()
    server = await it.begin()
    try:
        yield it
    finally:
        server.close()


async def test_an_operation_is_closed_in_order(listening: Listening) -> None:
    listening.scripts = [answering(SHOWN)]
    assert await listening.service.call(lambda: show("anna", "bob")) == PendingFrom(("ciao",))
    await until(lambda: listening.endings == ["in order"], 30, "the end")
    assert listening.told == []


async def test_a_connection_that_broke_as_it_was_made_is_no_defect(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system knows no address of its ends any more, and nor does the transport."""
    info = asyncio.BaseTransport.get_extra_info

    def unknown(it: asyncio.BaseTransport, name: str, default: object = None) -> object:
        return None if name in ("peername", "sockname") else info(it, name, default)

    monkeypatch.setattr(asyncio.BaseTransport, "get_extra_info", unknown)
    listening.scripts = [answering(SHOWN)]
    assert await listening.service.call(lambda: show("anna", "bob")) == PendingFrom(("ciao",))
    assert (listening.service.address, listening.service.own_address) == ("127.0.0.1", "")


async def test_what_was_not_shown_whole_is_closed_out_of_order() -> None:
    """The service forgets what it has shown once the connection was closed in order."""
    it = Listening(HASTY)
    it.scripts = [answering(SHOWN[:-1])]
    async with await it.begin():
        with pytest.raises(NoAnswer, match="did not answer in time"):
            await it.service.call(lambda: show("anna", "bob"), patient=False)
        await until(lambda: it.endings == ["reset"], 30, "the end")


async def test_a_call_that_is_given_up_is_closed_out_of_order(listening: Listening) -> None:
    answered = asyncio.Event()

    async def begins(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(SHOWN[:-1])(reader, writer)
        answered.set()

    listening.scripts = [begins]
    call = asyncio.create_task(listening.service.call(lambda: show("anna", "bob")))
    await answered.wait()
    call.cancel()
    await until(lambda: listening.endings == ["reset"], 30, "the end")


async def test_what_answers_otherwise_is_no_service(listening: Listening) -> None:
    listening.scripts = [answering(b"HTTP/1.1 400 Bad Request\r\n")]
    with pytest.raises(Garbled, match="no service for devices"):
        await listening.service.call(lambda: hanging("anna"))
    await until(lambda: listening.endings == ["reset"], 30, "the end")


@pytest.mark.parametrize("ending", [hanging_up, resetting])
async def test_a_connection_that_ends_is_tried_again_once(
    listening: Listening, ending: Script
) -> None:
    listening.scripts = [ending, answering(integer(1) + string(""))]
    assert await listening.service.call(lambda: hanging("anna")) == ()
    listening.scripts = [ending]
    with pytest.raises(HungUp, match="log in again"):
        await listening.service.call(lambda: hanging("anna"))
    await until(lambda: len(listening.endings) == 4, 30, "all ends")
    assert len(listening.told) == 2


async def test_nobody_is_signed_up_twice(listening: Listening) -> None:
    listening.scripts = [hanging_up, answering(integer(1) + 3 * integer(0))]
    with pytest.raises(HungUp):
        await listening.service.call(lambda: sign_up("anna", "s3cret", 5000), repeatable=False)
    await until(lambda: len(listening.endings) == 1, 30, "the end")
    done = await listening.service.call(lambda: sign_up("anna", "s3cret", 5000), repeatable=False)
    assert done is LoginAnswer.DONE


async def test_a_service_that_comes_back_is_found() -> None:
    it = Listening()
    it.scripts = [answering(integer(1))]
    servers: list[asyncio.Task[asyncio.Server]] = []

    def tell(text: str) -> None:
        it.told.append(text)
        it.come_back()
        servers.append(asyncio.create_task(it.begin()))

    service = Service("127.0.0.1", it.port, tell, PATIENT)
    await service.call(lambda: leave_chat("anna"))
    (server,) = servers
    (await server).close()
    (told,) = it.told
    assert told.endswith("does not answer; trying again …")


async def test_a_service_that_is_away_is_told_as_such() -> None:
    it = Listening()
    with pytest.raises(Away, match=rf"127\.0\.0\.1:{it.port} is away \(.*\)\. Try again later"):
        await it.service.call(lambda: hanging("anna"))
    assert len(it.told) == 1
    it.told.clear()
    with pytest.raises(Away):
        await it.service.call(lambda: hanging("anna"), patient=False)
    assert it.told == []


async def test_a_name_that_no_host_has_is_told_as_away() -> None:
    service = Service("no-such-host.invalid", 4242, lambda _: None)
    with pytest.raises(Away, match=r"no-such-host\.invalid:4242 is away"):
        await service.call(lambda: hanging("anna"), patient=False)


async def test_a_service_that_says_a_lot_unasked_is_hung_up_on(listening: Listening) -> None:
    """While a person thinks about what to say, nobody reads it."""

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(integer(1))
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    listening.scripts = [floods]
    call, _ = await listening.service.open(lambda: log_in_until_asked())
    await until(lambda: listening.endings == ["reset"], 30, "the end")
    assert len(call._frames) <= MAX_UNREAD + 1_048_576
    with pytest.raises((HungUp, Garbled)):
        await call.do(hanging("anna"))
    assert not await call.close(), "nothing was taken"


def log_in_until_asked() -> Steps[int]:
    """Run as much of an operation as comes before a person is asked something."""
    yield integer(2)
    return (yield from an_integer())


async def test_an_answer_that_trickles_is_not_waited_for_for_ever() -> None:
    async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in integer(1) + string("x" * 65_000):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.02)

    it = Listening(Retrying(connect=30.0, answer=60.0, exchange=0.3, close=30.0))
    it.scripts = [trickles]
    server = await it.begin()
    try:
        with pytest.raises(NoAnswer, match="did not answer in time"):
            async with asyncio.timeout(50):
                await it.service.call(lambda: hanging("anna"), patient=False)
    finally:
        server.close()


async def test_it_is_known_where_the_last_call_went_and_from_where(listening: Listening) -> None:
    assert (listening.service.address, listening.service.own_address) == ("127.0.0.1", "")
    listening.scripts = [answering(integer(1))]
    await listening.service.call(lambda: leave_chat("anna"))
    assert listening.service.address == listening.service.own_address == "127.0.0.1"
