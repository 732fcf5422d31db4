"""The command: what it takes, prints, and exits with."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoints
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from tertulia import cli
from tertulia.settings.listener import ListenerSettings
from tertulia.settings.model import Settings
from tertulia.settings.sections import LogSettings
from tertulia.settings.text import table

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    return lambda *args, **env: CliRunner().invoke(cli.main, args, env=env)


class Node:
    """In place of the module that runs a node."""

    class StartError(Exception):
        status = 1

    def __init__(self, status: int = 0, error: str | None = None) -> None:
        self.ran_with: Settings | None = None
        self._status = status
        self._error = error

    def run(self, settings: Settings) -> int:
        self.ran_with = settings
        if self._error:
            raise self.StartError(self._error)
        return self._status


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Node], Node]:
    def use(node: Node) -> Node:
        module = SimpleNamespace(run=node.run, StartError=node.StartError)
        monkeypatch.setitem(sys.modules, "tertulia.node.node", module)
        return node

    return use


def test_check_prints_the_configuration_as_understood(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "tertulia.toml"
    config.write_text("drain_seconds = 3\n[ops]\nport = 1\n")
    result = run("check", "--config", str(config), "--ops", "0.0.0.0:2", TERTULIA_NODE_ID="one")
    assert (result.exit_code, result.stderr) == (0, "")
    understood = tomllib.loads(result.stdout)
    assert understood["drain_seconds"] == 3
    assert understood["ops"] == {"host": "0.0.0.0", "port": 2}
    assert understood["node_id"] == "one"


@pytest.mark.parametrize(
    ("listener", "warns"),
    [
        ({"dialect": "browser", "host": "0.0.0.0"}, True),
        ({"dialect": "browser", "host": "::"}, True),
        ({"dialect": "browser", "host": "192.0.2.1"}, True),
        ({"dialect": "browser", "host": "chat.example.org"}, True),
        ({"dialect": "browser", "host": "0.0.0.0", "hosts": ["chat.example.org"]}, False),
        ({"dialect": "browser", "host": "127.0.0.1"}, False),
        ({"dialect": "browser", "host": "::1"}, False),
        ({"dialect": "browser", "host": "localhost"}, False),
        ({"dialect": "chatte", "host": "0.0.0.0"}, False),
    ],
    ids=str,
)
def test_check_warns_of_a_page_that_answers_to_any_name(
    run: Run, listener: dict[str, object], warns: bool
) -> None:
    first = {"dialect": "chatte", "host": "127.0.0.1", "port": 1}
    result = run("check", TERTULIA_LISTENERS=json.dumps([first, listener]))
    assert result.exit_code == 0, "it is a warning"
    assert tomllib.loads(result.stdout)["listeners"][1]["host"] == listener["host"]
    if warns:
        assert result.stderr.startswith("tertulia: listeners[1] answers to any name")
        assert "set hosts to the names by which browsers call it" in result.stderr
    else:
        assert result.stderr == ""


def test_check_masks_secrets(run: Run) -> None:
    result = run("check", TERTULIA_REDIS_URL="redis://andy:hunter2@redis.example:6379/1")
    assert result.exit_code == 0
    assert "hunter2" not in result.output
    assert 'redis_url = "redis://andy:***@redis.example:6379/1"' in result.stdout


@pytest.mark.parametrize("command", ["check", "serve"])
def test_wrong_settings_go_to_standard_error_with_status_2(
    run: Run, use: Callable[[Node], Node], command: str
) -> None:
    node = use(Node())
    result = run(command, "--ops", "localhost:x", TERTULIA_DRAIN_SECONDS="soon")
    assert (result.exit_code, result.stdout) == (2, "")
    assert node.ran_with is None
    first, second = result.stderr.splitlines()
    assert first.startswith("tertulia: --ops.port: 'x' is wrong")
    assert second.startswith("tertulia: TERTULIA_DRAIN_SECONDS: 'soon' is wrong")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chatte=localhost:7", ListenerSettings(dialect="chatte", host="localhost", port=7)),
        ("chatte=[::1]:0/bar", ListenerSettings(dialect="chatte", host="::1", port=0, chat="bar")),
    ],
)
def test_listen_takes_an_address_and_a_chat(
    run: Run, use: Callable[[Node], Node], text: str, expected: ListenerSettings
) -> None:
    node = use(Node())
    assert run("serve", "--listen", text, "--listen", "chatte=0.0.0.0:9").exit_code == 0
    assert node.ran_with is not None
    assert node.ran_with.listeners[0] == expected
    assert node.ran_with.listeners[1].host == "0.0.0.0"


@pytest.mark.parametrize(
    ("option", "value", "right"),
    [
        ("--listen", "chatte", "DIALECT=HOST:PORT[/CHAT]"),
        ("--listen", "=localhost:1", "DIALECT=HOST:PORT[/CHAT]"),
        ("--listen", "chatte=localhost:1/", "DIALECT=HOST:PORT[/CHAT]"),
        ("--listen", "chatte=localhost", "HOST:PORT"),
        ("--listen", "chatte=::1:1234", "HOST:PORT"),
        ("--ops", ":9464", "HOST:PORT"),
        ("--ops", "localhost:", "HOST:PORT"),
    ],
)
def test_a_malformed_address_is_refused(run: Run, option: str, value: str, right: str) -> None:
    result = run("check", option, value)
    assert result.exit_code == 2
    assert f"'{option}'" in result.stderr
    assert f"should be {right}" in result.stderr


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@host", "redis://host?password=hunter2", "redis://a:hunter2/x@host:z"]
)
def test_a_password_on_the_command_line_is_refused(run: Run, url: str) -> None:
    result = run("check", "--redis-url", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "TERTULIA_REDIS_URL" in result.stderr
    assert "hunter2" not in result.stderr


def test_every_option_reaches_the_node(run: Run, use: Callable[[Node], Node]) -> None:
    node = use(Node())
    result = run(
        *("serve", "--redis-url", "redis://host", "--data-dir", "/data", "--node-id", "one"),
        *("--log-format", "json"),
    )
    assert result.exit_code == 0
    settings = node.ran_with
    assert settings is not None and settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://host"
    assert (settings.data_dir, settings.node_id) == (Path("/data"), "one")
    assert settings.log == LogSettings(level="info", format="json")


@pytest.mark.parametrize("status", [0, 3])
def test_serve_exits_as_the_node_does(run: Run, use: Callable[[Node], Node], status: int) -> None:
    use(Node(status))
    assert run("serve").exit_code == status


def test_a_node_that_cannot_start_says_why(run: Run, use: Callable[[Node], Node]) -> None:
    use(Node(error="port 1234 is taken"))
    result = run("serve")
    assert (result.exit_code, result.stderr) == (1, "tertulia: port 1234 is taken\n")


def test_settings_prints_the_table(run: Run) -> None:
    result = run("settings")
    assert (result.exit_code, result.stdout) == (0, table())


def test_version_is_told(run: Run) -> None:
    result = run("--version")
    assert result.exit_code == 0
    name, version = result.stdout.split()
    assert name == "tertulia"
    assert version[0].isdigit()


def test_the_load_tool_is_a_package_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "  load " in run("--help").stdout
    monkeypatch.setattr(cli, "entry_points", lambda **_: EntryPoints())
    assert "  load " not in run("--help").stdout
    result = run("load", "chatte=127.0.0.1:1")
    assert result.exit_code == 2
    assert "pip install ./load" in result.stderr


def test_help_loads_none_of_the_commands_that_it_lists() -> None:
    code = "import sys; from tertulia.cli import main; main(standalone_mode=False); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        timeout=90,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "tertulia.cli" in loaded
    assert not {"asyncio", "pydantic", "redis", "tertulia_load.run"} & loaded


def test_commands_are_listed_by_their_own_words(run: Run) -> None:
    listed = " ".join(run("--help").stdout.split())
    context = click.Context(cli.main, max_content_width=80)
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command is not None
        assert f" {name} {command.get_short_help_str(sys.maxsize)}" in listed, name


@pytest.mark.parametrize("group", [(), ("admin",), ("account",)])
def test_help_says_in_whole_sentences_what_each_command_does(
    run: Run, group: tuple[str, ...]
) -> None:
    _, _, told = run(*group, "--help").output.partition("\nCommands:\n")
    commands = re.split(r"\n  (?=\S)", f"\n{told.rstrip()}")[1:]
    assert len(commands) >= 8
    assert [it for it in commands if not re.search(r"[^.][.]$", it)] == []
    assert max(map(len, told.splitlines())) <= 80
