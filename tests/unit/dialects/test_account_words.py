"""What is written to ``G`` about accounts, and what ``G`` answers."""

import itertools

import pytest

from harness.cases import each
from tertulia.dialects.account_words import BEGINNINGS, Language, account_command, asked, told
from tertulia.dialects.contract import AccountAction, AccountAnswer, AccountOutcome
from tertulia.domain.commands import (
    AccountCommand,
    ChangePassword,
    DeleteAccount,
    ExplainAccounts,
    LogOutEverywhere,
    Register,
)

WHOLE: list[tuple[str, AccountCommand]] = [
    ("register secret", Register("secret")),
    ("register  secret   ab-cd", Register("secret", "ab-cd")),
    ("password old new", ChangePassword("old", "new")),
    ("logout", LogOutEverywhere()),
    ("unregister secret", DeleteAccount("secret")),
    ("help", ExplainAccounts()),
]


@pytest.mark.parametrize(("text", "command"), WHOLE)
def test_whole_commands(text: str, command: AccountCommand) -> None:
    assert account_command(text) == command == asked(text)
    assert text[:4].encode() in BEGINNINGS
    assert asked(text.upper().replace("SECRET", "secret")) is not None


@pytest.mark.parametrize(
    "text", ["", " ", "hello", "register", "register a b c", "help me", "Help", "logout now"]
)
def test_what_is_none(text: str) -> None:
    assert account_command(text) is None


@pytest.mark.parametrize(
    "text", ["register", "Register a b c", "help me", "password one", "LOGOUT now"]
)
def test_a_command_that_is_not_whole_asks_for_help(text: str) -> None:
    assert asked(text) == ExplainAccounts()


@pytest.mark.parametrize("text", ["", "hello", "what can I do?"])
def test_anything_else_is_for_nobody(text: str) -> None:
    assert asked(text) is None


@each(
    ("action", "outcome", "language"),
    itertools.product(AccountAction, AccountOutcome, ["en", "it"]),
)
def test_there_are_words_for_everything(
    action: AccountAction, outcome: AccountOutcome, language: Language
) -> None:
    lines = told(AccountAnswer(action, outcome, "anna", 61), language)
    assert all(line and "{" not in line and "\n" not in line for line in lines)
    if outcome is AccountOutcome.TOO_OFTEN and action is not AccountAction.EXPLAIN:
        assert "2 min" in lines[0]
