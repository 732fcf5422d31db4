"""The check of the Lua scripts finds what is wrong in them as they are run, and says where."""

from pathlib import Path

import pytest

from harness.lua_check import check
from harness.requirements import program

LIBRARY = """local function double(it)
  return 2 * it
end
local function triple(it)
  return 3 * it
end
"""


def found(folder: Path, **scripts: str) -> list[str]:
    """Return what is found in scripts that have the library in front, without columns and codes."""
    files = {"library.lua": LIBRARY} | {f"{name}.lua": text for name, text in scripts.items()}
    texts = {name: LIBRARY + text for name, text in scripts.items()}
    lines = check(program("luacheck", "lua-check"), files, texts, folder)
    return [
        f"{name}:{number}: {rest.partition(') ')[2]}"
        for name, number, _, rest in (it.split(":", 3) for it in lines)
    ]


def test_a_name_that_no_part_of_a_script_has_is_found_where_it_stands(tmp_path: Path) -> None:
    assert found(
        tmp_path,
        one="-- One\nreturn double(1)\n",
        two="-- Two\n\nreturn triple(KEYS[1]) + quadruple(2)\n",
    ) == ["two.lua:3: accessing undefined variable 'quadruple'"]


def test_what_one_script_uses_is_used(tmp_path: Path) -> None:
    assert found(tmp_path, one="return double(1)\n", two="return triple(2)\n") == []


def test_what_no_script_uses_is_found_once(tmp_path: Path) -> None:
    assert found(tmp_path, one="return double(1)\n", two="return double(2)\n") == [
        "library.lua:4: unused function 'triple'"
    ]


@pytest.mark.parametrize("call", ["print(1)", "os.time()", "require('socket')"])
def test_what_redis_does_not_give_to_a_script_is_found(tmp_path: Path, call: str) -> None:
    both = "double(1)\ntriple(1)\n"
    (line,) = found(tmp_path, one=f"{both}{call}\n")
    assert line.startswith("one.lua:3: accessing undefined variable")


def test_what_stands_in_no_file_is_found_in_the_script(tmp_path: Path) -> None:
    texts = {"made": "local FIELDS = { a = 1 }\n" + LIBRARY + "return double(triple(1))\n"}
    (line,) = check(program("luacheck", "lua-check"), {"library.lua": LIBRARY}, texts, tmp_path)
    assert line.startswith(f"{tmp_path}/made.lua:1:7: (W211) unused variable 'FIELDS'")


def test_a_script_that_is_no_lua_is_told_of(tmp_path: Path) -> None:
    (line,) = found(tmp_path, one="double(1)\ntriple(1)\nreturn return\n")
    assert line.startswith("one.lua:3: expected")


def test_what_a_part_lacks_in_one_script_is_found(tmp_path: Path) -> None:
    library = "local function triple(it)\n  return it + double(it)\nend\n"
    doubling = "local function double(it)\n  return 2 * it\nend\n"
    texts = {"one": f"{doubling}{library}return triple(1)\n", "two": f"{library}return triple(1)\n"}
    (line,) = check(program("luacheck", "lua-check"), {"library.lua": library}, texts, tmp_path)
    assert line == "library.lua:2:15: (W113) accessing undefined variable 'double'"
