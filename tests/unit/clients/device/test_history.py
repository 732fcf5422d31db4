"""Histories on disk: what is kept, how it reads, and what a crash leaves."""

import multiprocessing
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.clients.device import history as module
from tertulia.clients.device.account import Account
from tertulia.clients.device.history import History, Mark, Utterance, folder_of
from tertulia.clients.device.operations import PendingFrom
from tertulia.domain.text import clean

AT = datetime(2026, 11, 20, 23, 11, 5, tzinfo=UTC)


def mine(text: str, mark: Mark = Mark.WAITING) -> Utterance:
    return Utterance(mark, AT, "anna", text)


def theirs(text: str) -> Utterance:
    return Utterance(Mark.THEIRS, AT, "bob", text)


@pytest.fixture
def chat(tmp_path: Path) -> History:
    return History(tmp_path / "account-anna", "bob")


def test_a_chat_without_history_is_empty(chat: History) -> None:
    assert chat.read() == []
    chat.mark_delivered()
    assert chat.read() == []


def test_messages_are_read_back_in_order_by_whoever_asks(chat: History, tmp_path: Path) -> None:
    chat.add([mine("ciao"), theirs("ehi")])
    chat.add([mine("come\tstai? è", Mark.DELIVERED)])
    again = History(tmp_path / "account-anna", "BOB")  # nicknames are compared without case
    assert again.read() == [mine("ciao"), theirs("ehi"), mine("come\tstai? è", Mark.DELIVERED)]


@pytest.mark.parametrize(
    ("most", "read"), [(0, []), (2, [8, 9]), (10, [*range(10)]), (11, [*range(10)])]
)
def test_the_newest_are_read(chat: History, most: int, read: list[int]) -> None:
    chat.add([theirs(str(number)) for number in range(10)])
    assert [int(it.text) for it in chat.read(most)] == read


def test_the_file_can_be_read_by_a_person(chat: History) -> None:
    chat.add([mine("ciao"), theirs("ehi"), mine("allora?", Mark.DELIVERED)])
    assert chat.path.read_text() == (
        "*\t2026-11-20T23:11:05+00:00\tanna\tciao\n"
        ".\t2026-11-20T23:11:05+00:00\tbob\tehi\n"
        "**\t2026-11-20T23:11:05+00:00\tanna\tallora?\n"
    )


def test_a_message_is_shown_with_its_mark() -> None:
    shown = [mine("ciao").shown(), mine("ciao", Mark.DELIVERED).shown(), theirs("ehi").shown()]
    assert shown == [" * anna: ciao", "** anna: ciao", "   bob: ehi"]


def test_what_i_said_is_marked_once_it_is_delivered(chat: History) -> None:
    chat.add([mine("uno"), theirs("*\tdue"), mine("tre", Mark.DELIVERED), mine("quattro")])
    chat.mark_delivered()
    marks = [(it.mark, it.text) for it in chat.read()]
    assert marks == [
        (Mark.DELIVERED, "uno"),
        (Mark.THEIRS, "*\tdue"),
        (Mark.DELIVERED, "tre"),
        (Mark.DELIVERED, "quattro"),
    ]


def test_times_are_kept_in_utc_to_the_second(chat: History) -> None:
    at = datetime(2026, 11, 21, 1, 11, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
    chat.add([Utterance(Mark.THEIRS, at, "bob", "ciao")])
    assert chat.read() == [theirs("ciao")]


def test_what_others_wrote_is_private(chat: History, tmp_path: Path) -> None:
    chat.add([theirs("ciao")])
    chat.add([mine("ciao")])
    chat.mark_delivered()
    assert stat.S_IMODE(chat.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "account-anna").stat().st_mode) == 0o700


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_cut_short_by_a_crash_costs_no_other(chat: History, cut: int) -> None:
    chat.add([theirs("ciao"), mine("ehi")])
    whole = chat.path.read_bytes()
    chat.path.write_bytes(whole[:-cut] if cut < 36 else whole[:-36])
    chat.add([theirs("dopo")])
    chat.mark_delivered()
    texts = [it.text for it in chat.read()]
    assert texts[0] == "ciao"
    assert texts[-1] == "dopo"
    assert all("ehi".startswith(text) for text in texts[1:-1])


