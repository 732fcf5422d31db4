"""docs/protocols/browser.md says with which codes and reasons a WebSocket is closed."""

import re
from pathlib import Path
from typing import Final

from tertulia.domain.disconnects import Disconnect
from tertulia.edge.websocket import close_code

PAGE: Final = Path(__file__).parents[3] / "docs" / "protocols" / "browser.md"
NEVER_SAID: Final = {
    Disconnect.GONE,  # the client closed
    Disconnect.BROKEN,
    Disconnect.PROXY_HEADER,  # before there is a WebSocket
    Disconnect.TLS_HANDSHAKE,
    Disconnect.TOO_MANY,
    Disconnect.TOO_MANY_FROM_ADDRESS,
    Disconnect.SLOW_READER,  # it would not read that either
    Disconnect.OPERATION_OVER,  # a device's
    Disconnect.OPERATION_TIMEOUT,
    Disconnect.MAILBOX_FULL,
    Disconnect.LONG_LINES,  # a line's
}


def table() -> str:
    """Return a line for each reason that a browser may read, in Markdown."""
    rows = [
        f"| {close_code(it)} | `{it.label}` | {it.meaning} |"
        for it in sorted(set(Disconnect) - NEVER_SAID, key=lambda it: (close_code(it), it.label))
    ]
    return "\n".join(["| code | reason | meaning |", "|---|---|---|", *rows, ""])


def test_the_page_has_every_reason() -> None:
    (told,) = re.findall(r"<!-- reasons -->\n(.*?)<!-- /reasons -->", PAGE.read_text(), re.DOTALL)
    assert told == table()
