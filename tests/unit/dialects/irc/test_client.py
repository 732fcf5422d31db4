"""What the halves of a connection of IRC share: names, answers, and what is pending."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from harness.cases import each
from tertulia.dialects.irc import numerics
from tertulia.dialects.irc.client import MOST_PENDING, IrcClient, IrcServer, PendingAnswer

SERVER = IrcServer(lobby="Main", version="1.2")


@each(
    ("channel", "room"),
    [
        ("#ops", "ops"), ("#OPS", "ops"), ("#main", ""), ("#MAIN", ""), ("#lobby", "lobby"),
        ("ops", None), ("#", None), ("#o ps", None), ("#à", None), ("&ops", None), ("", None),
        ("##ops", None), ("#" + "x" * 32, "x" * 32), ("#" + "x" * 33, None),
    ],
)  # fmt: skip
def test_a_channel_is_a_room(channel: str, room: str | None) -> None:
    assert SERVER.room(channel) == room


def test_rooms_and_people_have_names() -> None:
    assert SERVER.channel("ops") == "#ops"
    assert SERVER.channel("") == "#Main"
    assert SERVER.person("anna") == "anna!anna@tertulia"
    assert (SERVER.program, IrcServer().program) == ("tertulia-1.2", "tertulia")


def test_an_answer_has_a_number_and_its_words() -> None:
    client = IrcClient(SERVER)
    assert client.numeric(numerics.NO_SUCH_NICK, "bob") == (
        ":tertulia 401 * bob :No such nick/channel"
    )
    client.nickname = "anna"
    assert client.numeric(numerics.TOPIC, "#ops", "a topic") == ":tertulia 332 anna #ops :a topic"
    assert client.fail("REDACT", "UNKNOWN_MSGID", "#ops", "x", words="It does not exist") == (
        ":tertulia FAIL REDACT UNKNOWN_MSGID #ops x :It does not exist"
    )


LONG = "x" * 600


@each(
    ("line", "written"),
    [
        (":a PONG b", b":a PONG b\r\n"),
        (f":a PONG :{LONG}", f":a PONG :{LONG}"[:510].encode() + b"\r\n"),
        (f"@time={LONG} :a PONG b", f"@time={LONG} :a PONG b\r\n".encode()),
        ("à" * 300, ("à" * 255).encode() + b"\r\n"),
        ("x" + "à" * 300, ("x" + "à" * 254).encode() + b"\r\n"),
    ],
)
def test_a_line_has_at_most_512_bytes_without_its_tags(line: str, written: bytes) -> None:
    assert SERVER.wire([line]) == written


@each(
    ("lines", "written"),
    [
        ([], ""),
        ([":a PONG b", ":a PONG c"], ":a PONG b\r\n:a PONG c\r\n"),
        ([":a PONG b", ":a PONG à"], ":a PONG b\r\n:a PONG à\r\n"),
        ([LONG, ":a PONG b"], f"{LONG[:510]}\r\n:a PONG b\r\n"),
        (["x" * 510, "x" * 511], "x" * 510 + "\r\n" + "x" * 510 + "\r\n"),
    ],
)
def test_lines_are_written_one_after_the_other(lines: list[str], written: str) -> None:
    assert SERVER.wire(iter(lines)) == written.encode()


def test_a_line_is_a_frame_of_a_websocket() -> None:
    lines = [":a PONG b", "à"]
    for is_binary, opcode in ((False, Opcode.TEXT), (True, Opcode.BINARY)):
        frames = [Frame(opcode, it.encode()).serialize(mask=False) for it in lines]
        server = IrcServer(is_websocket=True, is_binary=is_binary)
        assert server.wire(lines) == b"".join(frames)


@each(
    ("lines", "label", "answer"),
    [
        ([], "", []),
        (["A", "B"], "", ["A", "B"]),
        ([], "x", ["@label=x :tertulia ACK"]),
        (["A"], "x", ["@label=x A"]),
        (["@time=1 A"], "x;y", [r"@label=x\:y;time=1 A"]),
        (
            ["A", "@time=1 B"],
            "x",
            [
                "@label=x :tertulia BATCH +answer labeled-response",
                "@batch=answer A",
                "@batch=answer;time=1 B",
                ":tertulia BATCH -answer",
            ],
        ),
        # A batch that is the whole answer is labelled itself.
        (
            [":t BATCH +p chathistory #a", "@batch=p A", ":t BATCH -p"],
            "x",
            ["@label=x :t BATCH +p chathistory #a", "@batch=p A", ":t BATCH -p"],
        ),
        # A batch that is a part of it stands in it, with its end.
        (
            ["A", ":t BATCH +p chathistory #a", "@time=1;batch=p B", ":t BATCH -p"],
            "x",
            [
                "@label=x :tertulia BATCH +answer labeled-response",
                "@batch=answer A",
                "@batch=answer :t BATCH +p chathistory #a",
                "@time=1;batch=p B",
                "@batch=answer :t BATCH -p",
                ":tertulia BATCH -answer",
            ],
        ),
        (
            [":t BATCH +p x", ":t BATCH -p", ":t BATCH +q x", ":t BATCH -q"],
            "x",
            [
                "@label=x :tertulia BATCH +answer labeled-response",
                "@batch=answer :t BATCH +p x",
                "@batch=answer :t BATCH -p",
                "@batch=answer :t BATCH +q x",
                "@batch=answer :t BATCH -q",
                ":tertulia BATCH -answer",
            ],
        ),
    ],
)
def test_an_answer_is_labelled_once(lines: list[str], label: str, answer: list[str]) -> None:
    told = IrcClient(SERVER).answer(lines, label)
    assert told == "".join(f"{it}\r\n" for it in answer).encode()


def told(client: IrcClient, *parts: tuple[list[str], bool]) -> list[list[str]]:
    """Return what each part of an answer gives: its lines, and whether they are told at once."""
    client.share("x", len(parts))
    return [
        client.answer(lines, "x", at_once=at_once).decode().splitlines() for lines, at_once in parts
    ]


BEGIN, END = "@label=x :tertulia BATCH +{} labeled-response", ":tertulia BATCH -{}"


def test_parts_of_an_answer_are_told_with_the_last_one() -> None:
    client = IrcClient(SERVER)
    assert told(client, ([], False), ([], False)) == [[], ["@label=x :tertulia ACK"]]
    assert told(client, ([], False), (["A"], False), ([], True)) == [[], [], ["@label=x A"]]
    assert told(client, (["A"], False), (["B"], False)) == [
        [],
        [BEGIN.format("answer"), "@batch=answer A", "@batch=answer B", END.format("answer")],
    ]
    assert client.shared == {}


def test_a_part_that_is_told_at_once_opens_the_batch() -> None:
    client = IrcClient(SERVER)
    assert told(client, (["A"], False), (["B"], True), ([], True), (["C"], True)) == [
        [],
        [BEGIN.format("answer-1"), "@batch=answer-1 B"],
        [],
        ["@batch=answer-1 C", "@batch=answer-1 A", END.format("answer-1")],
    ]
    assert told(client, (["A"], True), (["B"], False)) == [
        [BEGIN.format("answer-2"), "@batch=answer-2 A"],
        ["@batch=answer-2 B", END.format("answer-2")],
    ]
    assert client.shared == {}


@given(st.lists(st.tuples(st.lists(st.sampled_from("ABC"), max_size=2), st.booleans()), min_size=2))
def test_all_parts_are_one_answer(parts: list[tuple[list[str], bool]]) -> None:
    client = IrcClient(SERVER)
    first, *others = [line for told_now in told(client, *parts) for line in told_now]
    expected = sorted(line for lines, _ in parts for line in lines)
    assert client.shared == {}
    assert first.startswith("@label=x ")
    if " BATCH +" not in first:
        assert [first.removeprefix("@label=x "), *others] == (expected or [":tertulia ACK"])
        return
    reference = first.split()[3].removeprefix("+")
    *inside, last = others
    assert last == END.format(reference)
    assert sorted(it.removeprefix(f"@batch={reference} ") for it in inside) == expected


def test_other_answers_stand_between_its_parts() -> None:
    client = IrcClient(SERVER)
    client.share("x", 2)
    client.share("y", 1)
    client.share("", 2)
    assert client.answer(["A"], "x") == b""
    assert client.answer(["B"], "y") == b"@label=y B\r\n"
    assert client.answer(["C"], "") == b"C\r\n"
    assert client.answer([], "x") == b"@label=x A\r\n"


def test_shared_answers_are_bounded() -> None:
    client = IrcClient(SERVER)
    for it in range(MOST_PENDING + 2):
        client.share(str(it), 2)
    assert len(client.shared) == MOST_PENDING
    assert client.answer(["A"], "0") == b"@label=0 A\r\n"


def test_what_is_pending_is_bounded() -> None:
    client = IrcClient(SERVER)
    tags = [client.number(PendingAnswer(str(it))) for it in range(MOST_PENDING + 2)]
    assert tags == list(range(1, MOST_PENDING + 3))
    assert len(client.pending) == MOST_PENDING
    assert next(iter(client.pending)) == 3
    assert client.pending[tags[-1]].label == str(MOST_PENDING + 1)
