"""Traffic, bounded in rate, time and count, while something happens to the service."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Coroutine, Sequence
from typing import TypeVar

from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.crowd import read_by
from harness.irc_client import IrcClient
from harness.waiting import DeadlineError, until
from history.checker import Rule, Violation, check, explain
from history.record import Acked, AckedPrivate, History, NodeLost, ReceivedPublic, Welcomed

T = TypeVar("T")

IN_FLIGHT = 16
"""Messages that a sender has unanswered at most: an outage must not pile up a mountain."""
MOST_SECONDS = 60.0
BETWEEN_SECONDS = 0.3
"""More than passes between two answers to senders who send ten a second."""
LATE_SECONDS = 30.0
_LATE = {Rule.LOST, Rule.PRIVATE_LOST}
"""Of these nobody can tell what is lost from what is late."""


async def connect_many(
    ports: Sequence[int], count: int, prefix: str, *, acknowledges: bool | None = None
) -> list[ChatteClient]:
    """Connect and enter ``prefix-0`` and so on, dealt out over the ports.

    Every other one acknowledges what it receives, unless ``acknowledges`` says all do or none.
    """
    return list(
        await asyncio.gather(
            *(
                ChatteClient.enter_chat(
                    ports[i % len(ports)],
                    f"{prefix}-{i}",
                    acknowledges=bool(i // len(ports) % 2)
                    if acknowledges is None
                    else acknowledges,
                    within=60.0,
                )
                for i in range(count)
            )
        )
    )


async def under_load(
    senders: Sequence[ChatteClient],
    fault: Coroutine[object, object, T],
    *,
    per_second: float = 20.0,
    most: int = 1000,
    whisper_to: Sequence[str] = (),
) -> T:
    """Let each sender send at a rate until the fault is through, and return what that returns.

    ``most`` bounds the messages of one sender. Where there is somebody to whisper to, every third
    message is private. Senders that lose their connection stop.
    """
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(_send(sender, stop, per_second, most, whisper_to)) for sender in senders
    ]
    try:
        return await fault
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _send(
    sender: ChatteClient,
    stop: asyncio.Event,
    per_second: float,
    most: int,
    whisper_to: Sequence[str],
) -> None:
    started = time.monotonic()
    for i in range(most):
        pause = started + i / per_second - time.monotonic()
        await asyncio.sleep(max(0.0, pause))  # the pacer: a rate is a pause between messages
        await until(
            lambda: sender.unanswered < IN_FLIGHT or stop.is_set() or not sender.connected,
            MOST_SECONDS,
            lambda: f"an answer; {sender.describe()}",
        )
        if stop.is_set() or not sender.connected or time.monotonic() - started > MOST_SECONDS:
            return
        if whisper_to and i % 3 == 2:
            sender.whisper(whisper_to[i // 3 % len(whisper_to)])
        else:
            sender.say()


async def settle(clients: Sequence[ChatteClient], within: float = 60.0) -> None:
    """Wait until every connected client has all its answers, and all have read one last message in each room.

    As a room has one order, whoever has read that message has read all that was acknowledged there before.
    Somebody says it who reads what he says himself: of another one nobody could tell what he has read.
    """
    connected = [client for client in clients if client.connected]
    assert connected, "nobody is connected any more"
    await until(
        lambda: not any(client.unanswered for client in connected if client.connected),
        within,
        lambda: (
            "all messages to be answered: "
            + "; ".join(
                f"{client.unanswered} open, {client.describe()}"
                for client in connected
                if client.unanswered
            )
        ),
    )
    readers: dict[str, list[ChatteClient]] = {}
    for client in connected:
        for room in read_by(client):
            readers.setdefault(room, []).append(client)
    for room, of_room in readers.items():
        says = next(client for client in of_room if client.history.echoes)
        last = say_in(says, room)
        await until(
            lambda: (
                all(received(it, last) for it in of_room if it.connected)  # noqa: B023
                and not (says.connected and says.unanswered)  # noqa: B023
            ),
            within,
            lambda: (
                f"everybody in #{room} to read one last message: "  # noqa: B023
                + "; ".join(it.describe() for it in of_room if not received(it, last))  # noqa: B023
                + f"; {says.unanswered} open of who said it"  # noqa: B023
            ),
        )


def say_in(client: ChatteClient, room: str) -> str:
    """Let somebody say something in a room that it is shown, and return what."""
    shows_several = isinstance(client, BrowserClient | IrcClient)
    return client.say(room=room) if shows_several else client.say()


def received(client: ChatteClient, text: str) -> bool:
    """Say whether a client received a public message; the last are looked at first."""
    return any(
        isinstance(record, ReceivedPublic) and record.text == text
        for record in reversed(client.history.records)
    )


def lost(clients: Sequence[ChatteClient]) -> None:
    """Note in the histories that the clients' node is dead, or will be found frozen too long."""
    for client in clients:
        client.history.add(NodeLost(client.history.now()))


def stood_still(clients: Sequence[ChatteClient], start: float, end: float) -> float:
    """Return for how many seconds, between two points of time, nobody who talks all the time was answered.

    So much later than told is whatever else a machine does that is busy, or stands still for a moment.
    """
    answers = (record.at for client in clients for record in client.history.of(Acked))
    times = [start, *sorted(at for at in answers if start < at < end), end]
    gaps = (two - one for one, two in itertools.pairwise(times))
    return min(MOST_SECONDS, sum(gap for gap in gaps if gap > BETWEEN_SECONDS))


def promised_between(histories: Sequence[History], start: float, end: float) -> list[str]:
    """Return what was acknowledged, and who was welcomed, between two points of time."""
    return [
        f"{history.client} at {record.at:.3f}: {record}"
        for history in histories
        for record in history.records
        if isinstance(record, Acked | AckedPrivate | Welcomed) and start < record.at < end
    ]


async def assert_promises_kept(
    clients: Sequence[ChatteClient], *, seat_seconds: float = 0.0
) -> None:
    """Hold what all clients of a chat recorded against what the service promises.

    Messages have some seconds more to come: neither what is private nor another room is in a room's order.
    ``seat_seconds``: for how long the nodes keep the seat of who lost its connection.
    """
    violations: list[Violation] = []

    def judged() -> bool:
        violations[:] = check([client.history for client in clients], seat_seconds=seat_seconds)
        return not any(violation.rule in _LATE for violation in violations)

    with contextlib.suppress(DeadlineError):
        await until(judged, LATE_SECONDS, "messages", every=0.25)
    assert not violations, explain(violations)
    assert any(any(client.history.of(Acked)) for client in clients), "nothing was acknowledged"
