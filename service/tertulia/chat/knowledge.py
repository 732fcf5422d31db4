"""What this node knows at once of who is in a chat and what holds there, for one of its sessions."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tertulia.chat.any_room import AnyRoom
from tertulia.chat.further_room import FurtherRoom
from tertulia.chat.ports import MOST_AWAY, Member, PresenceOp
from tertulia.chat.rooms import FurtherRooms
from tertulia.chat.session import Session
from tertulia.dialects.contract import Known
from tertulia.domain.moderation import Rules, Standing
from tertulia.domain.nicknames import fold


class SessionKnowledge:
    """What a session may know, as ``dialects.contract.Knowledge`` promises it."""

    __slots__ = ("_further", "_lobby", "_session", "_wall")

    def __init__(
        self,
        session: Session,
        lobby: AnyRoom[Any],
        further: FurtherRooms,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``wall`` gives seconds since 1970."""
        self._session = session
        self._lobby = lobby
        self._further = further
        self._wall = wall

    def people(self, room: str) -> Sequence[Known] | None:
        if not room:
            return [_known(it, it, self._lobby.rules, "") for it in self._lobby.roster]
        there = self._further.of(self._session, room)
        if there is None:
            return None
        return [_known(it, self._in_chat(it), there.rules, room) for it in there.roster]

    def person(self, nickname: str) -> Known | None:
        member = self._lobby.roster.holder(nickname)
        return None if member is None else _known(member, member, self._lobby.rules, "")

    def rooms_with(self, nickname: str) -> Sequence[str]:
        return [name for name, room in self._rooms() if room.roster.holder(nickname) is not None]

    def standing(self, room: str) -> Standing | None:
        session, now = self._session, self._wall()
        if not room:
            return self._lobby.rules.standing(session.key, now, is_account=session.is_account)
        there = self._further.of(session, room)
        if there is None:
            return None
        return there.rules.standing(
            session.key, now, is_account=session.is_account, account=session.account
        )

    def mutes(self, room: str) -> Mapping[str, int]:
        standing = self.standing(room)
        return (standing and standing.mutes) or {}

    def count(self) -> int:
        return len(self._lobby.roster)

    def now(self) -> float:
        return self._wall()

    def _rooms(self) -> Sequence[tuple[str, FurtherRoom]]:
        """Return the further rooms in which the session is, by name."""
        found = (
            (name, self._further.of(self._session, name)) for name in self._session.rooms or ()
        )
        return [(name, room) for name, room in found if room is not None]

    def _in_chat(self, member: Member) -> Member:
        """Return somebody in a further room as the lobby knows them: what changes is told there."""
        holder = self._lobby.roster.holder(member.nickname)
        return holder if holder is not None and holder.session == member.session else member


def _known(member: Member, in_chat: Member, rules: Rules, room: str) -> Known:
    key, is_account = fold(member.nickname), in_chat.is_account
    is_moderator = is_account and (rules.moderates(key) or (bool(room) and key == rules.owner))
    return Known(
        member.nickname, member.dialect, is_account, in_chat.away, is_moderator, in_chat.about
    )


def away_op(session: Session, text: str) -> PresenceOp:
    """Return the op with which a session is away; an empty text: it is back. A longer one is cut."""
    cut = text.encode()[:MOST_AWAY].decode(errors="ignore")
    return PresenceOp(session.name, session.key, session.nickname, cut)