def test_marking_either_happens_or_leaves_everything(
    chat: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.add([mine("ciao")])
    before = chat.path.read_bytes()

    def fails(file: int, data: bytes, *, durable: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", fails)
    with pytest.raises(OSError, match="No space"):
        chat.mark_delivered()
    assert chat.path.read_bytes() == before
    assert sorted(it.name for it in chat.path.parent.iterdir()) == [".lock", chat.path.name]


def test_a_history_does_not_fill_the_disk(chat: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HISTORY", 2_097_152)
    added = 0
    with pytest.raises(OSError, match="it has 2 MiB, the most; move it away to begin another"):
        while True:
            chat.add([theirs("x" * 60_000)])
            added += 1
    assert 2_097_152 - 61_000 < chat.path.stat().st_size <= 2_097_152
    assert len(chat.read()) == added
    chat.path.rename(chat.path.with_name("old"))
    chat.add([theirs("dopo")])
    assert chat.read() == [theirs("dopo")]


def _add_many(folder: Path, name: str) -> None:
    chat = History(folder, "bob")
    for number in range(50):
        chat.add([mine(f"{name} {number}")])
        chat.mark_delivered()


def test_two_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add_many, args=(tmp_path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
        assert writer.exitcode == 0
    said = [it.text for it in History(tmp_path, "bob").read()]
    assert sorted(said) == sorted(f"{name} {number}" for name in "ab" for number in range(50))


@pytest.mark.parametrize("name", ["..", ".", "con", "-rf", "a.b+c_d", "X" * 32])
def test_every_nickname_has_a_file_of_its_own_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, name)
    assert folder.parent == tmp_path
    chat = History(folder, name)
    chat.add([theirs("ciao")])
    assert chat.path.resolve().parent == folder.resolve()
    assert chat.path.resolve().parent.parent == tmp_path.resolve()
    assert History(folder_of(tmp_path, name.upper()), name.upper()).read() == [theirs("ciao")]


@given(st.text())
def test_any_text_is_one_line_and_harmless(text: str) -> None:
    line = module._line(theirs(text))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    parsed = module._parsed(line.removesuffix(b"\n"))
    assert parsed is not None
    assert parsed.text == clean(text)
    assert not any(it in parsed.text for it in "\x1b\r\n\0")


@given(st.binary(max_size=60))
def test_a_line_that_is_none_is_passed_over(line: bytes) -> None:
    assert module._parsed(line) is None or line.count(b"\t") >= 3


def texts(messages: list[Utterance]) -> list[str]:
    return [it.text for it in messages]


def test_messages_that_the_service_shows_again_are_received_once(tmp_path: Path) -> None:
    anna = Account("anna", tmp_path)
    assert texts(anna.receive("bob", PendingFrom(("uno", "due")), AT)) == ["uno", "due"]
    # The connection broke: they are still pending, and there is another one.
    assert texts(anna.receive("bob", PendingFrom(("uno", "due", "tre")), AT)) == ["tre"]
    assert texts(anna.receive("carol", PendingFrom(("uno",)), AT)) == ["uno"]
    anna.confirm("bob")
    assert texts(anna.receive("bob", PendingFrom(("uno", "due", "tre")), AT)) == [
        "uno",
        "due",
        "tre",
    ]


def test_other_messages_after_an_unconfirmed_show_are_all_new(tmp_path: Path) -> None:
    anna = Account("anna", tmp_path)
    anna.receive("bob", PendingFrom(("uno", "due")), AT)
    assert texts(anna.receive("bob", PendingFrom(("uno",)), AT)) == ["uno"]  # they had gone through
    assert texts(anna.receive("bob", PendingFrom(()), AT)) == []
