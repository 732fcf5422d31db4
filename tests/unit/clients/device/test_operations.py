"""A device's side of each operation. Source: docs/protocols/device.md, "Operations"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cases import each
from tertulia.clients.device.exchange import Run, Steps
from tertulia.clients.device.operations import (
    HangingMessage,
    LoginAnswer,
    NoPort,
    PeerCame,
    PendingFrom,
    add_user,
    address,
    enter_chat,
    hanging,
    leave_chat,
    listening_port,
    log_in,
    log_out,
    online_users,
    show,
    show_before_writing,
    sign_up,
    wait_for_peer,
)
from tertulia.clients.device.wire import FrameDecoder, Garbage, integer, string


@dataclass(frozen=True)
class Exchange:
    """An operation, what goes over the wire in turn, the device first, and what comes of it."""

    name: str
    steps: Callable[[], Steps[Any]]
    wire: tuple[bytes, ...]
    result: object

    def __str__(self) -> str:
        return self.name


OK, NO, ACK = integer(0), integer(1), integer(1)
ME, PASSWORD, PORT = string("anna"), string("s3cret"), integer(5000)

# What the device sends, and what the service answers, in turn; "" where one side goes on.
EXCHANGES = [
    Exchange(
        "1 signup",
        lambda: sign_up("anna", "s3cret", 5000),
        (integer(1), ACK, ME, OK, PASSWORD, OK, PORT, OK),
        LoginAnswer.DONE,
    ),
    Exchange(
        "1 signup, name taken",
        lambda: sign_up("anna", "s3cret", 5000),
        (integer(1), ACK, ME, NO),
        LoginAnswer.NAME_REFUSED,
    ),
    Exchange(
        "1 signup, password refused",
        lambda: sign_up("anna", "s3cret", 5000),
        (integer(1), ACK, ME, OK, PASSWORD, NO),
        LoginAnswer.PASSWORD_REFUSED,
    ),
    Exchange(
        "1 signup, port refused",
        lambda: sign_up("anna", "s3cret", 80),
        (integer(1), ACK, ME, OK, PASSWORD, OK, integer(80), NO),
        LoginAnswer.PORT_REFUSED,
    ),
    Exchange(
        "2 in",
        lambda: log_in("anna", "s3cret", 5000),
        (integer(2), ACK, ME, OK, PASSWORD, OK, PORT, OK),
        LoginAnswer.DONE,
    ),
    Exchange(
        "2 in, no such account",
        lambda: log_in("anna", "s3cret", 5000),
        (integer(2), ACK, ME, NO),
        LoginAnswer.NAME_REFUSED,
    ),
    Exchange(
        "2 in, wrong password",
        lambda: log_in("anna", "s3cret", 5000),
        (integer(2), ACK, ME, OK, PASSWORD, NO),
        LoginAnswer.PASSWORD_REFUSED,
    ),
    Exchange("3 out", lambda: log_out("anna"), (integer(3), ACK, ME, OK), True),
    Exchange("3 out, not in", lambda: log_out("anna"), (integer(3), ACK, ME, NO), False),
    Exchange(
        "10 chat, onchat",
        lambda: enter_chat("anna", "bob"),
        (integer(10), ACK, ME, ACK, string("bob"), integer(6000)),
        6000,
    ),
    Exchange(
        "10 chat, offchat",
        lambda: enter_chat("anna", "bob"),
        (integer(10), ACK, ME, ACK, string("bob"), integer(1)),
        NoPort.OFFCHAT,
    ),
    Exchange(
        "10 chat, does not exist",
        lambda: enter_chat("anna", "bob"),
        (integer(10), ACK, ME, ACK, string("bob"), integer(0)),
        NoPort.UNKNOWN,
    ),
    Exchange(
        "12 address",
        lambda: address("anna", "bob"),
        (integer(12), ACK, ME, ACK, string("bob"), string("10.0.0.7")),
        "10.0.0.7",
    ),
    Exchange(
        "12 address, not onchat",
        lambda: address("anna", "bob"),
        (integer(12), ACK, ME, ACK, string("bob"), string("")),
        "",
    ),
    Exchange(
        "20 add, the list",
        online_users,
        (integer(20), string("bob,carol,")),
        ("bob", "carol"),
    ),
    Exchange("20 add, nobody", online_users, (integer(20), string("nessun utente online")), ()),
    Exchange(
        "20 add, the user",
        lambda: add_user("carol", "anna"),
        (string("carol"), integer(7000), ME),
        True,
    ),
    Exchange(
        "20 add, not online",
        lambda: add_user("carol", "anna"),
        (string("carol"), integer(0)),
        False,
    ),
    Exchange(
        "20 add, for the port alone",
        lambda: listening_port("carol"),
        (integer(20), string("anna,carol,"), string("carol"), integer(7000)),
        7000,
    ),
    Exchange(
        "20 add, for the port of one that is not online",
        lambda: listening_port("carol"),
        (integer(20), string("anna,"), string("carol"), integer(0)),
        0,
    ),
    Exchange("30 leave", lambda: leave_chat("anna"), (integer(30), ACK, ME), None),
    Exchange(
        "100 hanging",
        lambda: hanging("anna"),
        (
            integer(100),
            ACK,
            ME,
            string(
                "bob: 2 messaggi, 20-11-2026 23:11:05\ncarol: 1 messaggi, 20-11-2026 23:12:00\n"
            ),
        ),
        (
            HangingMessage("bob", 2, "20-11-2026 23:11:05"),
            HangingMessage("carol", 1, "20-11-2026 23:12:00"),
        ),
    ),
    Exchange(
        "100 hanging, more than anybody can count",
        lambda: hanging("anna"),
        (integer(100), ACK, ME, string(f"bob: {'9' * 5000} messaggi, 20-11-2026 23:11:05\n")),
        (HangingMessage(f"bob: {'9' * 5000} messaggi, 20-11-2026 23:11:05", 0, ""),),
    ),
    Exchange(
        "100 hanging, nothing", lambda: hanging("anna"), (integer(100), ACK, ME, string("")), ()
    ),
    Exchange(
        "200 show",
        lambda: show("anna", "bob"),
        (integer(200), ACK, ME, ACK, string("bob"), string("ciao\ncome stai?\n")),
        PendingFrom(("ciao", "come stai?")),
    ),
    Exchange(
        "200 show, nothing",
        lambda: show("anna", "bob"),
        (integer(200), ACK, ME, ACK, string("bob"), string("null")),
        PendingFrom(()),
    ),
    Exchange(
        "200 show, the word null",
        lambda: show("anna", "bob"),
        (integer(200), ACK, ME, ACK, string("bob"), string("null\n")),
        PendingFrom(("null",)),
    ),
    Exchange(
        "200 show, as much as a string holds",
        lambda: show("anna", "bob"),
        (integer(200), ACK, ME, ACK, string("bob"), string(b"x" * 65_534 + b"\n")),
        PendingFrom(("x" * 65_534,), perhaps_more=True),
    ),
    Exchange(
        "200 within 10",
        lambda: show_before_writing("anna", "bob"),
        (integer(200), ACK, ME, ACK, string("bob"), string("ciao\n")),
        PendingFrom(("ciao",)),
    ),
    Exchange(
        "200 within 10, the peer comes first",
        lambda: show_before_writing("anna", "bob"),
        (integer(200), integer(6000)),
        PeerCame(6000),
    ),
    Exchange(
        "200 within 10, the peer comes after the first acknowledgement",
        lambda: show_before_writing("anna", "bob"),
        (integer(200), ACK, ME, integer(6000)),
        PeerCame(6000),
    ),
    Exchange(
        "200 within 10, the peer comes before the messages",
        lambda: show_before_writing("anna", "bob"),
        (integer(200), ACK, ME, ACK, string("bob"), integer(6000)),
        PeerCame(6000),
    ),
    Exchange("10, the peer comes", wait_for_peer, (b"", integer(6000)), PeerCame(6000)),
]
every_exchange = each("exchange", EXCHANGES)


def sent(run: Run[Any]) -> bytes:
    return b"".join(step for step in run.advance() if isinstance(step, bytes))


@every_exchange
@each("more", [b"", b"\0", integer(6000), b"GET / HTTP/1.1"])
def test_the_exchange_in_its_order(exchange: Exchange, more: bytes) -> None:
    frames = FrameDecoder()
    run = Run(frames, exchange.steps())
    answers = exchange.wire[1::2]
    for turn, said in enumerate(exchange.wire[::2]):
        assert sent(run) == said
        assert not run.done or turn == len(answers)
        if turn < len(answers):
            frames.feed(answers[turn] + (more if turn == len(answers) - 1 else b""))
    assert sent(run) == b""
    assert run.done
    assert run.result == exchange.result
    assert len(frames) == len(more)


@every_exchange
def test_the_exchange_byte_by_byte(exchange: Exchange) -> None:
    frames = FrameDecoder()
    run = Run(frames, exchange.steps())
    said = sent(run)
    for byte in b"".join(exchange.wire[1::2]):
        assert not run.done
        frames.feed(bytes([byte]))
        said += sent(run)
    assert run.done
    assert run.result == exchange.result
    assert said == b"".join(exchange.wire[::2])


@every_exchange
def test_an_answer_cut_after_any_byte_is_none(exchange: Exchange) -> None:
    answers = b"".join(exchange.wire[1::2])
    for end in range(max(len(answers) - 200, 0), len(answers)):
        frames = FrameDecoder()
        run = Run(frames, exchange.steps())
        frames.feed(answers[:end])
        sent(run)
        assert not run.done


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
@settings(max_examples=25)  # they have one reader of frames, which `make fuzz` gives more
@given(garbage=st.binary(max_size=80))
def test_garbage_is_refused_or_waited_on_and_breaks_nothing(
    exchange: Exchange, garbage: bytes
) -> None:
    frames = FrameDecoder()
    run = Run(frames, exchange.steps())
    frames.feed(garbage)
    try:
        sent(run)
    except Garbage:
        return
    assert run.done or len(frames) <= len(garbage)


@each(
    ("steps", "answers"),
    [
        (lambda: log_out("anna"), integer(0)),  # not the acknowledgement
        (lambda: log_out("anna"), ACK + integer(2)),
        (lambda: enter_chat("anna", "bob"), ACK + ACK + integer(80)),
        (lambda: enter_chat("anna", "bob"), ACK + ACK + integer(65_536)),
        (lambda: online_users(), integer(1)),
        (lambda: add_user("carol", "anna"), integer(1)),
        (lambda: show("anna", "bob"), integer(6000)),
        (lambda: show("anna", "bob"), ACK + ACK + integer(6000)),
        (lambda: wait_for_peer(), integer(200)),
        (lambda: wait_for_peer(), string("ciao")),
        (lambda: listening_port("bob"), string("bob,") + integer(80)),
        (lambda: hanging("anna"), b"HTTP/1.1 400 Bad Request\r\n"),
    ],
)
def test_what_no_service_answers_is_garbage(
    steps: Callable[[], Steps[object]], answers: bytes
) -> None:
    frames = FrameDecoder()
    run = Run(frames, steps())
    frames.feed(answers)
    with pytest.raises(Garbage):
        sent(run)


def test_what_others_wrote_is_harmless_to_show() -> None:
    frames = FrameDecoder()
    run = Run(frames, show("anna", "bob"))
    frames.feed(ACK + ACK + string(b"\x1b[2Jciao\x07\r\n\xe8\n"))
    sent(run)
    assert run.result == PendingFrom(("[2Jciao", "è"))  # Windows-1252 where it is no UTF-8


def test_who_is_online_can_only_have_names() -> None:
    frames = FrameDecoder()
    run = Run(frames, online_users())
    frames.feed(string("bob,\x1b[31m,,null,ca rol,dora,"))
    sent(run)
    assert run.result == ("bob", "dora")


def test_a_line_of_hanging_that_reads_otherwise_is_shown_as_it_is() -> None:
    frames = FrameDecoder()
    run = Run(frames, hanging("anna"))
    many = f"bob: {'9' * 5_000} messaggi, ieri"
    frames.feed(ACK + string(f"bob ha scritto\n{many}\n"))
    sent(run)
    assert run.result == (HangingMessage("bob ha scritto", 0, ""), HangingMessage(many, 0, ""))
