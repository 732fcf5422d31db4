"""Who is in the room: the same on every node, because it is kept from the same log."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from tertulia.chat.ports import Member
from tertulia.domain.nicknames import fold


class Roster:
    """The members of a room, in the order of their joins. The first is the administrator."""

    def __init__(self) -> None:
        # An OrderedDict: a plain dict that often loses its first entry searches longer and longer.
        self._members: OrderedDict[str, Member] = OrderedDict()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def others(self, session: str) -> Iterator[str]:
        """Yield the nicknames of everybody except one session, oldest first."""
        return (m.nickname for m in self._members.values() if m.session != session)

    def holder(self, nickname: str) -> Member | None:
        """Return who holds a nickname, compared without case."""
        return self._members.get(fold(nickname))

    @property
    def administrator(self) -> Member | None:
        """The member who has been in the room for longest."""
        return next(iter(self._members.values()), None)

    def add(self, member: Member) -> bool:
        """Take in a member; False where that session is there already."""
        key = fold(member.nickname)
        known = self._members.get(key)
        if known is not None and known.session == member.session:
            return False
        self._members[key] = member
        return True

    def remove(self, nickname: str, session: str) -> bool:
        """Take out a member; False where that session does not hold the nickname."""
        key = fold(nickname)
        known = self._members.get(key)
        if known is None or known.session != session:
            return False
        del self._members[key]
        return True

    def replace(self, members: Iterable[Member]) -> None:
        """Forget everybody and take in these, oldest first."""
        self._members = OrderedDict((fold(m.nickname), m) for m in members)

    def reorder(self, members: Iterable[Member]) -> None:
        """Put these members in this order, oldest first; members that are not named stay before them."""
        for member in members:
            known = self.holder(member.nickname)
            if known is not None and known.session == member.session:
                self._members.move_to_end(fold(member.nickname))

    def clear(self) -> None:
        """Forget everybody."""
        self._members.clear()
