"""Check the Lua scripts by luacheck, each as Redis gets it; what is found is told by file and line."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tertulia.redis.script import Script
from tertulia.store import scripts

ROOT = Path(__file__).parents[2]
LUA = ROOT / "service/tertulia/store/lua"
COMPOSED = ROOT / "build/lua"

_FOUND = re.compile(r"([^:]+)\.lua:(\d+):(\d+: .+)")
_ELSEWHERE = re.compile(r"on line (\d+)")
# Of what is not used, or not any more: another script may use it.
_UNUSED = re.compile(r"\d+: \(W[23]")


def check(
    luacheck: str, files: Mapping[str, str], texts: Mapping[str, str], folder: Path
) -> list[str]:
    """Return what luacheck finds in scripts, one a line.

    ``files``: those of which they are put together, by the name under which they are told of. ``texts``: the
    scripts, by name; they are written to ``folder``. What stands in none of the files is told of as there.
    """
    places: dict[str, list[tuple[str, int]]] = {}
    users: dict[str, set[str]] = defaultdict(set)
    folder.mkdir(parents=True, exist_ok=True)
    for script, text in texts.items():
        path = folder / f"{script}.lua"
        path.write_text(text, "utf-8")
        places[script] = [(str(path), it + 1) for it in range(text.count("\n") + 1)]
        for name, content in files.items():
            if content in text:
                begin, count = text[: text.index(content)].count("\n"), content.count("\n")
                places[script][begin : begin + count] = [(name, it + 1) for it in range(count)]
                users[name].add(script)

    found: dict[tuple[str, int, str], set[str]] = defaultdict(set)
    for line in _run(luacheck, [f"{it}.lua" for it in texts], folder):
        it = _FOUND.fullmatch(line)
        if it is None:
            raise RuntimeError(line)
        script, number, rest = it[1], int(it[2]), it[3]
        if other := _ELSEWHERE.search(rest):
            name, at = places[script][int(other[1]) - 1]
            rest = rest.replace(other[0], f"in {name}:{at}")
        found[(*places[script][number - 1], rest)].add(script)
    return [
        f"{name}:{number}:{rest}"
        for (name, number, rest), by in sorted(found.items())
        if by >= users[name] or not _UNUSED.match(rest)
    ]


def _run(luacheck: str, scripts: list[str], folder: Path) -> list[str]:
    command = [
        luacheck,
        "--config",
        str(ROOT / ".luacheckrc"),
        "--formatter",
        "plain",
        "--codes",
        *scripts,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode > 2:  # of 1 and 2, it has found something
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout.splitlines()


def main() -> None:
    """Check the service's scripts, and exit."""
    luacheck = shutil.which("luacheck")
    if luacheck is None:
        sys.exit("there is no luacheck here, which checks the Lua: apt-get install lua-check")
    files = {str(it.relative_to(ROOT)): it.read_text("utf-8") for it in LUA.glob("*.lua")}
    those = {name.lower(): it for name, it in vars(scripts).items() if isinstance(it, Script)}
    found = check(luacheck, files, {name: it.plain.text for name, it in those.items()}, COMPOSED)
    for line in [*found, f"{len(those)} Lua scripts checked, {len(found)} findings"]:
        sys.stdout.write(f"{line}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
