"""Shared files: hostile names, bounds, and nothing that was there is touched."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.clients.device import downloads
from tertulia.clients.device.downloads import (
    MAX_FILE,
    MAX_KEPT,
    NAMELESS,
    CannotKeep,
    CannotShare,
    keep,
    read_to_share,
    safe_name,
)


@each(
    ("said", "kept"),
    [
        ("foto.jpg", "foto.jpg"),
        ("perché no.txt", "perché no.txt"),
        ("../../x", "x"),
        ("../..", NAMELESS),
        ("/etc/passwd", "passwd"),
        ("/", NAMELESS),
        ("..\\..\\x", "x"),
        ("C:\\Windows\\x.dll", "x.dll"),
        ("C:x", "Cx"),
        ("x\0.jpg", "x.jpg"),
        ("\0", NAMELESS),
        ("", NAMELESS),
        (" ", NAMELESS),
        (".", NAMELESS),
        ("..", NAMELESS),
        ("...", NAMELESS),
        (".bashrc", "bashrc"),
        ("x. . ", "x"),
        ("a\nb\x1b[31m", "ab[31m"),
        ("gnp\u202excod.exe", "gnpxcod.exe"),  # would be read from right to left
        ('a<b>:"|?*', "ab"),
        ("con", "_con"),
        ("CON.txt", "_CON.txt"),
        ("con .txt", "_con .txt"),
        ("Lpt1.tar.gz", "_Lpt1.tar.gz"),
        ("console", "console"),
        ("x" * 300, "x" * 120),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * 118),
        ("è" * 200, "è" * 60),
        ("\ud800x", "x"),
    ],
)
def test_a_name_is_only_a_name(said: str, kept: str) -> None:
    assert safe_name(said) == kept


@given(st.text(max_size=200) | st.text("./\\\0 ~x\n", max_size=12))
def test_no_name_leads_anywhere(said: str) -> None:
    name = safe_name(said)
    assert name not in ("", ".", "..")
    assert not set("/\\\0:\n") & set(name)
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    assert len(name.encode()) <= 120
    assert (Path("/somewhere") / name).parent == Path("/somewhere")
    assert safe_name(name) == name


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "x\0", "", ".", "..", "con", "n" * 500])
def test_a_file_is_kept_in_the_folder_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a" / "downloads"
    path = keep(folder, name, b"\0\xff")
    assert path.resolve().parent == folder.resolve()
    assert path.read_bytes() == b"\0\xff"
    assert [it.name for it in tmp_path.iterdir()] == ["a"]


def test_a_kept_file_is_private_and_can_t_be_run(tmp_path: Path) -> None:
    path = keep(tmp_path / "downloads", "x.sh", b"#!/bin/sh\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_never_over_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("mine")
    assert keep(tmp_path, "x.txt", b"one").name == "x (1).txt"
    assert keep(tmp_path, "x.txt", b"two").name == "x (2).txt"
    assert (tmp_path / "x.txt").read_text() == "mine"
    assert (tmp_path / "x (1).txt").read_bytes() == b"one"


def test_never_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "x").symlink_to(target)
    assert keep(tmp_path / "downloads", "x", b"one").name == "x (1)"
    assert not target.exists()


def test_so_many_of_one_name_are_too_many(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    for number in range(1, 1001):
        (tmp_path / f"x ({number})").touch()
    with pytest.raises(CannotKeep, match="too many"):
        keep(tmp_path, "x", b"")


def test_65535_bytes_are_kept_and_65536_are_not(tmp_path: Path) -> None:
    assert MAX_FILE == 65_535
    assert keep(tmp_path, "x", b"x" * 65_535).stat().st_size == 65_535
    with pytest.raises(CannotKeep, match="65536 bytes"):
        keep(tmp_path, "y", b"x" * 65_536)
    assert [it.name for it in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_can_t_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "downloads").write_text("no folder")
    with pytest.raises(CannotKeep, match="downloads"):
        keep(tmp_path / "downloads", "x", b"")


def test_a_file_is_read_to_be_shared(tmp_path: Path) -> None:
    (tmp_path / "è.txt").write_bytes(b"x" * 65_535)
    assert read_to_share(tmp_path / "è.txt") == ("è.txt".encode(), b"x" * 65_535)


def test_a_file_that_can_t_be_shared(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 65_536)
    os.mkfifo(tmp_path / "pipe")
    for path, why in [
        (tmp_path / "big", "more than 65535 bytes"),
        (tmp_path / "none", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "pipe", "not a file"),
        (Path("/dev/zero"), "not a file"),
    ]:
        with pytest.raises(CannotShare, match=why):
            read_to_share(path)


def test_a_folder_holds_so_many_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_KEPT == 2000
    monkeypatch.setattr(downloads, "MAX_KEPT", 20)
    for number in range(20):
        (tmp_path / str(number)).touch()
    with pytest.raises(CannotKeep, match="has 20 files, the most; move them away"):
        keep(tmp_path, "one more", b"x")
    (tmp_path / "0").unlink()
    assert keep(tmp_path, "one more", b"x").read_bytes() == b"x"
