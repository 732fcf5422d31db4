"""Long texts in short lines: a line of IRC has at most 512 bytes with its end and without its tags."""

from typing import Final

from tertulia.domain.text import TRANSLITERATED

_MOST_BYTES_OF_A_SIGN: Final = 4


def wrapped(text: str, most: int) -> list[str]:
    """Cut a text into parts of at most so many bytes, which joined are the text again.

    It is cut behind a space where there is one in the second half of a part, else between two code points.
    """
    if len(text) * _MOST_BYTES_OF_A_SIGN <= most:
        return [text]
    raw = text.encode("utf-8", TRANSLITERATED)
    parts, start = [], 0
    while len(raw) - start > most:
        end = start + most
        behind_space = raw.rfind(b" ", start + most // 2, end) + 1
        if behind_space:
            end = behind_space
        else:
            while raw[end] & 0xC0 == 0x80:  # it goes on a sign that begins before it
                end -= 1
        parts.append(raw[start:end].decode())
        start = end
    parts.append(raw[start:].decode())
    return parts
