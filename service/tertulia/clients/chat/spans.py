"""What a text is made of: words, links, code, and the reader's own name."""

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit


class Made(Enum):
    """What a part of a text is."""

    WORDS = auto()
    LINK = auto()
    CODE = auto()
    NAME = auto()


class TextPart(NamedTuple):
    """A part of a text, as it was written."""

    made: Made
    text: str


BLOCK: Final = re.compile(r"^```(?:[^`]|``?(?!`))*\n```$", re.MULTILINE)
"""Lines of code between two lines that begin, and end, with three backticks."""
_MARKED = re.compile(
    r"(?P<code>(`{1,3})[^`\n]+\2)|(?<!\w)(?P<link>https?://[^\s<>\"`]+)", re.IGNORECASE
)
_IN_ADDRESSES: Final = "/-_#&%@*()[]{}=+~$"
_BRACKETS: Final = {")": "(", "]": "[", "}": "{"}
_SHORT: Final = 2
"""Letters of a name that is a word in some language: it is meant only with ``@``, or at the beginning."""


def parts_of(text: str, nickname: str) -> list[TextPart]:
    """Take a text apart; put together again, the parts are the text. ``nickname`` is the reader's own."""
    return list(_parts(text, nickname))


def is_named(text: str, nickname: str) -> bool:
    """Say whether a text names somebody."""
    return any(it.made is Made.NAME for it in _parts(text, nickname))


def links_of(text: str) -> list[str]:
    """Return the links of a text."""
    return [it.text for it in _parts(text, "") if it.made is Made.LINK]


def _parts(text: str, nickname: str) -> Iterator[TextPart]:
    done = 0
    for block in BLOCK.finditer(text):
        yield from _beside(text[done : block.start()], nickname)
        yield TextPart(Made.CODE, block[0])
        done = block.end()
    yield from _beside(text[done:], nickname)


def _beside(text: str, nickname: str) -> Iterator[TextPart]:
    done = 0
    for match in _MARKED.finditer(text):
        if match["code"]:
            part = TextPart(Made.CODE, match[0])
        elif (link := _link(match[0])) is not None:
            part = TextPart(Made.LINK, link)
        else:
            continue
        yield from _words(text, done, match.start(), nickname)
        yield part
        done = match.start() + len(part.text)
    yield from _words(text, done, len(text), nickname)


def _words(text: str, start: int, end: int, nickname: str) -> Iterator[TextPart]:
    """Yield what is between. The pattern looks at the whole text, so that a name is a whole word."""
    done = start
    if nickname:
        for match in _pattern(nickname).finditer(text, start):
            if match.end() > end:
                break
            if match.start() > done:
                yield TextPart(Made.WORDS, text[done : match.start()])
            yield TextPart(Made.NAME, match[0])
            done = match.end()
    if done < end:
        yield TextPart(Made.WORDS, text[done:end])


@lru_cache(maxsize=8)
def _pattern(nickname: str) -> re.Pattern[str]:
    name = re.escape(nickname)
    meant = rf"@?{name}" if len(nickname) > _SHORT else rf"(?:@{name}|\A\s*{name}(?=[:,]))"
    return re.compile(rf"(?<![\w+@-])(?<!\w\.){meant}(?![\w+-]|[.@]\w)", re.IGNORECASE)


def _link(found: str) -> str | None:
    text = found
    while text and text[-1] not in _IN_ADDRESSES and not text[-1].isalnum():
        text = text[:-1]
    while (
        text and (opening := _BRACKETS.get(text[-1])) and text.count(opening) < text.count(text[-1])
    ):
        text = text[:-1]
    try:
        parts = urlsplit(text)
        # `https://bank.example@elsewhere.example` leads elsewhere: it stays words.
        return text if parts.hostname and "@" not in parts.netloc else None
    except ValueError:
        return None
