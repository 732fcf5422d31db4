"""Moderation of a room: what moderators ask for, what everybody reads of it, and what is in force."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Kicked,
    Moderated,
    Muted,
    Outsiders,
    Owned,
    PublicEvent,
    Redacted,
    Said,
    SlowMode,
    Topic,
    Unmuted,
    Withdrawn,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action

MOST_WORDS: Final = 500
"""Bytes in a topic or a reason, so that with what stands around it it is a line in any dialect."""
MOST_MUTE_SECONDS: Final = 366 * 86_400
MOST_SLOW_SECONDS: Final = 3_600
_COUNTED: Final = 1
"""Stands for what the store puts in: the end of a ``Muted``, by its own clock; where its log begins."""

MODERATORS: Final = frozenset(
    (
        Action.MUTE,
        Action.UNMUTE,
        Action.KICK,
        Action.SLOW,
        Action.ACCOUNTS_ONLY,
        Action.TOPIC,
        Action.REDACT,
    )
)
"""What moderators may do; operators may do all of it, and appoint and dismiss them."""
OWNERS: Final = frozenset((*MODERATORS, Action.APPOINT, Action.DISMISS, Action.OUTSIDERS))
"""What the owner of a further room may do there; operators may do all of it in any room."""


class Moderation(msgspec.Struct, frozen=True):
    """One act of moderation, whoever asks for it."""

    action: Action
    whom: str = ""
    """A nickname, as it was written; empty where it is about nobody."""
    value: int = 0
    """Of a mute: seconds, 0 for good; of slow mode: seconds, 0 ends it; of accounts-only: 1 or 0; of a
    redaction: the offset of the message's entry; of an appointment in a further room: since when the account
    is there, as the store has it."""
    index: int = 0
    """Of a redaction: the message's index among those of its entry."""
    text: str = ""
    """The reason, or the topic."""

    @property
    def written_value(self) -> str:
        """The value as the audit log has it."""
        match self.action:
            case Action.MUTE:
                return f"{self.value} s" if self.value else "for good"
            case Action.SLOW:
                return f"{self.value} s"
            case Action.ACCOUNTS_ONLY | Action.OUTSIDERS:
                return "on" if self.value else "off"
            case Action.REDACT:
                return self.place
        return ""

    @property
    def place(self) -> str:
        """The place of the message that is redacted, as operators write it."""
        return f"{self.value}.{self.index}"

    def event(self, by: str, session: str) -> Moderated:
        """Return what everybody reads. The store puts in the end of a mute, or where the log begins."""
        match self.action:
            case Action.MUTE:
                return Muted(by, session, self.whom, _COUNTED if self.value else 0, self.text)
            case Action.UNMUTE:
                return Unmuted(by, session, self.whom)
            case Action.KICK:
                return Kicked(by, session, self.whom, self.text)
            case Action.SLOW:
                return SlowMode(by, session, self.value)
            case Action.ACCOUNTS_ONLY:
                return AccountsOnly(by, session, bool(self.value))
            case Action.TOPIC:
                return Topic(by, session, self.text)
            case Action.REDACT:
                return Redacted(by, session, self.value, self.index, _COUNTED, self.text)
            case Action.APPOINT:
                return Appointed(by, session, self.whom, True, self.value)
            case Action.DISMISS:
                return Appointed(by, session, self.whom)
            case Action.OUTSIDERS:
                return Outsiders(by, session, bool(self.value))
        raise ValueError(f"{self.action} is no moderation")


class Standing(msgspec.Struct, frozen=True):
    """What holds in the room for somebody who enters it."""

    is_moderator: bool = False
    topic: str = ""
    slow: int = 0
    """Seconds between two messages; 0: no slow mode."""
    accounts_only: bool = False
    mute: Muted | None = None
    """Why he may not speak now."""
    moderators: tuple[str, ...] = ()
    """Folded nicknames, by alphabet."""
    mutes: dict[str, int] | None = None
    """Who may not speak now, with the end in milliseconds, 0: none. None: not for this reader."""
    owner: str = ""
    """The folded nickname of the further room's owner; empty where it has none."""
    outsiders: bool = False
    """Whether people who are not in the further room may speak there."""


