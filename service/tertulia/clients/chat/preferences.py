"""What somebody has set for the full screen: a small file in ``$XDG_CONFIG_HOME``."""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

Theme = Literal["dark", "light", "terminal"]


class Preferences(msgspec.Struct):
    """The file's lines."""

    theme: Theme = "dark"
    """``terminal``: the colours that the terminal has."""
    times: bool = True
    """Whether the time stands beside each message."""
    joins: bool = True
    """Whether one reads who joins and leaves."""
    sound: bool = False
    """Whether the terminal's bell rings for messages to the reader."""


def preferences_file() -> Path:
    """Return where the file is."""
    # The specification has relative paths ignored.
    given = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(given) if given.startswith("/") else Path.home() / ".config"
    return folder / "tertulia-chat" / "settings.toml"


def load_preferences(file: Path) -> Preferences:
    """Read the file; what is missing there, or makes no sense, is as if it were not set."""
    found = Preferences()
    try:
        raw: dict[str, Any] = tomllib.loads(file.read_text())
    except (OSError, ValueError):
        return found
    for field in msgspec.structs.fields(Preferences):
        if field.name in raw:
            try:
                setattr(found, field.name, msgspec.convert(raw[field.name], field.type))
            except msgspec.ValidationError:
                continue
    return found


def save_preferences(preferences: Preferences, file: Path) -> None:
    """Write the file. Raises OSError where that can't be."""
    lines = [
        f"{name} = {msgspec.json.encode(value).decode()}\n"  # in TOML the same
        for name, value in msgspec.structs.asdict(preferences).items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text("".join(lines))
    fresh.replace(file)
