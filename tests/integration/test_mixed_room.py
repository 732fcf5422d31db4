"""All dialects in one room over two nodes: who sees what, and in whose words."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import SENT, UNKNOWN, WITHIN, ChatteClient
from harness.dialects import launch, listener, port, start, until_empty
from harness.irc_client import IrcClient
from harness.load import assert_promises_kept, lost, settle, stood_still, under_load
from harness.node import QUICK, Node, NodeFactory
from harness.protocollo_client import CLASSIC, PAGE, ClassicClient, ProtocolloClient
from harness.protocollo_client import UNKNOWN as SCONOSCIUTO
from harness.redis_server import running_redis
from harness.waiting import elapse, until
from history.record import SawLeft

PLACES: list[tuple[int, type[ChatteClient]]] = [
    *((1, ChatteClient), (0, ProtocolloClient), (1, ClassicClient), (1, BrowserClient)),
    *((0, ChatteClient), (0, BrowserClient), (0, IrcClient), (1, IrcClient)),
]
"""A node, and what one may speak to it."""
FIRST = (ChatteClient, ProtocolloClient, BrowserClient, IrcClient)
SECOND = (ChatteClient, ClassicClient, BrowserClient, IrcClient)
"""What the two nodes speak."""
BURIED_SECONDS = 4.0
READING_SECONDS = 0.5


@dataclass(slots=True)
class Room:
    """The chat of all tests here, with a client of each dialect: two on each node."""

    nodes: list[Node]
    chatte: ChatteClient
    page: ProtocolloClient
    classic: ClassicClient
    browser: BrowserClient
    irc: IrcClient
    guests: list[ChatteClient] = field(default_factory=list)
    is_recorded: bool = True
    """Whether all that is said is in the histories."""

    @property
    def all(self) -> list[ChatteClient]:
        return [self.chatte, self.page, self.classic, self.browser, self.irc]

    async def enter(self, kind: type[ChatteClient], name: str, node: int) -> ChatteClient:
        """Let somebody else in."""
        self.guests.append(await kind.enter_chat(port(self.nodes[node], kind), name))
        return self.guests[-1]

    async def heard(self, text: str) -> None:
        """Wait until everybody has read what the chatte client said."""
        await self.chatte.expect_line(f"100 chatte {text}")
        await self.page.expect_line(PAGE.said("chatte", text))
        await self.classic.expect_line(CLASSIC.said("chatte", text))
        await self.browser.expect_event(frames.SaidEvent("chatte", text))
        await self.irc.expect_text("chatte", text)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            for kinds in (FIRST, SECOND):
                launch(factory, map(listener, kinds))
            for node in factory.nodes:
                node.ready_sync()
            yield factory.nodes
        finally:
            factory.end()


@pytest.fixture
async def room(nodes: list[Node]) -> AsyncIterator[Room]:
    chatte = await ChatteClient.enter_chat(port(nodes[1], ChatteClient), "chatte")
    page = await ProtocolloClient.enter_chat(port(nodes[0], ProtocolloClient), "page")
    classic = await ClassicClient.enter_chat(port(nodes[1], ClassicClient), "classic")
    browser = await BrowserClient.enter_chat(port(nodes[0], BrowserClient), "browser")
    irc = await IrcClient.enter_chat(port(nodes[1], IrcClient), "irc")
    room = Room(nodes, chatte, page, classic, browser, irc)
    chatte.say("all are here")
    await room.heard("all are here")
    await chatte.answered()
    for client in room.all:
        client.rest()
    yield room
    if room.is_recorded:
        await settle(room.all)
        await assert_promises_kept([*room.all, *room.guests])
    for client in (*room.all, *room.guests):
        client.close()
    await until_empty(nodes)


def said(client: BrowserClient) -> list[tuple[str, str]]:
    """Who told everybody what, as a browser read it."""
    return [
        (it.event.nickname, it.event.text)
        for it in client.events
        if isinstance(it.event, frames.SaidEvent)
    ]


async def test_who_was_here_is_told_in_each_dialects_way(room: Room) -> None:
    assert room.page.others == ("chatte",)
    assert room.classic.others == ("chatte", "page")
    assert room.browser.welcome is not None
    assert room.browser.welcome.members == ("chatte", "page", "classic", "browser")
    assert list(room.irc.channels[""].members) == ["chatte", "page", "classic", "browser", "irc"]
    late = await room.enter(ProtocolloClient, "late", 0)
    assert late.lines == [PAGE.listed("chatte", "page", "classic", "browser", "irc")]
    late.close()
    await room.chatte.expect_line("151 late just left the chat")


async def test_a_public_message_in_everybodys_words(room: Room) -> None:
    room.is_recorded = False  # who reads Latin-1 reads what nobody sent
    room.chatte.say("là")
    assert await room.chatte.next_lines(2) == ["100 chatte là", SENT]
    assert await room.page.next_line() == "chatte.@g> là"
    assert await room.classic.next_line() == "chatte.@G> là"

    room.page.say("è già là")
    assert await room.chatte.next_line() == "100 page è già là"
    assert await room.classic.next_line() == "page.@G> è già là"

    room.classic.say("là e qua")  # à is one byte, 0xE0
    assert await room.chatte.next_line() == "100 classic là e qua"
    assert await room.page.next_line() == "classic.@g> là e qua"

    room.browser.say("perché € no")
    assert await room.chatte.next_line() == "100 browser perché € no"
    assert await room.page.next_line() == "browser.@g> perché € no"
    assert await room.classic.next_line() == "browser.@G> perché EUR no"
    await room.browser.answered()

    room.irc.say("né € né $")
    assert await room.chatte.next_line() == "100 irc né € né $"
    assert await room.page.next_line() == "irc.@g> né € né $"
    assert await room.classic.next_line() == "irc.@G> né EUR né $"
    await room.browser.expect_event(frames.SaidEvent("irc", "né € né $"))
    assert said(room.browser)[-5:] == [
        ("chatte", "là"),
        ("page", "è già là"),
        ("classic", "là e qua"),
        ("browser", "perché € no"),
        ("irc", "né € né $"),
    ]
    for nickname, text in said(room.browser)[-5:]:
        await room.irc.expect_text(nickname, text)
    # Who does not read its own messages has read nothing more.
    room.chatte.say("end")
    await room.chatte.answered()
    assert await room.page.next_line() == "chatte.@g> end"
    assert await room.classic.next_line() == "chatte.@G> end"


async def test_a_private_message_from_each_to_each(room: Room) -> None:
    for sender, recipient in itertools.product(room.all, room.all):
        text = f"là, {sender.nickname} a {recipient.nickname}"
        sender.whisper(recipient.nickname, text)
        if isinstance(recipient, BrowserClient):
            found = await recipient.expect_frame(frames.WhisperedFrame)
            assert (found.sender, found.text) == (sender.nickname, text)
        elif isinstance(recipient, IrcClient):
            await recipient.expect("PRIVMSG", recipient.nickname, text, source=sender.nickname)
        elif isinstance(recipient, ProtocolloClient):
            await recipient.expect_line(f"{sender.nickname}> {text}")
        else:
            await recipient.expect_line(f"102 {sender.nickname} {text}")
    for client in room.all:

        def got(client: ChatteClient = client) -> list[str]:
            return [it for it in client.lines if "là, " in it and f"a {client.nickname}" in it]

        # Who speaks irc reads its own as well, also what it told itself.
        count = 6 if client is room.irc else 5
        await client.wait_for(lambda got=got, n=count: len(got()) >= n, WITHIN, "all of them")  # type: ignore[misc]
        assert len(got()) == count, got()


async def test_nobody_is_nobody_in_every_dialect(room: Room) -> None:
    room.chatte.whisper("nobody")
    await room.chatte.expect_line(UNKNOWN)
    room.page.whisper("nobody")
    await room.page.expect_line(f"{SCONOSCIUTO}nobody")
    room.classic.whisper("nobody")
    await room.classic.expect_line(f"{SCONOSCIUTO}nobody")
    room.browser.whisper("nobody")
    await room.browser.answered()
    assert room.browser.answers[-1] == frames.FailedFrame(1, "unknown_recipient")
    room.irc.whisper("nobody")
    await room.irc.expect("401", "irc", "nobody")


async def test_a_nickname_is_one_holders_whatever_it_speaks(room: Room) -> None:
    for name in ("chatte", "Page", "CLASSIC", "browser", "Irc"):
        for node, kind in PLACES:
            thief = await kind.connect(port(room.nodes[node], kind))
            assert not await thief.enter(name), thief.describe()
            thief.close()


async def test_coming_and_going_in_everybodys_words(room: Room) -> None:
    for i, (node, kind) in enumerate(PLACES):
        name = f"guest-{i}"
        guest = await room.enter(kind, name, node)
        assert await room.chatte.next_line() == f"150 {name} just join to the chat"
        assert await room.page.next_line() == f"G.@g> {name} si è unito"
        assert await room.classic.next_lines(2) == [
            f"G.@G> Membro entrato nella chat: Benvenuto {name}",
            "",
        ]
        await room.browser.expect_event(frames.JoinedEvent(name))
        await room.irc.expect("JOIN", "#lobby", source=name)
        guest.leave() if hasattr(guest, "leave") else guest.close()
        assert await room.chatte.next_line() == f"151 {name} just left the chat"
        assert await room.page.next_line() == f"G.@g> {name} si è disconnesso"
        assert await room.classic.next_lines(2) == [f"G.@G> {name} ha abbandonato il gruppo", ""]
        await room.browser.expect_event(frames.LeftEvent(name))
        await room.irc.expect("QUIT", source=name)


async def test_what_only_one_dialect_can_say_harms_no_other(room: Room) -> None:
    """Each line of a browser's text is a message to the others; escapes and markup are only text."""
    room.is_recorded = False  # as it is read, nobody sent it
    room.browser.say("a\nG\nb\r\n102 x y\x1b[2J<b>&amp;</b>\u2028 \ufeff\u202e")
    for line in ("a", "G", "b", "102 x y[2J<b>&amp;</b> \ufeff"):
        assert await room.chatte.next_line() == f"100 browser {line}"
        assert await room.page.next_line() == f"browser.@g> {line}"
        in_latin_1 = line.removesuffix("\ufeff")
        assert await room.classic.next_line() == f"browser.@G> {in_latin_1}"


