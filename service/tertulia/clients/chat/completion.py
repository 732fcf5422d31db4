"""What could stand where somebody is writing a word: a nickname, a room, a command."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from tertulia.clients.chat.commands import ALIASES, COMMANDS, known_to
from tertulia.clients.chat.known_chat import KnownChat
from tertulia.domain.nicknames import fold

_COMMAND = re.compile(r"\s*(/[^\s/]*)\Z")
_RECIPIENT = re.compile(r"\s*(/\S+)\s+@?([\w.+-]*)\Z", re.ASCII)
_ROOM = re.compile(r"(?<!\S)#([\w.+-]*)\Z", re.ASCII)
_WORD = re.compile(r"(?<!\S)@?([\w.+-]+)\Z", re.ASCII)


class Completion(NamedTuple):
    """How many characters before the cursor may be replaced, and by which texts."""

    length: int
    options: list[str]


def complete(before: str, chat: KnownChat) -> Completion | None:
    """Return what could complete a text up to the cursor; None where nothing could."""
    shown = chat.shown
    if (found := _COMMAND.match(before)) is not None:
        known = known_to(shown.rules.is_moderator)
        return _found(found[1], (f"{it} " for it in known if it.startswith(found[1].lower())))
    if (found := _RECIPIENT.match(before)) is not None:
        typed = found[1].lower()
        command = COMMANDS.get(ALIASES.get(typed, typed))
        if command is not None and command.takes_name:
            return _found(found[2], (f"{it} " for it in _names(chat, found[2])))
    if (found := _ROOM.search(before)) is not None:
        typed = found[1].lower()
        listed = [it.room for it in chat.listed or ()]
        names = sorted({*listed, *(it.name for it in chat.rooms if it.name)})
        return _found(f"#{found[1]}", (f"#{it} " for it in names if it.startswith(typed)))
    if (found := _WORD.search(before)) is not None:
        end = ": " if before.strip() == found[0] and not found[0].startswith("@") else " "
        return _found(found[1], (f"{it}{end}" for it in _names(chat, found[1])))
    return None


def _names(chat: KnownChat, typed: str) -> list[str]:
    """Return who may be meant: those who spoke last first."""
    people = chat.shown.people
    spoke = [fold(it.nickname) for it in reversed(list(chat.shown.log)[-200:]) if it.nickname]
    order = dict.fromkeys([*spoke, *people])
    return [
        people[key]
        for key in order
        if key in people and key.startswith(fold(typed)) and not chat.oneself.is_called(key)
    ]


def _found(typed: str, options: Iterable[str]) -> Completion | None:
    all_options = list(options)
    return Completion(len(typed), all_options) if all_options else None
