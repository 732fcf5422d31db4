"""The command ``tertulia probe``: options to visits, and a visit to a line, a page and a status."""

import asyncio
import re
import signal
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from tertulia.clients import options
from tertulia.clients.probe.page import Page
from tertulia.clients.probe.visit import Visit, visit, ways
from tertulia.clients.targets import TargetError
from tertulia.domain import addresses
from tertulia.edge import ops
from tertulia.edge.binding import explain
from tertulia.settings.command_line import shown

_PREFIX = r"[A-Za-z][A-Za-z0-9.-]{0,26}"
"""With what is added it is a nickname."""


@click.command("probe", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("given", nargs=-1, required=True, metavar="DIALECT[+tls]=HOST:PORT...")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds for a whole visit.",
)
@click.option(
    "--nickname", default="probe", show_default=True, help="What its nicknames begin with."
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The certificates that the service's own has to be signed by.  [default: the system's]",
)
@click.option(
    "--every",
    type=click.FloatRange(1, 86_400),
    metavar="SECONDS",
    help="Visit again and again, until Ctrl-C or SIGTERM.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="With --every: answer /metrics there for Prometheus, and /readyz with what is wrong.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the metrics to a file, as a whole, for node_exporter's textfile collector: X.prom.",
)
@click.option(
    "--prometheus", is_flag=True, help="Print the metrics instead of a line; not with --every."
)
def command(
    given: tuple[str, ...],
    timeout: float,
    nickname: str,
    ca_file: Path | None,
    every: float | None,
    listen: str | None,
    file: Path | None,
    prometheus: bool,
) -> None:
    """Test the service as a client: enter, say something, read it, leave.

    It says something at the first address, and reads it at each further one; all have
    to lead into one chat, and may be the same, like chatte=chat.example.org:1234. People in that chat
    read that it comes and goes: give it one of its own.

    Exit status 0 where it works, 1 where it does not, with a line that says what was wrong; 2 when an
    option is wrong.
    """
    if listen is not None and every is None:
        raise click.UsageError("--listen is for a probe that goes on: give --every as well")
    if prometheus and every is not None:
        raise click.UsageError("--prometheus prints one visit: leave --every out, or use --listen")
    if not re.fullmatch(_PREFIX, nickname):
        raise click.UsageError(
            f"--nickname: {shown(nickname)} should be a letter and at most 26 more of a-z 0-9 . -"
        )
    try:
        there = ways(given)
        context = ssl.create_default_context(cafile=ca_file)
    except TargetError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:  # ssl.SSLError is one
        raise click.UsageError(f"--ca-file: {ca_file} holds no certificate: {error}") from None

    page = Page()

    async def once() -> Visit:
        made = await visit(there, nickname, timeout, context)
        page.show(made)
        if file is not None:
            try:
                page.write(file)
            except OSError as error:
                made.problem = made.problem or f"{file} can't be written: {error.strerror}"
        return made

    if every is not None:
        asyncio.run(_again_and_again(once, every, page, _place(listen)))
        return
    made = asyncio.run(once())
    if prometheus:
        click.echo(page.text(), nl=False)
    elif not made.problem:
        click.echo(made)
    if made.problem:
        options.fail(f"probe: {made.problem}")


def _place(listen: str | None) -> tuple[str, int] | None:
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    number = addresses.port(port)
    host = host.removeprefix("[").removesuffix("]")
    if number is None or not addresses.is_host(host):
        raise click.UsageError(
            f"--listen: {shown(listen)} should be HOST:PORT, like 127.0.0.1:9465"
        )
    return host, number


async def _again_and_again(
    once: Callable[[], Coroutine[Any, Any, Visit]],
    every: float,
    page: Page,
    place: tuple[str, int] | None,
) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    problem = "no visit has ended yet"
    if place is not None:
        try:
            await ops.serve(
                *place, registry=page.registry, not_ready=lambda: [problem] if problem else []
            )
        except OSError as error:
            options.fail(explain(error, "probe", *place, "--listen"))

    async def visits() -> None:
        nonlocal problem
        due = loop.time()
        while True:
            made = await once()
            if made.problem != problem:  # what has not changed has been said
                click.echo(f"tertulia probe: {made}", err=True)
            problem = made.problem
            due = max(due + every, loop.time())
            await asyncio.sleep(due - loop.time())

    visiting = asyncio.create_task(visits())
    await asyncio.wait(
        [visiting, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    visiting.cancel()
    with suppress(asyncio.CancelledError):
        await visiting
