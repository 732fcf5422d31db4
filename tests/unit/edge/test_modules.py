"""Modules that are put together: what they may say, and where each line was."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.requirements import program
from tertulia.edge.modules import JoinedModules, joined_page, without_comments, without_spare

PAGE = {
    "page.js": """/** Begins. */
import { load } from "./texts/texts.js";
import {
  double,
  triple as thrice,
} from "./log/numbers.js";
import * as shapes from "./log/shapes.js";

// A comment of its own.
console.log(double(2), thrice(2), new shapes.Square(3).area, load.name); // and one beside code
""",
    "log/numbers.js": """import { BASE } from "../base.js";
/** @type {const} */ ([1]).length;
export const double = (n) => BASE * n;
const TEXT = `
  two words

`;
if (TEXT.length !== 14) throw new Error(TEXT);
const SIGNS = /[ "`/]+ =/u; // a text begins with none of these
if (!SIGNS.test('a " =') || "a  =  b { c }".length !== 13 || 8 / 2 / 2 !== 2) throw new Error("signs");
export async function later() {}
export function triple(n) {
  /*
   * Several lines.
   */
  return n + double(n);
}
""",
    "log/shapes.js": """import { BASE } from "../base.js";
export class Square {
  #side;
  constructor(side) {
    this.#side = side;
  }
  get area() {
    return Number(`${this.#power(BASE)}`);
  }
  #power(exponent) {
    return this.#side ** exponent;
  }
}
""",
    "base.js": "export const BASE = 2;\n",
    "texts/texts.js": """export async function load(language) {
  return (await import("./en.js")).EN;
}
""",
}
CALLS = {"texts/en.js": 'import("./texts/en.js?1")'}


def test_what_is_put_together_does_the_same() -> None:
    joined = JoinedModules(PAGE, "page.js", CALLS)
    done = subprocess.run(
        [program("node", "nodejs"), "--input-type=module"],
        input=joined.text,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "4 6 9 load\n"
    assert 'import("./texts/en.js?1")' in joined.text
    assert joined.text.count("BASE=2") == 1  # asked for twice, and there once
    assert "#side" not in joined.text
    assert "#power" not in joined.text


def test_a_part_shares_the_modules_that_are_there(tmp_path: Path) -> None:
    sources = {
        "page.js": """import { count } from "./count.js";
const [one, again] = await Promise.all([import("./late/dialog.js"), import("./late/dialog.js")]);
console.log(count(), one.open(), one === again);
""",
        "count.js": "let n = 0;\nexport function count() {\n  n += 1;\n  return n;\n}\n",
        "late/dialog.js": """import { count } from "../count.js";
import { TEXT } from "./text.js";
export function open() {
  return `${TEXT} ${count()}`;
}
""",
        "late/text.js": 'export const TEXT = "opened";\n',
    }
    page, parts = joined_page(sources, "page.js", {}, lambda path, _: f"{path.replace('/', '-')}?1")
    assert "TEXT" not in page.text
    assert list(parts) == ["late-dialog.js?1"]
    (tmp_path / "page.mjs").write_text(page.text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "late-dialog.js").write_text(parts["late-dialog.js?1"].text)
    done = subprocess.run(
        [program("node", "nodejs"), tmp_path / "page.mjs"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1 opened 2 true\n"


def test_a_part_loads_no_others() -> None:
    sources = {
        "a.js": 'import("./b.js");\n',
        "b.js": 'import("./c.js");\n',
        "c.js": "export const C = 1;\n",
    }
    with pytest.raises(ValueError, match=r"b\.js loads c\.js"):
        joined_page(sources, "a.js", {}, lambda path, _: path)


DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def numbers(text: str) -> list[int]:
    """Read numbers as source maps have them."""
    found, value, shift = [], 0, 0
    for digit in map(DIGITS.index, text):
        value += (digit & 31) << shift
        shift += 5
        if digit < 32:
            found.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return found


def bare(text: str) -> str:
    """Return a text without blanks, and without private names."""
    return re.sub(r"#\w+|\s", "", text)


def test_the_map_finds_every_line() -> None:
    joined = JoinedModules(PAGE, "page.js", CALLS)
    source_map = json.loads(joined.source_map())
    sources = [text.split("\n") for text in source_map["sourcesContent"]]
    lines = joined.text.split("\n")
    source = line = found = 0
    for number, mappings in enumerate(source_map["mappings"].split(";")):
        column = 0
        for mapping in filter(None, mappings.split(",")):
            more_columns, more_sources, more_lines, _ = numbers(mapping)
            column, source, line = column + more_columns, source + more_sources, line + more_lines
            there = sources[source][line].strip()
            if "import" not in there and there not in ("double,", "triple as thrice,"):
                written = bare(without_spare(there)).removeprefix("export")
                assert bare(lines[number][column:]).startswith(written)
                found += 1
    assert found >= 20
    assert source_map["sources"][-1] == "modules/page.js"


def test_a_text_within_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.js has a text within a text"):
        JoinedModules({"a.js": 'let a = `b ${c ? `d` : ""}`;\n'}, "a.js", {})


def test_a_module_that_stays_one_is_without_what_says_nothing() -> None:
    source = '/** a */\nexport const B = {\n  c: "d: { e }", // f\n};\n'
    assert without_spare(source) == '\nexport const B={\nc:"d: { e }",\n};\n'


def test_comments_go_and_lines_stay() -> None:
    source = '/** a\n * b */\n  // c\nlet d = "/* e */"; // f\n/** @type {g} */ (h); /* i */\n'
    assert without_comments(source) == (
        '\n\n\nlet d = "/* e */"; // f\n/** @type {g} */ (h); /* i */\n'
    )


@pytest.mark.parametrize(
    "line",
    ['import x from "./base.js";', 'import "./base.js";', "export default 1;", "export { x };",
     'export * from "./base.js";', "export let x = 1;", 'import { x } from "elsewhere";'],
)  # fmt: skip
def test_what_is_written_otherwise_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"a/page\.js has "):
        JoinedModules({"a/page.js": line + "\n", "a/base.js": ""}, "a/page.js", {})


def test_a_circle_is_refused() -> None:
    sources = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}
    with pytest.raises(ValueError, match=r"a\.js imports itself, through b\.js"):
        JoinedModules(sources, "a.js", {})
