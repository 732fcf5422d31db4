"""Text as it comes from clients: decoded whatever it is, and harmless afterwards.

Source: the protocols' README, "Text".
"""

import codecs

_CONTROLS = dict.fromkeys(
    [*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)]
)


def _undefined_as_control(error: UnicodeError) -> tuple[str, int]:
    # Windows-1252 leaves five bytes undefined. In Latin-1 they are C1 controls, so they go with those.
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("tertulia.undefined_as_control", _undefined_as_control)


def decode(raw: bytes) -> str:
    """Decode UTF-8, or Windows-1252 where it is not UTF-8, and remove controls other than TAB."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "tertulia.undefined_as_control")
    return clean(text)


def clean(text: str) -> str:
    """Remove controls other than TAB, and halves of surrogate pairs, which no encoding can hold."""
    return text if text.isprintable() else text.translate(_CONTROLS)
