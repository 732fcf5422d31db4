"""What moderators have set in a room, as a client knows it."""

from tertulia.clients.chat import frames
from tertulia.domain.nicknames import fold


class RoomRules:
    """What holds now; times are in milliseconds since 1970."""

    def __init__(self) -> None:
        self.is_moderator = False
        self.topic = ""
        self.slow = 0
        """Seconds between two messages; 0: no slow mode."""
        self.accounts_only = False
        self.owner = ""
        """Whose account a further room is; empty for nobody's."""
        self.outsiders = False
        """Whether people who are not in the room may speak there."""
        self._muted_until: int | None = None
        self._muted_why = ""
        self._moderators: set[str] = set()
        self._mutes: dict[str, int] = {}

    def welcomed(self, frame: frames.Seated) -> None:
        """Take what a welcome says."""
        self.is_moderator = frame.moderator
        self.topic = frame.topic
        self.slow = frame.slow
        self.accounts_only = frame.accounts_only
        self.owner = frame.owner
        self.outsiders = frame.outsiders
        self._muted_until = frame.muted_until if frame.muted else None
        self._muted_why = frame.muted_why
        self._moderators = set(map(fold, frame.moderators))
        self.learn_mutes(frame.mutes or {})

    def learn_mutes(self, mutes: dict[str, int]) -> None:
        """Take what only moderators are told: of everybody who is muted, until when."""
        self._mutes = {fold(name): until for name, until in mutes.items()}

    def moderates(self, nickname: str) -> bool:
        """Say whether somebody is a moderator here."""
        return fold(nickname) in self._moderators

    def is_muted(self, nickname: str, at: int) -> bool:
        """Say whether somebody is known to be muted."""
        until = self._mutes.get(fold(nickname))
        return until is not None and (until == 0 or until > at)

    def own_mute(self, at: int) -> tuple[int, str] | None:
        """Return until when the reader may not speak, 0 for good, and why; None where they may."""
        until = self._muted_until
        return None if until is None or 0 < until <= at else (until, self._muted_why)

    def obey(self, event: frames.ModerationEvent, is_about_reader: bool) -> None:
        """Take what a moderator did."""
        match event:
            case frames.MutedEvent():
                self._mutes[fold(event.nickname)] = event.until
                if is_about_reader:
                    self._muted_until, self._muted_why = event.until, event.reason
            case frames.UnmutedEvent():
                self._mutes.pop(fold(event.nickname), None)
                if is_about_reader:
                    self._muted_until = None
            case frames.SlowEvent():
                self.slow = event.seconds
            case frames.AccountsOnlyEvent():
                self.accounts_only = event.on
            case frames.TopicEvent():
                self.topic = event.text
            case frames.ModeratorEvent():
                if is_about_reader:
                    self.is_moderator = event.on
                if event.on:
                    self._moderators.add(fold(event.nickname))
                else:
                    self._moderators.discard(fold(event.nickname))
            case frames.OwnerEvent():
                self.owner = event.nickname
                if is_about_reader:
                    self.is_moderator = True
            case frames.OutsidersEvent():
                self.outsiders = event.on
