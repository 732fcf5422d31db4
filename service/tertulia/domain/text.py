"""Text from clients: any bytes are decoded, and harmless afterwards; and text to clients.

Source: docs/protocols/README.md, "Text".
"""

import codecs
import re
import unicodedata
from functools import lru_cache
from typing import Final

from anyascii import anyascii

MAX_TEXT: Final = 4096
"""Bytes in a text, where a client is not bounded by its lines."""
MAX_LINES: Final = 50
"""Lines in a text: who reads in a terminal has them one below the other."""
LINE_END: Final = "\u2028"
"""Between the lines of a text that has several, in the service and in the log: nobody can have written it.

LF would end the line of a protocol or of a terminal, and a text could go on as if it were another one, in
versions that know of no lines and wherever somebody forgot them. This is a sign as any other."""
_SHOWN_LINE_END: Final = "\u23ce"
"""The same where a text has to stand in one line. It has as many bytes."""
_LINE_ENDS = range(0x2028, 0x202A)
_BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SURROGATES = range(0xD800, 0xE000)
_CONTROLS = dict.fromkeys(
    [*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0), *_LINE_ENDS, *_BIDI, *_SURROGATES]
)
_MOST_MARKS: Final = 6
"""Combining marks on one letter: no language's spelling has more."""
_MARKS: Final = ("Mn", "Me")
# Marks, invisible signs between them, and little else: only such a run has to be looked at.
_SIGNS = re.compile(r"[^\w\s\x00-\xac\xae-\u02ff]" f"{{{_MOST_MARKS + 1},}}")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_OWN_SPELLINGS: Final = {"\u2260": "!="}
"""Signs for which the library says the opposite."""


def _windows_1252(byte: bytes) -> str:
    # Five bytes are undefined. In Latin-1 they are C1 controls, and are removed with those.
    try:
        return byte.decode("cp1252")
    except UnicodeDecodeError:
        return byte.decode("latin-1")


_WINDOWS_1252 = "".join(_windows_1252(bytes([code])) for code in range(256))


def _transliterated(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = unicodedata.normalize("NFKC", error.object[error.start : error.end])
    return "".join(map(_spelled, signs)), error.end


TRANSLITERATED: Final = "tertulia.transliterated"
"""The error handler's name for ``str.encode``: it transliterates what an encoding has no sign for."""
codecs.register_error(TRANSLITERATED, _transliterated)


def decode(raw: bytes) -> str:
    """Decode UTF-8, or Windows-1252 where it is not UTF-8, and remove controls other than TAB."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = codecs.charmap_decode(raw, "strict", _WINDOWS_1252)[0]
    return text if text.isascii() and text.isprintable() else clean(text)


def clean(text: str) -> str:
    """Remove the signs that no other program is to see.

    These are controls other than TAB, line ends and bidi controls beyond ASCII, and halves of surrogate
    pairs, which no encoding can hold. Of the combining marks on one letter a few are kept.
    """
    # A text with tabs alone need not be looked up sign by sign, which takes several times as long.
    if not (text.isprintable() or text.replace("\t", "").isprintable()):
        text = text.translate(_CONTROLS)
    return text if text.isascii() else _SIGNS.sub(_with_few_marks, text)


def clean_lines(text: str) -> str:
    """Remove what ``clean`` does, but keep line ends (LF, CRLF, CR) between lines, each as ``LINE_END``."""
    if text.isprintable():
        return text if text.isascii() else _SIGNS.sub(_with_few_marks, text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return LINE_END.join(map(clean, lines.split("\n")))


def too_long(text: str) -> str | None:
    """Say why a text from a client is too long, before it is cleaned; None where it is not."""
    if len(text) > MAX_TEXT or len(text.encode(errors="replace")) > MAX_TEXT:
        return f"text is longer than {MAX_TEXT} bytes"
    if text.isprintable() or _line_ends(text) < MAX_LINES:
        return None
    return f"text has more than {MAX_LINES} lines"


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def with_line_feeds(text: str) -> str:
    """Return a text with LF where a line ends, for programs that have to know."""
    return text.replace(LINE_END, "\n")


def in_one_line(text: str) -> str:
    """Return a text with a visible sign where a line ends; it takes as many bytes as before."""
    return text.replace(LINE_END, _SHOWN_LINE_END)


def encode(text: str, encoding: str) -> bytes:
    """Encode a text. A sign that the encoding lacks is transliterated, or else becomes a question mark."""
    if encoding != "utf-8":
        text = unicodedata.normalize("NFC", text)  # so that an accent stays on its letter
    return text.encode(encoding, TRANSLITERATED)


def _with_few_marks(signs: re.Match[str]) -> str:
    kept, marks = [], 0
    for sign in signs[0]:
        category = unicodedata.category(sign)
        if category in _MARKS:
            marks += 1
        elif category != "Cf":  # an invisible sign does not separate marks
            marks = 0
        if marks <= _MOST_MARKS or category == "Cf":
            kept.append(sign)
    return "".join(kept)


@lru_cache(maxsize=8192)  # a text may consist of signs that each take 18 others to spell
def _spelled(sign: str) -> str:
    if sign <= "\xff":
        return sign
    if unicodedata.category(sign) in (*_MARKS, "Cf"):
        return ""
    # Signs beyond the BMP are mostly emoji, and each language that has Han reads it differently.
    if sign > "\uffff" or _HAN.match(sign):
        return "?"
    spelled = _OWN_SPELLINGS.get(sign) or anyascii(sign)
    return "?" if not spelled or spelled.startswith(":") else spelled  # ":relaxed:"
