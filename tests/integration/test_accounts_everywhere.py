"""Accounts hold in every dialect, and messages pass between devices and the room; on two nodes."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import GREETING, SENT, TAKEN, UNKNOWN, WELCOME, WITHIN, ChatteClient
from harness.device_client import (
    PASSWORD,
    DeviceClient,
    chat,
    hanging,
    leave_messages,
    log_in,
    log_out,
    sign_up,
    take,
)
from harness.dialects import ask_to_enter, launch, listener, port
from harness.node import Node, NodeFactory
from harness.protocollo_client import PAGE, ProtocolloClient
from harness.protocollo_client import UNKNOWN as SCONOSCIUTO
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from history.record import ReceivedPrivate

ROOM: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}

each_dialect = pytest.mark.parametrize("kind", ROOM, ids=["chatte", "protocollo", "browser"])


@dataclass
class House:
    """One chat with a room and devices, and who was let in."""

    nodes: list[Node]
    redis: RedisServer
    guests: list[ChatteClient] = field(default_factory=list)

    @property
    def devices(self) -> list[int]:
        return [node.port("device") for node in self.nodes]

    async def ask(
        self, kind: type[ChatteClient], nickname: str, password: str | None = None, node: int = 0
    ) -> ChatteClient:
        """Connect and ask to enter; the answer has come when this returns."""
        client = await kind.connect(port(self.nodes[node], kind))
        self.guests.append(client)
        await ask_to_enter(client, nickname, password)
        return client

    async def enter(
        self, kind: type[ChatteClient], nickname: str, password: str | None = None, node: int = 0
    ) -> ChatteClient:
        """Connect and enter."""
        client = await self.ask(kind, nickname, password, node)
        assert client.welcomed, client.describe()
        return client

    def pending(self, name: str) -> list[tuple[str, str]]:
        """Return what waits for an account: sender and text."""
        control, found = self.redis.control, []
        for key in control.keys(f"{{main}}:pending:{name}:*"):
            for item in cast(list[str], control.lrange(key, 0, -1)):
                number, _, _, sender, text = item.split(" ", 4)
                found.append((int(number), sender, text))
        return [(sender, text) for _, sender, text in sorted(found)]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_redis() as server:
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            listeners = [*map(listener, ROOM), DEVICES]
            both = [launch(factory, listeners) for _ in range(2)]
            for node in both:
                node.ready_sync()
            yield both, server
        finally:
            factory.end()


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[House]:
    house = House(*nodes)
    for kind in (
        "account:*",
        "device:*",
        "devices",
        "pending:*",
        "mailbox:*",
        "senders:*",
        "failures:*",
    ):
        for key in house.redis.control.keys(f"{{main}}:{kind}"):
            house.redis.control.delete(key)
    yield house
    for guest in house.guests:
        guest.close()
    await until(lambda: not house.redis.control.exists("{main}:order"), 60, "an empty room")


def private(client: ChatteClient) -> list[tuple[str, str]]:
    """Return the private messages that a client got: sender and text."""
    received = client.history.records
    return [(it.nickname, it.text) for it in received if isinstance(it, ReceivedPrivate)]


async def got(client: ChatteClient, *messages: tuple[str, str]) -> None:
    """Wait until these, in this order, are all private messages that a client got."""
    await client.wait_for(lambda: len(private(client)) >= len(messages), WITHIN, str(messages))
    assert private(client) == list(messages)


# "A nickname that is an account can only be entered by who proves the password"


@each_dialect
async def test_an_account_enters_with_its_password(house: House, kind: type[ChatteClient]) -> None:
    await sign_up(house.devices[0], "Anna")
    witness = await house.enter(ChatteClient, "witness", node=1)
    anna = await house.enter(kind, "anna", PASSWORD)
    await witness.expect_line("150 anna just join to the chat")
    anna.say("ciao")
    await witness.expect_line("100 anna ciao")
    assert all(PASSWORD not in line for line in witness.lines)


@each_dialect
@pytest.mark.parametrize("password", [None, "wrong", ""])
@pytest.mark.parametrize("nickname", ["anna", "ANNA"])
async def test_an_accounts_nickname_is_in_use_for_anybody_else(
    house: House, kind: type[ChatteClient], password: str | None, nickname: str
) -> None:
    await sign_up(house.devices[0], "Anna")
    await log_out(house.devices[0], "anna")
    client = await house.ask(kind, nickname, password, node=1)
    assert client.refused
    assert not client.welcomed
    if kind is ChatteClient:
        assert client.lines == [GREETING, TAKEN]
        await client.disconnected()
    elif kind is ProtocolloClient:
        sentence, rule = client.lines
        assert sentence == PAGE.refused
        assert rule.startswith("G> ")
    else:
        assert isinstance(client, BrowserClient)
        (frame,) = client.frames
        assert isinstance(frame, frames.RefusedFrame)
        assert frame.reason == "nickname_taken"
        assert bool(frame.suggestions) is not bool(password), "other names, or another password"


@pytest.mark.parametrize("kind", [ProtocolloClient, BrowserClient])
async def test_who_was_refused_may_try_again_with_the_password(
    house: House, kind: type[ChatteClient]
) -> None:
    await sign_up(house.devices[0], "anna")
    client = await house.ask(kind, "anna")
    assert client.refused
    client.refused = False
    if isinstance(client, BrowserClient):
        client.put(type="enter", nickname="anna", password=PASSWORD)
    else:
        client.send(f"anna:{PASSWORD}\n".encode())
    await client.wait_for(lambda: client.welcomed or client.refused, WITHIN, "an answer")
    assert client.welcomed


async def test_a_password_may_hold_colons_and_spaces(house: House) -> None:
    await sign_up(house.devices[0], "anna", password="a: b:c ")
    await house.enter(ChatteClient, "anna", "a: b:c ")
    await house.enter(ProtocolloClient, "anna", "a: b:c ", node=1)


@each_dialect
async def test_a_nickname_without_an_account_is_a_guests(
    house: House, kind: type[ChatteClient]
) -> None:
    await sign_up(house.devices[0], "anna")
    await house.enter(kind, "anna2")
    assert (await house.ask(kind, "nobody", PASSWORD)).refused


async def test_five_failures_a_minute_hold_over_the_dialects(house: House) -> None:
    await sign_up(house.devices[0], "anna")
    for kind in (*ROOM, ChatteClient):
        assert (await house.ask(kind, "anna", "wrong")).refused
    assert await log_in(house.devices[1], "anna", password="wrong") == [1, 0, 1]
    assert (await house.ask(ChatteClient, "anna", PASSWORD, node=1)).refused


@each_dialect
async def test_a_nickname_that_is_in_the_room_is_no_free_account(
    house: House, kind: type[ChatteClient]
) -> None:
    await house.enter(kind, "Anna")
    async with await DeviceClient.connect(house.devices[1]) as device:
        device.send(1, "anna")
        assert await device.integer() == 1
        assert await device.integer() == 1
        assert await device.rest() == b""
    assert not house.redis.control.exists("{main}:account:anna")


@each_dialect
async def test_the_password_takes_over_at_once_and_the_others_see_a_going_and_a_coming(
    house: House, kind: type[ChatteClient]
) -> None:
    await sign_up(house.devices[0], "anna")
    witness = await house.enter(ChatteClient, "witness", node=1)
    first = await house.enter(kind, "anna", PASSWORD, node=0)
    await witness.expect_line("150 anna just join to the chat")
    second = await house.enter(ChatteClient, "anna", PASSWORD, node=1)
    assert await witness.next_lines(2) == [
        "151 anna just left the chat",
        "150 anna just join to the chat",
    ]
    await first.disconnected()
    witness.whisper("anna", "which of you")
    await got(second, ("witness", "which of you"))
    assert private(first) == []
    assert await witness.next_line() == SENT


# "finds its pending messages delivered as private messages right after the welcome"


@each_dialect
async def test_pending_messages_come_right_after_the_welcome(
    house: House, kind: type[ChatteClient]
) -> None:
    for name in ("anna", "Bruno", "carla"):
        await sign_up(house.devices[0], name)
    await leave_messages(house.devices[0], "bruno", "anna", "uno", "due \u20ac")
    await leave_messages(house.devices[1], "carla", "anna", "tre")
    anna = await house.enter(kind, "anna", PASSWORD, node=1)
    await got(anna, ("Bruno", "uno"), ("Bruno", "due \u20ac"), ("carla", "tre"))
    if kind is ChatteClient:
        assert anna.lines == [
            *(GREETING, WELCOME, "102 Bruno uno", "102 Bruno due \u20ac", "102 carla tre")
        ]
    assert house.pending("anna") == []
    assert await hanging(house.devices[0], "anna") == []


async def test_pending_messages_are_not_for_who_was_refused(house: House) -> None:
    for name in ("anna", "bruno"):
        await sign_up(house.devices[0], name)
    await leave_messages(house.devices[0], "bruno", "anna", "uno")
    for password in (None, "wrong"):
        assert (await house.ask(ChatteClient, "anna", password)).refused
    assert await take(house.devices[1], "anna", "bruno") == ["uno"]


# "A device user is reachable from every dialect"


@each_dialect
async def test_a_message_to_a_device_that_is_logged_in_becomes_pending(
    house: House, kind: type[ChatteClient]
) -> None:
    await sign_up(house.devices[0], "anna")
    guest = await house.enter(kind, "Guest", node=1)
    before = len(guest.lines)
    guest.whisper("ANNA", "ciao")
    await until(lambda: house.pending("anna") == [("Guest", "ciao")], 60, "a pending message")
    if kind is ChatteClient:
        assert await guest.expect_line(SENT) == SENT
    elif isinstance(guest, BrowserClient):
        await guest.answered()
        assert guest.answers == [frames.SentFrame(1)]
    else:
        witness = await house.enter(ChatteClient, "witness")
        witness.say("afterwards")
        await guest.expect_line("witness.@g> afterwards")
        assert guest.lines[before:] == ["G.@g> witness si è unito", "witness.@g> afterwards"]
    lines = await hanging(house.devices[0], "anna")
    assert [line.split(",")[0] for line in lines] == ["Guest: 1 messaggi"]
    assert await take(house.devices[0], "anna", "guest") == ["ciao"]


async def test_an_account_that_is_not_logged_in_is_not_connected_for_chatte(house: House) -> None:
    await sign_up(house.devices[0], "anna")
    await log_out(house.devices[0], "anna")
    guest = await house.enter(ChatteClient, "guest", node=1)
    await guest.expect_line(WELCOME)
    for recipient in ("anna", "nobody"):
        guest.whisper(recipient, "ciao")
        assert await guest.next_line() == UNKNOWN
    assert house.pending("anna") == []


async def test_for_protocollo_it_is_kept_and_the_sender_is_told(house: House) -> None:
    await sign_up(house.devices[0], "anna")
    await log_out(house.devices[0], "anna")
    guest = await house.enter(ProtocolloClient, "guest", node=1)
    guest.rest()
    guest.whisper("anna", "ciao")
    assert await guest.next_line() == "G> messaggio conservato per anna"
    guest.whisper("nobody", "ciao")
    assert await guest.next_line() == f"{SCONOSCIUTO}nobody"
    assert house.pending("anna") == [("guest", "ciao")]
    anna = await house.enter(ProtocolloClient, "anna", PASSWORD)
    await got(anna, ("guest", "ciao"))


async def test_for_the_browser_it_is_kept_and_the_sender_is_told(house: House) -> None:
    await sign_up(house.devices[0], "anna")
    await log_out(house.devices[0], "anna")
    guest = await house.enter(BrowserClient, "guest", node=1)
    assert isinstance(guest, BrowserClient)
    guest.whisper("anna", "ciao")
    guest.whisper("nobody", "ciao")
    await guest.answered()
    assert guest.answers == [frames.KeptFrame(1), frames.FailedFrame(2, "unknown_recipient")]
    anna = await house.enter(BrowserClient, "anna", PASSWORD)
    await got(anna, ("guest", "ciao"))


# "A device's message to a user who is in the chat ... is delivered there at once"


@each_dialect
@pytest.mark.parametrize("is_account", [True, False], ids=["account", "guest"])
async def test_a_devices_message_to_somebody_in_the_room_is_delivered_at_once(
    house: House, kind: type[ChatteClient], is_account: bool
) -> None:
    await sign_up(house.devices[0], "Bruno")
    if is_account:
        await sign_up(house.devices[0], "anna")
    anna = await house.enter(kind, "anna", PASSWORD if is_account else None, node=1)
    bruno, answer = await chat(house.devices[0], "bruno", "ANNA")
    assert answer == 1
    bruno.send("uno", "due")
    await got(anna, ("Bruno", "uno"), ("Bruno", "due"))  # while the device still waits
    bruno.send("\\q")
    assert await bruno.close() == b""
    assert house.pending("anna") == []


async def test_what_comes_after_somebody_has_left_the_room_is_pending_or_refused(
    house: House,
) -> None:
    for name in ("anna", "bruno"):
        await sign_up(house.devices[0], name)
    for name, password in (("anna", PASSWORD), ("guest", None)):
        client = await house.enter(ChatteClient, name, password)
        device, answer = await chat(house.devices[1], "bruno", name)
        assert answer == 1
        device.send("uno")
        await got(client, ("bruno", "uno"))
        client.close()
        await until(lambda: not house.redis.control.exists("{main}:order"), 60, "an empty room")
        device.send("due")
        if password is None:
            assert await device.rest() == b""
        else:
            device.send("\\q")
            assert await device.close() == b""
    assert house.pending("anna") == [("bruno", "due")]
    assert house.pending("guest") == []


# "Device users are not in the room"


async def test_devices_are_not_in_the_room(house: House) -> None:
    witness = await house.enter(ChatteClient, "witness")
    page = await house.enter(ProtocolloClient, "page", node=1)
    await witness.expect_line("150 page just join to the chat")
    page.rest()
    for name in ("anna", "bruno"):
        await sign_up(house.devices[0], name)
    await leave_messages(house.devices[0], "bruno", "anna", "ciao")
    await log_in(house.devices[1], "anna")
    witness.say("anybody?")
    assert await page.next_line() == "witness.@g> anybody?"
    assert await log_out(house.devices[0], "anna") == 0
    assert await log_out(house.devices[0], "bruno") == 0
    late = await house.enter(BrowserClient, "late")
    assert isinstance(late, BrowserClient)
    assert late.welcome is not None
    assert late.welcome.members == ("witness", "page", "late")
    assert await witness.next_lines(3) == [
        *("100 witness anybody?", SENT, "150 late just join to the chat")
    ]
    assert await page.next_line() == "G.@g> late si è unito"
    assert house.pending("anna") == [("bruno", "ciao")]
