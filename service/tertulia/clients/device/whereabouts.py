"""Where the others in a chat are, as far as the service has said, and what has been asked of it."""

from collections.abc import Iterator

from tertulia.clients.device.effects import Locate, NoPlace, PeerPlace
from tertulia.clients.device.hosts import is_same_host
from tertulia.clients.device.peer import Partner
from tertulia.domain import nicknames


class Whereabouts:
    """Of the partner it is kept, of everybody else asked each time: people move."""

    def __init__(self) -> None:
        self.of_partner: PeerPlace | None = None
        self._asked: set[str] = set()

    def ask(self, member: Partner, port: int = 0) -> Iterator[Locate]:
        """Ask where somebody is, unless that was asked and is not answered yet.

        ``port``: where it listens, as far as the service has said so.
        """
        key = nicknames.fold(member.name)
        if key not in self._asked:
            self._asked.add(key)
            yield Locate(member.name, port)

    def told(self, name: str, place: PeerPlace | NoPlace, partner: Partner) -> None:
        """Take the service's answer."""
        self._asked.discard(nicknames.fold(name))
        if isinstance(place, PeerPlace) and is_same_name(name, partner):
            self.of_partner = place

    def may_be_partner(self, host: str) -> bool:
        """Say whether somebody who dialled from there may be the partner."""
        return self.of_partner is not None and is_same_host(host, self.of_partner.host)


def is_same_name(name: str, member: Partner | None) -> bool:
    """Say whether somebody is called so."""
    return member is not None and nicknames.fold(member.name) == nicknames.fold(name)
