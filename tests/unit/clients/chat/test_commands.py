"""The words of the terminal are those of the page."""

import re
from pathlib import Path

from tertulia.clients.chat.commands import ALIASES, COMMANDS, known_to
from tertulia.domain.moderation import OWNERS

PAGE = Path(__file__).parents[4] / "service/tertulia/web/writing/commands.js"


def test_whatever_can_be_written_on_the_page_can_be_written_here() -> None:
    page = PAGE.read_text()
    words = set(re.findall(r'^  "(/\w+)":', page, re.M))
    assert len(words) > 8
    assert words <= set(COMMANDS)
    aliases = dict(re.findall(r'\["(/\S+)", "(/\w+)"\]', page))
    assert aliases == ALIASES


def test_whatever_moderators_and_owners_can_do_can_be_written() -> None:
    frames = {"moderator-add": "appoint", "moderator-remove": "dismiss"}  # as browser.md has them
    actions = {frames.get(it.value, it.value) for it in OWNERS}
    assert actions <= {word[1:] for word in COMMANDS}


def test_who_is_no_moderator_is_shown_no_command_of_moderators() -> None:
    assert "/mute" in known_to(True)
    assert "/mute" not in known_to(False)
    assert "/msg" in known_to(False)


def test_the_page_of_the_docs_has_every_command() -> None:
    page = (Path(__file__).parents[4] / "docs/terminal.md").read_text()
    table = page.partition("## Commands")[2].partition("## How it looks")[0]
    assert set(re.findall(r"`(/[a-z-]+)", table)) >= set(COMMANDS)
