"""Every command ``tertulia …`` in the README and the docs exists, with the options that it is given there."""

import re
from pathlib import Path

import click
import pytest

from tertulia.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(it for it in (ROOT / "docs").rglob("*.md") if it.parent.name != "decisions"),
]
COMMAND = re.compile(
    r"(?:^(?: {4}|\$ )?|`)(?:\.venv/bin/)?tertulia (?P<words>[a-z][^`\n]*)", re.MULTILINE
)
OPTION = re.compile(r"(?<!\S)--?[a-z][a-z-]*")


def complaint(words: str) -> str:
    """Return what is wrong with a command, or nothing."""
    command: click.Command = main
    for word in words.split():
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(main), word)
        if found is None:
            return f"there is no {word!r}" if command is main else ""
        command = found
    known = {"-h", "--help", *(it for given in command.params for it in given.opts)}
    return " ".join(sorted({*OPTION.findall(words)} - known))


@pytest.mark.parametrize("words", ["serv", "serve --listn x", "admin ban andy --fro 7d"])
def test_mistakes_are_found(words: str) -> None:
    assert complaint(words)


def test_every_command_in_the_docs_exists() -> None:
    named = {(page, words) for page in PAGES for words in COMMAND.findall(page.read_text())}
    assert len(named) > 60
    assert [(str(page), words, what) for page, words in named if (what := complaint(words))] == []
