"""CAP: what a client can ask for, and asks for. Source: ircv3.net, "Capability Negotiation"."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tertulia.dialects.irc import numerics
from tertulia.dialects.irc.capabilities import NAMES, Capability, offered
from tertulia.dialects.irc.client import IrcClient
from tertulia.dialects.irc.message import MAX_LINE, filled, middle
from tertulia.domain.commands import ChangeVoice, Command, ReadReply
from tertulia.domain.text import clean

_WITH_VALUES: Final = 302
"""The version of CAP since which capabilities have values, and a list of them may have several lines."""
_MOST: Final = MAX_LINE - len("\r\n")


class CapNegotiation:
    """What one client negotiates. Before it is registered it can go on for a while; later a line is all."""

    __slots__ = ("_client", "_has_values", "is_open")

    def __init__(self, client: IrcClient) -> None:
        self._client = client
        self._has_values = False
        self.is_open = False
        """Whether it is begun and not ended: the client can't be registered."""

    def take(self, params: Sequence[str], label: str) -> Iterator[Command]:
        """Yield what a CAP command does."""
        subcommand, *rest = params
        match subcommand.upper():
            case "LS":
                yield self._told("LS", self._offers(rest), label)
                self._begin()
            case "LIST":
                names = (it for it, capability in NAMES.items() if self._client.has(capability))
                yield self._told("LIST", names, label)
            case "REQ":
                self._begin()
                yield from self._request(" ".join(rest), label)
            case "END":
                self.is_open = False
            case _:
                line = self._client.numeric(numerics.INVALID_CAP, middle(subcommand))
                yield ReadReply(self._client.answer([line], label))

    def _begin(self) -> None:
        self.is_open = not self._client.is_registered

    def _offers(self, version: Sequence[str]) -> Iterable[str]:
        found = self._offered()
        if not version or not version[0].isdecimal() or int(version[0][:9]) < _WITH_VALUES:
            return found
        self._has_values = True
        self._client.capabilities |= Capability.CAP_NOTIFY
        return [f"{name}={value}" if value else name for name, value in found.items()]

    def _told(self, subcommand: str, names: Iterable[str], label: str) -> ReadReply:
        head = self._head(subcommand)
        # Clients that know no values know no lists of several lines; without values one line is enough.
        *more, last = list(filled(names, _MOST - len(head) - len("* :"))) or [""]
        lines = [*(f"{head}* :{it}" for it in more), f"{head}:{last}"]
        return ReadReply(self._client.answer(lines, label))

    def _head(self, subcommand: str) -> str:
        return f":{self._client.server.name} CAP {self._client.nickname} {subcommand} "

    def _request(self, written: str, label: str) -> Iterator[Command]:
        client, wanted, known = self._client, self._client.capabilities, self._known()
        names = written.split()
        for name in names:
            capability = known.get(name.removeprefix("-"))
            is_fixed = self._has_values and name == "-cap-notify"
            if capability is None or is_fixed:
                known = {}  # it is refused as a whole
            elif name.startswith("-"):
                wanted &= ~capability
            else:
                wanted |= capability
        line = f"{self._head('ACK')}:{' '.join(names)}"
        if not known or len(line) > _MOST:
            line = f"{self._head('NAK')}:{clean(written)}"
            yield ReadReply(client.answer([line], label))
            return
        has_changed, client.capabilities = wanted != client.capabilities, wanted
        yield ReadReply(client.answer([line], label))
        if has_changed and client.is_registered:
            yield ChangeVoice()

    def _known(self) -> dict[str, Capability]:
        return {it: NAMES[it] for it in self._offered()}

    def _offered(self) -> dict[str, str]:
        it = self._client.server
        return offered(it.accounts, before_entering=it.before_entering, history=it.history > 0)
