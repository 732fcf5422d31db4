"""The words of each dialect, as a client writes and reads them. Sans-IO.

Written from the pages in docs/protocols, not from the service's own dialects: what checks the service
should not repeat its mistakes. A dialect is one file, and one line in ``by_name``.
"""

from tertulia.clients.dialects.browser import Browser
from tertulia.clients.dialects.chatte import Chatte
from tertulia.clients.dialects.contract import Dialect
from tertulia.clients.dialects.protocollo import Protocollo

NAMES = ("chatte", "protocollo", "browser")


def by_name(name: str, place: str) -> Dialect:
    """Return the dialect of that name, for a service at ``place``, HOST:PORT (HTTP wants it).

    Raises KeyError where there is none.
    """
    dialects: dict[str, Dialect] = {
        "chatte": Chatte(),
        "protocollo": Protocollo(),
        "browser": Browser(place),
    }
    return dialects[name]
