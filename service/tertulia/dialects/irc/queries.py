"""What a client asks of people and channels, answered from what its node knows.

Each function returns the lines of a whole answer. Sources: RFC 2812, 3.2 to 3.6; modern.ircdocs.horse;
ircv3.net, "WHOX".
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import translate
from typing import Final

from tertulia.dialects.contract import Knowledge, Known
from tertulia.dialects.irc import numerics
from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import IrcClient
from tertulia.dialects.irc.message import MAX_LINE, filled, middle
from tertulia.domain.moderation import Standing
from tertulia.domain.nicknames import fold

MOST_USERHOSTS: Final = 5
MOST_WHO: Final = 1000
"""People whom one WHO tells of: each is a line."""
_MODERATOR: Final = "@"
_EVERYBODY: Final = ("*", "0")
_WHOX: Final = re.compile(r"[^%]*%([A-Za-z]*)(?:,([0-9]{1,3}))?\Z")
_WHOX_ORDER: Final = "tcuihsnfdlaor"
"""The fields that a client can ask for, in the order in which they are told."""


def names(client: IrcClient, knowledge: Knowledge, channel: str) -> list[str]:
    """Say who is in a channel."""
    room = client.server.room(channel)
    people = None if room is None else knowledge.people(room)
    if room is None or people is None:
        return [client.numeric(numerics.END_OF_NAMES, middle(channel))]
    shown = client.server.channel(room)
    head = client.numeric(numerics.NAMES, "=", shown, "")
    if client.has(Capability.USERHOST_IN_NAMES):
        told = [_prefix(it) + client.server.person(it.nickname) for it in people]
    else:  # as most are; there may be thousands
        told = [_MODERATOR + it.nickname if it.is_moderator else it.nickname for it in people]
    return [
        *(head + line for line in filled(told, MAX_LINE - 2 - len(head))),
        client.numeric(numerics.END_OF_NAMES, shown),
    ]


def who(client: IrcClient, knowledge: Knowledge, mask: str, fields: str) -> list[str]:
    """Say who is in a channel, or whose nicknames are like a mask; ``fields``: what else the client wrote."""
    server, end = client.server, client.numeric(numerics.END_OF_WHO, middle(mask))
    asked = _WHOX.match(fields)
    room = server.room(mask)
    people: Iterable[Known]
    if room is not None:
        channel, people = server.channel(room), knowledge.people(room) or ()
    else:
        channel, people = "*", _like(knowledge, mask)
    lines: list[str] = []
    for known in people:
        if len(lines) == MOST_WHO:
            lines.append(client.numeric(numerics.TOO_MANY_MATCHES, "WHO", middle(mask)))
            break
        if asked is None:
            lines.append(_who_line(client, channel, known))
        else:
            lines.append(_whox_line(client, channel, known, asked[1].lower(), asked[2] or ""))
    return [*lines, end]


def _like(knowledge: Knowledge, mask: str) -> Iterator[Known]:
    if "*" not in mask and "?" not in mask and mask not in _EVERYBODY:
        known = knowledge.person(mask)
        if known is not None:
            yield known
        return
    everybody = knowledge.people("") or ()
    if mask in _EVERYBODY:
        yield from everybody
        return
    matches = re.compile(translate(mask.replace("[", "[[]")), re.ASCII | re.IGNORECASE).match
    yield from (it for it in everybody if matches(it.nickname))


def _user(known: Known) -> str:
    return middle(known.user) if known.user else known.nickname


def _flags(channel: str, known: Known) -> str:
    return ("G" if known.away else "H") + (_prefix(known) if channel != "*" else "")


def _who_line(client: IrcClient, channel: str, known: Known) -> str:
    name, host = known.nickname, client.server.name
    flags = _flags(channel, known)
    user, realname = _user(known), known.realname or name
    return client.numeric(numerics.WHO, channel, user, host, host, name, flags, f"0 {realname}")


def _whox_line(client: IrcClient, channel: str, known: Known, asked: str, token: str) -> str:
    name, host = known.nickname, client.server.name
    values: Mapping[str, str] = {
        "t": token, "c": channel, "u": _user(known), "i": "255.255.255.255", "h": host, "s": host, "n": name,
        "f": _flags(channel, known), "d": "0", "l": "0", "a": name if known.is_account else "0",
        "o": "n/a", "r": known.realname or name,
    }  # fmt: skip
    told = [values[it] for it in _WHOX_ORDER if it in asked and values[it]]
    return client.numeric(numerics.WHOX, *told) if told else client.numeric(numerics.WHOX, "")


def whois(client: IrcClient, knowledge: Knowledge, nickname: str) -> list[str]:
    """Say what others may know of somebody; never an address."""
    known, asked = knowledge.person(nickname), middle(nickname)
    end = client.numeric(numerics.END_OF_WHOIS, asked)
    if known is None:
        return [client.numeric(numerics.NO_SUCH_NICK, asked), end]
    name, host = known.nickname, client.server.name
    realname = known.realname or name
    lines = [client.numeric(numerics.WHOIS_USER, name, _user(known), host, "*", realname)]
    if channels := list(_channels_of(client, knowledge, known)):
        head = client.numeric(numerics.WHOIS_CHANNELS, name, "")
        lines += [head + line for line in filled(channels, MAX_LINE - 2 - len(head))]
    lines.append(client.numeric(numerics.WHOIS_SERVER, name, host, f"by {known.dialect}"))
    if known.is_account:
        lines.append(client.numeric(numerics.WHOIS_ACCOUNT, name, name))
    if known.away:
        lines.append(client.numeric(numerics.AWAY, name, known.away))
    return [*lines, end]


def _channels_of(client: IrcClient, knowledge: Knowledge, known: Known) -> Iterator[str]:
    """Yield the channels in which the client and somebody are."""
    if "" in client.rooms:  # everybody is in the lobby, whether they are shown it or not
        prefix = _MODERATOR if known.is_moderator else ""
        yield prefix + client.server.channel("")
    for room in knowledge.rooms_with(known.nickname):
        standing = knowledge.standing(room)
        moderates = standing is not None and _moderates(standing, known)
        yield (_MODERATOR if moderates else "") + client.server.channel(room)


def _moderates(standing: Standing, known: Known) -> bool:
    key = fold(known.nickname)
    return known.is_account and (key == standing.owner or key in standing.moderators)


def ison(client: IrcClient, knowledge: Knowledge, nicknames: Iterable[str]) -> list[str]:
    """Say who of some people is in the chat."""
    found = filter(None, map(knowledge.person, nicknames))
    return [client.numeric(numerics.ISON, " ".join(it.nickname for it in found))]


def userhost(client: IrcClient, knowledge: Knowledge, nicknames: Sequence[str]) -> list[str]:
    """Say of a few people whether they are away."""
    found = filter(None, map(knowledge.person, nicknames[:MOST_USERHOSTS]))
    told = [
        f"{it.nickname}={'-' if it.away else '+'}{it.nickname}@{client.server.name}" for it in found
    ]
    return [client.numeric(numerics.USERHOST, " ".join(told))]


def away(client: IrcClient, knowledge: Knowledge, nickname: str) -> list[str]:
    """Say why somebody is away; nothing where they are here, or nobody has that nickname."""
    known = knowledge.person(nickname)
    if known is None or not known.away:
        return []
    return [client.numeric(numerics.AWAY, known.nickname, known.away)]


def invite(client: IrcClient, knowledge: Knowledge, nickname: str, channel: str) -> list[str]:
    """Say why nobody is invited: a channel is open to everybody."""
    known, room = knowledge.person(nickname), client.server.room(channel)
    if known is None:
        return [client.numeric(numerics.NO_SUCH_NICK, middle(nickname))]
    name = known.nickname
    if not room or room in knowledge.rooms_with(name):  # in the lobby is everybody
        return [client.numeric(numerics.ALREADY_ON_CHANNEL, name, channel)]
    words = f"Nobody needs an invitation here: write to {name} to /join {channel}"
    return [client.numeric(numerics.NO_INVITATIONS, channel, words)]


def topic(client: IrcClient, knowledge: Knowledge, room: str) -> list[str]:
    """Say what a channel's topic is."""
    standing, channel = knowledge.standing(room), client.server.channel(room)
    if standing is None:
        return [client.numeric(numerics.NOT_ON_CHANNEL, channel)]
    if not standing.topic:
        return [client.numeric(numerics.NO_TOPIC, channel)]
    return [client.numeric(numerics.TOPIC, channel, standing.topic)]


