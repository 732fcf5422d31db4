"""Where a module's tests are: this tree mirrors that of the code. And one name is one class there."""

import ast
from collections import Counter
from pathlib import Path

UNIT = Path(__file__).parent
ROOT = UNIT.parents[1]
SERVICE = ROOT / "service" / "tertulia"
LOAD = ROOT / "load" / "tertulia_load"
OF_NO_MODULE = {
    "test_device_page.py": "a page of docs/, whose lines name code and tests of several wings",
    "test_docs_index.py": "the map of docs/",
    "test_protocol_pages.py": "what code and tests cite of docs/",
    "test_tree.py": "this tree",
}


def folders(wing: Path) -> list[Path]:
    """Return where the modules of a wing are: in the service, or in what tests are made with."""
    if wing.parts[:1] == ("load",):
        return [LOAD.joinpath(*wing.parts[1:])]
    return [SERVICE / wing, ROOT / "tests" / wing]


def is_of_a_module(test: Path) -> bool:
    """Say whether ``WING/test_MODULE.py`` or ``WING/test_MODULE_more.py`` has its ``WING/MODULE.py``."""
    found = [it for folder in folders(test.parent.relative_to(UNIT)) for it in folder.glob("*")]
    modules = {it.stem for it in found if it.suffix == ".py" or (it / "__init__.py").exists()}
    subject = test.stem.removeprefix("test_")
    return any(f"{subject}_".startswith(f"{it}_") for it in modules)


def test_every_file_here_is_where_its_module_is_in_the_code() -> None:
    astray = {str(it.relative_to(UNIT)) for it in UNIT.rglob("test_*.py") if not is_of_a_module(it)}
    assert astray == set(OF_NO_MODULE), (
        "WING/test_MODULE.py here is for service/tertulia/WING/MODULE.py"
    )


def test_every_folder_here_is_a_package_so_that_two_files_may_have_one_name() -> None:
    folders = {it.parent for it in UNIT.rglob("test_*.py")}
    assert [it for it in folders if not (it / "__init__.py").exists()] == []


def test_no_public_class_of_the_service_has_the_name_of_another_one() -> None:
    defined = Counter(
        node.name
        for file in SERVICE.rglob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert defined["Room"] == 1
    assert [name for name, count in defined.items() if count > 1] == []
