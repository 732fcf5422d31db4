"""Where settings come from (options, environment, TOML file), and which source is to blame.

Knows no setting: the caller brings the model. Nothing is read when this module is imported.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource

from tertulia.settings.command_line import CHAT_PASSWORD_FILE, shown

Key = tuple[str | int, ...]
"""The place of a value, as in ``("listeners", 0, "port")``."""

_Model = TypeVar("_Model", bound=BaseSettings)

# What an orchestrator puts into the environment of containers beside a service of our name
# (TERTULIA_SERVICE_HOST, TERTULIA_PORT=tcp://…): no setting, and nobody's mistake.
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


class SettingsError(Exception):
    """Wrong settings; the operator has to change them.

    ``problems`` has one line each: the place, what was wrong, what would be right. No value of a
    secret is in it.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        # Names are as somebody wrote them, and may hold anything.
        self.problems = tuple(_CONTROL.sub(_escaped, problem) for problem in problems)
        super().__init__("\n".join(self.problems))


def read(
    model: type[_Model],
    config: Path | None,
    overrides: Mapping[str, object],
    options: Mapping[str, str],
) -> _Model:
    """Make the settings of ``model``: overrides, before the environment, before the TOML file.

    ``overrides`` has keys as in TOML, and None for what was not given; ``options`` tells by which
    option of the command a key is overridden. Raises SettingsError with every problem found.
    """
    environment = _Environment(model)
    file = _File(config)
    if unreadable := [*environment.unreadable, *file.unreadable]:
        raise SettingsError([*environment.unknown, *unreadable])
    sources = (_Options(_given(overrides), options), environment, file)
    values: Mapping[str, object] = {}
    for source in reversed(sources):
        values = _merged(values, source.values)
    problems = environment.unknown
    for source in sources:
        problems += [
            f"{source.place(key)}: there is a NUL in it: leave it out" for key in source.nuls()
        ]
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        problems += _problems(model, sources, error)
    if problems:
        raise SettingsError(problems)
    return settings


def leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield the place and the field of each setting that has a value of its own, in order."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, (*above, name))
        else:
            yield (*above, name), field


