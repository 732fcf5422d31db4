"""What sessions are to read, kept together for a moment: one write each, whatever it consists of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tertulia.chat.session import Session


class Outgoing:
    """Letters and answers of one turn. Nothing else is written to a session between ``add`` and ``flush``."""

    def __init__(self) -> None:
        self._texts: dict[Session, list[bytes]] = {}

    def add(self, session: "Session", text: bytes) -> None:
        """Keep a text, behind what there is for the session."""
        self._texts.setdefault(session, []).append(text)

    def flush(self) -> None:
        """Write everything."""
        if not self._texts:
            return
        texts, self._texts = self._texts, {}
        for session, parts in texts.items():
            if text := b"".join(parts):
                session.write(text)
