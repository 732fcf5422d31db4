"""Texts of several lines, as the service has them."""

from tertulia.domain.text import LINE_END


def several(*lines: str) -> str:
    """Make a text of some lines."""
    return LINE_END.join(lines)
