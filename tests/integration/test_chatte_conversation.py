"""The dialect chatte, sentence by sentence, spoken to two nodes on one Redis."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from harness.chatte_client import (
    GREETING,
    IGNORED,
    INVALID,
    SENT,
    TAKEN,
    UNKNOWN,
    WELCOME,
    ChatteClient,
)
from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import Listener, NodeFactory
from harness.redis_server import running_redis
from harness.waiting import elapse, until

CHATS = 64
"""At least as many as there are tests here: each has a chat of its own, and hears no other."""


class Cluster:
    """Two nodes, each with a listener for every chat."""

    def __init__(self, factory: NodeFactory) -> None:
        listeners = tuple(Listener(chat=f"chat-{i}") for i in range(CHATS))
        self.nodes = [factory.launch(listeners=listeners) for _ in range(2)]
        self._unused = itertools.count()
        for node in self.nodes:
            node.ready_sync()

    def next_room(self) -> "Room":
        chat = f"chat-{next(self._unused)}"
        return Room([node.port(chat=chat) for node in self.nodes])


class Room:
    """One chat, as seen from both nodes, and the clients that a test let in."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.clients: list[ChatteClient] = []

    async def connect(self, node: int = 0, *, acknowledges: bool = True) -> ChatteClient:
        """Connect, and read the greeting."""
        client = await ChatteClient.connect(self.ports[node], acknowledges=acknowledges)
        self.clients.append(client)
        assert await client.next_line() == GREETING
        return client

    async def enter(
        self, nickname: str, node: int = 0, *, acknowledges: bool = True
    ) -> ChatteClient:
        """Connect and enter, and wait until those who are here know."""
        others = [client for client in self.clients if client.connected]
        client = await self.connect(node, acknowledges=acknowledges)
        assert await client.enter(nickname), client.describe()
        assert await client.next_line() == WELCOME
        for other in others:
            await other.expect_line(joined(nickname))
        return client


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeFactory]:
    with running_redis() as server:
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
    room = cluster.next_room()
    yield room
    for client in room.clients:
        client.close()


def joined(nickname: str) -> str:
    return f"150 {nickname} just join to the chat"


def left(nickname: str) -> str:
    return f"151 {nickname} just left the chat"


async def heard(speaker: ChatteClient, *readers: ChatteClient) -> list[list[str]]:
    """Let somebody say a last word, and return what each reader got before it."""
    text = speaker.say()
    line = f"100 {speaker.nickname} {text}"
    return [(await reader.lines_through(line))[:-1] for reader in readers]


# The page's own conversation


async def test_the_conversation_of_the_page(room: Room) -> None:
    andy = await room.connect(1)
    andy.send(b"Andy\n")
    assert await andy.next_line() == "200 Welcome to the chatte."

    achury = await room.connect(0)
    achury.send(b"Achury\n")
    assert await achury.next_line() == "200 Welcome to the chatte."
    assert await andy.next_line() == "150 Achury just join to the chat"

    achury.send("100 Hola, acabo de llegar. ¿Hay alguien aquí?\n".encode())
    public = "100 Achury Hola, acabo de llegar. ¿Hay alguien aquí?"
    assert await andy.next_line() == public
    assert await achury.next_lines(2) == [public, "101 Message sent."]

    achury.send("102 Andy Andy, ¿ya hiciste la tarea de telemática?\n".encode())
    assert await achury.next_line() == "101 Message sent."
    assert await andy.next_line() == "102 Achury Andy, ¿ya hiciste la tarea de telemática?"

    andy.send("102 Achury Achury, sí, ya hice la tarea.\n".encode())
    assert await andy.next_line() == "101 Message sent."
    assert await achury.next_line() == "102 Andy Achury, sí, ya hice la tarea."

    andy.send(b"102 Nadie hola\n")
    assert await andy.next_line() == "203 Invalid destinatary. Verify the nickname."

    achury.close()
    assert await andy.next_line() == "151 Achury just left the chat"
    assert andy.rest() == []


# Entering


async def test_the_greeting_and_the_welcome_are_these_bytes(cluster: Cluster) -> None:
    room = cluster.next_room()
    reader, writer = await asyncio.open_connection("127.0.0.1", room.ports[0])
    assert await reader.readline() == b"0 Hello, nickname please.\n"
    writer.write(b"ana\r\n")
    assert await reader.readline() == b"200 Welcome to the chatte.\n"
    writer.write(b"100 hola\r\n")
    assert await reader.readline() == b"100 ana hola\n"
    assert await reader.readline() == b"101 Message sent.\n"
    writer.close()


