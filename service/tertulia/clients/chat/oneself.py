"""Who one is in the chat: one's nickname, sessions and account. All rooms share it."""

from dataclasses import dataclass, field

from tertulia.domain.nicknames import fold


@dataclass(slots=True)
class Oneself:
    """What is one's own."""

    nickname: str = ""
    is_account: bool = False
    """Whether one has proved to be an account."""
    is_administrator: bool = False
    sessions: set[str] = field(default_factory=set)
    """The names of one's own sessions: this one's, and those that it went on from."""

    def is_called(self, nickname: str) -> bool:
        """Say whether a nickname is one's own."""
        return fold(nickname) == fold(self.nickname)

    def has_said(self, nickname: str, session: str, is_account: bool) -> bool:
        """Say whether a public message is one's own: of one's sessions, or of one's account.

        Somebody else may have had the nickname before.
        """
        if session in self.sessions:
            return True
        return self.is_account and is_account and self.is_called(nickname)
