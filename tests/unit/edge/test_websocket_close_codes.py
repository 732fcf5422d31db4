"""docs/protocols/browser.md says with which codes and reasons a WebSocket is closed."""

import re
from pathlib import Path
from typing import Final

from tertulia.domain.disconnects import Disconnect
from tertulia.edge.disconnect_text import NEVER_SAID
from tertulia.edge.websocket import close_code

PAGE: Final = Path(__file__).parents[3] / "docs" / "protocols" / "browser.md"


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
