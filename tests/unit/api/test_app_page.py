"""docs/api.md has every request that there is, and every kind of error."""

import re
from pathlib import Path

from fakes.api import FakeApi

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text()
SERVICE = ROOT / "service" / "tertulia"


def nameless(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_request_stands_in_the_table(api: FakeApi) -> None:
    told = set()
    for cell in re.findall(r"^\| (`(?:GET|POST|PUT|DELETE).*?) \|", PAGE, re.MULTILINE):
        methods: list[str] = []
        for method, path in re.findall(r"`(GET|POST|PUT|DELETE)(?: (/[^`?]*))?", cell):
            methods.append(method)
            told |= {(it, nameless(path)) for it in methods if path}
            methods = [] if path else methods
    paths = api.app.openapi()["paths"]
    there = {
        (method.upper(), nameless(path.removeprefix("/v1")))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/v1")
    }
    assert len(there) > 30
    assert told == there


def test_every_kind_of_error_is_explained() -> None:
    kinds = set()
    for file in (SERVICE / "api").rglob("*.py"):
        kinds |= set(re.findall(r'HTTPStatus\.\w+,\s*"([a-z-]+)"', file.read_text()))
    for file in (SERVICE / "operators").rglob("*.py"):
        kinds |= {f"no-{it}" for it in re.findall(r'NotThere\(\s*"(\w+)"', file.read_text())}
    assert len(kinds) > 20
    assert {it for it in kinds if f"`{it}`" not in PAGE} == set()
