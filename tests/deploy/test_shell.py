"""Shell scripts, by shellcheck."""

from deploy.tools import ROOT, packaged, run

FOLDERS = (".ci", "deploy", "tests")


def test_every_shell_script_is_clean() -> None:
    scripts = [
        file
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*")
        if "node_modules" not in file.parts  # others' programs
        and file.is_file()
        and file.read_bytes()[:100].partition(b"\n")[0].endswith(b"sh")
    ]
    assert len(scripts) >= 3
    run([packaged("shellcheck"), *scripts])