def modes(client: IrcClient, knowledge: Knowledge, room: str) -> list[str]:
    """Say which modes a channel has."""
    standing, channel = knowledge.standing(room), client.server.channel(room)
    if standing is None:
        return [client.numeric(numerics.NOT_ON_CHANNEL, channel)]
    only_members = bool(room) and not standing.outsiders  # in the lobby is who is in the chat
    told = ("m" if standing.accounts_only else "") + ("n" if only_members else "")
    # Only moderators set topics, always: "t".
    return [client.numeric(numerics.CHANNEL_MODES, channel, f"+{told}t")]


def muted(client: IrcClient, knowledge: Knowledge, room: str) -> list[str]:
    """Say who may not speak in a channel."""
    channel = client.server.channel(room)
    told = [f"{nickname}!*@*" for nickname in knowledge.mutes(room)]
    lines = [client.numeric(numerics.MUTED, channel, "q", mask) for mask in told]
    return [*lines, client.numeric(numerics.END_OF_MUTED, channel, "q")]


def lobby_listed(client: IrcClient, knowledge: Knowledge) -> str:
    """Return the line about the lobby in the list of channels."""
    standing = knowledge.standing("")
    told = "" if standing is None else standing.topic
    return client.numeric(numerics.LIST, client.server.channel(""), str(knowledge.count()), told)


def lusers(client: IrcClient, knowledge: Knowledge) -> list[str]:
    """Say how many people are in the chat; see ``people_counted``."""
    return people_counted(client, knowledge.count())


def people_counted(client: IrcClient, count: int) -> list[str]:
    """Say how many people are in the chat. It is one server to them, however many nodes it has.

    How many have not entered yet, and how many rooms there are, no node knows; nor how many people there
    were at most.
    """
    numeric = client.numeric
    return [
        numeric(numerics.LUSER_CLIENT, f"There are {count} users and 0 invisible on 1 servers"),
        numeric(numerics.LUSER_OPERATORS, "0"),  # they work elsewhere
        numeric(numerics.LUSER_ME, f"I have {count} clients and 0 servers"),
        numeric(numerics.LOCAL_USERS, f"Current local users: {count}"),
        numeric(numerics.GLOBAL_USERS, f"Current global users: {count}"),
    ]


def time(client: IrcClient, knowledge: Knowledge) -> list[str]:
    """Say what time it is."""
    now = datetime.fromtimestamp(knowledge.now(), UTC)
    return [client.numeric(numerics.TIME, client.server.name, f"{now:%A %d %B %Y, %H:%M:%S} UTC")]


def _prefix(known: Known) -> str:
    return _MODERATOR if known.is_moderator else ""
