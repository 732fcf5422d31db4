"""Whatever is typed, set or written in a file: an error for people, or none, and never a traceback."""

import os
import pwd
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cases import each
from tertulia import cli
from tertulia.settings.model import Settings
from tertulia.settings.sources import leaves, variable

MANY = 5000
"""Digits, or brackets: more than Python reads."""
KEYS = [key for key, _ in leaves(Settings)]
VALUES = [
    *("1" * MANY, "-" + "1" * MANY, "1" * 4000, "0x" + "f" * MANY, "1e400", "1e308", "1e-320"),
    *("nan", "-nan", "inf", "-inf", "0", "-1", "0.1", "true", "07:32:00", "1979-05-27T07:32:00Z"),
    *("''", "'x'", '"\\u0000"', '"\\u202e"', '"a\\nb"', '"a..b"', '"' + "x" * MANY + '"'),
    *(
        "[]",
        "{}",
        "['a']",
        "{a=1}",
        "[[1]]",
        "[" * MANY + "]" * MANY,
        "{a=" * MANY + "1" + "}" * MANY,
    ),
]
JSON = [
    *("[" * MANY, "[NaN]", "null", "[null]", '{"a":1e999}', '["\\ud800"]', '{"port":1e400}'),
    '[{"dialect":"chatte","port":' + "1" * MANY + "}]",
    '[{"dialect":"chatte","host":"\\u0000"}]',
    '[{"dialect":"chatte","certificate":"\\u0000"}]',
    *("redis://[::1", "redis://h:１", "redis://\udcff", "redis://a..b", "redis+sentinel://a,b/%00"),
]
no_check = settings(deadline=None, suppress_health_check=list(HealthCheck))


def run(*words: str, env: dict[str, str | None] | None = None, typed: bytes = b"") -> Result:
    ours = {name: None for name in os.environ if name.startswith("TERTULIA_")}
    return CliRunner().invoke(cli.main, words, env={**ours, **(env or {})}, input=typed)


def assert_for_people(result: Result) -> None:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output


@no_check
@given(
    st.lists(
        st.tuples(st.sampled_from([*KEYS, ("x",), ("limits",)]), st.sampled_from(VALUES)),
        max_size=3,
    )
)
def test_any_file_of_settings(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[tuple[str, ...], str]]
) -> None:
    config = tmp_path_factory.mktemp("any") / "tertulia.toml"
    config.write_text("\n".join(f"{'.'.join(key)} = {value}" for key, value in pairs), "utf-8")
    assert_for_people(run("check", "--config", str(config)))


@no_check
@given(st.binary(max_size=40))
def test_any_bytes_in_place_of_one(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    config = tmp_path_factory.mktemp("any") / "tertulia.toml"
    config.write_bytes(raw)
    assert_for_people(run("check", "--config", str(config)))


names = st.sampled_from(
    [
        *(variable(Settings, key) for key in KEYS),
        "TERTULIA_OPS",
        "TERTULIA_LIMITS",
        "TERTULIA_X",
        "HOME",
    ]
)
texts = st.binary(max_size=20).map(os.fsdecode).filter(lambda it: "\0" not in it)


@no_check
@given(st.dictionaries(names, st.one_of(st.sampled_from([*VALUES, *JSON]), texts), max_size=3))
def test_any_environment(env: dict[str, str | None]) -> None:
    assert_for_people(run("check", env=env))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"drain_seconds = {'1' * MANY}", "a number in it is thousands of digits long"),
        (f"limits.connections = {'[' * MANY}", "lists or tables are as deep"),
        (
            f"limits.connections = 0x{'f' * MANY}",
            "limits.connections: a huge number is wrong: it should be less",
        ),
        (
            "limits.connections = 1_000_000_000_001",
            "1000000000001 is wrong: it should be less than or equal",
        ),
        (
            "limits.enter_seconds = 1e300",
            "limits.enter_seconds: 1e+300 is wrong: it should be less",
        ),
        (
            "limits.enter_seconds = 1e-300",
            "limits.enter_seconds: 1e-300 is wrong: it should be greater",
        ),
        ("limits.commands_per_second = inf", "it should be a finite number"),
        ("drain_seconds = nan", "it should be a finite number"),
        ('data_dir = "a\\u0000b"', "data_dir: there is a NUL in it: leave it out"),
        (
            'ops.host = "a..b"',
            "ops.host: 'a..b' is wrong: it should be a host's name or its address",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, expected: str) -> None:
    config = tmp_path / "tertulia.toml"
    config.write_text(text)
    result = run("check", "--config", str(config))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"tertulia: {config}: ")
    assert expected in line


