"""Settings: their sources and precedence, what is refused and where, what is shown."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from harness.cases import each
from tertulia.domain import rooms
from tertulia.settings import redis_url
from tertulia.settings.command_line import OPTIONS, ROOM
from tertulia.settings.listener import DEFAULT_PORTS, ListenerSettings
from tertulia.settings.model import (
    Settings,
    SettingsError,
    default_data_dir,
    default_node_id,
    load,
)
from tertulia.settings.sections import ClusterSettings, LimitSettings, OpsSettings
from tertulia.settings.sources import element, leaves
from tertulia.settings.text import describe, table

SECRET = "hunter2"

Toml = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("TERTULIA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Toml:
    def write(text: str) -> Path:
        path = tmp_path / "tertulia.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def problems(config: Path | None = None, **overrides: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(config, overrides)
    assert str(caught.value).splitlines() == list(caught.value.problems), "one line each"
    return caught.value.problems


# Sources


def test_nothing_set_is_a_whole_configuration() -> None:
    settings = load(None, {})
    assert settings.redis_url is None
    assert settings.node_id is None
    assert [(it.dialect, it.host, it.port, it.chat) for it in settings.listeners] == [
        (dialect, "127.0.0.1", port, "main") for dialect, port in DEFAULT_PORTS.items()
    ]
    assert settings.ops == OpsSettings(host="127.0.0.1", port=9464)
    assert settings.cluster.embedded_fsync == "always"


def test_options_go_before_the_environment_and_that_before_the_file(
    toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toml(
        "drain_seconds = 1\n"
        "[ops]\nhost = 'file'\nport = 1\n"
        "[limits]\nenter_tries = 1\nlong_lines = 1\n"
        "[log]\nlevel = 'error'\n"
    )
    monkeypatch.setenv("TERTULIA_OPS", '{"host": "environment"}')
    monkeypatch.setenv("TERTULIA_OPS__PORT", "2")
    monkeypatch.setenv("TERTULIA_LIMITS__LONG_LINES", "2")
    settings = load(config, {"ops": {"port": "3"}, "log": {"format": "json"}})
    assert settings.drain_seconds == 1
    assert settings.ops == OpsSettings(host="environment", port=3)
    assert (settings.limits.enter_tries, settings.limits.long_lines) == (1, 2)
    assert (settings.log.level, settings.log.format) == ("error", "json")


def test_what_is_not_given_overrides_nothing(toml: Toml) -> None:
    config = toml("node_id = 'one'\n[log]\nformat = 'json'\n")
    settings = load(config, {"node_id": None, "log": {"format": None}, "listeners": None})
    assert (settings.node_id, settings.log.format) == ("one", "json")


def test_a_list_is_taken_whole(toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
    config = toml("[[listeners]]\ndialect = 'chatte'\n[[listeners]]\ndialect = 'chatte'\nport=1\n")
    assert len(load(config, {}).listeners) == 2
    listener = {"dialect": "chatte", "host": "::1", "chat": "bar", "encoding": "latin-1"}
    monkeypatch.setenv("TERTULIA_LISTENERS", json.dumps([listener]))
    assert load(config, {}).listeners == (
        ListenerSettings(dialect="chatte", host="::1", port=1234, chat="bar", encoding="latin-1"),
    )


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERTULIA_REDIS_URL", "")
    monkeypatch.setenv("TERTULIA_NO_SUCH", "")
    assert load(None, {}).redis_url is None


def test_constructing_settings_reads_nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERTULIA_DRAIN_SECONDS", "99")
    assert Settings().drain_seconds == 10
    assert load(None, {}).drain_seconds == 99


def test_importing_reads_nothing_from_the_environment() -> None:
    code = (
        "import os\n"
        "class Watched(dict):\n"
        "    def read(self, name, *_):\n"
        "        assert 'TERTULIA' not in name and 'XDG' not in name and name != 'HOME', name\n"
        "        return dict.get(self, name, *_)\n"
        "    get = __getitem__ = read\n"
        "import pydantic_settings\n"
        "os.environ = Watched(os.environ)\n"
        "import tertulia.settings.model\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_an_orchestrator_sets_beside_a_service_is_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "TERTULIA_SERVICE_HOST": "10.0.0.1",
        "TERTULIA_SERVICE_PORT_CHATTE": "1234",
        "TERTULIA_PORT": "tcp://10.0.0.1:1234",
        "TERTULIA_PORT_1234_TCP_ADDR": "10.0.0.1",
        "TERTULIA_OPS_PORT": "tcp://10.0.0.1:9464",
        "TERTULIA_REDIS_SERVICE_PORT": "6379",
    }.items():
        monkeypatch.setenv(name, value)
    assert load(None, {}) == load(None, {})


# What is refused, and where it is said to be


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TERTULIA_DRAIN_SECONDS", "soon", r"'soon' is wrong: it should be a valid number"),
        ("TERTULIA_DRAIN_SECONDS", "-1", r"greater than or equal to 0"),
        ("TERTULIA_DRAIN_SECONDS", "inf", r"should be a finite number"),
        ("TERTULIA_OPS__PORT", "65536", r"'65536' is wrong: it should be less than or equal"),
        ("TERTULIA_OPS__HOST", "a b", r"it should be a host's name or its address"),
        ("TERTULIA_NODE_ID", "n" * 65, r"should match pattern .*\{1,64\}"),
        ("TERTULIA_LOG__LEVEL", "loud", r"'debug', 'info', 'warning' or 'error'"),
        ("TERTULIA_LIMITS__ENTER_TRIES", "0", r"greater than 0"),
        ("TERTULIA_LIMITS__BYTES_BURST", "4096", r"greater than or equal to 8192"),
        ("TERTULIA_LIMITS__ENTER_TRIE", "1", r"no such setting: did you mean TERTULIA_.*TRIES\?"),
        ("TERTULIA_REDIS_ULR", "x", r"no such setting: did you mean TERTULIA_REDIS_URL\?"),
        ("TERTULIA_OPS_PORT", "9464", r"no such setting: did you mean TERTULIA_OPS__PORT\?"),
        ("TERTULIA_WHATEVER", "x", r"no such setting: unset it, or see `tertulia settings`"),
        ("TERTULIA_LISTENERS__0__PORT", "1", r"no such setting"),
        ("TERTULIA_LISTENERS", "chatte", r"no JSON \(character 1: .*\): it should be a list"),
        ("TERTULIA_LISTENERS", "[" * 100_000, r"too large"),
        ("TERTULIA_LISTENERS", "{}", r"a table is wrong: it should be a list of tables"),
        ("TERTULIA_LISTENERS", "[]", r"at least 1 item"),
        ("TERTULIA_TRUSTED_PROXIES", "10.0.0.1", r"no JSON .*: it should be a list"),
        ("TERTULIA_TRUSTED_PROXIES", '"10.0.0.1"', r"'10.0.0.1' is wrong: it should be a list$"),
        ("TERTULIA_TRUSTED_PROXIES", '["10.0.0.1/8"]', r"network, like 192.0.2.10 or 10.0.0.0/8"),
        ("TERTULIA_TRUSTED_PROXIES", '["all"]', r"'all' is wrong: it should be an address"),
        ("TERTULIA_TRUSTED_PROXIES", "[5]", r"5 is wrong: it should be an address"),
        ("TERTULIA_LASTING_CHATS", "main", r"no JSON .*: it should be a list"),
        ("TERTULIA_OPS", "5", r"5 is wrong: it should be a table"),
        ("TERTULIA_CLUSTER", '{"lease_second": 5}', r"did you mean lease_seconds\?"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    (problem,) = problems()
    assert re.match(rf"{name}\S*: ", problem), problem
    assert re.search(expected, problem), problem


@pytest.mark.parametrize(
    ("listener", "place", "expected"),
    [
        ({}, "[1].dialect", "this is missing"),
        ({"dialect": "icq"}, "[1].dialect", "no dialect 'icq': it should be one of .*chatte"),
        ({"dialect": "chatte", "port": -1}, "[1].port", "-1 is wrong"),
        ({"dialect": "chatte", "porrt": 1}, "[1].porrt", r"did you mean port\?"),
        ({"dialect": "chatte", "chat": "Big"}, "[1].chat", r"\[a-z0-9-\]\{1,32\}"),
        ({"dialect": "chatte", "encoding": "x"}, "[1].encoding", "'utf-8' or 'latin-1'"),
        ({"dialect": "device", "answer_bytes": 99}, "[1].answer_bytes", "0, .* or at least 100$"),
        ({"dialect": "device", "answer_bytes": 65_536}, "[1].answer_bytes", "65536 is wrong"),
        ({"dialect": "device", "answer_bytes": -1}, "[1].answer_bytes", "-1 is wrong"),
        (7, "[1]", "7 is wrong: it should be a table"),
    ],
)
def test_a_wrong_listener_is_counted_out(
    monkeypatch: pytest.MonkeyPatch, listener: object, place: str, expected: str
) -> None:
    monkeypatch.setenv("TERTULIA_LISTENERS", json.dumps([{"dialect": "chatte"}, listener]))
    (problem,) = problems()
    assert problem.startswith(f"TERTULIA_LISTENERS{place}: "), problem
    assert re.search(expected, problem), problem


@pytest.mark.parametrize(
    ("listener", "answer_bytes"),
    [
        ({"dialect": "device"}, 0),
        ({"dialect": "device", "wording": "classic"}, 199),
        ({"dialect": "device", "wording": "classic", "answer_bytes": 0}, 0),
        ({"dialect": "device", "answer_bytes": 100}, 100),
        ({"dialect": "protocollo", "wording": "classic"}, 0),
    ],
)
def test_answers_to_classic_devices_have_a_bound(
    listener: dict[str, object], answer_bytes: int
) -> None:
    (made,) = load(None, {"listeners": [listener]}).listeners
    assert made.answer_bytes == answer_bytes


@pytest.mark.parametrize(
    ("listener", "name", "expected"),
    [
        ({"dialect": "irc", "encoding": "latin-1"}, "encoding", "nothing on listeners of .* irc"),
        ({"dialect": "irc", "wording": "classic"}, "wording", "remove it here"),
        ({"dialect": "irc", "prompt": "Hey"}, "prompt", "remove it here"),
        ({"dialect": "irc", "answer_bytes": 199}, "answer_bytes", "remove it here"),
        ({"dialect": "irc", "origins": ["https://a.example"]}, "origins", "remove it here"),
        ({"dialect": "irc", "hosts": ["a.example"]}, "hosts", "remove it here"),
        ({"dialect": "irc", "channel": "#lobby"}, "channel", "should match pattern"),
        ({"dialect": "irc", "network": "our chat"}, "network", "should match pattern"),
        ({"dialect": "irc", "network": "a" * 64}, "network", "should match pattern"),
        ({"dialect": "chatte", "network": "ours"}, "network", "only where clients of irc come in"),
        ({"dialect": "chatte", "irc": True}, "irc", "only where clients of irc come in"),
        ({"dialect": "chatte", "channel": "hall"}, "channel", "only where clients of irc come in"),
        ({"dialect": "browser", "channel": "hall"}, "channel", "only where irc is true"),
        ({"dialect": "browser", "joins_lobby": False}, "joins_lobby", "only where irc is true"),
    ],
)
def test_what_means_nothing_there_is_refused(
    listener: dict[str, object], name: str, expected: str
) -> None:
    (problem,) = problems(listeners=[listener])
    assert problem.startswith(f"--listen[0].{name}: "), problem
    assert re.search(expected, problem), problem


def test_irc_has_its_own_defaults_and_a_port_for_tls() -> None:
    own = {"network": "irc.example", "channel": "hall", "joins_lobby": False}
    listeners: list[dict[str, object]] = [
        {"dialect": "irc", "encoding": "utf-8", **own},
        {"dialect": "irc", "certificate": "irc.pem"},
        {"dialect": "irc", "certificate": "irc.pem", "port": 6667, "host": "::1"},
        {"dialect": "browser", "irc": True, **own},
    ]
    made = load(None, {"listeners": listeners}).listeners
    assert [(it.port, it.history) for it in made] == [
        (6667, 50),
        (6697, 50),
        (6667, 50),
        (8080, 50),
    ]
    assert [it.channel for it in made] == ["hall", "lobby", "lobby", "hall"]
    assert [it.joins_lobby for it in made] == [False, True, True, False]


def test_every_dialect_is_there_unless_told_otherwise_and_irc_on_the_page_too() -> None:
    assert {it.dialect: it.irc for it in load(None, {}).listeners} == {
        name: name == "browser" for name in DEFAULT_PORTS
    }
    (given,) = load(None, {"listeners": [{"dialect": "browser"}]}).listeners
    assert not given.irc


def test_a_channel_is_called_as_a_further_room_may_be() -> None:
    assert re.compile(ROOM.replace("$", r"\Z")).pattern.strip("^") == rooms._VALID.pattern


def test_every_mistake_in_a_file_is_named_with_its_key(toml: Toml) -> None:
    config = toml("drain_second = 3\n[ops]\nport = 'x'\n[[listeners]]\ndialect = 'icq'\n")
    assert sorted(it.partition(": ")[2].partition(":")[0] for it in problems(config)) == [
        "drain_second",
        "listeners[0].dialect",
        "ops.port",
    ]
    assert all(it.startswith(f"{config}: ") for it in problems(config))


def test_a_name_that_holds_anything_is_told_in_one_line(
    toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    (told,) = problems(toml('"a\\u001b[31m\\nb" = 1\n'))
    assert told.endswith(
        "a\\x1b[31m\\nb: there is no such setting: remove it, or see `tertulia settings`"
    )
    monkeypatch.setenv("TERTULIA_NODE\n\x9b", "x")
    (told,) = problems()
    assert told.startswith("TERTULIA_NODE\\n\\x9b: there is no such setting")


def test_a_wrong_option_is_named() -> None:
    listener = {"dialect": "chatte", "port": "99999"}
    assert problems(listeners=(listener,))[0].startswith("--listen[0].port: '99999' is wrong")
    assert problems(ops={"host": "a", "port": "x"})[0].startswith("--ops.port: ")
    assert problems(log={"format": "x"})[0].startswith("--log-format: 'x' is wrong")


def test_the_strongest_source_of_a_wrong_value_is_blamed(
    toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERTULIA_NODE_ID", "not this one")
    (problem,) = problems(toml("node_id = 'nor this'"), node_id="but this")
    assert problem.startswith("--node-id: 'but this'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\nx = 2\n", r"this is no TOML: .*line 2"),
        (None, r"cannot be read \(No such file or directory\)"),
    ],
)
def test_an_unreadable_file_is_named(toml: Toml, text: str | None, expected: str) -> None:
    config = toml(text or "")
    if text is None:
        config.unlink()
    (problem,) = problems(config)
    assert problem.startswith(f"{config}: ")
    assert re.search(expected, problem)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    config = tmp_path / "latin.toml"
    config.write_bytes(b"node_id = 'caf\xe9'")
    assert re.search(r"byte 14 is not UTF-8", problems(config)[0])


def test_times_that_contradict_each_other_are_refused_where_they_were_set(
    toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERTULIA_CLUSTER__HEARTBEAT_SECONDS", "4")
    config = toml("[cluster]\nlease_seconds = 2\nredis_timeout_seconds = 1\n")
    (problem,) = problems(config)
    assert problem == (
        f"TERTULIA_CLUSTER__HEARTBEAT_SECONDS and {config}: cluster.lease_seconds: "
        "heartbeat_seconds is 4.0, silence_seconds is 3.0, lease_seconds is 2.0: they should be "
        "heartbeat_seconds < silence_seconds < lease_seconds"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClusterSettings(heartbeat_seconds=3, silence_seconds=3),
        lambda: ClusterSettings(silence_seconds=10),
        lambda: ClusterSettings(redis_timeout_seconds=10),
        lambda: LimitSettings(outbox_bytes=1000, outbox_pause_bytes=1000),
    ],
)
def test_values_out_of_order_are_refused(make: Callable[[], BaseModel]) -> None:
    with pytest.raises(ValidationError, match="they should be"):
        make()


def test_two_listeners_on_one_port_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [{"dialect": "chatte"}, {"dialect": "chatte", "chat": "bar"}]
    (problem,) = problems(listeners=twice)
    assert problem.startswith(
        "--listen: listeners[0] and listeners[1] are both 127.0.0.1 port 1234"
    )
    monkeypatch.setenv("TERTULIA_OPS__PORT", "1234")
    (problem,) = problems()
    assert problem.startswith("TERTULIA_OPS: listeners[0] and ops are both")
    anywhere = [{"dialect": "chatte", "port": 0}] * 2
    assert len(load(None, {"listeners": anywhere, "ops": {"port": 0}}).listeners) == 2


# Secrets


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@host",
        f"{SECRET}",
        f"redis://:{SECRET}/x@host:6379",
        f"redis://user:{SECRET}#x@host",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@host/name",
        f"redis://host:{SECRET}",
        f"unix://:{SECRET}@/",
        f"unix://:{SECRET}@host/run/redis.sock",
        f"redis://:{SECRET}@one,two",
        f"redis://:{SECRET}@host?ssl_cert_reqs={SECRET}",
        f"redis+sentinel://:{SECRET}@one,two",
        f"redis+sentinel://:{SECRET}@one,two/name/{SECRET}",
        f"redis+sentinel://:{SECRET}@one:,two/name",
        f"redis+cluster://:{SECRET}@one,two/1",
        f"redis+cluster://:{SECRET}@one,[::1/0",
    ],
)
def test_a_wrong_redis_url_is_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TERTULIA_REDIS_URL", url)
    (problem,) = problems()
    assert problem.startswith("TERTULIA_REDIS_URL: ")
    assert "redis://HOST:6379/0" in problem
    assert SECRET not in problem


@each(
    ("proxy", "is_good"),
    [
        ("http://proxy.example.org:3128", True),
        ("https://me:secret@[2001:db8::1]:3128/", True),
        ("proxy.example.org:3128", False),
        ("socks5://proxy.example.org:1080", False),
        ("http://", False),
        ("http://proxy.example.org:99999", False),
        (f"http://proxy.example.org/{SECRET}", False),
        (f"{SECRET}", False),
    ],
)
def test_a_wrong_proxy_of_webhooks_is_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, proxy: str, is_good: bool
) -> None:
    monkeypatch.setenv("TERTULIA_API__WEBHOOK_PROXY", proxy)
    if is_good:
        assert load(None, {}).api.webhook_proxy is not None
        return
    (problem,) = problems()
    assert problem.startswith("TERTULIA_API__WEBHOOK_PROXY: ")
    assert "http://proxy.example.org:3128" in problem
    assert SECRET not in problem


def test_a_secret_in_the_wrong_place_is_not_shown(
    toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis://:{SECRET}@host"
    monkeypatch.setenv("TERTULIA_NODE_ID", url)
    monkeypatch.setenv("TERTULIA_REDIS", url)
    config = toml(f"redisurl = '{url}'\n[ops]\nport = '{url}'\n")
    assert len(problems(config)) == 4
    assert SECRET not in "".join(problems(config))
    assert "471123" not in "".join(problems(toml("redis_url = 471123")))


@each(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        (f"redis://:{SECRET}@host:6379/0", "redis://:***@host:6379/0"),
        (f"rediss://andy:{SECRET}@host", "rediss://andy:***@host"),
        (f"redis://:host@host:1?password={SECRET}&db=1", "redis://:***@host:1?password=***&db=1"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        (f"unix://andy:{SECRET}@/run/redis.sock", "unix://andy:***@/run/redis.sock"),
        (f"rediss+sentinel://:{SECRET}@a:1,b/it/1", "rediss+sentinel://:***@a:1,b/it/1"),
        (f"redis+cluster://andy:{SECRET}@a:1,[::1]:2", "redis+cluster://andy:***@a:1,[::1]:2"),
    ],
)
def test_a_redis_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redis_url.masked(url) == shown
    assert redis_url.has_password(url) == ("***" in shown)
    assert f'redis_url = "{shown}"' in describe(load(None, {"redis_url": url}))
    assert SECRET not in repr(load(None, {"redis_url": url}))


def test_a_redis_url_says_how_the_master_is_found() -> None:
    url = redis_url.parse("redis+sentinel://andy:a%40b@one:1,[::1],two/the%20master/3")
    assert (url.kind, url.tls, url.master) == (redis_url.RedisKind.SENTINEL, False, "the master")
    assert url.hosts == (("one", 1), ("::1", 26379), ("two", 26379))
    assert (url.user, url.password, url.database) == ("andy", "a@b", 3)
    url = redis_url.parse("rediss+cluster://one,two:2")
    assert (url.kind, url.tls, url.hosts) == (
        redis_url.RedisKind.CLUSTER,
        True,
        (("one", 6379), ("two", 2)),
    )
    url = redis_url.parse("unix://andy:pw@/run/my%20redis.sock?db=2")
    assert (url.socket, url.user, url.password) == ("/run/my redis.sock", "andy", "pw")
    assert (url.database, url.hosts) == (2, ())
    url = redis_url.parse("redis://host?username=andy&password=pw&db=4")
    assert (url.user, url.password, url.database) == ("andy", "pw", 4)


# What is worked out


def test_the_data_folder_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/andy")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert load(None, {}).data_dir == default_data_dir() == Path("/data/tertulia")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_dir() == Path("/home/andy/.local/share/tertulia")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_data_dir() == Path("/home/andy/.local/share/tertulia")


def test_the_data_folder_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/andy")
    monkeypatch.chdir(tmp_path)
    assert load(None, {"data_dir": "~/chat"}).data_dir == Path("/home/andy/chat")
    assert load(None, {"data_dir": "var"}).data_dir == tmp_path / "var"


@pytest.mark.parametrize("host", ["box", "büro.local", "h" * 200, ""])
def test_a_node_id_is_valid_and_no_two_are_equal(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    made = {default_node_id() for _ in range(100)}
    assert len(made) == 100
    for node_id in made:
        assert Settings(node_id=node_id).node_id == node_id


# What is shown


def test_the_description_is_toml_that_means_the_same(toml: Toml) -> None:
    settings = Settings(
        redis_url=SecretStr("redis://host"),
        node_id="one",
        data_dir=Path('/data/"quoted\\\x7f\n città'),
        listeners=(ListenerSettings(dialect="chatte"), ListenerSettings(dialect="chatte", port=0)),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1")),
    )
    assert load(toml(describe(settings)), {}) == settings


def test_the_description_says_what_is_unset() -> None:
    text = describe(Settings())
    assert "# redis_url is unset: the node's own Redis\n" in text
    assert "# node_id is unset: host, process and a random part\n" in text
    assert "redis_url" not in tomllib.loads(text)


def test_every_setting_is_explained_in_the_table() -> None:
    rows = {row.split(" | ")[0].strip("| `"): row for row in table().splitlines()[2:]}
    for key, field in leaves(Settings):
        name = ".".join(map(str, key))
        assert field.description and field.description.endswith("."), name
        assert f"`TERTULIA_{'__'.join(map(str, key)).upper()}`" in rows[name]
        inner = element(field)
        for part, described in inner.model_fields.items() if inner else ():
            assert described.description and described.description in rows[f"{name}[].{part}"]
    assert "| `4194304` |" in rows["limits.outbox_bytes"]
    assert "PydanticUndefined" not in table()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().drain_seconds = 1.0
    with pytest.raises(ValidationError, match="frozen"):
        Settings().ops.port = 1


def test_every_option_sets_a_setting() -> None:
    keys = {".".join(map(str, key)) for key, _ in leaves(Settings)} | {"ops"}
    assert OPTIONS.keys() <= keys
