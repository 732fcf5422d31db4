"""Who is in the room: the same on every node, because it is kept from the same log."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from tertulia.chat.ports import Member
from tertulia.dialects.contract import Nicknames
from tertulia.domain.events import Presence, WentAway
from tertulia.domain.nicknames import fold
from tertulia.domain.position import Position


class Roster:
    """The members of a room, in the order of their joins. The first is the administrator."""

    part: ClassVar[int] = 128
    """Nicknames in a part of all. What is not full yet is another part for each newcomer."""

    def __init__(self) -> None:
        # An OrderedDict: a plain dict that often loses its first entry searches longer and longer.
        self._members: OrderedDict[str, Member] = OrderedDict()
        self.holders: Mapping[str, Member] = self._members
        """The members by their folded nicknames."""
        self.position = Position("", 0)
        """The position of the last entry: the room is so from there on."""
        self._full: list[Nicknames] | None = (
            None  # made when it is asked for, and again after changes
        )
        self._rest: list[str] = []

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def others(self, session: str) -> Iterator[str]:
        """Yield the nicknames of everybody except one session, oldest first."""
        return (m.nickname for m in self._members.values() if m.session != session)

    def nicknames(self) -> list[Nicknames]:
        """Return everybody's nickname, oldest first, in parts: as long as nobody goes they only get more."""
        if self._full is None:
            everybody = [m.nickname for m in self._members.values()]
            end = len(everybody) - len(everybody) % self.part
            begins = range(0, end, self.part)
            self._full = [Nicknames(everybody[i : i + self.part]) for i in begins]
            self._rest = everybody[end:]
        return [*self._full, Nicknames(self._rest)] if self._rest else self._full.copy()

    def _put(self, key: str, member: Member, known: Member | None) -> None:
        """Have a member where ``known`` is, or else at the end."""
        self._members[key] = member
        if self._full is None:
            return
        if known is not None:
            self._full = self._full if known.nickname == member.nickname else None
            return
        self._rest.append(member.nickname)
        if len(self._rest) == self.part:
            self._full.append(Nicknames(self._rest))
            self._rest = []

    def holder(self, nickname: str) -> Member | None:
        """Return who holds a nickname, compared without case."""
        return self._members.get(fold(nickname))

    @property
    def administrator(self) -> Member | None:
        """The member who has been in the room for longest."""
        return next(iter(self._members.values()), None)

    def add(self, member: Member) -> bool:
        """Take in a member; False where that session is there already: then it is as it is given."""
        key = fold(member.nickname)
        known = self._members.get(key)
        self._put(key, member, known)
        return known is None or known.session != member.session

    def change(self, event: Presence) -> bool:
        """Note what is another way with a member; False where that session is not there, or it is so."""
        key = fold(event.nickname)
        known = self._members.get(key)
        if known is None or known.session != event.session:
            return False
        if isinstance(event, WentAway):
            member = replace(known, away=event.text)
        else:
            member = replace(known, is_account=event.on)
        self._members[key] = member
        return member != known

    def pass_on(self, session: str, member: Member) -> bool:
        """Give a session's seat to another session, where it stands; False where it has none."""
        key = fold(member.nickname)
        known = self._members.get(key)
        if known is None or known.session != session:
            return False
        self._put(key, member, known)
        return True

    def place(self, session: str) -> int:
        """Return how many are before a session, which is there."""
        return next(i for i, m in enumerate(self._members.values()) if m.session == session)

    def remove(self, nickname: str, session: str) -> bool:
        """Take out a member; False where that session does not hold the nickname."""
        key = fold(nickname)
        known = self._members.get(key)
        if known is None or known.session != session:
            return False
        del self._members[key]
        self._full = None
        return True

    def replace(self, members: Iterable[Member]) -> None:
        """Forget everybody and take in these, oldest first."""
        fresh = [(fold(m.nickname), m) for m in members]
        self._members.clear()
        self._members.update(fresh)
        self._full = None

    def reorder(self, members: Iterable[Member]) -> None:
        """Put these members in this order, oldest first; members that are not named stay before them."""
        for member in members:
            known = self.holder(member.nickname)
            if known is not None and known.session == member.session:
                self._members.move_to_end(fold(member.nickname))
        self._full = None

    def clear(self) -> None:
        """Forget everybody."""
        self._members.clear()
        self._full = None
