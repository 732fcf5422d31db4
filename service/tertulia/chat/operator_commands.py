"""A node's side of operator commands: written to its log, remembered, passed on."""

import time
from collections.abc import Callable, Iterable

import structlog

from tertulia.domain.bans import Ban, Bans
from tertulia.domain.moderation import Rules, Standing
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.text import clean

_log = structlog.get_logger("tertulia.audit")


def _nothing() -> None:
    """Do nothing: for a chat without a node around it, which can't drain."""


class OperatorCommands:
    """What this node knows of one chat's operator commands."""

    def __init__(
        self,
        chat: str,
        node_id: str = "",
        drain: Callable[[], None] = _nothing,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``node_id`` is as configured; ``wall`` gives seconds since 1970."""
        self._chat = chat
        self._node_id = node_id
        self._drain = drain
        self._wall = wall
        self._bans = Bans()
        self.rules = Rules()
        """What moderators have set in the lobby, which follows it in the log."""

    def replace_bans(self, bans: Iterable[Ban]) -> None:
        """Replace the bans by those that the store has."""
        self._bans.replace(bans)

    def take(self, command: OperatorCommand, room: str = "") -> None:
        """Note an operator command; carry it out where it is about this node or about who may come in.

        ``room``: the further room in whose log it stands.
        """
        _log.info(
            "an operator's order",
            action=command.action.value,
            chat=self._chat,
            room=room or None,
            by=clean(command.by),
            order=clean(command.id),
            subject=clean(command.subject) if command.subject else None,
            reason=clean(command.text) if command.text else None,
        )
        if command.action is Action.BAN and command.ban is not None:
            self._bans.add(command.ban)
        elif command.action is Action.UNBAN:
            self._bans.remove(command.subject)
        elif command.action is Action.DRAIN and command.subject == self._node_id:
            self._drain_unless_late(command)

    def _drain_unless_late(self, command: OperatorCommand) -> None:
        # Where the node was frozen, the operator believes that this drain will not happen any more.
        if not 0 < command.until < self._wall() * 1000:
            self._drain()

    def standing(
        self, rules: Rules, key: str, *, is_account: bool, account: int | None
    ) -> Standing:
        """Return what holds in a room, by its rules, for somebody who enters it."""
        return rules.standing(key, self._wall(), is_account=is_account, account=account)

    def ban_on(self, key: str, address: str, *, is_account: bool = False) -> Ban | None:
        """Return a ban that covers somebody; None where none does."""
        return self._bans.covering(key, address, self._wall(), is_account=is_account)
