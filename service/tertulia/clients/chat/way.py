"""From state to state, from entering to leaving, in one table; and what is done with the socket."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class TalkState(Enum):
    """Where one is on the way."""

    OUTSIDE = auto()
    """No connection, and none is wanted."""
    OPENING = auto()
    """A connection is being opened, the first or another one."""
    ASKING = auto()
    """The nickname was sent."""
    REFUSED = auto()
    """It was refused; the connection stays, for another one."""
    INSIDE = auto()
    WAITING = auto()
    """The connection was lost, or could not be opened; the next is opened after a pause."""
    LEAVING = auto()
    """The service was told, and will close the connection."""


class Happening(Enum):
    """What leads from one state to the next."""

    ENTER = auto()
    OPENED = auto()
    WELCOMED = auto()
    REFUSED = auto()
    LEAVE = auto()
    DUE = auto()
    BROKE = auto()
    ENDED = auto()
    GAVE_UP = auto()


_S, _H = TalkState, Happening
NEXT: Final[Mapping[TalkState, Mapping[Happening, TalkState]]] = {
    _S.OUTSIDE: {_H.ENTER: _S.OPENING},
    _S.OPENING: {
        _H.OPENED: _S.ASKING,
        _H.BROKE: _S.WAITING,
        _H.ENDED: _S.OUTSIDE,
        _H.GAVE_UP: _S.OUTSIDE,
    },
    _S.ASKING: {
        _H.WELCOMED: _S.INSIDE,
        _H.REFUSED: _S.REFUSED,
        _H.BROKE: _S.WAITING,
        _H.ENDED: _S.OUTSIDE,
        _H.GAVE_UP: _S.OUTSIDE,
    },
    _S.REFUSED: {
        _H.ENTER: _S.ASKING,
        _H.BROKE: _S.OUTSIDE,
        _H.ENDED: _S.OUTSIDE,
        _H.GAVE_UP: _S.OUTSIDE,
    },
    _S.INSIDE: {_H.LEAVE: _S.LEAVING, _H.BROKE: _S.WAITING, _H.ENDED: _S.OUTSIDE},
    _S.WAITING: {_H.DUE: _S.OPENING, _H.GAVE_UP: _S.OUTSIDE},
    _S.LEAVING: {_H.BROKE: _S.OUTSIDE, _H.ENDED: _S.OUTSIDE, _H.GAVE_UP: _S.OUTSIDE},
}
"""Which state follows a state, by what happened. Nothing else can happen in it."""
PATIENCE: Final = {_S.OPENING: 10.0, _S.ASKING: 60.0, _S.LEAVING: 3.0}
"""Seconds after which one does not wait any longer, and gives the connection up."""


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open a new connection."""


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send a frame on it."""

    frame: dict[str, object]


@dataclass(frozen=True, slots=True)
class DropSocket:
    """Close it, and listen to it no more."""


Act = OpenSocket | SendFrame | DropSocket
