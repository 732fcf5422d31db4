"""What the API says of itself: docs/api/openapi.json has it as it is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tertulia.api.app import application

DOCUMENT = Path(__file__).parents[3] / "docs" / "api" / "openapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return application().openapi()


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [it for methods in described["paths"].values() for it in methods.values()]


def test_the_document_has_it_as_it_is(described: dict[str, Any]) -> None:
    told = json.loads(DOCUMENT.read_text())
    assert told == described, "run tertulia api openapi > docs/api/openapi.json"


def test_every_operation_has_a_name_of_its_own_that_reads_well(described: dict[str, Any]) -> None:
    names = [it["operationId"] for it in operations(described)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in names), names


def test_every_operation_needs_a_token_and_has_problems(described: dict[str, Any]) -> None:
    for it in operations(described):
        assert it["security"], it
        for status in ("4XX", "5XX"):
            assert it["responses"][status] == {"$ref": "#/components/responses/Problem"}
        assert not [code for code in it["responses"] if code.startswith("4") and code != "4XX"]


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(described)):
        found: Any = described
        for step in reference.split("/"):
            found = found[step]
