"""The command ``tertulia``: parses and calls.

What a command needs is loaded where it runs: for what is imported up here everybody waits, also for
``--help``.
"""

import gc
import ipaddress
import os
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, cast

import click

from tertulia.clients import options
from tertulia.domain import addresses
from tertulia.settings.command_line import shown


class _Elsewhere(NamedTuple):
    module: str
    name: str
    help: str
    """The first paragraph of its own, so that a list of commands does not load it."""


class _Commands(options.CommandList):
    """Also those with many options of their own, which are only read where they are asked for."""

    _ELSEWHERE: ClassVar = {
        "account": _Elsewhere(
            "tertulia.clients.account_command",
            "account",
            "Make, change, list, copy and delete accounts, and invite people to make one.",
        ),
        "admin": _Elsewhere(
            "tertulia.clients.admin.commands",
            "admin",
            "Operate the whole deployment over Redis, from any machine.",
        ),
        "api": _Elsewhere(
            "tertulia.api.command",
            "api",
            "Serve the HTTP API until it is told to stop (Ctrl-C, or SIGTERM).",
        ),
        "chat": _Elsewhere(
            "tertulia.clients.chat.command",
            "chat",
            "Chat in this terminal, on a full screen or in lines.",
        ),
        "probe": _Elsewhere(
            "tertulia.clients.probe.command",
            "command",
            "Test the service as a client: enter, say something, read it, leave.",
        ),
    }

    _PLUGGED: ClassVar = "tertulia.commands"
    """The entry points of packages that bring commands of their own, as ``tertulia-load`` does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        plugged = entry_points(group=self._PLUGGED).names
        return sorted({*super().list_commands(ctx), *self._ELSEWHERE, *plugged})

    def to_list(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if it := self._ELSEWHERE.get(cmd_name):
            return click.Command(cmd_name, help=it.help)
        return super().to_list(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        # What is loaded now stays. Looking for cycles in it, again and again, took a tenth of a node's start.
        gc.set_threshold(100_000)
        return super().invoke(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "chat":
            # structlog would load what draws the screen of `chat`, for boxes around errors that nobody wants:
            # another tenth of a second before a node is ready.
            sys.modules.setdefault("rich", cast(ModuleType, None))
        command = super().get_command(ctx, cmd_name)
        if command is None and (it := self._ELSEWHERE.get(cmd_name)):
            command = getattr(import_module(it.module), it.name)
        if command is None:
            for point in entry_points(group=self._PLUGGED, name=cmd_name):
                command = point.load()
        if command is None and cmd_name == "load":
            raise click.UsageError(
                "load is in a package of its own, beside this one: pip install ./load in a checkout, or "
                "the file tertulia_load-….whl of the same release"
            )
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tertulia", message="%(package)s %(version)s")
def main() -> None:
    """One chat behind several old protocols, on several nodes over one Redis."""
    _open_standard_files()


def _open_standard_files() -> None:
    """Open the standard files that were closed, leading nowhere.

    A free number goes to the next file or socket, which would then receive what is written to that number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(
                os.open(os.devnull, os.O_RDWR), True
            )  # the lowest number that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


@main.command()
@options.configuring
def serve(config: Path | None, log_format: str | None, **given: object) -> None:
    """Run a node until it is told to stop (Ctrl-C, or SIGTERM).

    An option overrides its environment variable TERTULIA_…, and that overrides the file.
    """
    settings = options.configured(config, log_format, **given)
    from tertulia.node.node import StartError, run

    try:
        sys.exit(run(settings))
    except StartError as error:
        options.complain(str(error))
        sys.exit(error.status)


@main.command()
@options.configuring
def check(config: Path | None, log_format: str | None, **given: object) -> None:
    """Check the settings and print them as understood, secrets masked.

    Exit status 2, with the place of each mistake, where something is wrong. Certificates and filters
    are read as well; no address is tried, as a node may be running.
    """
    from tertulia.edge import certificates, word_filter
    from tertulia.settings.text import describe
    from tertulia.telemetry import tracing
    from tertulia.telemetry.tracer import TracingError

    settings = options.configured(config, log_format, **given)
    wrong = False
    try:
        tracing.check(settings.tracing)
    except TracingError as error:
        click.echo(f"tertulia: {error}", err=True)
        wrong = True
    for i, listener in enumerate(settings.listeners):
        if listener.certificate is not None:
            try:
                certificates.load(listener.certificate, listener.key, datetime.now(UTC))
            except certificates.CertificateError as error:
                click.echo(f"tertulia: listeners[{i}]: {error}", err=True)
                wrong = True
        if listener.filter is not None:
            try:
                word_filter.load(listener.filter)
            except word_filter.FilterError as error:
                click.echo(f"tertulia: listeners[{i}].filter: {error}", err=True)
                wrong = True
        if listener.dialect == "browser" and not listener.hosts and not _is_loopback(listener.host):
            click.echo(
                f"tertulia: listeners[{i}] answers to any name, also one that another site points at it: "
                "set hosts to the names by which browsers call it",
                err=True,
            )
    if wrong:
        sys.exit(options.MISUSED)
    click.echo(describe(settings), nl=False)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@main.command()
def settings() -> None:
    """Print a table of all settings, in Markdown."""
    from tertulia.settings.text import table

    click.echo(table(), nl=False)


@main.command()
def metrics() -> None:
    """Print a table of all metrics, in Markdown."""
    from tertulia.telemetry.metric_text import table

    click.echo(table(), nl=False)


@main.command()
def disconnects() -> None:
    """Print tables of why connections end, what people read then, and what to do, in Markdown."""
    from tertulia.edge.disconnect_text import last_words, reasons

    click.echo(f"{reasons()}\n{last_words()}", nl=False)


@main.command()
@click.argument("port", type=click.IntRange(1024, 65_535))
@click.option(
    "--server",
    callback=options.address,
    default="127.0.0.1:4242",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the service listens for devices.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    help="The address on which to listen for other devices, and which the service tells them. By "
    "default only this machine's own, where the service is on this machine too; else all.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where histories and downloads are kept.  [default: $XDG_DATA_HOME/tertulia-device or "
    "~/.local/share/tertulia-device]",
)
@click.option(
    "--classic",
    is_flag=True,
    help="Your partners use the old program, which takes 119 bytes: split what you say.",
)
def device(
    port: int, server: dict[str, str], host: str | None, folder: Path | None, classic: bool
) -> None:
    """Chat from this terminal, as a device that listens on PORT for others.

    Type help for what you can type.
    """
    from tertulia.clients.device.program import CannotStart, Options, default_folder, run

    server_port = addresses.port(server["port"])
    if server_port is None:
        problem = f"{shown(server['port'])} is no port: it should be 1 to 65535."
        raise click.BadParameter(problem, param_hint="--server")
    for option, given in (("--server", server["host"]), ("--host", host)):
        if given is not None and not addresses.is_host(given):
            problem = f"{shown(given)} should be a host's name or its address."
            raise click.BadParameter(problem, param_hint=option)
    try:
        folder = folder or default_folder()
        run(Options(port, server["host"], server_port, host, folder, classic))
    except CannotStart as error:
        click.echo(f"tertulia: {error}", err=True)
        sys.exit(options.FAILED)
