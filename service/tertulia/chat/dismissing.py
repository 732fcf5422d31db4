"""Ending sessions that an operator does not want in the room."""

from collections.abc import Callable, Iterable, Mapping

from tertulia.chat.devices import Devices
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.roster import Roster
from tertulia.chat.session import Session, State
from tertulia.dialects.contract import Refusal
from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.operator_commands import Action, OperatorCommand


class Dismissals:
    """Looks at a room's sessions when operators order something."""

    def __init__(
        self,
        orders: OperatorCommands,
        sessions: Mapping[str, Session],
        roster: Roster,
        devices: Devices,
        ban_on: Callable[[Session], Ban | None],
        lost: Callable[[Session, Disconnect, str], None],
    ) -> None:
        """``ban_on`` says which ban covers a session; ``lost`` lets one go, with an operator's words."""
        self._orders = orders
        self._sessions = sessions
        self._roster = roster
        self._devices = devices
        self._ban_on = ban_on
        self._lost = lost

    def obey(self, order: OperatorCommand) -> None:
        """Carry out an order, before the events of its entry are told."""
        self._orders.take(order)
        if order.action is Action.KICK:
            holder = self._roster.holder(order.subject)
            session = holder and self._sessions.get(holder.session)
            if session:
                self._dismiss(session, Disconnect.KICKED, order.text)
            self._devices.dismiss(order.subject, Disconnect.KICKED)
        elif order.action is Action.BAN:
            self._dismiss_banned()

    def replace_bans(self, bans: Iterable[Ban]) -> None:
        """Take all bans anew, and see whom they cover."""
        self._orders.replace_bans(bans)
        self._dismiss_banned()

    def _dismiss_banned(self) -> None:
        for session in list(self._sessions.values()):
            ban = self._ban_on(session)
            if ban is not None:
                self._dismiss(session, Disconnect.BANNED, ban.reason)
        self._devices.dismiss_banned()

    def _dismiss(self, session: Session, why: Disconnect, reason: str) -> None:
        if session.state is State.JOINING:
            session.write(session.encoder.refusal(Refusal.BANNED, session.nickname))
        self._lost(session, why, reason)
