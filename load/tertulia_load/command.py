"""The command ``tertulia load``: options to a plan, an outcome to a table and a status."""

import re
import secrets
import select
import string
import sys

import click

from tertulia.settings.command_line import shown

_TROUBLE = 1
"""The exit status when something was lost, or the run could not be carried through."""


def _sizes(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", value)
    if found is None:
        raise click.BadParameter(f"{shown(value)} should be BYTES or FROM-TO, like 64 or 64-512.")
    return int(found[1]), int(found[2] or found[1])


@click.command("load", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("addresses", nargs=-1, required=True, metavar="DIALECT=HOST:PORT...")
@click.option("--clients", default=100, show_default=True, help="How many connect.")
@click.option("--senders", default=10, show_default=True, help="How many of them send.")
@click.option("--processes", default=1, show_default=True, help="Over how many they are spread.")
@click.option(
    "--rooms",
    default=0,
    show_default=True,
    help="Further rooms over which clients and public messages are spread.",
)
@click.option(
    "--rooms-per-client", default=1, show_default=True, help="In how many rooms each client is."
)
@click.option("--rate", type=float, help="Open loop: messages a second, of all senders together.")
@click.option(
    "--in-flight",
    type=int,
    help="Closed loop: messages of each sender that are under way.  [default: 1]",
)
@click.option(
    "--private", default=0.0, show_default=True, help="Share of the messages that go to one user."
)
@click.option(
    "--size",
    "sizes",
    default="64",
    show_default=True,
    callback=_sizes,
    metavar="BYTES[-BYTES]",
    help="How long the texts are.",
)
@click.option("--duration", default=10.0, show_default=True, help="Seconds of sending.")
@click.option("--messages", default=10_000_000, show_default=True, help="Messages at most.")
@click.option("--ramp", type=float, help="Clients that come each second.  [default: all at once]")
@click.option(
    "--at-once",
    default=200,
    show_default=True,
    help="Clients on their way in at the same time, in each process.",
)
@click.option(
    "--ack",
    is_flag=True,
    help="Acknowledge what is received (chatte: everything; browser: private messages).",
)
@click.option(
    "--storm",
    type=float,
    metavar="SECONDS",
    help="After so long all connections drop, and all clients come back, once.",
)
@click.option("--jitter", default=0.0, show_default=True, help="Seconds over which they come back.")
@click.option(
    "--settle",
    default=5.0,
    show_default=True,
    help="Seconds without a delivery after which what is missing is lost.",
)
@click.option("--prefix", help="What the nicknames begin with.  [default: load-XXXX]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--yes-this-is-my-service",
    "mine",
    multiple=True,
    metavar="HOST",
    help="Load a host that is not this machine. May be given several times.",
)
def command(
    addresses: tuple[str, ...],
    rate: float | None,
    in_flight: int | None,
    duration: float,
    ack: bool,
    prefix: str | None,
    as_json: bool,
    mine: tuple[str, ...],
    **given: object,
) -> None:
    """Put load on a service, and check that every message arrives, once and in order.

    Clients are dealt out over the addresses, which have to belong to one chat, like
    chatte=127.0.0.1:1234 browser=127.0.0.1:8080.

    A service slows down senders that exceed its limits.messages_per_second: raise that limit for a load test.

    Exit status 1 when anything was lost, came twice or out of order, or a client was refused or
    disconnected; 2 when an option is wrong.
    """
    # Only here: `tertulia --help` loads this file to list the command, and answers in half the time.
    import asyncio

    import msgspec

    from tertulia.clients.targets import TargetError
    from tertulia_load.plan import Plan, PlanError
    from tertulia_load.progress import Line
    from tertulia_load.report import table
    from tertulia_load.run import RunError, run
    from tertulia_load.targets import target

    if not hasattr(select, "epoll"):
        raise click.UsageError("this needs Linux (epoll)")
    if rate is not None and in_flight is not None:
        raise click.UsageError("--rate is open loop, --in-flight closed loop: choose one")
    tag = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(4))
    try:
        plan = msgspec.convert(
            {
                **given,
                "targets": [target(address, mine) for address in addresses],
                "rate": rate,
                "in_flight": 1 if in_flight is None else in_flight,
                "seconds": duration,
                "acknowledge": ack,
                "prefix": f"load-{tag}" if prefix is None else prefix,
                "tag": tag,
            },
            Plan,
        )
        plan.check()
    except (TargetError, PlanError) as error:
        raise click.UsageError(str(error)) from None
    line = Line()
    try:
        outcome = asyncio.run(run(plan, line.show))
    except (RunError, KeyboardInterrupt) as error:
        click.echo(f"tertulia load: {str(error) or 'interrupted'}", err=True)
        sys.exit(_TROUBLE)
    finally:
        line.clear()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
    else:
        click.echo(table(outcome), nl=False)
    sys.exit(_TROUBLE if outcome.trouble else 0)
