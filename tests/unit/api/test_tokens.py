"""Who may use the API: what the file says, and what is wrong with one."""

from pathlib import Path

import pytest

from tertulia.api.tokens import Scope, Tokens, TokensUnusable, digest, new_secret

SECRET = "tertulia_secret"


def row(**fields: str) -> str:
    given = {
        "name": '"bot"',
        "sha256": f'"{digest(SECRET)}"',
        "scopes": '["say"]',
        **fields,
    }
    return "[[tokens]]\n" + "".join(f"{name} = {it}\n" for name, it in given.items())


def load(directory: Path, text: str) -> Tokens:
    file = directory / "tokens.toml"
    file.write_text(text)
    return Tokens.load(file)


def test_a_token_is_found_by_its_digest(tmp_path: Path) -> None:
    tokens = load(
        tmp_path, row(rooms='["ops", "lobby"]') + row(name='"other"', sha256=f'"{"0" * 64}"')
    )
    assert len(tokens) == 2
    found = tokens.find(SECRET)
    assert found is not None
    assert (found.name, found.chat, found.scopes) == ("bot", "main", frozenset({Scope.SAY}))
    assert found.covers("ops") and found.covers("lobby") and not found.covers("chess")
    assert tokens.by_digest(found.sha256) is found
    for other in ("", "tertulia_other", digest(SECRET), "\udcff"):
        assert tokens.find(other) is None


def test_who_changes_over_has_two_tokens_for_a_while(tmp_path: Path) -> None:
    tokens = load(tmp_path, row(previous_sha256=f'"{digest("old")}"'))
    for secret in ("old", SECRET):
        found = tokens.find(secret)
        assert found is not None and found.name == "bot"
        assert tokens.by_digest(found.sha256) is found
    assert load(tmp_path, row()).find("old") is None


@pytest.mark.parametrize(("scopes", "reads"), [("say", False), ("read", True), ("operate", True)])
def test_who_may_read(tmp_path: Path, scopes: str, reads: bool) -> None:
    found = load(tmp_path, row(scopes=f'["{scopes}"]', rooms='["ops"]')).find(SECRET)
    assert found is not None
    assert found.reads("ops") is reads
    assert not found.reads("chess")


def test_every_room_is_the_default_and_nobody_is_no_mistake(tmp_path: Path) -> None:
    found = load(tmp_path, row()).find(SECRET)
    assert found is not None and found.covers("anything")
    assert len(load(tmp_path, "")) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tokens = 1", "tokens"),
        ("[[tokens]", "is no TOML"),
        ("tokens = " + "[" * 5000, "is no TOML"),
        ("tokens = " + "1" * 5000, "is no TOML"),
        (row(name='"no name"'), "tokens.0.name"),
        (row(sha256='"abc"'), "tokens.0.sha256"),
        (row(scopes='["fly"]'), "tokens.0.scopes"),
        (row(rooms='["#ops"]'), "is no room"),
        (row(chat='"No Chat"'), "tokens.0.chat"),
        (row(secret='"x"'), "tokens.0.secret"),
        (row() + row(name='"other"'), "is there twice"),
        (row() + row(sha256=f'"{"0" * 64}"', name='"BOT"'), "is there twice"),
        (
            row() + row(name='"b"', sha256=f'"{"0" * 64}"', previous_sha256=f'"{digest(SECRET)}"'),
            "its token is another one's too",
        ),
    ],
)
def test_a_wrong_file_says_where_and_shows_no_secret(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(TokensUnusable) as error:
        load(tmp_path, text)
    assert why in str(error.value)
    assert str(tmp_path / "tokens.toml") in str(error.value)
    assert digest(SECRET) not in str(error.value)


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(TokensUnusable, match="No such file"):
        Tokens.load(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(TokensUnusable, match="no UTF-8"):
        Tokens.load(tmp_path / "bytes")


def test_no_two_secrets_are_the_same_and_all_can_be_recognised() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(it.startswith("tertulia_") and len(it) > 40 for it in made)
