"""What somebody has set."""

from pathlib import Path

import pytest

from tertulia.clients.chat.preferences import (
    Preferences,
    load_preferences,
    preferences_file,
    save_preferences,
)


def test_what_is_set_is_there_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "settings.toml"
    preferences = Preferences("light", times=False, joins=False, sound=True)
    save_preferences(preferences, file)
    assert load_preferences(file) == preferences
    assert file.read_text().startswith('theme = "light"\ntimes = false\n')
    assert [it.name for it in file.parent.iterdir()] == ["settings.toml"]


@pytest.mark.parametrize(
    "text", ["", "no TOML", 'theme = "pink"\ntimes = "yes"\nother = 1\n', "times = 1"]
)
def test_what_makes_no_sense_is_as_if_not_set(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    assert load_preferences(file) == Preferences()


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    assert load_preferences(tmp_path / "none") == Preferences()


def test_the_file_is_in_the_folder_for_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert preferences_file() == tmp_path / "tertulia-chat" / "settings.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert preferences_file() == tmp_path / ".config" / "tertulia-chat" / "settings.toml"
