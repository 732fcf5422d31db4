"""Code of ours that fails on what one client sent costs that connection, and nobody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.frames import Opcode

from fakes.wire import ENTER, HANDSHAKE, WiredClient, masked
from tertulia.dialects.browser import BrowserDecoder
from tertulia.dialects.chatte import ChatteDecoder
from tertulia.dialects.device import DeviceDecoder
from tertulia.dialects.irc.decoder import IrcDecoder
from tertulia.dialects.protocollo import ProtocolloDecoder
from tertulia.edge.websocket import WebSocketInbound
from tertulia.settings.sections import LimitSettings

WORDS = {
    "chatte": (ChatteDecoder, b"100 tea\n"),
    "protocollo": (ProtocolloDecoder, b"G\ntea\n"),
    "browser": (BrowserDecoder, masked(Opcode.TEXT, b'{"type":"say","text":"tea"}')),
    "device": (DeviceDecoder, b"10\n"),
    "irc": (IrcDecoder, b"PRIVMSG #lobby :tea\n"),
    "irc by WebSocket": (IrcDecoder, masked(Opcode.TEXT, b"PRIVMSG #lobby :tea")),
}


class Defect(Exception):
    """What code of ours may come to raise."""


def fail(*_: object) -> Any:
    raise Defect


def is_ended_for_that(client: WiredClient, act: Callable[[], None]) -> None:
    """Do something; check that it ended the client's connection, for a defect of ours, and said so once."""
    with capture_logs() as logs:
        act()
        client.go_on(5)
    assert [(line["event"], bool(line["exc_info"])) for line in logs] == [
        ("connection failed", True)
    ]
    assert client.connection.pump.is_over


@pytest.mark.parametrize("method", ["feed", "next_command"])
@pytest.mark.parametrize("kind", WORDS)
def test_a_reader_that_fails_costs_its_connection(
    kind: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, words = WORDS[kind]
    client = WiredClient(kind, LimitSettings())
    if kind != "device":
        client.enter(ENTER[kind])
    monkeypatch.setattr(decoder, method, fail)
    if kind == "device":  # what serves devices here is a fake
        host = client.connection.listener.host
        monkeypatch.setattr(host, "lost", lambda _, reason: client.connection.close(reason), False)
    is_ended_for_that(client, lambda: client.send(words))
    if kind != "device":
        assert client.house.counted("disconnects_total", reason="internal") == 1
        assert client.house.nicknames() == []
    client.send(words)  # what still comes is thrown away


def test_a_handshake_that_fails_costs_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    client = WiredClient("browser", LimitSettings())
    monkeypatch.setattr(WebSocketInbound, "_upgrade", fail)
    is_ended_for_that(client, lambda: client.send(HANDSHAKE))
    assert client.house.counted("disconnects_total", reason="internal") == 1