# Under load, with a node killed


@pytest.mark.slow
async def test_all_dialects_under_load_and_a_node_killed_every_promise_is_kept(
    node_factory: NodeFactory,
) -> None:
    nodes = await start(node_factory, FIRST, SECOND, **QUICK)

    async def enter(i: int, name: str, node: int) -> ChatteClient:
        kind = (FIRST, SECOND)[node][i % 4]
        return await kind.enter_chat(port(nodes[node], kind), name, within=30)

    survivors = list(await asyncio.gather(*(enter(i, f"stays-{i}", 0) for i in range(8))))
    doomed = list(await asyncio.gather(*(enter(i, f"dies-{i}", 1) for i in range(8))))
    gone = {client.nickname for client in doomed}
    names = [client.nickname for client in (*survivors, *doomed)]
    await node_factory.seasoned()

    def left_at(observer: ChatteClient) -> dict[str, float]:
        records = observer.history.of(SawLeft)
        return {it.nickname: it.at for it in records if it.nickname in gone}

    async def kill() -> float:
        await until(lambda: len(survivors[0].lines) > 300, 60, "traffic to flow")
        lost(doomed)
        at = nodes[1].kill()
        await until(
            lambda: all(left_at(client).keys() == gone for client in survivors),
            BURIED_SECONDS + 50,
            lambda: f"all lefts: {[sorted(left_at(client)) for client in survivors]}",
        )
        return at

    killed_at = await under_load([*survivors, *doomed], kill(), per_second=15, whisper_to=names)
    slowest = max(max(left_at(client).values()) for client in survivors)
    late = stood_still(survivors, killed_at, slowest)
    assert slowest - killed_at < BURIED_SECONDS + READING_SECONDS + late
    back = list(await asyncio.gather(*(enter(i, f"dies-{i}", 0) for i in range(8))))
    await under_load([*survivors, *back], elapse(1), per_second=15, whisper_to=names)
    everybody = [*survivors, *back]
    await settle(everybody)
    for client in everybody:
        assert client.connected, client.describe()
    await assert_promises_kept([*everybody, *doomed])
