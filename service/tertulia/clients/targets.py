"""The address of a service, as a user of a client writes it: DIALECT=HOST:PORT."""

from collections.abc import Sequence

from tertulia.domain import addresses


class TargetError(ValueError):
    """There is no service there for this client. The message says why, and what to do."""


def split(value: str, names: Sequence[str]) -> tuple[str, str, int]:
    """Read DIALECT=HOST:PORT, the dialect one of ``names``, an IPv6 address in brackets.

    Raises TargetError where it is malformed.
    """
    dialect, equals, where = value.partition("=")
    host, colon, port = where.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (equals and colon and bare) or (":" in host and bare == host):
        raise TargetError(f"{value!r} should be DIALECT=HOST:PORT, like chatte=127.0.0.1:1234")
    if dialect not in names:
        known = ", ".join(names)
        raise TargetError(f"{value!r}: there is no dialect {dialect!r}; there are {known}")
    number = addresses.port(port)
    if number is None:
        raise TargetError(f"{value!r}: {port!r} is no port; it should be 1 to 65535")
    return dialect, bare, number
