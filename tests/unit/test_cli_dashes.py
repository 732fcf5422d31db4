"""Names that begin with a dash: whatever stands behind ``--`` is an argument, in every command."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from harness.cases import each
from tertulia import cli

NAMES = ("-h", "-x", "--help", "--json", "--")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif any(isinstance(it, click.Argument) for it in command.params):
            yield (*path, name)


def found(path: tuple[str, ...]) -> click.Command:
    command: click.Command = cli.main
    for name in path:
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), name)
        assert inner is not None
        command = inner
    return command


PATHS = list(commands(cli.main))


def test_the_commands_with_arguments_are_found() -> None:
    assert {("admin", "kick"), ("admin", "say"), ("account", "delete"), ("load",)} <= set(PATHS)


@each("name", NAMES)
@each("path", PATHS)
def test_what_stands_behind_two_dashes_is_an_argument(
    path: tuple[str, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = found(path)
    given: dict[str, object] = {}
    monkeypatch.setattr(command, "callback", lambda **values: given.update(values))
    arguments = [it for it in command.params if isinstance(it, click.Argument)]
    # Words of their own are for the last one; before it are numbers, and one of a few words.
    first = [it.type for it in arguments[:-1]]
    chosen = [it.choices[0] if isinstance(it, click.Choice) else "1" for it in first]
    told = CliRunner().invoke(cli.main, [*path, "--", *chosen, name])
    value = given.get(arguments[-1].name or "")
    if told.exit_code == 0:
        assert name in value if isinstance(value, tuple) else value == name, told.output
    else:
        assert (told.exit_code, told.stdout) == (2, ""), told.output
        assert "No such option" not in told.stderr
        assert "Missing argument" not in told.stderr
