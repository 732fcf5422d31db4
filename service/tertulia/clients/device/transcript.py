"""What was said in a chat, on the screen and on disk."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from tertulia.clients.device import notices
from tertulia.clients.device.account import Account, Explanation
from tertulia.clients.device.downloads import CannotKeep, keep
from tertulia.clients.device.history import Mark, Utterance
from tertulia.clients.device.operations import PendingFrom
from tertulia.clients.device.peer import File
from tertulia.clients.device.terminal import Terminal

SHOWN_LINES = 50
SHOWN_CHARACTERS = 4096
"""Of one message, on the screen: as much as one may say here. A device can send sixteen times that."""
MAX_FILES = 200
"""Files that are kept in one chat, so that nobody fills the disk."""


class Transcript:
    """One user's chat with another. A disk that fails is reported once, and the chat goes on."""

    def __init__(self, account: Account, partner: str, terminal: Terminal) -> None:
        self._account = account
        self._partner = partner
        self._terminal = terminal
        self._history = account.history(partner)
        self._files = 0
        self._failed = False

    def show_history(self) -> None:
        """Show the last of what was said before."""
        try:
            messages = self._history.read(SHOWN_LINES + 1)
        except OSError as error:
            self._fail(error)
            return
        if len(messages) > SHOWN_LINES:
            self._terminal.note(f"Earlier messages are in {self._history.path}")
        for message in messages[-SHOWN_LINES:]:
            at = message.at.astimezone().strftime("%d-%m-%Y %H:%M")
            self._terminal.write_words(f"{at} {self._shown(message)}")
            self._explain(message)

    def show_pending(self, pending: PendingFrom) -> bool:
        """Show what waited with the service, kept on disk first; return whether there was anything."""
        messages = self._account.receive(self._partner, pending, datetime.now(UTC))
        # The service forgets them thereafter.
        self._attempt(lambda: self._history.add(messages, durable=True))
        self._terminal.write_words(*map(self._shown, messages))
        return bool(messages)

    def heard(self, name: str, text: str) -> None:
        """Record what somebody said."""
        self._record(Utterance(Mark.THEIRS, datetime.now(UTC), name, text))

    def said(self, text: str, *, delivered: bool) -> None:
        """Record what I said."""
        mark = Mark.DELIVERED if delivered else Mark.WAITING
        self._record(Utterance(mark, datetime.now(UTC), self._account.name, text))

    def mark_delivered(self) -> None:
        """Record that all that I said was delivered."""
        self._attempt(self._history.mark_delivered)

    def receive(self, name: str, file: File) -> None:
        """Keep a file that somebody shared."""
        self._files += 1
        if self._files > MAX_FILES:
            if self._files == MAX_FILES + 1:
                self._terminal.note(
                    f"{name} shared a file; {MAX_FILES} were kept, and no more are, nor told, in this chat."
                )
            return
        try:
            path = keep(self._account.downloads, file.name, file.content)
        except CannotKeep as error:
            self._terminal.note(f"{name} shared a file that can't be kept: {error}.")
        else:
            self._terminal.note(f"{name} shared a file, {len(file.content)} bytes: {path}")

    def _record(self, message: Utterance) -> None:
        self._attempt(lambda: self._history.add([message]))
        self._terminal.write_words(self._shown(message))
        self._explain(message)

    def _explain(self, message: Utterance) -> None:
        if message.mark is not Mark.THEIRS and self._account.needs(Explanation.MARKS):
            self._terminal.note(notices.MARKS)

    def _shown(self, message: Utterance) -> str:
        more = len(message.text) - SHOWN_CHARACTERS
        if more <= 0 or self._failed:  # what is not kept is shown whole
            return message.shown()
        begun = replace(message, text=message.text[:SHOWN_CHARACTERS])
        return f"{begun.shown()}… ({more} characters more in {self._history.path})"

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            self._terminal.note(f"The history {self._history.path} fails: {error.strerror}.")
