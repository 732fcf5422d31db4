"""The test client of irc understands lines as the specification has them, and splits what it sends."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.irc_client import Batch, Message, channel_of, pieces, room_of, whole


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("PING", ("PING", (), "", {})),
        (":tertulia 422 anna :no words", ("422", ("anna", "no words"), "tertulia", {})),
        (":a!a@t PRIVMSG #b ::) :", ("PRIVMSG", ("#b", ":) :"), "a!a@t", {})),
        ("@a=1;b;c=x\\s\\:\\\\y\\ :s X :", ("X", ("",), "s", {"a": "1", "b": "", "c": "x ;\\y"})),
    ],
)
def test_a_line(line: str, message: tuple[object, ...]) -> None:
    it = Message.parse(line)
    assert (it.command, it.params, it.source, it.tags) == message


@pytest.mark.parametrize("line", ["", ":tertulia", "@a=1", "PING  x"])
def test_what_is_no_line(line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        Message.parse(line)


def test_a_batch_of_lines_is_one_message() -> None:
    batch = Batch("draft/multiline", ("#b",), Message.parse("@msgid=1 :a!a@t BATCH +x y #b"))
    for line in (
        "@batch=x :a!a@t PRIVMSG #b :one",
        "@batch=x :a!a@t PRIVMSG #b :two, ",
        "@batch=x;draft/multiline-concat :a!a@t PRIVMSG #b :still two",
    ):
        batch.messages.append(Message.parse(line))
    it = whole(batch)
    assert (it.params, it.nickname, it.tags["msgid"]) == (("#b", "one\ntwo, still two"), "a", "1")


@given(st.text(), st.integers(4, 20))
def test_pieces_are_the_line_and_none_is_longer_than_told(line: str, most: int) -> None:
    line = line.encode(errors="replace").decode()
    found = pieces(line, most)
    assert "".join(found) == line
    assert all(len(it.encode()) <= most for it in found)


def test_rooms_and_channels() -> None:
    assert [channel_of(it) for it in ("", "ops")] == ["#lobby", "#ops"]
    assert [room_of(it) for it in ("#LOBBY", "#Ops")] == ["", "ops"]
