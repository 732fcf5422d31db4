"""People make and change their accounts in the room, in every dialect; on two nodes, one Redis as shipped."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import SENT, WITHIN, ChatteClient
from harness.device_client import BINARY, DeviceClient, log_in, sign_up
from harness.dialects import ask_to_enter, launch, listener, port
from harness.node import Node, NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.redis_groups import LOGIN, denied, shipped_user
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from tertulia.operators.invitations import InvitationBook
from tertulia.redis.access import Access

ROOM: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}
SECRET, OTHER = "t0p-secret", "an0ther-one"
each_dialect = pytest.mark.parametrize("kind", ROOM, ids=["chatte", "protocollo", "browser"])


def as_node(server: RedisServer) -> str:
    return server.url.replace("//", f"//{LOGIN}@")


@dataclass
class House:
    """One chat with a room, and who was let in."""

    nodes: list[Node]
    redis: RedisServer
    guests: list[ChatteClient] = field(default_factory=list)

    async def ask(
        self, kind: type[ChatteClient], nickname: str, password: str | None = None, node: int = 0
    ) -> ChatteClient:
        chat = "old" if kind is ClassicClient else "main"
        client = await kind.connect(port(self.nodes[node], kind, chat))
        self.guests.append(client)
        await ask_to_enter(client, nickname, password)
        return client

    async def enter(
        self, kind: type[ChatteClient], nickname: str, password: str | None = None, node: int = 0
    ) -> ChatteClient:
        client = await self.ask(kind, nickname, password, node)
        assert client.welcomed, client.describe()
        return client

    def everything(self) -> str:
        """Return all that Redis keeps, and all that the nodes logged."""
        control = self.redis.control
        read: dict[str, Any] = {
            "string": control.get,
            "hash": control.hgetall,
            "stream": control.xrange,
            "list": lambda it: control.lrange(it, 0, -1),
            "set": control.smembers,
            "zset": lambda it: control.zrange(it, 0, -1),
            "none": lambda _: "",  # it expired meanwhile
        }
        kept = [
            str(read[str(control.type(key))](key)) for key in cast(list[str], control.keys("*"))
        ]
        return "\n".join([*kept, *(line for node in self.nodes for line in node.lines)])

    def audited(self) -> list[str]:
        entries = cast(list[Any], self.redis.control.xrange("{main}:audit"))
        return [entry["e"] for _, entry in entries]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_redis(options=shipped_user()) as server:
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), as_node(server))
        try:
            # A node's protocollo is either the page's or the classic one, in the same chat or in another.
            listeners = [*map(listener, ROOM), listener(ClassicClient, "old"), DEVICES]
            both = [launch(factory, listeners) for _ in range(2)]
            for node in both:
                node.ready_sync()
            yield both, server
            assert denied([server]) == []
        finally:
            factory.end()


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[House]:
    house = House(*nodes)
    for kind in ("account:*", "device:*", "failures:*", "changes:*", "audit", "token:*"):
        for key in house.redis.control.keys(f"{{main}}:{kind}"):
            house.redis.control.delete(key)
    yield house
    for guest in house.guests:
        guest.close()
    await until(lambda: not house.redis.control.exists("{main}:order"), 30, "an empty room")


async def account(client: ChatteClient, words: str) -> str:
    """Ask ``G`` for something, and return the last line, or the outcome, of the answer."""
    if isinstance(client, BrowserClient):
        verb, *rest = words.split()
        asked: dict[str, Any] = {
            "register": lambda: {
                "type": "register",
                "password": rest[0],
                **({"invitation": rest[1]} if rest[1:] else {}),
            },
            "password": lambda: {"type": "change_password", "old": rest[0], "new": rest[1]},
            "logout": lambda: {"type": "log_out_everywhere"},
            "unregister": lambda: {"type": "delete_account", "password": rest[0]},
        }[verb]()
        before = len(client.frames)
        client.put(**asked)
        await client.wait_for(
            lambda: any(isinstance(it, frames.AccountFrame) for it in client.frames[before:]),
            WITHIN,
            "the answer",
        )
        (answer,) = (it for it in client.frames[before:] if isinstance(it, frames.AccountFrame))
        return answer.outcome
    if isinstance(client, ProtocolloClient):
        client.send(f"G\n{words}\n".encode())
        return await client.expect_line(lambda line: line.startswith("G> "))
    start = len(client.lines)
    client.send(f"102 G {words}\n".encode())

    def answers() -> list[str]:
        return [it for it in client.lines[start:] if it.startswith("102 G ")]

    # That it is taken comes over the bus: it may come behind the answer.
    await client.wait_for(lambda: SENT in client.lines[start:] and bool(answers()), WITHIN, words)
    return answers()[0]


DONE = {
    ChatteClient: "102 G anna is your account now. From now on, enter as anna:PASSWORD",
    ProtocolloClient: "G> anna è il tuo account. D'ora in poi entra con anna:PASSWORD",
    BrowserClient: "done",
}


@each_dialect
async def test_a_guest_who_registers_goes_on_as_an_account(
    house: House, kind: type[ChatteClient]
) -> None:
    anna = await house.enter(kind, "anna")
    other = await house.enter(ChatteClient, "other", node=1)
    assert await account(anna, f"register {SECRET}") == DONE[kind]
    other.say("still there?")
    await other.answered()
    assert not any("left" in line for line in other.lines), other.lines
    assert (await house.ask(ChatteClient, "anna", node=1)).refused
    assert (await house.ask(ChatteClient, "anna", "wrong", node=1)).refused
    await house.enter(ChatteClient, "anna", SECRET, node=1)
    await anna.disconnected()
    assert SECRET not in house.everything()
    assert [it for it in house.audited() if '"register"' in it and '"anna"' in it]
    assert not any(SECRET in line for line in other.lines)


@each_dialect
async def test_changing_the_password_ends_other_logins(
    house: House, kind: type[ChatteClient]
) -> None:
    anna = await house.enter(kind, "anna")
    await account(anna, f"register {SECRET}")
    assert await log_in(house.nodes[1].port("device"), "anna", password=SECRET) == [1, 0, 0, 0]
    assert house.redis.control.exists("{main}:device:anna")
    wrong = await account(anna, f"password guess {OTHER}")
    assert ("wrong_password" in wrong) or ("not your password" in wrong) or ("un'altra" in wrong)
    await account(anna, f"password {SECRET} {OTHER}")
    assert not house.redis.control.exists("{main}:device:anna")
    assert (await house.ask(ChatteClient, "anna", SECRET, node=1)).refused
    await house.enter(ChatteClient, "anna", OTHER, node=1)
    assert not any(it in house.everything() for it in (SECRET, OTHER, "guess"))


def token_of(client: BrowserClient) -> dict[str, Any]:
    (welcome,) = (it for it in client.frames if isinstance(it, frames.WelcomeFrame))
    return {"token": welcome.token, "epoch": welcome.epoch, "offset": welcome.offset}


async def resumed(house: House, nickname: str, token: dict[str, Any]) -> BrowserClient:
    client = await BrowserClient.connect(port(house.nodes[1], BrowserClient))
    house.guests.append(client)
    client.nickname = nickname
    client.put(type="enter", nickname=nickname, resume=token)
    await client.wait_for(lambda: client.welcomed or client.refused, WITHIN, "an answer")
    return client


async def test_the_own_token_goes_on_being_good(house: House) -> None:
    """A guest's token is an account's from the sign-up on, and goes on being one with another password."""
    anna = await house.enter(BrowserClient, "anna")
    assert isinstance(anna, BrowserClient)
    for words in (f"register {SECRET}", f"password {SECRET} {OTHER}", "logout"):
        assert await account(anna, words) == "done"
        token = token_of(anna)
        anna.abort()
        anna = await resumed(house, "anna", token)
        (welcome,) = (it for it in anna.frames if isinstance(it, frames.WelcomeFrame))
        assert welcome.resumed, words
        assert welcome.account
    assert await account(anna, f"unregister {OTHER}") == "done"
    token = token_of(anna)
    anna.abort()
    anna = await resumed(house, "anna", token)
    (welcome,) = (it for it in anna.frames if isinstance(it, frames.WelcomeFrame))
    assert welcome.resumed
    assert not welcome.account


@pytest.mark.parametrize("words", [f"password {SECRET} {OTHER}", "logout"])
async def test_other_tokens_end(house: House, words: str) -> None:
    lost = await house.enter(BrowserClient, "anna")
    assert isinstance(lost, BrowserClient)
    await account(lost, f"register {SECRET}")
    token = token_of(lost)
    lost.abort()
    here = await house.enter(BrowserClient, "anna", SECRET, node=1)
    assert await log_in(house.nodes[0].port("device"), "anna", password=SECRET) == [1, 0, 0, 0]
    assert await account(here, words) == "done"
    assert not house.redis.control.exists("{main}:device:anna")
    assert (await resumed(house, "anna", token)).refused


@each_dialect
async def test_deleting_leaves_a_guest(house: House, kind: type[ChatteClient]) -> None:
    anna = await house.enter(kind, "anna")
    await account(anna, f"register {SECRET}")
    await account(anna, "unregister wrong-one")
    assert house.redis.control.exists("{main}:account:anna")
    await account(anna, f"unregister {SECRET}")
    assert not house.redis.control.exists("{main}:account:anna")
    again = await account(anna, f"unregister {SECRET}")
    assert "no_account" in again or "as a guest" in again or "sei un ospite" in again
    anna.close()
    await until(lambda: not house.redis.control.exists("{main}:nick:anna"), 30, "the nickname")
    await house.enter(ChatteClient, "anna", node=1)


async def test_the_old_client_can_register_and_reads_no_line_too_many(house: House) -> None:
    anna = await house.enter(ClassicClient, "anna")
    anna.send(f"G\nregister {SECRET}\n".encode())
    await anna.expect_line("G> anna è il tuo account. D'ora in poi entra con anna:PASSWORD")
    other = await house.ask(ClassicClient, "anna")
    other.send(b"nicol\xf2\nother\n")
    await other.wait_for(lambda: len(other.lines) >= 3, WITHIN, "both answers")
    assert other.lines[:3] == ["nome già utilizzato"] * 2 + ["Utenti collegati: anna, "]


async def test_help_lists_what_there_is_and_acknowledgements_still_count(house: House) -> None:
    anna = await house.enter(ChatteClient, "anna")
    anna.send(b"102 G help\n")
    await anna.expect_line("102 G help - says this")
    words = [line.split()[2] for line in anna.lines if line.startswith("102 G ")]
    assert {"register", "password", "logout", "unregister", "help"} <= set(words)
    anna.send(b"102 G hello\n")
    await anna.expect_line("203 Invalid destinatary. Verify the nickname.")


async def test_names_that_are_free_are_offered(house: House) -> None:
    await house.enter(ChatteClient, "anna")
    await house.enter(ChatteClient, "anna3", node=1)
    await sign_up(house.nodes[0].port("device"), "anna2")
    page = await house.ask(BrowserClient, "Anna", node=1)
    assert isinstance(page, BrowserClient)
    assert page.frames[-1] == frames.RefusedFrame(
        "nickname_taken", suggestions=("Anna4", "Anna5", "Anna6")
    )


async def test_a_password_for_nobody_says_so_only_where_it_gives_nothing_away(house: House) -> None:
    page = await house.ask(BrowserClient, "nobody", "password")
    assert isinstance(page, BrowserClient)
    assert page.frames[-1] == frames.RefusedFrame("no_account")
    await house.enter(ChatteClient, "nobody", node=1)
    await sign_up(house.nodes[0].port("device"), "somebody")
    for name in ("nobody", "somebody"):
        page = await house.ask(BrowserClient, name, "password")
        assert isinstance(page, BrowserClient)
        assert page.frames[-1] == frames.RefusedFrame("nickname_taken")


async def test_two_who_register_one_nickname_make_one_account(house: House) -> None:
    """One is in the room, the other at a device, on the other node: whoever comes first has it."""
    for turn in range(5):
        name = f"anna{turn}"
        anna = await house.enter(BrowserClient, name)
        device = await DeviceClient.connect(house.nodes[1].port("device"), BINARY)
        device.send(1, name)
        _, outcome = await asyncio.gather(device.integer(), account(anna, f"register {SECRET}"))
        assert outcome == "done"
        assert await device.integer() == 1, "somebody sits there"
        device.close_at_once()
        await house.enter(ChatteClient, name, SECRET, node=1)


async def test_who_asks_twice_at_once_makes_one_account(house: House) -> None:
    anna = await house.enter(ChatteClient, "anna")
    anna.send(f"102 G register {SECRET}\n102 G register {OTHER}\n100 after\n".encode())
    await anna.expect_line("102 G anna is your account already.")
    await anna.expect_line("100 anna after")
    await house.enter(ChatteClient, "anna", SECRET, node=1)


# --- By invitation ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inviting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_redis(options=shipped_user()) as server:
        factory = NodeFactory(tmp_path_factory.mktemp("inviting"), as_node(server))
        try:
            settings = {"ACCOUNTS__REGISTRATION": "invited"}
            listeners = [*map(listener, ROOM), DEVICES]
            both = [launch(factory, listeners, **settings) for _ in range(2)]
            for node in both:
                node.ready_sync()
            yield both, server
            assert denied([server]) == []
        finally:
            factory.end()


@pytest.fixture
async def door(inviting: tuple[list[Node], RedisServer]) -> AsyncIterator[House]:
    house = House(*inviting)
    house.redis.control.delete("{main}:invitations")
    yield house
    for guest in house.guests:
        guest.close()
    await until(lambda: not house.redis.control.exists("{main}:order"), 30, "an empty room")


async def invite(house: House, count: int = 1, seconds: int = 60) -> list[str]:
    async with InvitationBook.to("main", Access.to(house.redis.url), 5.0) as book:
        return [it.code for it in await book.invite(count, seconds)]


@each_dialect
async def test_an_invitation_is_good_once(door: House, kind: type[ChatteClient]) -> None:
    (code,) = await invite(door)
    name = f"anna-{kind.__name__}"
    anna = await door.enter(kind, name)
    for words in (f"register {SECRET}", f"register {SECRET} nonsense"):
        assert "invit" in await account(anna, words)
    assert not door.redis.control.exists(f"{{main}}:account:{name.lower()}")
    await account(anna, f"register {SECRET} {code.upper()}")
    assert door.redis.control.exists(f"{{main}}:account:{name.lower()}")
    bea = await door.enter(BrowserClient, f"bea-{kind.__name__}", node=1)
    assert await account(bea, f"register {SECRET} {code}") == "invitation"
    assert code.replace("-", "") not in door.everything().replace("-", "")


async def test_two_who_use_one_code_make_one_account(door: House) -> None:
    for turn in range(5):
        (code,) = await invite(door)
        pair = [await door.enter(BrowserClient, f"x{turn}{it}", node=it) for it in (0, 1)]
        outcomes = await asyncio.gather(*(account(it, f"register {SECRET} {code}") for it in pair))
        assert sorted(outcomes) == ["done", "invitation"]


async def test_a_code_that_is_too_old_or_taken_back_is_none(door: House) -> None:
    old, back = await invite(door, 2)
    async with InvitationBook.to("main", Access.to(door.redis.url), 5.0) as book:
        numbers = [it.number for it in await book.all()]
        await book.take_back(numbers[-1])
        assert [it.number for it in await book.all()] == numbers[:-1]
    control = door.redis.control
    for kept, told in cast(dict[str, str], control.hgetall("{main}:invitations")).items():
        if kept != "last":
            number, made, _ = told.split()
            control.hset("{main}:invitations", kept, f"{number} {made} 5")
    anna = await door.enter(BrowserClient, "anna")
    assert await account(anna, f"register {SECRET} {old}") == "invitation"
    assert await account(anna, f"register {SECRET} {back}") == "invitation"


async def test_a_device_signs_nobody_up_by_invitation(door: House) -> None:
    async with await DeviceClient.connect(door.nodes[0].port("device"), BINARY) as device:
        device.send(1, "carla")
        assert await device.integer() == 1
        assert await device.integer() == 1
