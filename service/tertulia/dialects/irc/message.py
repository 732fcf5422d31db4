"""A line of IRC: tags, source, command and parameters. Sources: modern.ircdocs.horse, "Message Format";
ircv3.net, "Message Tags".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from tertulia.domain.text import clean

MAX_LINE: Final = 512
"""The most bytes in a line with its CRLF and without its tags."""
MAX_TAGS: Final = 4096
"""The most bytes in a client's tags, with the ``@`` before them and the space after them."""
_MOST_PARAMS: Final = 15
_CLIENT_ONLY: Final = re.compile(r"\+[A-Za-z0-9./-]+\Z")
_MOST_TAGS: Final = 64

_ESCAPES: Final = {";": r"\:", " ": r"\s", "\\": r"\\", "\r": r"\r", "\n": r"\n"}
_ESCAPED: Final = str.maketrans(_ESCAPES)
_UNESCAPES: Final = {escape[1]: sign for sign, escape in _ESCAPES.items()}
_SPACES: Final = re.compile(" +")
_ESCAPE: Final = re.compile(r"\\(.?)", re.DOTALL)


class IrcLine(NamedTuple):
    """A line of a client; the command in capitals. Nothing in it is cleaned."""

    command: str
    params: list[str]
    tags: Mapping[str, str]


class InvalidUtf8(Exception):
    """A line is not UTF-8. It is dropped."""

    def __init__(self, line: IrcLine | None) -> None:
        """``line``: what can be read of it, to say which line it was."""
        super().__init__()
        self.line = line


class LineTooLong(Exception):
    """A line is longer than a client's may be. It is dropped."""


_NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


def parse(line: bytes) -> IrcLine | None:
    """Return what a line without its end says; None where there is no command in it.

    Raises LineTooLong or InvalidUtf8.
    """
    tagged, rest = b"", line
    if line.startswith(b"@"):
        tagged, _, rest = line.partition(b" ")
        if len(tagged) + 1 > MAX_TAGS:
            raise LineTooLong
    if len(rest) + 2 > MAX_LINE:
        raise LineTooLong
    try:
        return _read(tagged[1:].decode(), rest.decode())
    except UnicodeDecodeError:
        raise InvalidUtf8(
            _read(*(it.decode(errors="replace") for it in (tagged[1:], rest)))
        ) from None


def _read(tags: str, text: str) -> IrcLine | None:
    text = text.lstrip(" ")
    if text.startswith(":"):  # a source: a client can have no other than itself
        text = text.partition(" ")[2].lstrip(" ")
    head, colon, last = text.partition(" :")
    command, *params = head.split(" ")
    params = [it for it in params if it]
    if len(params) >= _MOST_PARAMS:  # RFC 2812, 2.3.1: the last of them needs no colon
        params = _SPACES.split(text, _MOST_PARAMS)[1:]
        params[-1] = params[-1].removeprefix(":")
    elif colon:
        params.append(last)
    return IrcLine(command.upper(), params, _tags(tags) if tags else _NO_TAGS) if command else None


def _tags(written: str) -> Mapping[str, str]:
    """Read tags: of those with the same key the last one counts."""
    tags = {}
    for tag in written.split(";", _MOST_TAGS)[:_MOST_TAGS]:
        key, _, value = tag.partition("=")
        if key:
            tags[key] = _unescape(value) if "\\" in value else value
    return tags


def _unescape(value: str) -> str:
    return _ESCAPE.sub(lambda escape: _UNESCAPES.get(escape[1], escape[1]), value)


def escape(value: str) -> str:
    """Return a tag's value as it is written."""
    return value.translate(_ESCAPED)


def client_only(tags: Mapping[str, str]) -> str:
    """Return those tags that are for other clients, as they are written; empty where there are none."""
    found = [(key, clean(value)) for key, value in tags.items() if _CLIENT_ONLY.match(key)]
    return ";".join([f"{key}={escape(value)}" if value else key for key, value in found])


def tagged(tags: Iterable[tuple[str, str]], line: str) -> str:
    """Put tags in front of a line, which may have tags. An empty value is none."""
    written = ";".join([f"{key}={escape(value)}" if value else key for key, value in tags])
    if not written:
        return line
    return f"@{written};{line[1:]}" if line.startswith("@") else f"@{written} {line}"


def middle(param: str) -> str:
    """Return what a client wrote as a parameter in the middle of a line; ``*`` where it can't be one."""
    param = clean(param)
    return "*" if not param or " " in param or param.startswith(":") else param


def cut(text: str, most: int) -> str:
    """Return as much of a text as has at most so many bytes, up to the end of a sign."""
    raw = text.encode(errors="replace")
    return text if len(raw) <= most else raw[:most].decode(errors="ignore")


def filled(words: Iterable[str], most: int) -> Iterator[str]:
    """Put ASCII words, with spaces between them, into lines of at most so many bytes."""
    line: list[str] = []
    left = most
    for word in words:
        left -= len(word) + 1
        if left < -1 and line:
            yield " ".join(line)
            line, left = [], most - len(word) - 1
        line.append(word)
    if line:
        yield " ".join(line)
