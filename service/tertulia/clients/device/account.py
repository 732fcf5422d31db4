"""What a person who is logged in has on disk, and what is still on its way there."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from tertulia.clients.device.history import History, Mark, Utterance, folder_of
from tertulia.clients.device.operations import PendingFrom


class Explanation(StrEnum):
    """What the program explains once."""

    ADDRESS = "address"
    MARKS = "marks"


class Account:
    """A name that is logged in, with its histories and its downloads."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._folder = folder_of(root, name)
        self.downloads = self._folder / "downloads"
        self._unconfirmed: dict[str, tuple[str, ...]] = {}
        self._explained: set[Explanation] = set()

    def history(self, partner: str) -> History:
        """Return the history of the chat with a user."""
        return History(self._folder, partner)

    def receive(self, sender: str, pending: PendingFrom, at: datetime) -> list[Utterance]:
        """Make entries of what was pending, but for what came before and was not confirmed.

        The service shows messages again until a connection on which it did was closed in order.
        """
        before = self._unconfirmed.get(sender, ())
        self._unconfirmed[sender] = pending.messages
        known = len(before) if pending.messages[: len(before)] == before else 0
        return [
            Utterance(Mark.THEIRS, at, sender, text) for text in pending.messages[known:] if text
        ]

    def confirm(self, sender: str) -> None:
        """Learn that the connection on which messages came was closed in order."""
        self._unconfirmed.pop(sender, None)

    def needs(self, it: Explanation) -> bool:
        """Say whether something is to be explained now: once, also where that can't be kept on disk."""
        if it in self._explained:
            return False
        self._explained.add(it)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / f".{it}-explained").touch(0o600, exist_ok=False)
        except FileExistsError:
            return not self._folder.is_dir()
        except OSError:
            pass  # a history that can't be kept is reported; this is no reason to say nothing
        return True
