"""A text of several lines on its way in. Sources: ircv3.net, "Client Batch", "Multiline"."""

import re
from itertools import accumulate
from typing import Final

from tertulia.dialects.irc.capabilities import MAX_MULTILINE_BYTES, MAX_MULTILINE_LINES
from tertulia.dialects.irc.message import IrcLine, middle
from tertulia.dialects.irc.text import incoming
from tertulia.domain.nicknames import fold
from tertulia.domain.text import LINE_END

TYPE: Final = "draft/multiline"
_CONCAT: Final = "draft/multiline-concat"
_REFERENCE: Final = re.compile(r"[A-Za-z0-9-]+\Z")


class InvalidBatch(Exception):
    """A batch is dropped, and why."""

    def __init__(self, code: str, words: str, *context: str) -> None:
        """``code`` and ``context``: those of the standard reply."""
        super().__init__(code)
        self.code, self.words, self.context = code, words, context


def invalid(words: str) -> InvalidBatch:
    """Return what is told where no other code fits."""
    return InvalidBatch("MULTILINE_INVALID", f"Invalid multiline batch: {words}")


class MultilineBatch:
    """An open batch: it takes a message's lines, as many as it may have."""

    __slots__ = ("_command", "_lines", "_size", "label", "reference", "tags", "target")

    def __init__(self, params: list[str], label: str, tags: str = "", *, is_allowed: bool) -> None:
        """Open it; ``params``: those of its BATCH command, the first one without its ``+``.
        ``tags``: those of the message that are for other clients.

        Raises InvalidBatch, also where it is not allowed to the client.
        """
        self.reference, *rest = params
        kind, *rest = rest or [""]
        shown = middle(self.reference)
        if not _REFERENCE.match(self.reference):
            raise InvalidBatch("INVALID_REFTAG", "Invalid reference tag", shown)
        if kind != TYPE or not is_allowed:
            raise InvalidBatch("UNKNOWN_TYPE", "Unknown batch type", shown, middle(kind))
        if not rest:
            raise invalid("it has no target")
        self.target, self.label, self.tags = rest[0], label, tags
        self._command = ""
        self._lines: list[
            list[str]
        ] = []  # joined when it is whole: else long lines cost quadratic time
        self._size = -1

    @property
    def is_notice(self) -> bool:
        """Whether its lines are NOTICEs."""
        return self._command == "NOTICE"

    def add(self, line: IrcLine) -> None:
        """Take a PRIVMSG or NOTICE of the batch. Raises InvalidBatch."""
        target, text, *_ = (*line.params, "", "")
        goes_on = _CONCAT in line.tags
        if fold(target) != fold(self.target):
            shown = middle(self.target), middle(target)
            raise InvalidBatch("MULTILINE_INVALID_TARGET", "Invalid multiline target", *shown)
        if self._command not in ("", line.command):
            raise invalid("PRIVMSG and NOTICE are mixed")
        if goes_on and not (text and self._lines):
            raise invalid("a blank line goes on, or the first one")
        self._command = line.command
        self._size += len(text.encode()) + (0 if goes_on else 1)
        if self._size > MAX_MULTILINE_BYTES:
            most = str(MAX_MULTILINE_BYTES)
            raise InvalidBatch("MULTILINE_MAX_BYTES", "Multiline batch max-bytes exceeded", most)
        if goes_on:
            self._lines[-1].append(text)
        else:
            self._lines.append([text])
        if sum(map(len, self._lines)) > MAX_MULTILINE_LINES:
            most = str(MAX_MULTILINE_LINES)
            raise InvalidBatch("MULTILINE_MAX_LINES", "Multiline batch max-lines exceeded", most)

    def text(self) -> tuple[str, tuple[int, ...]]:
        """Return the whole text, cleaned, and where it was divided, as in ``Said``.

        Raises InvalidBatch where it is blank.
        """
        lines, splits, at = [], [], 0
        for parts in self._lines:
            line = incoming("".join(parts))
            if line is None:
                continue
            if not (line or at):
                splits.append(0)
                continue
            # Where something was removed that goes over a division, that is none any more.
            cleaned = [incoming(it) or "" for it in parts]
            if "".join(cleaned) == line:
                ends = dict.fromkeys(accumulate(map(len, cleaned[:-1]), initial=at))
                splits += [it for it in ends if at < it < at + len(line)]
            lines.append(line)
            at += len(line) + 1
        text = LINE_END.join(lines).rstrip(LINE_END)
        if not text:
            raise invalid("all lines are blank")
        return text, tuple(splits)
