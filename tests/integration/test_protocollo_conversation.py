"""The dialect protocollo, sentence by sentence, in both wordings, spoken to two nodes on one Redis."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from harness.browser_client import BrowserClient
from harness.browser_frames import AdministratorEvent
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port, start, until_empty
from harness.load import assert_promises_kept, settle, under_load
from harness.node import NodeFactory
from harness.protocollo_client import (
    ADMINISTRATOR,
    CLOSE,
    FIRST,
    FORBIDDEN,
    TOO_LONG,
    UNKNOWN,
    ClassicClient,
    ProtocolloClient,
)
from harness.redis_server import running_redis
from harness.waiting import elapse
from history.checker import check, explain

INVALID = (
    "G> un nome ha da 1 a 32 segni: lettere senza accenti, cifre, . _ + e -, senza spazi; "
    "G, fine, stop, close e null non sono per nessuno"
)
TAKEN = (
    "G> qualcuno è qui con questo nome, o è di un account: se è tuo, nome:password; "
    "sono liberi: anna2, anna3, anna4"
)
PROMPT = "Come ti chiami?"


class Cluster:
    """Two nodes, each with a listener for a chat of each kind. Tests leave it empty."""

    def __init__(self, factory: NodeFactory) -> None:
        both = [
            listener(ProtocolloClient, "page"),
            listener(ClassicClient, "classic"),
            listener(ChatteClient, "mixed"),
            listener(BrowserClient, "mixed"),
            listener(ProtocolloClient, "prompting", prompt=PROMPT),
        ]
        self.nodes = [
            launch(factory, [*both, listener(own, "mixed")])
            for own in (ProtocolloClient, ClassicClient)
        ]
        for node in self.nodes:
            node.ready_sync()


class Room:
    """One chat, as seen from both nodes, and the clients that a test let in."""

    def __init__(self, cluster: Cluster, chat: str, kind: type[ProtocolloClient]) -> None:
        self.cluster = cluster
        self.chat = chat
        self.kind = kind
        self.clients: list[ChatteClient] = []

    async def connect(self, node: int = 0) -> ProtocolloClient:
        """Connect; nothing is said until the name."""
        at = port(self.cluster.nodes[node], self.kind, self.chat)
        client = await self.kind.connect(at)
        self.clients.append(client)
        return client

    async def enter(self, nickname: str, node: int = 0) -> ProtocolloClient:
        """Connect and enter, and wait until those who are here know."""
        others = [it for it in self.clients if it.connected and isinstance(it, ProtocolloClient)]
        client = await self.connect(node)
        assert await client.enter(nickname), client.describe()
        assert (await client.next_line()).startswith("Utenti collegati: ")
        for other in others:
            await other.expect_coming(nickname)
        return client

    async def end(self) -> None:
        """Let everybody go, so that the next one who comes is the first."""
        for client in self.clients:
            client.close()
        await until_empty(self.cluster.nodes, self.chat)


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeFactory]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            yield factory
        finally:
            factory.end()


@pytest.fixture(scope="module")
def cluster(factory: NodeFactory) -> Cluster:
    return Cluster(factory)


@pytest.fixture
async def room(cluster: Cluster) -> AsyncIterator[Room]:
    """A room in the words of the page."""
    room = Room(cluster, "page", ProtocolloClient)
    yield room
    await room.end()


@pytest.fixture
async def classic(cluster: Cluster) -> AsyncIterator[Room]:
    """A room in the words of the old desktop client."""
    room = Room(cluster, "classic", ClassicClient)
    yield room
    await room.end()


@pytest.fixture(params=["page", "classic"])
async def either(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Room]:
    """A room in either wording."""
    kind = ClassicClient if request.param == "classic" else ProtocolloClient
    room = Room(cluster, request.param, kind)
    yield room
    await room.end()


async def heard(speaker: ProtocolloClient, *readers: ProtocolloClient) -> list[list[str]]:
    """Let somebody say a last word, and return what each reader got before it."""
    text = speaker.say()
    line = speaker.wording.said(speaker.nickname, text)
    return [(await reader.lines_through(line))[:-1] for reader in readers]


# Word for word


async def test_the_conversation_in_the_words_of_the_page(room: Room) -> None:
    anna = await room.connect(1)
    anna.send(b"anna\n")
    assert await anna.next_line() == (
        "Utenti collegati: Sei il primo utente ad accedere, sei amministratore del gruppo"
    )
    bruno = await room.connect(0)
    bruno.send(b"close\n")
    assert await bruno.next_lines(2) == ["il nome già utilizzato", INVALID]
    bruno.send(b"anna\n")
    assert await bruno.next_lines(2) == ["il nome già utilizzato", TAKEN]
    bruno.send(b"bruno\n")
    assert await bruno.next_line() == "Utenti collegati: anna"
    assert await anna.next_line() == "G.@g> bruno si è unito"
    carla = await room.connect(1)
    carla.send(b"carla\n")
    assert await carla.next_line() == "Utenti collegati: anna, bruno"
    assert await anna.next_line() == await bruno.next_line() == "G.@g> carla si è unito"

    bruno.send("G\nciao a tutti, è tardi\n".encode())
    assert await anna.next_line() == "bruno.@g> ciao a tutti, è tardi"
    assert await carla.next_line() == "bruno.@g> ciao a tutti, è tardi"
    carla.send(b"anna\nciao anna\n")
    assert await anna.next_line() == "carla> ciao anna"
    carla.send(b"dora\nci sei?\n")
    assert await carla.next_line() == "G> destinatario sconosciuto: dora"
    bruno.send(b"stop\n")
    assert await bruno.next_line() == "G> permesso negato"

    anna.send(b"fine\n")
    assert await anna.next_line() == "close"
    await anna.disconnected()
    assert await bruno.next_lines(2) == ["G.@g> anna si è disconnesso", "G> Ora sei amministratore"]
    assert await carla.next_line() == "G.@g> anna si è disconnesso"
    bruno.send(b"stop\n")
    assert await bruno.next_line() == await carla.next_line() == "close"
    await bruno.disconnected()
    await carla.disconnected()
    assert anna.rest() == bruno.rest() == carla.rest() == []


async def test_the_conversation_in_the_words_of_the_old_client_byte_by_byte(
    classic: Room,
) -> None:
    ports = [port(node, ClassicClient, classic.chat) for node in classic.cluster.nodes]
    anna, to_anna = await asyncio.open_connection("127.0.0.1", ports[0])
    # What the old client sends right after its name is ignored silently.
    to_anna.write(b"anna\nnull\n\n")
    first = b"Utenti collegati: Sei il primo utente ad accedere, sei amministratore del gruppo\n"
    assert await anna.readline() == first
    bruno, to_bruno = await asyncio.open_connection("127.0.0.1", ports[1])
    to_bruno.write(b"anna\nbruno\nnull\n\n")
    expected = b"nome gi\xe0 utilizzato\nUtenti collegati: anna, \n"
    assert await bruno.readexactly(len(expected)) == expected
    to_bruno.write(b"G\nperch\xe9 no?\nanna\nciao\nG\n\xc3\xa0 vedere\n")
    expected = (
        b"G.@G> Membro entrato nella chat: Benvenuto bruno\n\n"
        b"bruno.@G> perch\xe9 no?\nbruno.@G> \xe0 vedere\nbruno> ciao\n"
    )
    got = await anna.readexactly(len(expected))
    assert sorted(got.splitlines()) == sorted(expected.splitlines())
    to_anna.write(b"bruno\n\xe8 tardi\nfine\n")
    expected = (
        b"anna> \xe8 tardi\nG.@G> anna ha abbandonato il gruppo\n\nG> Ora sei amministratore\n"
    )
    got = await bruno.readexactly(len(expected))
    assert sorted(got.splitlines()) == sorted(expected.splitlines())
    assert await anna.read() == b"close\n"
    to_bruno.write(b"stop\n")
    assert await bruno.read() == b"close\n"
    to_anna.close()
    to_bruno.close()


# Entering


async def test_a_listener_may_set_a_prompt(cluster: Cluster) -> None:
    client = await ProtocolloClient.connect(port(cluster.nodes[0], ProtocolloClient, "prompting"))
    assert await client.next_line() == PROMPT
    client.send(b"fine\nanna\n")
    assert await client.next_lines(3) == ["il nome già utilizzato", INVALID, FIRST]
    client.close()


async def test_names_are_shown_as_entered(either: Room) -> None:
    anna = await either.enter("anna", 1)
    names = ["a", "7", "Az09._+-", "-", "...", "x" * 32, "finestra", "GG"]
    for name in names:
        await either.enter(name, 0)
        assert either.kind.wording.joined(name) in anna.lines
    last = await either.connect(1)
    last.ask("last")
    assert await last.next_line() == either.kind.wording.listed("anna", *names)


INVALID_NAMES = (
    *("", " ", "an na", " anna", "anna ", "x" * 33, "anna!", "a/b", "anna.@", "anna@#g", "anna>"),
    *("G", "g", "fine", "Fine", "STOP", "close", "null", "NULL"),
)


async def test_who_asks_for_an_invalid_name_may_ask_again(either: Room) -> None:
    anna = await either.enter("anna", 1)
    client = await either.connect(0)
    for name in INVALID_NAMES:
        client.send(name.encode() + b"\n")
        await client.expect_refusal()
    assert await client.enter("bruno")
    assert await client.next_line() == either.kind.wording.listed("anna")
    assert await heard(client, anna) == [
        [either.kind.wording.joined("bruno"), *either.kind.wording.gap]
    ]


async def test_bytes_that_are_no_name_are_refused(either: Room) -> None:
    client = await either.connect()
    for raw in (b"\xff\xfe", b"nicol\xf2", b"a\x00b", b"\x1b[31m", b"x" * 5000):
        client.send(raw + b"\n")
        await client.expect_refusal()
    assert await client.enter("anna")


async def test_a_name_in_use_on_any_node_in_any_case_is_refused(either: Room) -> None:
    anna = await either.enter("Anna", 0)
    for node in (0, 1):
        client = await either.connect(node)
        for name in ("Anna", "anna", "ANNA"):
            assert not await client.enter(name)
            await client.expect_refusal()
        assert await client.enter(f"bruno-{node}")
        await anna.expect_coming(f"bruno-{node}")


async def test_who_was_refused_gets_the_name_when_it_is_free(room: Room) -> None:
    witness = await room.enter("witness", 0)
    anna = await room.enter("anna", 0)
    heir = await room.connect(1)
    assert not await heir.enter("anna")
    anna.leave()
    await witness.expect_going("anna")
    assert await heir.enter("anna")
    assert heir.others == ("witness",)


async def test_after_20_tries_the_connection_closes(either: Room) -> None:
    await either.enter("anna", 0)
    lucky, unlucky = await either.connect(1), await either.connect(1)
    for client, tries in ((lucky, 19), (unlucky, 20)):
        for i in range(tries):
            client.send(b"anna\n" if i % 2 else b"fine\n")
            await client.expect_refusal()
    assert await lucky.enter("bruno")
    await unlucky.disconnected()
    assert unlucky.rest() == []


@pytest.mark.slow
async def test_a_name_has_to_be_chosen_in_time_however_often_one_tries(
    factory: NodeFactory,
) -> None:
    (node,) = await start(factory, [ProtocolloClient], LIMITS__ENTER_SECONDS="2")
    started = time.monotonic()
    silent = await ProtocolloClient.connect(port(node, ProtocolloClient))
    trying = await ProtocolloClient.connect(port(node, ProtocolloClient))
    member = await ProtocolloClient.enter_chat(port(node, ProtocolloClient), "member")
    for _ in range(8):
        trying.send(b"fine\n")
        await elapse(0.05)
    await silent.disconnected()
    await trying.disconnected()
    assert 1.9 < time.monotonic() - started < 50  # it is 60 where nothing is set
    assert silent.lines == []
    assert set(trying.lines) == {"il nome già utilizzato", INVALID}
    assert await node.disconnects("enter_timeout") == 2
    member.send(b"nobody\nciao\n")
    assert await member.expect_line(f"{UNKNOWN}nobody")


async def test_of_many_who_want_a_name_at_once_one_gets_it(room: Room) -> None:
    clients = [await room.connect(i % 2) for i in range(20)]
    given = await asyncio.gather(*(client.enter("wanted") for client in clients))
    assert given.count(True) == 1
    others = [client for client in clients if not client.welcomed]
    assert await asyncio.gather(
        *(client.enter(f"second-{i}") for i, client in enumerate(others))
    ) == [True] * len(others)
    assert all(client.others[0] == "wanted" for client in others)
    assert sorted(len(client.others) for client in others) == list(range(1, 20))


async def test_the_list_is_exact_whatever_happens_meanwhile(room: Room) -> None:
    """Who enters while others come and go reads a list that fits what it sees after."""
    clients = [await room.connect(i % 2) for i in range(40)]

    async def come_and_perhaps_go(i: int) -> None:
        assert await clients[i].enter(f"user-{i}")
        if i % 3 == 0:
            clients[i].leave()
            await clients[i].disconnected()

    await asyncio.gather(*(come_and_perhaps_go(i) for i in range(40)))
    staying = [client for client in clients if client.connected]
    assert len(staying) == 26
    last = staying[0].say()
    await asyncio.gather(
        *(it.expect_line(it.wording.said(staying[0].nickname, last)) for it in staying[1:])
    )
    violations = check([client.history for client in clients])
    assert not violations, explain(violations)


async def test_a_name_and_what_follows_may_come_in_one_packet(either: Room) -> None:
    anna = await either.enter("anna", 1)
    bruno = await either.connect(0)
    bruno.send(b"anna\nbruno\nnull\n\nG\nuno\nanna\ndue\ndora\ntre\nG\nquattro\nfine\nG\nfive\n")
    wording = either.kind.wording
    await bruno.expect_refusal()
    assert await bruno.next_lines(3) == [
        wording.listed("anna"),
        f"{UNKNOWN}dora",
        CLOSE,
    ]
    await bruno.disconnected()
    got = await anna.lines_through(wording.left("bruno"))
    # A private message comes when it comes.
    await anna.wait_for(lambda: "bruno> due" in anna.lines, 30, "the private message")
    assert [line for line in got if line and line != "bruno> due"] == [
        wording.joined("bruno"),
        wording.said("bruno", "uno"),
        wording.said("bruno", "quattro"),
        wording.left("bruno"),
    ]


async def test_lines_may_end_with_cr_and_lf(either: Room) -> None:
    anna = await either.enter("anna", 1)
    bruno = await either.connect(0)
    bruno.send(b"bruno\r\nnull\r\n\r\nG\r\nciao\r\ndora\r\nx\r\nfine\r\n")
    wording = either.kind.wording
    assert await bruno.next_lines(3) == [wording.listed("anna"), f"{UNKNOWN}dora", CLOSE]
    await anna.expect_line(wording.said("bruno", "ciao"))


async def test_the_others_are_told_who_came_and_who_came_is_not(either: Room) -> None:
    first = await either.enter("first", 0)
    second = await either.enter("second", 1)
    third = await either.enter("third", 0)
    wording = either.kind.wording
    assert first.lines[1:] == [
        *(wording.joined("second"), *wording.gap),
        *(wording.joined("third"), *wording.gap),
    ]
    assert second.lines[1:] == [wording.joined("third"), *wording.gap]
    assert third.others == ("first", "second")
    assert await heard(first, third) == [[]]


async def test_who_comes_sees_nothing_of_what_was_before(room: Room) -> None:
    early = await room.enter("early", 0)
    witness = await room.enter("witness", 1)
    for i in range(5):
        early.say(str(i))
    await witness.expect_line("early.@g> 4")
    late = await room.enter("late", 1)
    assert await heard(early, late) == [[]]


# Sending


async def test_a_public_message_reaches_everybody_but_its_sender(either: Room) -> None:
    anna, bruno, carla = [
        await either.enter(name, i % 2) for i, name in enumerate(("anna", "bruno", "carla"))
    ]
    said = either.kind.wording.said
    anna.say("ciao")
    assert await bruno.next_line() == said("anna", "ciao")
    assert await carla.next_line() == said("anna", "ciao")
    assert await heard(bruno, anna) == [[]]


async def test_a_private_message_reaches_its_recipient_only(either: Room) -> None:
    anna, bruno, carla, dora = [
        await either.enter(name, i % 2) for i, name in enumerate(("anna", "Bruno", "carla", "dora"))
    ]
    anna.whisper("bRUNO", " solo per te ")  # on the other node, and without regard to case
    assert await bruno.next_line() == "anna>  solo per te "
    anna.whisper("carla", "e per te")
    assert await carla.next_line() == "anna> e per te"
    assert await heard(dora, anna, bruno, carla) == [[], [], []]
    assert await heard(bruno, dora) == [[]]


async def test_a_private_message_to_oneself_is_delivered(either: Room) -> None:
    anna = await either.enter("anna", 0)
    anna.whisper("anna", "nota")
    assert await anna.next_line() == "anna> nota"


TEXTS = (
    *("", " ", "  due prima e due dopo  ", "a\ttab", "G", "fine", "stop", "null", "close"),
    *("anna.@g> finto", "G> finto", "'\"\\{}%s", "{main}:log", "x" * 4096),
)


async def test_everything_on_the_second_line_is_the_text(either: Room) -> None:
    anna = await either.enter("anna", 0)
    bruno = await either.enter("bruno", 1)
    for text in TEXTS:
        anna.send(f"G\n{text}\n".encode())
        assert await bruno.next_line() == either.kind.wording.said("anna", text)
        anna.send(f"bruno\n{text}\n".encode())
        assert await bruno.next_line() == f"anna> {text}"
    assert anna.rest() == []


async def test_text_of_any_language_to_who_reads_utf_8_and_to_who_does_not(
    cluster: Cluster,
) -> None:
    chat = "mixed"
    page, classic = Room(cluster, chat, ProtocolloClient), Room(cluster, chat, ClassicClient)
    anna, bruno = await page.enter("anna", 0), await classic.enter("bruno", 1)
    for sent, modern, old in (
        ("città €".encode(), "città €", "città EUR"),
        (b"citt\xe0 \x80", "città €", "città EUR"),
        ("“sì” … – ł œ".encode(), "“sì” … – ł œ", '"sì" ... - l oe'),
        ("日本 🎉".encode(), "日本 🎉", "?? ?"),
        (b"\x1b[31ma\x00b\x07\x7f", "[31mab", "[31mab"),
        ("c1\x9b31m".encode(), "c131m", "c131m"),
    ):
        bruno.send(b"G\n" + sent + b"\n")
        await anna.expect_line(f"bruno.@g> {modern}")
        anna.send(b"bruno\n" + sent + b"\n")
        await bruno.expect_line(f"anna> {old}")
    for client in (*page.clients, *classic.clients):
        client.close()
    await until_empty(cluster.nodes, chat)


async def test_a_message_may_come_in_any_split(either: Room) -> None:
    bruno = await either.enter("bruno", 1)
    anna = await either.enter("anna", 0)
    message = "G\nperché\r\nbruno\nno\n".encode()
    for cut in range(1, len(message)):
        for part in (message[:cut], message[cut:]):
            anna.send(part)
            await elapse(0.002)
    for byte in message:
        anna.send(bytes([byte]))
        await elapse(0.002)
    said = either.kind.wording.said("anna", "perché")
    got = await bruno.next_lines(2 * len(message))
    assert [line for line in got if line == said] == [said] * len(message)
    assert [line for line in got if line != said] == ["anna> no"] * len(message)


@pytest.mark.parametrize("how", ["close", "abort", "half_close"])
@pytest.mark.parametrize("half", [b"bruno\n", b"bruno\nci", b"G\n", b"G\nci", b"G", b"fin"])
async def test_a_client_that_dies_between_the_two_lines_sends_nothing(
    room: Room, how: str, half: bytes
) -> None:
    bruno = await room.enter("bruno", 1)
    anna = await room.enter("anna", 0)
    anna.send(b"G\nintero\n" + half)
    await bruno.expect_line("anna.@g> intero")
    getattr(anna, how)()
    assert await bruno.next_line() == "G.@g> anna si è disconnesso"
    assert bruno.rest() == []


async def test_who_writes_to_nobody_is_told_and_nothing_is_sent(either: Room) -> None:
    bruno = await either.enter("bruno", 1)
    anna = await either.enter("anna", 0)
    for name in ("dora", "g", "Fine", "", "x" * 40, "brun", "bruno ", "bruno:pw", "null", "an*"):
        anna.send(f"{name}\nciao\n".encode())
        assert await anna.next_line() == f"{UNKNOWN}{name}"
    anna.write("nicolò", "ciao")
    assert await anna.next_line() == f"{UNKNOWN}nicolò"
    assert await heard(anna, bruno) == [[]]


async def test_a_private_message_to_who_has_left_is_to_nobody(room: Room) -> None:
    anna = await room.enter("anna", 0)
    bruno = await room.enter("bruno", 1)
    bruno.leave()
    await anna.expect_going("bruno")
    anna.send(b"bruno\nciao\n")
    assert await anna.next_line() == f"{UNKNOWN}bruno"


async def test_null_and_an_empty_text_are_ignored_silently(either: Room) -> None:
    anna = await either.enter("anna", 0)
    bruno = await either.enter("bruno", 1)
    anna.send(b"null\n\nnull\r\n\r\nnull\n\x07\n")
    assert await heard(bruno, anna) == [[]]
    assert await heard(anna, bruno) == [[]]


@pytest.mark.parametrize("length", [4097, 70_000])
async def test_a_line_too_long_is_refused_whole_and_the_connection_stays(
    either: Room, length: int
) -> None:
    bruno = await either.enter("bruno", 1)
    anna = await either.enter("anna", 0)
    long = b"x" * length
    anna.send(b"G\n" + long + b"\nG\nuno\n" + long + b"\nfine\nG\ndue\n")
    said = either.kind.wording.said
    assert await bruno.next_lines(2) == [said("anna", "uno"), said("anna", "due")]
    assert await anna.next_lines(2) == [TOO_LONG, TOO_LONG]


# Leaving


async def test_who_leaves_reads_close_and_the_others_are_told_once(either: Room) -> None:
    anna, bruno, carla = [
        await either.enter(name, i % 2) for i, name in enumerate(("anna", "bruno", "carla"))
    ]
    carla.send(b"G\nciao\nfine\nG\nnon piu\n")
    assert await carla.next_line() == CLOSE
    await carla.disconnected()
    wording = either.kind.wording
    expected = [wording.said("carla", "ciao"), wording.left("carla"), *wording.gap]
    assert await heard(anna, bruno) == [expected]
    assert await heard(bruno, anna) == [expected]


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_connection_that_ends_is_a_leaving(either: Room, how: str) -> None:
    anna = await either.enter("anna", 0)
    bruno = await either.enter("bruno", 1)
    getattr(bruno, how)()
    await anna.expect_going("bruno")
    carla = await either.enter("carla", 1)
    assert carla.others == ("anna",)


# The administrator


async def test_only_the_administrator_may_close_the_chat(either: Room) -> None:
    anna, bruno, carla = [
        await either.enter(name, i % 2) for i, name in enumerate(("anna", "bruno", "carla"))
    ]
    for client in (bruno, carla):
        client.stop()
        assert await client.next_line() == FORBIDDEN
    assert await heard(carla, anna, bruno) == [[], []]
    anna.stop()
    for client in (anna, bruno, carla):
        assert await client.lines_through(CLOSE) == [CLOSE]
        await client.disconnected()
        assert client.rest() == []
    # "who enters next opens the chat anew and is its administrator": every nickname is free
    for i, name in enumerate(("carla", "anna", "bruno")):
        back = await either.connect(i % 2)
        assert await back.enter(name)
        assert back.others == ("carla", "anna", "bruno")[:i]
        assert back.is_administrator is (i == 0)


async def test_when_the_administrator_goes_the_oldest_becomes_it(either: Room) -> None:
    clients = [await either.enter(f"user-{i}", i % 2) for i in range(5)]
    clients[2].leave()
    await clients[2].disconnected()
    left = [clients[i] for i in (0, 1, 3, 4)]
    for i, (before, heir) in enumerate(itertools.pairwise(left)):
        for client in left[i:]:
            await client.expect_going(clients[2].nickname if i == 0 else left[i - 1].nickname)
        if i:
            assert await before.next_line() == ADMINISTRATOR
        assert not heir.is_administrator
        heir.stop()
        assert await heir.next_line() == FORBIDDEN
        [before.leave, before.abort, before.close][i]()
    last = left[-1]
    await last.expect_going(left[-2].nickname)
    assert await last.next_line() == ADMINISTRATOR
    last.stop()
    await last.expect_line(CLOSE)
    await last.disconnected()


async def test_the_succession_goes_through_all_dialects_and_nodes(cluster: Cluster) -> None:
    chat = "mixed"

    async def enter(kind: type[ChatteClient], name: str, node: int) -> ChatteClient:
        return await kind.enter_chat(port(cluster.nodes[node], kind, chat), name)

    chatte = await enter(ChatteClient, "first", 1)
    page = await enter(ProtocolloClient, "second", 0)
    browser = await enter(BrowserClient, "third", 1)
    old = await enter(ClassicClient, "fourth", 1)
    last = await enter(ProtocolloClient, "fifth", 0)
    assert isinstance(page, ProtocolloClient)
    assert isinstance(browser, BrowserClient)
    assert isinstance(old, ProtocolloClient)
    assert isinstance(last, ProtocolloClient)
    assert page.others == ("first",)
    assert last.others == ("first", "second", "third", "fourth")

    page.stop()
    await page.expect_line(FORBIDDEN)
    chatte.close()
    await page.expect_line(ADMINISTRATOR)
    assert not browser.is_administrator
    page.leave()
    await browser.expect_event(AdministratorEvent())
    assert not old.is_administrator
    browser.leave()
    await old.expect_line(ADMINISTRATOR)
    assert not last.is_administrator
    newest = await enter(ChatteClient, "newest", 0)
    old.stop()
    for reader in (old, last):
        await reader.expect_line(CLOSE)
    for each in (old, last, newest):
        await each.disconnected()
    await until_empty(cluster.nodes, chat)


async def test_a_lone_administrator_in_chatte_has_nobody_to_tell(cluster: Cluster) -> None:
    chat = "mixed"
    anna = await ProtocolloClient.enter_chat(port(cluster.nodes[0], ProtocolloClient, chat), "anna")
    bea = await ChatteClient.enter_chat(port(cluster.nodes[1], ChatteClient, chat), "bea")
    anna.leave()
    await bea.expect_line("151 anna just left the chat")
    carla = await ProtocolloClient.enter_chat(
        port(cluster.nodes[0], ProtocolloClient, chat), "carla"
    )
    assert carla.others == ("bea",)
    assert await bea.next_line() == "150 carla just join to the chat"
    bea.close()
    await carla.expect_line(ADMINISTRATOR)
    carla.close()
    await until_empty(cluster.nodes, chat)


# All together


async def test_many_on_two_nodes_talk_come_and_go_and_every_promise_is_kept(
    cluster: Cluster,
) -> None:
    chat = "mixed"
    kinds: list[tuple[type[ChatteClient], int]] = [
        (ChatteClient, 0),
        (ProtocolloClient, 0),
        (ClassicClient, 1),
        (ChatteClient, 1),
    ]

    def place(i: int) -> tuple[type[ChatteClient], int]:
        kind, node = kinds[i % len(kinds)]
        return kind, port(cluster.nodes[node], kind, chat)

    async def enter(i: int, name: str) -> ChatteClient:
        kind, at = place(i)
        return await kind.enter_chat(at, name)

    staying = list(await asyncio.gather(*(enter(i, f"staying-{i}") for i in range(16))))
    guests: list[ChatteClient] = []

    async def coming_and_going() -> None:
        leave: Callable[[ChatteClient], None]
        for turn in range(40):
            guest = await enter(turn, f"guest-{turn % 3}")
            guests.append(guest)
            guest.say()
            leave = (ChatteClient.close, ChatteClient.abort)[turn // 4 % 2]
            leave(guest)
            await staying[0].expect_line(f"151 guest-{turn % 3} just left the chat")

    names = [client.nickname for client in staying]
    await under_load(staying[:8], coming_and_going(), per_second=40, most=80, whisper_to=names)
    await settle(staying)
    await assert_promises_kept([*staying, *guests])
    for client in staying:
        client.close()
    await until_empty(cluster.nodes, chat)
