"""Options of the command line that several commands have."""

import re
import sys
from pathlib import Path
from typing import NoReturn

import click

from tertulia import journal, redis_url
from tertulia.setting_sources import shown
from tertulia.settings import CHAT, OPTIONS, Settings, SettingsError, load

FAILED = 1
"""The exit status when the service could not do its work."""
MISUSED = 2
"""The exit status when it was told wrong, as click has it too."""


def _without_password(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> str | None:
    if value is not None and redis_url.has_password(value):
        raise click.BadParameter(
            "there is a password in it, and other users of this machine can read a command's "
            "options: set TERTULIA_REDIS_URL in the environment, or redis_url in the --config file."
        )
    return value


def chat_name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Refuse what no chat can be called."""
    if value is not None and not re.match(CHAT, value):
        raise click.BadParameter(f"{shown(value)} is no chat: it should be 1 to 32 of a-z 0-9 -")
    return value


CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with settings.",
)
REDIS_URL = click.option(
    OPTIONS["redis_url"],
    callback=_without_password,
    metavar="URL",
    help="The shared Redis; without one, the node runs its own. Prefer TERTULIA_REDIS_URL in the "
    "environment: others can read a command's options, so a password is refused here.",
)
DATA_DIR = click.option(
    OPTIONS["data_dir"], metavar="DIR", help="Where the node's own Redis keeps its data."
)


def loaded(config: Path | None, given: dict[str, object]) -> Settings:
    """Load the settings; end the process, with a line for each mistake, where they are wrong."""
    try:
        return load(config, given)
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        sys.exit(MISUSED)


def fail(problem: str) -> NoReturn:
    """End the process: it could not do its work."""
    complain(problem)
    sys.exit(FAILED)


def complain(problem: str) -> None:
    """Say on standard error what is wrong: for journald, where that reads it, an error."""
    told = f"tertulia: {problem}"
    click.echo(journal.levelled(told, "error") if journal.reads(sys.stderr) else told, err=True)