def element(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a list's elements, None where the field is no list of models."""
    inner = get_args(field.annotation)
    listed = inner and isinstance(inner[0], type) and issubclass(inner[0], BaseModel)
    return inner[0] if listed else None


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def variable(model: type[BaseSettings], key: Key) -> str:
    """Return the name of the environment variable for a key without indexes."""
    return f"{model.model_config['env_prefix']}{'__'.join(map(str, key)).upper()}"


def dotted(key: Key) -> str:
    """Return a key as people write it: ``listeners[0].port``."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in key
    ).removeprefix(".")


class _Source:
    """Values as a tree of tables and lists, and how the place of each is called."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values

    def place(self, key: Key) -> str:
        raise NotImplementedError

    def sets(self, key: Key) -> bool:
        """Say whether the value of a key is from here."""
        return self.reach(key) == len(key)

    def nuls(self) -> Iterator[Key]:
        """Yield the places of texts with a NUL, which no file, host or name can have."""
        left: list[tuple[Key, object]] = [((), self.values)]
        while left:
            key, value = left.pop()
            if isinstance(value, Mapping):
                left += [((*key, name), inner) for name, inner in value.items()]
            elif isinstance(value, list | tuple):
                left += [((*key, i), inner) for i, inner in enumerate(value)]
            elif isinstance(value, str) and "\0" in value:
                yield key

    def reach(self, key: Key) -> int:
        """Return how many steps of a key lead somewhere in this source."""
        here: Any = self.values
        for depth, step in enumerate(key):
            known = isinstance(here, Mapping) and step in here
            listed = isinstance(here, list | tuple) and isinstance(step, int) and step < len(here)
            if not known and not listed:
                return depth
            here = here[step]
        return len(key)


class _Options(_Source):
    def __init__(self, values: Mapping[str, object], options: Mapping[str, str]) -> None:
        super().__init__(values)
        self._options = options

    def place(self, key: Key) -> str:
        for end in range(len(key), 0, -1):
            if option := self._options.get(dotted(key[:end])):
                return _under(option, key[end:])
        return dotted(key)


class _Environment(_Source):
    """The variables of a prefix. ``unreadable`` and ``unknown`` hold a line for each bad one."""

    def __init__(self, model: type[BaseSettings]) -> None:
        self._model = model
        prefix = model.model_config["env_prefix"]
        # An empty variable is what a template leaves of an unset one.
        self._set = {
            name.upper(): value
            for name, value in os.environ.items()
            if name.upper().startswith(prefix) and value and name.upper() != CHAT_PASSWORD_FILE
        }
        self.unreadable = list(self._unreadable())
        self.unknown = list(self._unknown(prefix))
        source = EnvSettingsSource(model)
        # An unknown key is reported already, and would be reported again from within its table.
        known = {name.lower(): self._set[name] for name in self._set.keys() & self._known()}
        source.env_vars = known
        super().__init__({} if self.unreadable else source())

    def place(self, key: Key) -> str:
        for end in range(len(key), 0, -1):
            if (name := variable(self._model, key[:end])) in self._set:
                return _under(name, key[end:])
        return variable(self._model, key)

    def _tables(self) -> set[str]:
        keys = {key[:-1] for key, _ in leaves(self._model) if len(key) > 1}
        keys |= {key for key, field in leaves(self._model) if _is_list(field)}
        return {variable(self._model, key) for key in keys}

    def _known(self) -> set[str]:
        return self._tables() | {variable(self._model, key) for key, _ in leaves(self._model)}

    def _unreadable(self) -> Iterator[str]:
        for name in sorted(self._tables() & self._set.keys()):
            try:
                json.loads(self._set[name])
            except json.JSONDecodeError as error:
                why = f"character {error.pos + 1}: {error.msg}"
                yield f"{name}: this is no JSON ({why}): it should be a list or an object in JSON"
            except (ValueError, RecursionError):  # a number of 5,000 digits, a thousand brackets
                yield f"{name}: this is too large: it should be a list or an object in JSON"

    def _unknown(self, prefix: str) -> Iterator[str]:
        known = {name.removeprefix(prefix) for name in self._known()}
        for name in sorted(it.removeprefix(prefix) for it in self._set.keys() - self._known()):
            if not _is_service_link(name, self._set[prefix + name]):
                hint = _suggestion(name, known, "unset it", prefix)
                yield f"{prefix}{name}: there is no such setting: {hint}"


class _File(_Source):
    """A TOML file, or none. ``unreadable`` says why it could not be read."""

    def __init__(self, path: Path | None) -> None:
        super().__init__({})
        self._path = path
        self.unreadable: list[str] = []
        if path is None:
            return
        try:
            self.values = tomllib.loads(path.read_text("utf-8"))
        except tomllib.TOMLDecodeError as error:
            self.unreadable = [f"{path}: this is no TOML: {error}"]
        except UnicodeDecodeError as error:
            self.unreadable = [f"{path}: byte {error.start} is not UTF-8: TOML is written in UTF-8"]
        except (ValueError, RecursionError):
            why = "a number in it is thousands of digits long, or lists or tables are as deep"
            self.unreadable = [f"{path}: this can't be read: {why}: no setting needs that"]
        except OSError as error:
            self.unreadable = [f"{path}: cannot be read ({error.strerror}): give a readable file"]

    def place(self, key: Key) -> str:
        return f"{self._path}: {dotted(key)}"


def _problems(
    model: type[BaseSettings], sources: Sequence[_Source], error: ValidationError
) -> Iterator[str]:
    for it in error.errors(include_url=False):
        if it["type"] == "default_factory_not_called" or (
            it["type"] == "too_short" and it["input"]
        ):
            continue  # these follow from others, which are reported
        key: Key = it["loc"]
        # Of values that don't go together, those that somebody set are to blame.
        related = [(*key, name) for name in it.get("ctx", {}).get("fields", ())]
        blamed = [whole for whole in related if _strongest(sources, whole).sets(whole)] or [key]
        places = " and ".join(_strongest(sources, name).place(name) for name in blamed)
        yield f"{places}: {_complaint(model, key, it)}"


def _strongest(sources: Sequence[_Source], key: Key) -> _Source:
    """Return the source that set a key, or came nearest to it."""
    return max(sources, key=lambda source: source.reach(key))  # of equals, max takes the first


def _complaint(model: type[BaseModel], key: Key, error: ErrorDetails) -> str:
    """Return what is wrong with a value and what would be right."""
    kind, message = error["type"], error["msg"]
    siblings, field = _declared(model, key)
    if kind == "extra_forbidden":
        return f"there is no such setting: {_suggestion(str(key[-1]), siblings, 'remove it')}"
    if kind == "missing":
        return "this is missing: " + (field.description or "" if field else "give it")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        message = "should be a table (in JSON: an object)"
    elif kind == "tuple_type":
        listed = field is not None and element(field)
        message = "should be a list" + (" of tables (in JSON: of objects)" if listed else "")
    elif kind == "int_parsing_size":
        message = "should be a number of a few digits"
    elif " should " not in message or kind in ("relation", "refused"):
        return message  # the model's own words
    right = message[message.index("should ") :]
    secret = field is not None and SecretStr in (field.annotation, *get_args(field.annotation))
    return f"{'this' if secret else shown(error['input'])} is wrong: it {right}"


def _declared(model: type[BaseModel], key: Key) -> tuple[Mapping[str, FieldInfo], FieldInfo | None]:
    """Return the fields among which the last step of a key is looked up, and the one it finds."""
    fields: Mapping[str, FieldInfo] = {}
    field: FieldInfo | None = None
    here: type[BaseModel] | None = model
    for step in key:
        if isinstance(step, str):
            fields = here.model_fields if here else {}
            field = fields.get(step)
            inner = field.annotation if field else None
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                here = inner
            else:
                here = element(field) if field else None
    return fields, field


def _suggestion(name: str, known: Iterable[str], do: str, prefix: str = "") -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return f"did you mean {prefix}{close[0]}?" if close else f"{do}, or see `tertulia settings`"


def _under(name: str, rest: Key) -> str:
    return dotted((name, *rest))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _given(values: Mapping[str, object]) -> dict[str, object]:
    tables = ((k, _given(v) if isinstance(v, Mapping) else v) for k, v in values.items())
    return {key: value for key, value in tables if value is not None}


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Lay one tree of tables over another; a list is taken whole."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        result[key] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return result


def _is_service_link(name: str, value: str) -> bool:
    url = name.endswith("PORT") and _SERVICE_URL.match(value)
    return bool(_SERVICE_LINK.fullmatch(name) or url)