async def test_valid_nicknames_are_shown_as_entered(room: Room) -> None:
    witness = await room.enter("witness", 1)
    for nickname in ("a", "7", "Az09._+-", "-", "...", "x" * 32, "null.", "GG"):
        await room.enter(nickname, 0)
        assert joined(nickname) in witness.lines


INVALID_NICKNAMES = (
    *(
        "",
        " ",
        "ana maria",
        " ana",
        "ana ",
        "ana\t",
        "x" * 33,
        "ana!",
        "a/b",
        "a@",
        "a@#b",
        "ñandú",
    ),
    *("G", "g", "fine", "Fine", "STOP", "close", "null", "NULL"),
)


async def test_invalid_and_reserved_nicknames_get_201_and_the_connection_closes(
    room: Room,
) -> None:
    witness = await room.enter("witness", 1)
    for nickname in INVALID_NICKNAMES:
        client = await room.connect(0)
        client.send(nickname.encode() + b"\n")
        assert await client.next_line() == INVALID, nickname
        await client.disconnected()
        assert client.rest() == []
    assert await heard(witness, witness) == [[]]


async def test_bytes_that_are_no_nickname_get_201(room: Room) -> None:
    for raw in (b"\xff\xfe", b"an\xe9", b"a\x00b c", b"\x1b[31m"):
        client = await room.connect()
        client.send(raw + b"\n")
        assert await client.next_line() == INVALID
        await client.disconnected()


async def test_a_nickname_in_use_on_any_node_in_any_case_gets_202_and_closes(room: Room) -> None:
    andy = await room.enter("Andy", 0)
    for node in (0, 1):
        for nickname in ("Andy", "andy", "ANDY"):
            client = await room.connect(node)
            client.send(nickname.encode() + b"\n")
            assert await client.next_line() == TAKEN, (nickname, node)
            await client.disconnected()
            assert client.rest() == []
    assert await heard(andy, andy) == [[]]


async def test_of_many_who_want_a_nickname_at_once_one_gets_it(room: Room) -> None:
    witness = await room.enter("witness")
    clients = [await room.connect(i % 2) for i in range(20)]
    given = await asyncio.gather(*(client.enter("Wanted") for client in clients))
    assert given.count(True) == 1
    assert sum(client.lines[-1] == TAKEN for client in clients) == 19
    await settle([witness, clients[given.index(True)]])
    assert witness.lines.count(joined("Wanted")) == 1
    await assert_promises_kept(room.clients)


async def test_a_nickname_is_free_again_once_its_holder_left(room: Room) -> None:
    witness = await room.enter("witness", 0)
    for turn in range(4):
        holder = await room.enter("Andy", turn % 2)
        holder.close()
        await witness.expect_line(left("Andy"))
    await settle([witness])
    await assert_promises_kept(room.clients)


async def test_the_others_are_told_who_came_and_who_came_is_not(room: Room) -> None:
    first = await room.enter("first", 0)
    second = await room.enter("second", 1)
    third = await room.enter("third", 0)
    assert [line for line in first.lines if line.startswith("150")] == [
        joined("second"),
        joined("third"),
    ]
    assert [line for line in second.lines if line.startswith("150")] == [joined("third")]
    assert await heard(first, third) == [[]]


async def test_who_comes_sees_nothing_of_what_was_before(room: Room) -> None:
    early = await room.enter("early", 0)
    for _ in range(5):
        early.say()
    await early.answered()
    late = await room.enter("late", 1)
    assert await heard(early, late) == [[]]


async def test_the_chats_of_one_node_are_apart(cluster: Cluster) -> None:
    here, there = cluster.next_room(), cluster.next_room()
    ana = await here.enter("ana", 0)
    other = await there.enter("ana", 0)
    bea = await there.enter("bea", 1)
    bea.say("only there")
    await other.expect_line("100 bea only there")
    ana.whisper("bea")
    assert await ana.next_line() == UNKNOWN
    assert await heard(ana, ana) == [[]]


# Sending


async def test_a_public_message_reaches_everybody_the_sender_first_its_copy_then_101(
    room: Room,
) -> None:
    ana, bea, carl = [await room.enter(n, i % 2) for i, n in enumerate(["ana", "bea", "carl"])]
    ana.rest(), bea.rest()
    ana.say("hola")
    assert await ana.next_lines(2) == ["100 ana hola", SENT]
    assert await bea.next_line() == "100 ana hola"
    assert await carl.next_line() == "100 ana hola"


