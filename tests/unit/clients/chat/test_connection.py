"""A talk's sockets: against a small server of WebSockets, and why one is not opened."""

import asyncio
import json
import socket
import ssl
from contextlib import suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.http11 import Response

from harness.waiting import until
from tertulia.clients.chat.addresses import address_of
from tertulia.clients.chat.connection import TalkConnection, explained, now
from tertulia.clients.chat.talk import Talk

WITHIN = 30.0
WELCOME = {
    "type": "welcome",
    "nickname": "anna",
    "token": "t",
    "members": ["anna"],
    "epoch": "e",
    "offset": 1,
    "heartbeat": 12,
}


async def test_where_one_connection_is_lost_the_next_address_is_taken() -> None:
    """The first service closes; the second one is entered with what the first one gave."""
    entered: list[dict[str, object]] = []

    async def welcome(client: ServerConnection) -> None:
        entered.append(json.loads(await client.recv()))
        await client.send(json.dumps(WELCOME | {"resumed": len(entered) > 1}))
        if len(entered) == 1:
            await client.close(4000, "drained")
        with suppress(Exception):
            await client.wait_closed()

    async with serve(welcome, "127.0.0.1", 0) as one, serve(welcome, "127.0.0.1", 0) as two:
        ports = [next(iter(it.sockets)).getsockname()[1] for it in (one, two)]
        talk = Talk(lambda: 0.99)
        addresses = [address_of(f"http://127.0.0.1:{it}/") for it in ports]
        connection = TalkConnection(talk, addresses, lambda: None)
        talk.enter("anna", "", now())
        running = asyncio.create_task(connection.run())
        await until(lambda: len(entered) == 2 and talk.is_inside, WITHIN, "a second connection")
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert entered[0] == {"type": "enter", "nickname": "anna"}
    assert entered[1]["resume"] == {"token": "t", "epoch": "e", "offset": 1}


async def test_a_defect_ends_the_program_rather_than_that_one_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError

    async def welcome(client: ServerConnection) -> None:
        await client.send(json.dumps(WELCOME))
        await client.wait_closed()

    async with serve(welcome, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        talk = Talk()
        monkeypatch.setattr(talk, "received", defect)
        talk.enter("anna", "", now())
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(WITHIN):
                address = address_of(f"http://127.0.0.1:{port}/")
                await TalkConnection(talk, [address], lambda: None).run()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "Nobody listens at ws://a.example/ws."),
        (socket.gaierror(), "There is no host a.example."),
        (TimeoutError(), "Nobody answers at ws://a.example/ws."),
        (InvalidMessage("x"), "What answers at ws://a.example/ws is no chat."),
        (InvalidStatus(Response(421, "", Headers())), "does not answer to the name a.example"),
        (InvalidStatus(Response(418, "", Headers())), "The answer at ws://a.example/ws was 418."),
        (ssl.SSLError(), "No TLS is spoken at ws://a.example/ws."),
        (OSError(113, "No route to host"), "No connection to ws://a.example/ws: No route to host."),
        (OSError(), "the connection broke"),
    ],
)
def test_why_a_connection_was_not_opened_is_said_in_a_sentence(
    error: Exception, words: str
) -> None:
    assert words in explained(error, address_of("http://a.example/"))


def test_a_certificate_that_is_not_good_is_no_wrong_answer() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    told = explained(error, address_of("https://a.example/"))
    assert told == "The certificate of a.example is not good: self-signed certificate."