def test_a_nul_in_json_is_named() -> None:
    listeners = '[{"dialect":"chatte","certificate":"\\u0000"}]'
    result = run("check", env={"TERTULIA_LISTENERS": listeners})
    assert "TERTULIA_LISTENERS[0].certificate: there is a NUL in it" in result.stderr


LONG = "1" * MANY
ODD = "\udcff"
"""What no UTF-8 is, as arguments have it."""


@each(
    ("words", "status", "expected"),
    [
        (("check", "--ops", f"127.0.0.1:{LONG}"), 2, "it should be a number of a few digits"),
        (("check", "--listen", f"chatte={ODD}:1"), 2, "it should be a host's name"),
        (("check", "--config", "a" * MANY), 2, "cannot be read (File name too long)"),
        (("device", LONG), 2, "Invalid value for 'PORT'"),
        (
            ("device", "5001", "--server", f"127.0.0.1:{LONG}"),
            2,
            "is no port: it should be 1 to 65535",
        ),
        (("device", "5001", "--server", "127.0.0.1:١"), 2, "is no port: it should be 1 to 65535"),
        (("device", "5001", "--server", "a..b:1"), 2, "should be a host's name or its address"),
        (("device", "5001", "--host", "é" * 80), 2, "should be a host's name or its address"),
        (("load", "chatte=127.0.0.1:1", "--size", LONG), 2, "should be BYTES or FROM-TO"),
        (("load", "chatte=127.0.0.1:1", "--size", f"1-{LONG}"), 2, "should be BYTES or FROM-TO"),
        (("load", "chatte=127.0.0.1:1", "--rate", "nan"), 2, "--rate is nan; it should be"),
        (("load", f"chatte=127.0.0.1:{LONG}"), 2, "is no port; it should be 1 to 65535"),
        (("load", "chatte=a..b:1"), 2, "a..b is unknown"),
        (("admin", "nodes", "--timeout", "nan"), 2, "nan is no number of seconds"),
        (("admin", "nodes", "--chat", ODD), 2, "is no chat: it should be 1 to 32 of a-z 0-9 -"),
        (("admin", "ban", "andy", "--for", f"{LONG}s"), 2, "should be a span of time"),
        (
            ("admin", "nodes", "--data-dir", "a" * MANY),
            1,
            "can't be looked into (File name too long)",
        ),
        (
            ("account", "list", "--data-dir", "a" * MANY),
            1,
            "can't be looked into (File name too long)",
        ),
        (("account", "list", "--chat", ODD), 2, "is no chat: it should be 1 to 32 of a-z 0-9 -"),
        (("account", "add", "andy"), 1, "the password is no text in UTF-8"),
    ],
)
def test_what_is_wrong_with_a_command_is_said(
    words: tuple[str, ...], status: int, expected: str
) -> None:
    result = run(*words, typed=b"pass\xff\n")
    assert_for_people(result)
    assert result.exit_code == status, result.output
    assert expected in result.stderr


def nobody(_number: int) -> NoReturn:
    raise KeyError("getpwuid(): uid not found")


@pytest.fixture
def nobodys_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user whom the system does not know, without any environment."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.mark.usefixtures("nobodys_home")
def test_a_device_without_a_home_says_what_to_do() -> None:
    result = CliRunner().invoke(cli.main, ["device", "5001"])
    assert result.exit_code == 1
    assert result.stderr == (
        "tertulia: you have no home for histories and downloads: give a folder with --dir\n"
    )


@pytest.mark.usefixtures("nobodys_home")
@pytest.mark.parametrize(
    "words", ["check", "settings", "account list", "admin nodes", "admin say x"]
)
def test_other_commands_need_no_home(words: str) -> None:
    result = CliRunner().invoke(cli.main, words.split())
    assert_for_people(result)
    assert result.exit_code == (0 if words in ("check", "settings") else 1)
