"""The page's files: put together, packed, and asked for again."""

import gzip
import json
import re
from hashlib import sha256
from pathlib import Path

import brotli
import pytest

import tertulia
from harness.waiting import until_sync
from tertulia.edge.page import PageFiles, page_files, put_together

WEB = Path(tertulia.__file__).parent / "web"
SOURCES = {it.relative_to(WEB).as_posix(): it.read_bytes() for it in WEB.rglob("*.*")}
FILES = PageFiles({"/": b"<p>", "/page.js": b"'use strict';" * 99, "/x.png": b"png"})


@pytest.fixture(scope="module")
def page() -> PageFiles:
    return page_files()


def test_the_page_names_its_files_by_what_is_in_them(page: PageFiles) -> None:
    index = page.answer("GET", "/").body.decode()
    script, style = (
        re.findall(pattern, index) for pattern in (r'src="(page\.js[^"]*)"', r'href="(st[^"]*)"')
    )
    assert len(script) == len(style) == 1  # however many there are where they are written
    for (name,) in (script, style):
        answer = page.answer("GET", f"/{name}")
        assert name.endswith("?" + sha256(answer.body).hexdigest()[:12])
        assert "immutable" in answer.more["Cache-Control"]
        older = page.answer("GET", f"/{name}0")
        assert older.status == 200
        assert older.more["Cache-Control"] == "no-cache"
    assert re.findall(
        r'import\("\./texts/en\.js\?\w{12}"\)', page.answer("GET", "/page.js").body.decode()
    )


def bare(text: str) -> str:
    """Return a text without blanks, and without private names."""
    return re.sub(r"#\w+|\s", "", text)


def test_every_style_sheet_and_module_is_in_it(page: PageFiles) -> None:
    style = "".join(
        bare(page.answer("GET", f"/{name}.css").body.decode()) for name in ("style", "later")
    )
    script = page.answer("GET", "/page.js").body.decode()
    for name in re.findall(r'\$load\("\./([^"]+)"', script):
        script += page.answer("GET", f"/{name}").body.decode()
    script = bare(script)
    for path, source in SOURCES.items():
        lines = [it for it in source.decode("latin-1").split("\n") if it.endswith("{")]
        if path.endswith(".css"):
            assert lines, path
            assert all(bare(it) in style for it in lines if it.isascii()), path
        elif path.endswith(".js") and not path.startswith(("texts/", "offline/")):
            methods = [it for it in lines if re.match(r"  [#\w]+\(.*\) \{$", it)]
            assert all(bare(it) in script for it in methods), path
    assert "/*" not in style


def test_the_worker_knows_what_belongs_to_the_page(page: PageFiles) -> None:
    first, *_ = page.answer("GET", "/worker.js").body.decode().split("\n")
    shell = json.loads(first.removeprefix("self.shell = ").removesuffix(";"))
    assert set(shell) == {"files", "parts", "languages"}
    assert {it.partition("?")[0] for it in shell["files"]} >= {"./", "page.js", "style.css"}
    for name in (*shell["files"], *shell["parts"], *shell["languages"]):
        assert page.answer("GET", "/" + name.removeprefix("./")).status == 200


def test_a_part_is_served_by_its_exact_name(page: PageFiles) -> None:
    script = page.answer("GET", "/page.js").body.decode()
    (name,) = re.findall(r'"\./(dialogs/help\.js\?\w{12})"', script)
    assert "immutable" in page.answer("GET", f"/{name}").more["Cache-Control"]
    # It would be handed what it doesn't know: the page says that it could not be loaded.
    assert page.answer("GET", f"/{name}0").status == 404
    assert page.answer("GET", "/dialogs/help.js").status == 404


def test_another_text_is_another_version() -> None:
    before = put_together(SOURCES)
    path = "texts/en.js"
    after = put_together({**SOURCES, path: SOURCES[path] + b"export const MORE = 1;\n"})
    changed = {it for it in before if before[it] != after[it]}
    assert changed == {"", "page.js", "texts/en.js", "worker.js"}


def test_types(page: PageFiles) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/icons/icon-192.png", "image/png"),
        ("/icon.svg", "image/svg+xml"),
    ):
        assert page.answer("GET", path).content_type == kind


def test_icons_are_there_and_have_their_sizes(page: PageFiles) -> None:
    manifest = json.loads(page.answer("GET", "/manifest.webmanifest").body)
    for icon in manifest["icons"]:
        body = page.answer("GET", f"/{icon['src']}").body
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(body[at : at + 4]) for at in (16, 20))
            assert f"{width}x{height}" == icon["sizes"]
        else:
            assert body.startswith(b"<svg")


@pytest.mark.parametrize(
    ("codings", "is_packed"),
    [("gzip", True), ("zstd, GZIP;q=0.5", True), ("*", True), ("", False), ("zstd", False),
     ("gzip;q=0", False), ("gzip; q=0.0", False), ("gzipped", False)],
)  # fmt: skip
def test_packed_for_who_takes_it(codings: str, is_packed: bool) -> None:
    answer = FILES.answer("GET", "/page.js", codings)
    assert (answer.more.get("Content-Encoding") == "gzip") is is_packed
    assert answer.more["Vary"] == "Accept-Encoding"
    body = gzip.decompress(answer.body) if is_packed else answer.body
    assert body == b"'use strict';" * 99


def test_packed_best_once_it_was_asked_for() -> None:
    files = PageFiles({"/page.js": b"'use strict';" * 99, "/x.png": b"png"})
    first = files.answer("GET", "/page.js", "gzip, br")
    assert first.more["Content-Encoding"] == "gzip"  # nobody waits

    def packed_best() -> bool:
        return files.answer("GET", "/page.js", "gzip, br").more["Content-Encoding"] == "br"

    until_sync(packed_best, 60, "it to be packed")
    answer = files.answer("GET", "/page.js", "gzip, br")
    assert brotli.decompress(answer.body) == b"'use strict';" * 99
    assert answer.more["ETag"] == first.more["ETag"]
    assert files.answer("GET", "/page.js", "gzip").more["Content-Encoding"] == "gzip"
    assert files.answer("GET", "/page.js", "gzip, br;q=0").more["Content-Encoding"] == "gzip"
    assert files.answer("GET", "/x.png", "br").body == b"png"


def test_a_picture_is_not_packed() -> None:
    assert FILES.answer("GET", "/x.png", "gzip").body == b"png"


def test_what_is_known_is_not_sent() -> None:
    etag = FILES.answer("GET", "/page.js").more["ETag"]
    for known in (etag, f'W/"other", {etag}'):
        answer = FILES.answer("GET", "/page.js", "gzip", known)
        assert answer.status == 304
        assert answer.body == b""
        assert answer.more["ETag"] == etag
        assert not answer.headers().keys() & {"Content-Length", "Content-Type", "Content-Encoding"}
    assert FILES.answer("GET", "/page.js", "", 'W/"other"').status == 200
