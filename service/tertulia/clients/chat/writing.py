"""What somebody has written, done: a command, or a text to say, of one line or several."""

import re
from collections.abc import Callable
from typing import Final, Protocol

from tertulia.clients.admin.durations import span
from tertulia.clients.chat.commands import ALIASES, COMMANDS, ON_OFF
from tertulia.clients.chat.frames import as_kept, is_visible
from tertulia.clients.chat.room_log import Kind, Line
from tertulia.clients.chat.spans import BLOCK
from tertulia.clients.chat.talk import NotWritten, Talk
from tertulia.domain.nicknames import SERVER, fold
from tertulia.domain.rooms import fold_room, is_room

_IGNORED: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
"""What is not seen where it is not known (Default_Ignorable_Code_Point)."""
_COMMAND = re.compile(rf"[\s{_IGNORED}]*(/[^\s/]\S*)\s*")
"""A slash and a word, whatever that is not seen stands before."""
_ESCAPED = re.compile(rf"^([\s{_IGNORED}]*/)/(?=[^\s/])", re.MULTILINE)
"""``//word`` says ``/word``."""
_MESSAGE = re.compile(r"@?(\S+?)[:,]?(?:\s+(.*))?\Z", re.DOTALL)
_ACCOUNT = re.compile(r"\s*(un)?register\b|\s*password\b", re.IGNORECASE)
"""What people write to ``G`` in other dialects, with a password behind it (docs/people.md)."""
_AGAIN: Final = "/help shows which there are; to say it as it is, begin with //."


class NotDone(ValueError):
    """What was written was not done. The text says why, and what would be right."""


class Deeds(Protocol):
    """What a program does for commands in its own way."""

    def show_help(self) -> None: ...
    def show_rooms(self) -> None: ...
    def show_people(self) -> None: ...
    def show_account(self) -> None: ...
    def show_search(self, text: str) -> None: ...