TEXTS = (
    *("", " ", "  two before and after  ", "a\ttab", "100 100", "102 ana x"),
    *("€ ñ 漢字 🎉", "'\"\\{}%s", "{main}:log", "\ufeff", "a" * 4000),
)


async def test_everything_after_the_code_is_the_text(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    ana.rest()
    for text in TEXTS:
        ana.say(text)
        assert await bea.next_line() == f"100 ana {text}"
        assert await ana.next_lines(2) == [f"100 ana {text}", SENT]


async def test_a_private_message_reaches_its_recipient_only(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    carl = await room.enter("carl", 1)
    dora = await room.enter("dora", 0)
    for client in (ana, bea, carl):
        client.rest()
    ana.send(b"102 bea  just for you \n")
    assert await ana.next_line() == SENT
    assert await bea.next_line() == "102 ana  just for you "
    ana.send(b"102 dora same node\n")
    assert await ana.next_line() == SENT
    assert await dora.next_line() == "102 ana same node"
    assert await heard(ana, carl, bea, dora) == [[], [], []]


async def test_a_private_message_finds_its_recipient_without_case(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("Bea", 1)
    ana.rest()
    ana.send(b"102 bEA hola\n")
    assert await ana.next_line() == SENT
    assert await bea.next_line() == "102 ana hola"


async def test_a_private_message_to_oneself_is_delivered(room: Room) -> None:
    ana = await room.enter("ana", 0)
    ana.send(b"102 ana note to self\n")
    assert sorted(await ana.next_lines(2)) == [SENT, "102 ana note to self"]


async def test_a_private_message_to_nobody_gets_203(room: Room) -> None:
    ana = await room.enter("ana", 0)
    for recipient in ("nobody", "G", "null", "x" * 40, "bea:pw", "ñ", "an", "ana*"):
        ana.send(f"102 {recipient} hola\n".encode())
        assert await ana.next_line() == UNKNOWN, recipient
    assert await heard(ana, ana) == [[]]


async def test_a_private_message_to_who_has_left_gets_203(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    bea.close()
    await ana.expect_line(left("bea"))
    ana.send(b"102 bea hola\n")
    assert await ana.next_line() == UNKNOWN


NO_COMMANDS = (
    *(b"", b" ", b"hola", b"100", b"102", b"102 ", b"102 bea", b"100hola", b"1000 hola"),
    *(b"103 hola", b"200 Welcome to the chatte.", b"150 bea just join to the chat", b"10 x"),
    *(b" 100 hola", b"quit", b"\xff\xfe\xfd", b"0", b"-100 x", b"102bea hola", b"1\x0000 hola"),
)


async def test_anything_else_gets_666_and_the_session_goes_on(room: Room) -> None:
    bea = await room.enter("bea", 1)
    ana = await room.enter("ana", 0)
    for line in NO_COMMANDS:
        ana.send(line + b"\n")
        assert await ana.next_line() == IGNORED, line
    assert await heard(ana, ana, bea) == [[], []]


async def test_an_acknowledgement_gets_no_answer(room: Room) -> None:
    ana = await room.enter("ana", 0)
    for line in (b"101 Message received.", b"101", b"101 ", b"101x", b"101 Message received.\r"):
        ana.send(line + b"\n")
    ana.send(b"101 Message received.\n" * 500)
    assert await heard(ana, ana) == [[]]


@pytest.mark.parametrize("acknowledges", [True, False])
async def test_who_acknowledges_and_who_does_not_are_served_alike(
    room: Room, acknowledges: bool
) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1, acknowledges=acknowledges)
    texts = [ana.say() for _ in range(150)]
    secrets = [ana.whisper("bea") for _ in range(50)]
    await ana.answered(60)
    expected = {f"102 ana {text}" for text in secrets}
    await until(lambda: expected <= set(bea.lines), 30, bea.describe)
    await settle(room.clients)
    said = [line for line in bea.lines if line.startswith("100")]
    assert said[:-1] == [f"100 ana {text}" for text in texts]
    await assert_promises_kept(room.clients)


# Lines and text


async def test_lines_may_end_with_cr_and_lf(room: Room) -> None:
    bea = await room.enter("bea", 1)
    ana = await room.connect(0)
    ana.send(b"ana\r\n100 hola\r\n102 bea psst\r\n\r\n100 \r\n101 Message received.\r\n")
    lines = await ana.next_lines(7)
    assert [line for line in lines if line.startswith("100")] == ["100 ana hola", "100 ana "]
    assert [line for line in lines if not line.startswith("100")] == [
        *(WELCOME, SENT, SENT, IGNORED, SENT)
    ]
    got = await bea.next_lines(4)
    assert sorted(got) == sorted([joined("ana"), "100 ana hola", "100 ana ", "102 ana psst"])


async def test_bytes_that_are_not_utf8_are_read_as_windows_1252(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    ana.rest()
    ana.send(b"100 caf\xe9 \x80 \x93hola\x94\n")
    assert await bea.next_line() == "100 ana café € “hola”"
    ana.send(b"102 bea ma\xf1ana\n")
    assert await bea.next_line() == "102 ana mañana"
    ana.send("100 mañana €\n".encode())
    assert await bea.next_line() == "100 ana mañana €"


CONTROLS = (
    (b"a\x00b", "ab"),
    (b"\x1b[31mred\x1b[0m", "[31mred[0m"),
    ("a\x85b\u2028c\u2029d\u202ee\u2066f\u2069".encode(), "abcdef"),
    (("e" + "\u0301" * 500).encode(), "e" + "\u0301" * 6),
    (b"bell\x07 and\x08 tab\t", "bell and tab\t"),
    (b"bare\rcr", "barecr"),
    (b"del\x7f", "del"),
    ("c1\x9b31m".encode(), "c131m"),
    (b"vt\x0b ff\x0c", "vt ff"),
    (b"cr at the end\r", "cr at the end"),
    (b"\x01", ""),
)


async def test_control_characters_are_removed(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    for sent, read in CONTROLS:
        ana.send(b"100 " + sent + b"\n102 bea " + sent + b".\n")
        assert sorted(await bea.next_lines(2)) == [f"100 ana {read}", f"102 ana {read}."]


async def test_a_line_of_4096_bytes_is_a_line(room: Room) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    text = "x" * (4096 - len("100 "))
    for end in ("\n", "\r\n"):
        ana.send(f"100 {text}{end}".encode())
        assert await bea.next_line() == f"100 ana {text}"


@pytest.mark.parametrize("length", [4097, 5000, 70_000])
async def test_a_longer_line_is_refused_whole_and_the_connection_stays(
    room: Room, length: int
) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    ana.rest()
    ana.send(b"100 " + b"x" * (length - 4) + b"\n100 after\n")
    assert await ana.next_lines(3) == [IGNORED, "100 ana after", SENT]
    assert await bea.next_line() == "100 ana after"


async def test_the_rest_of_a_line_that_is_too_long_is_no_command(room: Room) -> None:
    ana = await room.enter("ana", 0)
    for part in (b"x" * 5000, b"100 not a command", b"y" * 5000, b" 100 neither\n", b"100 hola\n"):
        ana.send(part)
        await elapse(0.05)
    assert await ana.next_lines(3) == [IGNORED, "100 ana hola", SENT]


async def test_commands_may_come_byte_by_byte(room: Room) -> None:
    bea = await room.enter("bea", 1)
    ana = await room.connect(0, acknowledges=False)  # that would come within a line
    for byte in "ana\n100 ¿sí?\r\n102 bea psst\nfoo\n101 Message received.\n102 no x\n".encode():
        ana.send(bytes([byte]))
        await elapse(0.002)
    expected = [WELCOME, "100 ana ¿sí?", SENT, SENT, IGNORED, UNKNOWN]
    assert await ana.next_lines(len(expected)) == expected
    assert await bea.next_lines(3) == [joined("ana"), "100 ana ¿sí?", "102 ana psst"]


async def test_commands_in_one_packet_are_answered_in_order(room: Room) -> None:
    bea = await room.enter("bea", 1)
    ana = await room.connect(0)
    ana.send(
        b"ana\n100 uno\n102 nobody x\n100 dos\nfoo\n102 bea tres\n101 Message received.\n"
        b"100 cuatro\n102 bea\n102 ana cinco\n100 seis\n"
    )
    answers = [WELCOME, SENT, UNKNOWN, SENT, IGNORED, SENT, SENT, IGNORED, SENT, SENT]
    copies = [f"100 ana {word}" for word in ("uno", "dos", "cuatro", "seis")]
    lines = await ana.next_lines(len(answers) + len(copies) + 1)
    lines.remove("102 ana cinco")  # the private message to oneself comes when it comes
    # Copies may come together, as the room's events do; but each before what promises it.
    assert [line for line in lines if line in copies] == copies
    assert [line for line in lines if line not in copies] == answers
    promises = [i for i, line in enumerate(lines) if line == SENT]
    for copy, promise in zip(copies, (0, 1, 3, 5), strict=True):
        assert lines.index(copy) < promises[promise]
    got = await bea.lines_through("100 ana seis")
    assert [line for line in got if not line.startswith("102")] == [joined("ana"), *copies]
    await bea.wait_for(lambda: "102 ana tres" in bea.lines, 60, "the private message")


async def test_private_and_public_messages_of_one_sender_come_in_the_order_it_sent_them(
    room: Room,
) -> None:
    """Only what its own node can promise: private messages among themselves, public likewise."""
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    for i in range(50):
        ana.send(f"102 bea p{i}\n100 m{i}\n".encode())
    await until(lambda: len(bea.lines) >= 102, 30, bea.describe)
    for code, prefix in (("102", "p"), ("100", "m")):
        got = [line for line in bea.lines if line.startswith(f"{code} ana")]
        assert got == [f"{code} ana {prefix}{i}" for i in range(50)]


# Leaving


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_the_others_are_told_once_who_went(room: Room, how: str) -> None:
    ana = await room.enter("ana", 0)
    bea = await room.enter("bea", 1)
    carl = await room.enter("carl", 0)
    carl.close() if how == "close" else carl.abort()
    await ana.expect_line(left("carl"))
    await bea.expect_line(left("carl"))
    await settle([ana, bea])
    assert ana.lines.count(left("carl")) == bea.lines.count(left("carl")) == 1
    await assert_promises_kept(room.clients)


async def test_who_never_entered_leaves_no_trace(room: Room) -> None:
    ana = await room.enter("ana", 0)
    for farewell in (b"", b"half a nickname", b"\n"):
        client = await room.connect(0)
        client.send(farewell)
        client.close()
    assert await heard(ana, ana) == [[]]


async def test_what_was_sent_before_closing_is_said_before_the_leaving(room: Room) -> None:
    ana = await room.enter("ana", 1)
    bea = await room.enter("bea", 0)
    bea.send(b"100 uno\n100 dos\n102 ana tres\n")
    bea.half_close()
    got = await ana.lines_through(left("bea"))
    assert [line for line in got if line.startswith("100")] == ["100 bea uno", "100 bea dos"]
    await ana.wait_for(lambda: "102 bea tres" in ana.lines, 60, "the private message")


async def test_a_client_that_half_closes_gets_its_answers_and_is_closed(room: Room) -> None:
    """As ``printf 'ana\\n100 hola\\n' | nc`` does."""
    bea = await room.enter("bea", 1)
    ana = await room.connect(0)
    ana.send(b"ana\n100 hola\n")
    ana.half_close()
    await ana.disconnected()
    assert ana.lines[1:] == [WELCOME, "100 ana hola", SENT]
    assert await bea.lines_through(left("ana")) == [joined("ana"), "100 ana hola", left("ana")]


async def test_a_command_without_its_line_end_is_none_when_the_client_closes(room: Room) -> None:
    bea = await room.enter("bea", 1)
    ana = await room.enter("ana", 0)
    ana.send(b"100 whole\n100 hal")
    ana.half_close()
    got = await bea.lines_through(left("ana"))
    assert got == ["100 ana whole", left("ana")]


# All together


@pytest.mark.slow
async def test_many_on_two_nodes_talk_come_and_go_and_every_promise_is_kept(room: Room) -> None:
    staying = await connect_many(room.ports, 16, "staying")
    room.clients.extend(staying)

    async def coming_and_going() -> None:
        for turn in range(12):
            guest = await ChatteClient.enter_chat(room.ports[turn % 2], f"guest-{turn % 3}")
            room.clients.append(guest)
            guest.say()
            await guest.answered()
            guest.close() if turn % 2 else guest.abort()
            await staying[0].expect_line(left(f"guest-{turn % 3}"))

    names = [client.nickname for client in staying]
    await under_load(staying[:8], coming_and_going(), per_second=40, most=80, whisper_to=names)
    await settle(staying)
    await assert_promises_kept(room.clients)
