"""Where a listener leads: to a room, for sessions of one encoder, or to the devices' side of its chat."""

from collections.abc import Callable
from typing import Final

from tertulia.chat.device_session import DeviceOutbox, DeviceSession
from tertulia.chat.devices import Devices
from tertulia.chat.identities import Identities
from tertulia.chat.ports import Outbox
from tertulia.chat.room import Room
from tertulia.chat.session import Session
from tertulia.dialects.contract import Encoder
from tertulia.domain.commands import Command, Say, Whisper

_MESSAGES: Final = (Say, Whisper)


class Door:
    """The way into a room."""

    def __init__(
        self,
        room: Room,
        encoder: Encoder,
        identities: Identities | None = None,
        refuses: Callable[[str], bool] | None = None,
    ) -> None:
        """``refuses`` says whether a text has words that are not passed on; None: all are."""
        self._room = room
        self._identities = identities
        self._encoder = encoder
        # These are called for each line, so they are the room's own: a call in between costs too much.
        self.command, self.lost = room.command, room.lost
        self.slowed, self.lags, self.caught_up = room.slowed, room.lags, room.caught_up
        if refuses is not None:
            self._refuses, self.command = refuses, self._filtered

    def connect(self, outbox: Outbox, address: str, port: int) -> Session:
        """Take in a connection; it reads the greeting."""
        return self._room.connect(self._encoder, outbox, address, port, self._identities)

    def ended(self, session: Session) -> bool:
        """Return False: nothing is left to do."""
        return False

    def _filtered(self, session: Session, command: Command) -> None:
        if isinstance(command, _MESSAGES) and session.is_active and self._is_refused(command):
            self._room.filtered(session, command)
        else:
            self._room.command(session, command)

    def _is_refused(self, command: Say | Whisper) -> bool:
        if self._refuses(command.text):
            return True
        return bool(command.tags) and self._refuses(command.tags.replace(r"\s", " "))


class DeviceDoor:
    """The way to the devices' side of a chat, for devices that take ``answer_bytes`` of an answer."""

    def __init__(self, devices: Devices, answer_bytes: int) -> None:
        self._devices = devices
        self._answer_bytes = answer_bytes
        self.command, self.lost, self.ended = devices.command, devices.lost, devices.ended
        self.slowed, self.lags = devices.slowed, devices.lags
        self.caught_up = devices.caught_up

    def connect(self, outbox: DeviceOutbox, address: str, port: int) -> DeviceSession:
        """Take in a connection."""
        return self._devices.connect(outbox, address, port, self._answer_bytes)
