"""Settings as people read them: as understood, and as a table."""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tertulia.settings import redis_url as urls
from tertulia.settings.model import Settings
from tertulia.settings.sources import Key, dotted, element, leaves, variable


def describe(settings: Settings) -> str:
    """Return the settings as understood: TOML, secrets masked, what is unset in comments."""
    lines: list[str] = []
    section: Key = ()
    lists: list[str] = []
    for key, field in sorted(leaves(Settings), key=lambda it: len(it[0]) > 1):
        value: Any = settings
        for step in key:
            value = getattr(value, str(step))
        if element(field):
            for item in value:
                lists += ["", f"[[{dotted(key)}]]"]
                lists += [_line(name, inner, type(item).model_fields[name]) for name, inner in item]
            continue
        if key[:-1] != section:
            section = key[:-1]
            lines += ["", f"[{dotted(section)}]"]
        lines.append(_line(str(key[-1]), value, field))
    return "\n".join(lines + lists) + "\n"


def _line(name: str, value: object, field: FieldInfo) -> str:
    if value is None:
        return f"# {name} is unset: {_shown_default(field)}"
    return f"{name} = {_toml(value)}"


def table() -> str:
    """Return all settings as a table in Markdown: key in TOML, variable, default, meaning."""
    rows = ["| TOML key | environment | default | meaning |", "|---|---|---|---|"]
    for key, field in leaves(Settings):
        rows.append(_row(dotted(key), f"`{variable(Settings, key)}`", field))
        inner = element(field)
        for name, part in inner.model_fields.items() if inner else ():
            rows.append(_row(f"{dotted(key)}[].{name}", "in its JSON", part))
    return "\n".join(rows) + "\n"


def _row(key: str, variable: str, field: FieldInfo) -> str:
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{key}` | {variable} | {_shown_default(field)} | {meaning} |"


def _shown_default(field: FieldInfo) -> str:
    """Return a default as people read it: the value, or words where it is worked out."""
    stated = field.json_schema_extra
    if isinstance(stated, dict):
        return str(stated["shown"])
    return "required" if field.is_required() else f"`{_toml(field.default)}`"


def _toml(value: object) -> str:
    if isinstance(value, SecretStr):
        value = urls.masked(value.get_secret_value())
    if isinstance(value, str | Path):
        # JSON's strings are TOML's, but for DEL; an undecodable path is shown with its escapes.
        text = str(value).encode("utf-8", "backslashreplace").decode()
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value, default=str)
