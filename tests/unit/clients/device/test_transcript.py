"""What a chat leaves on the screen and on disk."""

from pathlib import Path
from typing import cast

import pytest

from tertulia.clients.device import history, notices
from tertulia.clients.device.account import Account
from tertulia.clients.device.operations import PendingFrom
from tertulia.clients.device.peer import File
from tertulia.clients.device.terminal import NOTE, Terminal
from tertulia.clients.device.transcript import MAX_FILES, SHOWN_CHARACTERS, SHOWN_LINES, Transcript


class Screen:
    """What is written to a terminal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_words(self, *lines: str) -> None:
        self.lines += lines

    def note(self, text: str) -> None:
        self.lines.append(NOTE + text)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def chat(tmp_path: Path, screen: Screen) -> Transcript:
    return Transcript(Account("anna", tmp_path), "bob", cast(Terminal, screen))


def test_the_marks_are_explained_where_the_first_is_shown(chat: Transcript, screen: Screen) -> None:
    chat.heard("bob", "ciao")
    chat.said("ecco", delivered=False)
    chat.said("anch'io", delivered=True)
    explained = f"{NOTE}{notices.MARKS}"
    assert screen.lines == ["   bob: ciao", " * anna: ecco", explained, "** anna: anch'io"]


def test_the_marks_in_a_history_are_explained_as_well(
    chat: Transcript, screen: Screen, tmp_path: Path
) -> None:
    chat.said("ecco", delivered=True)
    (tmp_path / "account-anna/.marks-explained").unlink()
    screen.lines.clear()
    later = Transcript(Account("anna", tmp_path), "bob", cast(Terminal, screen))
    later.show_history()
    assert screen.lines[0].endswith("** anna: ecco")
    assert screen.lines[1:] == [f"{NOTE}{notices.MARKS}"]


LONG = "x" * (SHOWN_CHARACTERS + 100)


def test_a_long_message_is_cut_on_the_screen_and_kept_whole(
    chat: Transcript, screen: Screen, tmp_path: Path
) -> None:
    chat.heard("bob", LONG)
    path = tmp_path / "account-anna/chat-bob.txt"
    cut = f"   bob: {LONG[:SHOWN_CHARACTERS]}… (100 characters more in {path})"
    assert screen.lines == [cut]
    assert path.read_text().endswith(f"\t{LONG}\n")
    chat.show_history()
    assert screen.lines[1].endswith(cut)
    chat.show_pending(PendingFrom((LONG, "ciao")))
    assert screen.lines[2:] == [cut, "   bob: ciao"]
    chat.heard("bob", LONG[:SHOWN_CHARACTERS])
    assert screen.lines[-1] == f"   bob: {LONG[:SHOWN_CHARACTERS]}"


def test_the_last_of_a_long_history_is_shown(
    chat: Transcript, screen: Screen, tmp_path: Path
) -> None:
    for number in range(SHOWN_LINES + 3):
        chat.heard("bob", f"n. {number}")
    screen.lines.clear()
    chat.show_history()
    first, *shown = screen.lines
    assert first == f"-- Earlier messages are in {tmp_path / 'account-anna/chat-bob.txt'}"
    assert [int(line.rpartition(" ")[2]) for line in shown] == [*range(3, SHOWN_LINES + 3)]


def test_what_is_not_kept_is_shown_whole(
    chat: Transcript, screen: Screen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(history, "MAX_HISTORY", 1_048_576)
    path = tmp_path / "account-anna/chat-bob.txt"
    path.parent.mkdir()
    path.write_bytes(b"x" * 1_048_576)
    chat.heard("bob", LONG)
    chat.heard("bob", LONG)
    full = f"-- The history {path} fails: it has 1 MiB, the most; move it away to begin another."
    assert screen.lines == [full, f"   bob: {LONG}", f"   bob: {LONG}"]
    assert path.stat().st_size == 1_048_576


def test_so_many_files_are_kept_and_no_more(
    chat: Transcript, screen: Screen, tmp_path: Path
) -> None:
    for number in range(MAX_FILES + 2):
        chat.receive("bob", File(f"{number}.txt", b"x"))
    assert len(list((tmp_path / "account-anna/downloads").iterdir())) == MAX_FILES
    assert screen.lines[MAX_FILES:] == [
        f"-- bob shared a file; {MAX_FILES} were kept, and no more are, nor told, in this chat."
    ]
