"""Histories of a chat, taken apart by its rooms: in each room they are as those of a chat with one room."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from history.record import (
    Acked,
    Disconnected,
    EnterSent,
    GivenUp,
    History,
    InRoom,
    NodeLost,
    Parted,
    Record,
    Refused,
    RefusedPublic,
    SentPublic,
)

LOBBY: Final = ""
ENDS: Final = (Disconnected, GivenUp, NodeLost)
"""What happens to a connection in all of its rooms."""


@dataclass(slots=True)
class Outside:
    """What somebody recorded of a room while it had no seat there."""

    client: str
    nickname: str = ""
    records: list[Record] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    """What it said there: a room may let people of the chat speak who are not in it."""


def rooms_of(histories: Iterable[History]) -> list[str]:
    """Return the lobby and, in order, every further room of which something is recorded."""
    found = {record.room for history in histories for record in history.of(InRoom)}
    return [LOBBY, *sorted(found - {LOBBY})]


def of_lobby(histories: Iterable[History]) -> list[History]:
    """Return the same connections without what belongs to a further room."""
    return [
        replace(it, records=[r for r in it.records if not isinstance(r, InRoom) or not r.room])
        for it in histories
    ]


def of_room(histories: Iterable[History], room: str) -> tuple[list[History], list[Outside]]:
    """Return each stay in a further room as a connection of its own, and what was recorded outside.

    Whatever ends the connection ends the stay; who goes on from a connection goes on from its last stay.
    """
    stays: list[History] = []
    outside: list[Outside] = []
    last: dict[str, str] = {}
    for history in histories:
        of_client, without_seat = _taken_apart(history, room)
        stays += of_client
        outside.append(without_seat)
        if of_client:
            last[history.client] = of_client[-1].client
    for stay in stays:
        entered = stay.records[0]
        if isinstance(entered, EnterSent) and entered.after in last:
            stay.records[0] = replace(entered, after=last[entered.after])
    return stays, outside


def _taken_apart(history: History, room: str) -> tuple[list[History], Outside]:
    stays: list[History] = []
    outside = Outside(history.client)
    has_seat = False
    for record in history.records:
        if isinstance(record, EnterSent) and not record.room:
            outside.nickname = record.nickname
        if isinstance(record, ENDS) or (isinstance(record, Refused) and not record.room):
            if has_seat:
                stays[-1].add(record)
        elif not isinstance(record, InRoom) or record.room != room:
            pass
        elif isinstance(record, EnterSent):
            name = f"{history.client}/{len(stays) + 1}" if stays else history.client
            stays.append(replace(history, client=name, records=[record]))
            has_seat = True
        elif isinstance(record, Parted):
            if has_seat:
                stays[-1].add(Disconnected(record.at, record.by))
            has_seat = False
        elif isinstance(record, SentPublic) and not has_seat:
            outside.records.append(record)
            outside.texts.add(record.text)
        elif not stays or (
            isinstance(record, Acked | RefusedPublic) and record.text in outside.texts
        ):
            outside.records.append(record)
        else:
            stays[-1].add(record)  # also what was under way when it parted
    return stays, outside