class Rules(msgspec.Struct):
    """What is in force in a room: as the store has it, and from there on as the log tells."""

    topic: str = ""
    slow: int = 0
    """Seconds between two messages of one person; 0: no slow mode."""
    accounts_only: bool = False
    mutes: dict[str, Muted] = {}
    """By folded nickname. One that has ended may still be here."""
    moderators: dict[str, int] = {}
    """By folded nickname: in a further room since when that account is there, in the lobby anything."""
    owner: str = ""
    """The folded nickname of the account that owns the further room; empty where nobody does."""
    owner_since: int = 0
    """Since when that account is there."""
    outsiders: bool = False
    """Whether people who are not in the further room may speak there."""
    redacted: set[tuple[int, int]] = set()
    """Offset and index of each message that the log had when one was redacted last."""

    def take(self, event: Moderated) -> None:
        """Take in what the log tells. What was taken before may come again."""
        match event:
            case Muted(whom=whom):
                self.mutes[fold(whom)] = event
            case Unmuted(whom=whom):
                self.mutes.pop(fold(whom), None)
            case SlowMode(seconds=seconds):
                self.slow = seconds
            case AccountsOnly(on=on):
                self.accounts_only = on
            case Topic(text=text):
                self.topic = text
            case Redacted(offset=offset, index=index, since=since):
                # Else a node would keep each for as long as it runs.
                self.redacted -= {place for place in self.redacted if place[0] < since}
                self.redacted.add((offset, index))
            case Appointed(whom=whom, on=True, since=since):
                self.moderators[fold(whom)] = since
            case Appointed(whom=whom):
                self.moderators.pop(fold(whom), None)
            case Owned(whom=whom, since=since):
                self.owner, self.owner_since = fold(whom), since
            case Outsiders(on=on):
                self.outsiders = on
            case Kicked():
                pass

    def replace(self, other: "Rules") -> None:
        """Be as another one."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))

    def moderates(self, key: str) -> bool:
        """Say whether a folded nickname is a moderator's of the lobby; only its account is meant."""
        return key in self.moderators

    def owns(self, key: str, account: int) -> bool:
        """Say whether who has a folded nickname owns the further room; ``account`` as in ``standing``."""
        return bool(account) and (key, account) == (self.owner, self.owner_since)

    def moderates_here(self, key: str, account: int) -> bool:
        """Say whether he moderates the further room, or owns it."""
        return self.owns(key, account) or (bool(account) and self.moderators.get(key) == account)

    def mute_of(self, key: str, now: float) -> Muted | None:
        """Return the mute of a folded nickname that holds at ``now``, seconds since 1970; else None."""
        mute = self.mutes.get(key)
        if mute is not None and 0 < mute.until <= now * 1000:
            del self.mutes[key]
            return None
        return mute

    def standing(
        self, key: str, now: float, *, is_account: bool, account: int | None = None
    ) -> Standing:
        """Return what holds for a folded nickname at ``now``, seconds since 1970.

        ``account``: in a further room, since when its account is there, 0 for a guest; None in the lobby.
        """
        is_moderator, owner = is_account and self.moderates(key), self.owner
        if account is not None:
            is_moderator = self.moderates_here(key, account)
            if key == owner and not self.owns(key, account):
                owner = ""  # it was another of that name
        return Standing(
            is_moderator,
            self.topic,
            self.slow,
            self.accounts_only,
            self.mute_of(key, now),
            tuple(sorted(self.moderators)),
            self._mutes(now) if is_moderator else None,
            owner,
            self.outsiders,
        )

    def _mutes(self, now: float) -> dict[str, int]:
        holding = (self.mute_of(key, now) for key in list(self.mutes))
        return {mute.whom: mute.until for mute in holding if mute is not None}

    def without_redacted(self, offset: int, events: Sequence[PublicEvent]) -> Sequence[PublicEvent]:
        """Return the events of an entry with a mark for each message that was redacted."""
        if not self.redacted:
            return events
        return list(self._marked(offset, events))

    def _marked(self, offset: int, events: Iterable[PublicEvent]) -> Iterable[PublicEvent]:
        index = 0
        for event in events:
            if isinstance(event, Said):
                is_redacted = (offset, index) in self.redacted
                index += 1
                if is_redacted:
                    yield Withdrawn(event.nickname, event.session)
                    continue
            yield event
