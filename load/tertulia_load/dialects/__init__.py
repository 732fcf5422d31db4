"""The words of the servers to load: the service, with the words of all its clients, and other servers.

Those of others are here to compare with. A dialect is one file, and one line in ``by_name``.
"""

from tertulia.clients import dialects
from tertulia.clients.dialects.contract import Dialect
from tertulia_load.dialects.centrifugo import Centrifugo
from tertulia_load.dialects.irc import Irc
from tertulia_load.dialects.nats import JetStream, Nats

NAMES = (*dialects.NAMES, "irc", "nats", "jetstream", "centrifugo")


def by_name(name: str, place: str) -> Dialect:
    """Return the dialect of that name, for a server at ``place``, HOST:PORT (HTTP wants it).

    Raises KeyError where there is none.
    """
    others: dict[str, Dialect] = {
        "irc": Irc(),
        "nats": Nats(),
        "jetstream": JetStream(),
        "centrifugo": Centrifugo(place),
    }
    return others[name] if name in others else dialects.by_name(name, place)