class Writing:
    """Does what is written, in the room that is shown, to whom it is meant for."""

    def __init__(self, talk: Talk, deeds: Deeds) -> None:
        self.recipient = ""
        """Whom one writes to in private; empty for everybody."""
        self._talk = talk
        self._deeds = deeds
        self._others: dict[str, Callable[[str, float], None]] = {
            "/msg": self._message,
            "/me": self._act,
            "/nick": self._rename,
            "/join": self._join,
            "/part": self._part,
            "/lobby": lambda _, now: self._talk.chat.show(self._talk.chat.lobby),
            "/rooms": lambda _, now: self._deeds.show_rooms(),
            "/people": lambda _, now: self._deeds.show_people(),
            "/account": lambda _, now: self._deeds.show_account(),
            "/topic": self._topic,
            "/search": lambda rest, now: self._deeds.show_search(rest.strip()),
            "/leave": lambda _, now: self._talk.leave(now),
            "/close": self._close,
            "/mute": self._mute,
            "/unmute": self._about("unmute"),
            "/kick": self._about("kick", takes_reason=True),
            "/redact": self._redact,
            "/slow": self._slow,
            "/accounts-only": self._switch("accounts_only"),
            "/appoint": self._about("appoint"),
            "/dismiss": self._about("dismiss"),
            "/outsiders": self._switch("outsiders"),
            "/help": lambda _, now: self._deeds.show_help(),
        }
        assert self._others.keys() == COMMANDS.keys()

    def do(self, text: str, now: float) -> None:
        """Do what was written. Raises NotDone where it is not done, and nothing was said then."""
        found = _COMMAND.match(text)
        if found is None:
            self.say(self.recipient, text, now)
            return
        typed = found[1].lower()
        word = ALIASES.get(typed, typed)
        does = self._others.get(word)
        if does is None:
            raise NotDone(f"“{_shown(typed)}” is no command, so nothing was sent. {_AGAIN}")
        try:
            does(text[found.end() :], now)
        except _Wrong:
            raise NotDone(f"Like this: {COMMANDS[word].usage}") from None

    def say(self, to: str, text: str, now: float) -> None:
        """Say a text, unless one of its lines was meant otherwise. Raises NotDone."""
        if (found := _misplaced(text)) is not None:
            word, line = found
            raise NotDone(
                f"Line {line} begins with “{_shown(word)}” like a command, so nothing was sent. "
                "To say it as it is, let it begin with //."
            )
        try:
            self._talk.write(to, as_said(text), now)
        except NotWritten as error:
            raise NotDone(str(error)) from None

    # --- Commands -------------------------------------------------------------------------------------

    def _message(self, rest: str, now: float) -> None:
        # "/msg @anna: hello" is meant well.
        found = _MESSAGE.match(rest.strip())
        if found is None:
            raise _Wrong
        name, text = found[1], found[2] or ""
        to = "" if name.upper() == SERVER else name
        if not to and _ACCOUNT.match(text):
            raise NotDone("Here, G is everybody: it was not said. /account looks after accounts.")
        if is_visible(text):
            self.say(to, text, now)
        else:
            self.recipient = to

    def _act(self, rest: str, now: float) -> None:
        if not is_visible(rest):
            raise _Wrong
        self.say(self.recipient, f"* {self._talk.chat.oneself.nickname} {rest.strip()}", now)

    def _rename(self, rest: str, now: float) -> None:
        if not re.fullmatch(r"\S+", name := rest.strip()):
            raise _Wrong
        if not self._talk.is_inside:
            raise NotDone("There is no connection now.")
        self._talk.rename(name, now)

    def _join(self, rest: str, now: float) -> None:
        name = fold_room(rest.strip())
        if not is_room(name):
            raise _Wrong
        self._talk.join(name)

    def _part(self, rest: str, now: float) -> None:
        typed = rest.strip()
        name = fold_room(typed) if typed else self._talk.chat.shown.name
        if typed and not is_room(name):
            raise _Wrong
        # In the lobby, it is the chat that is left.
        if not name:
            self._talk.leave(now)
        elif self._talk.chat.room(name) is None:
            raise NotDone(f"You are not in #{name}.")
        else:
            self._talk.part(name, now)

    def _close(self, rest: str, now: float) -> None:
        if rest.strip().lower() != "yes":
            raise _Wrong
        if not self._talk.close_chat():
            raise NotDone("There is no connection now.")

    # --- Moderation -----------------------------------------------------------------------------------

    def _topic(self, rest: str, now: float) -> None:
        if not is_visible(rest):
            raise _Wrong
        self._moderate(action="topic", text=" ".join(as_kept(rest).split()))

    def _mute(self, rest: str, now: float) -> None:
        name, more = _name_and_more(rest)
        first, _, reason = more.partition(" ")
        try:
            seconds = span(first)
        except ValueError:
            seconds, reason = 0, more
        self._moderate(action="mute", nickname=name, seconds=seconds, reason=reason.strip())

    def _slow(self, rest: str, now: float) -> None:
        typed = rest.strip().removesuffix("s")
        if not re.fullmatch(r"[0-9]{1,4}", typed):
            raise _Wrong
        self._moderate(action="slow", seconds=int(typed))

    def _redact(self, rest: str, now: float) -> None:
        name, _ = _name_and_more(rest)

        def is_meant(line: Line) -> bool:
            is_theirs = line.kind is Kind.SAID and fold(line.nickname) == fold(name)
            return is_theirs and line.place is not None and not line.is_redacted

        shown = self._talk.chat.shown
        line = shown.log.find_last(is_meant)
        if line is None or line.place is None:
            raise NotDone(f"No message of “{_shown(name)}” is here.")
        self._moderate(action="redact", offset=line.place.offset, index=line.place.index)

    def _about(self, action: str, takes_reason: bool = False) -> Callable[[str, float], None]:
        def act(rest: str, now: float) -> None:
            name, reason = _name_and_more(rest)
            if reason and not takes_reason:
                raise _Wrong
            self._moderate(action=action, nickname=name, **({"reason": reason} if reason else {}))

        return act

    def _switch(self, action: str) -> Callable[[str, float], None]:
        def act(rest: str, now: float) -> None:
            on = ON_OFF.get(rest.strip().lower())
            if on is None:
                raise _Wrong
            self._moderate(action=action, on=on)

        return act

    def _moderate(self, **act: object) -> None:
        if not self._talk.moderate(act):
            raise NotDone("There is no connection now.")


class _Wrong(Exception):
    """A command was not written as it is to be."""


def is_command(text: str) -> bool:
    """Say whether a text is a command, known or not."""
    return _COMMAND.match(text) is not None


def as_said(text: str) -> str:
    """Return a text as it is to be said: without blanks at its lines' ends, nor blank lines around it.

    A line of ``//word`` says ``/word``, but in code, which stays as it is.
    """
    parts, done = [], 0
    kept = as_kept(text)
    for block in BLOCK.finditer(kept):
        parts += [_ESCAPED.sub(r"\1", kept[done : block.start()]), block[0]]
        done = block.end()
    whole = "".join([*parts, _ESCAPED.sub(r"\1", kept[done:])])
    lines = [line.rstrip() if is_visible(line) else "" for line in whole.split("\n")]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    return "\n".join(lines)


def _misplaced(text: str) -> tuple[str, int] | None:
    """Return where a line after the first is like a command, and is no code.

    Who pastes several should not say to everybody what was meant for somebody.
    """
    lines = BLOCK.sub(lambda code: re.sub(r"[^\n]", "x", code[0]), as_kept(text)).split("\n")
    for number, line in enumerate(lines[1:], 2):
        if (found := _COMMAND.match(line)) is not None:
            return found[1], number
    return None


def _name_and_more(rest: str) -> tuple[str, str]:
    name, _, more = rest.strip().partition(" ")
    name = name.removeprefix("@").rstrip(":,")
    if not name:
        raise _Wrong
    return name, more.strip()


def _shown(text: str) -> str:
    return as_kept(text)[:40]
