"""The command that reads a room's log."""

import asyncio
import json
import sys
from datetime import UTC, datetime

import click

from tertulia.clients.admin.command import ANY_ROOM, asking, emit
from tertulia.clients.admin.durations import moment
from tertulia.clients.admin.log_lines import LogLine, log_lines
from tertulia.operators.deployment import Deployment
from tertulia.operators.log_reader import LogReader
from tertulia.redis.errors import StoreAway

_LINES = 20
_LOOK_AGAIN_SECONDS = 0.25


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return moment(value, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@asking("log", chat="main", streams=True, room=ANY_ROOM)
@click.option(
    "--since",
    callback=_moment,
    metavar="WHEN",
    help="From 2h (ago) or 2026-11-21T03:00 (local) on.",
)
@click.option(
    "-n", "most", type=click.IntRange(0), help=f"The last so many.  [default: {_LINES}; all since]"
)
@click.option("--places", is_flag=True, help="Show the place of each message, for redact.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
async def log(
    client: Deployment,
    chat: str,
    since: datetime | None,
    most: int | None,
    follow: bool,
    places: bool,
    as_json: bool,
    room: str | None,
) -> None:
    """Show the log: joins, leaves, messages and operator commands.

    In JSON, one object a line.
    """
    await client.room(chat, room)
    reader = client.log_reader(chat, room)
    await reader.begin()
    if most is None and since is None:
        most = _LINES

    def write(happening: LogLine) -> None:
        emit(json.dumps(happening.record()) if as_json else happening.line(with_place=places))

    for each in await _back(reader, since, most):
        write(each)
    while follow:
        try:
            for each in log_lines(await reader.further()):
                write(each)
        except StoreAway as error:
            click.echo(f"tertulia: waiting for Redis: {error}", err=True)
        sys.stdout.flush()
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _back(reader: LogReader, since: datetime | None, most: int | None) -> list[LogLine]:
    """Return the last so many happenings since then, oldest first."""
    begin = round(since.timestamp() * 1000) if since is not None else 0  # as exactly as it is shown
    entries, count, before = [], 0, None
    while most is None or count < most:
        page = await reader.back(before)
        young = [entry for entry in page if round(entry.position.at * 1000) >= begin]
        entries += young
        count += sum(len(entry.events) + len(entry.operator_commands) for entry in young)
        if not page or len(young) < len(page):
            break
        before = page[-1].position.offset
    found = list(log_lines(reversed(entries)))
    return found if most is None else found[len(found) - min(most, len(found)) :]
