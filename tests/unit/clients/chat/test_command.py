"""The command line of ``tertulia chat``, as far as it needs no service."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tertulia.cli import main
from tertulia.clients.chat.command import chat


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--plain"], "Say who you are: --nickname NAME."),
        ([], "This is no terminal. With --plain"),
        (["--times"], "go with --plain"),
        (["--plain", "--nickname", "anna", "--room", "a b"], "no room's name"),
        (["--plain", "--nickname", "anna", "ftp://x"], "should be the address of the page"),
        (["--plain", "--nickname", "anna", "--password"], "--password-file"),
        (["--plain", "--nickname", "anna", "--password-file", "/no/such"], "No such file"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(given: list[str], why: str) -> None:
    result = CliRunner().invoke(chat, given)
    assert result.exit_code == 2
    assert why in " ".join(result.output.split())


def test_a_password_is_no_argument() -> None:
    result = CliRunner().invoke(chat, ["--plain", "--nickname", "a", "--password=secret"])
    assert result.exit_code == 2


def test_an_empty_password_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\n")
    result = CliRunner().invoke(
        chat, ["--plain", "--nickname", "anna"], env={"TERTULIA_CHAT_PASSWORD_FILE": str(file)}
    )
    assert "has nothing in it" in result.output


def test_the_list_of_commands_says_what_it_does_without_loading_a_screen() -> None:
    before = set(sys.modules)
    result = CliRunner().invoke(main, ["--help"])
    assert "Chat in this terminal, on a full screen or in lines." in result.output
    assert not {it for it in set(sys.modules) - before if it.startswith("textual")}


def test_the_variable_of_this_client_is_no_wrong_setting_of_a_node(tmp_path: Path) -> None:
    environment = {"TERTULIA_CHAT_PASSWORD_FILE": str(tmp_path / "password")}
    result = CliRunner().invoke(main, ["check"], env=environment)
    assert result.exit_code == 0, result.output
