"""Ending sessions that an operator does not want in the room."""

from collections.abc import Iterable

from tertulia.chat.devices import Devices
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.roster import Roster
from tertulia.chat.session import JOINING, Session
from tertulia.chat.sessions import Sessions
from tertulia.dialects.contract import Refusal
from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.operator_commands import Action, OperatorCommand


class Evictions:
    """Ends the sessions and the devices' connections that operator commands and bans concern."""

    def __init__(
        self,
        operator_commands: OperatorCommands,
        sessions: Sessions,
        roster: Roster,
        devices: Devices,
    ) -> None:
        self._operator_commands = operator_commands
        self._sessions = sessions
        self._roster = roster
        self._devices = devices

    def obey(self, command: OperatorCommand) -> None:
        """Carry out an operator command, before the events of its entry are written."""
        self._operator_commands.take(command)
        if command.action is Action.KICK:
            holder = self._roster.holder(command.subject)
            session = holder and self._sessions.by_name.get(holder.session)
            if session:
                self._evict(session, Disconnect.KICKED, command.text)
            self._devices.dismiss(command.subject, Disconnect.KICKED)
        elif command.action is Action.BAN:
            self._evict_banned()

    def replace_bans(self, bans: Iterable[Ban]) -> None:
        """Replace all bans, and end the sessions that they cover."""
        self._operator_commands.replace_bans(bans)
        self._evict_banned()

    def _evict_banned(self) -> None:
        for session in list(self._sessions.by_name.values()):
            ban = self._operator_commands.ban_on(
                session.key, session.address, is_account=session.is_account
            )
            if ban is not None:
                self._evict(session, Disconnect.BANNED, ban.reason, ban.until)
        self._devices.dismiss_banned()

    def _evict(self, session: Session, why: Disconnect, reason: str, until: int = 0) -> None:
        if session.state is JOINING:
            session.write(session.replies.refusal(Refusal.BANNED, session.nickname, until=until))
        self._sessions.lost(session, why, reason, until)
