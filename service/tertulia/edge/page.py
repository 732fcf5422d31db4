"""The page as a node serves it: few files, small, and none twice.

The modules are one script, and the style sheets one, put together when the node starts; what few people use
comes when it is first wanted (``import("./x.js")``). Browsers keep for good what is asked for by its content
(``page.js?3f…``); they ask again for the rest, if it is the same.
"""

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from posixpath import join, normpath
from typing import Final

import brotli

from tertulia.edge.http import METHODS, Answer, bare
from tertulia.edge.modules import joined_page, without_comments, without_spare
from tertulia.settings.oidc import OidcSettings

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_PACKED: Final = (".css", ".html", ".js", ".svg", ".webmanifest")
"""What gets smaller."""
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_STYLES: Final = re.compile(
    r'(?:<!--[^>]*-->\s*)?<link rel="(?P<when>stylesheet|later)" href="(?P<path>[^"]+)">'
)
_BLANK_IN_STYLE: Final = re.compile(r"(?<=[:,;]) +| +(?=\{)|(?<=[{;,])\s*\n\s*|\n\s*(?=})")
"""What says nothing: not the blank before a colon, which is a descendant's."""
_LANGUAGE: Final = re.compile(r"texts/\w\w\.js")
"""What is loaded as the page begins; the module that does so belongs to the script."""
_LATER: Final = "later.css"
"""The style of what is loaded when it is first wanted: the page has its script load that."""
_WORKER: Final = "offline/worker.js"
_WORKER_NAME: Final = "worker.js"
"""At the root: a worker serves what is below it."""


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    body: bytes
    packed: bytes | None
    version: str
    is_part: bool

    def answer(self, query: str, codings: str, known: str, smallest: bytes | None) -> Answer:
        # Of another version's node it is asked by another name; it may be kept then, but not for good.
        kept = _FOR_GOOD if query == self.version else "no-cache"
        etag = f'W/"{self.version}"'  # weak: it names the same content packed and not
        more = {"Cache-Control": kept, "ETag": etag}
        if self.packed is not None:
            more["Vary"] = "Accept-Encoding"
        if etag in map(str.strip, known.split(",")):
            return Answer(HTTPStatus.NOT_MODIFIED, b"", more=more, is_part=self.is_part)
        if smallest is not None and _takes(codings, "br"):
            more["Content-Encoding"] = "br"
            return Answer(HTTPStatus.OK, smallest, self.content_type, more, self.is_part)
        if self.packed is not None and _takes(codings, "gzip", "*"):
            more["Content-Encoding"] = "gzip"
            return Answer(HTTPStatus.OK, self.packed, self.content_type, more, self.is_part)
        return Answer(HTTPStatus.OK, self.body, self.content_type, more, self.is_part)


class PageFiles:
    """All files of a page, by the path under which they are served."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        """``contents``: by path, what is served; the path's end says what it is.

        What has a version in its path (``/x.js?3f…``) is served by that alone.
        """
        self._files = {path: _file(path, body) for path, body in contents.items()}
        self._smallest: dict[str, bytes | None] = {}
        """What was asked for by who takes brotli; None while it is packed."""
        self._packing = ThreadPoolExecutor(1, "page")

    def answer(self, method: str, target: str, codings: str = "", known: str = "") -> Answer:
        """Answer a request: RFC 9110, 12.5.3 (``codings``) and 13.1.2 (``known``)."""
        path, _, query = target.partition("?")
        path = target if target in self._files else path
        file = self._files.get(path)
        if file is None:
            return bare(HTTPStatus.NOT_FOUND)
        if method not in METHODS:
            return bare(HTTPStatus.METHOD_NOT_ALLOWED, Allow=", ".join(METHODS))
        if file.packed is not None and path not in self._smallest and _takes(codings, "br"):
            # It takes up to 0.3 s of a processor: not at each start, and nobody waits for it.
            self._smallest[path] = None
            self._packing.submit(self._pack, path, file.body)
            return file.answer(query, codings, known, None)
        return file.answer(query, codings, known, self._smallest.get(path))

    def _pack(self, path: str, body: bytes) -> None:
        self._smallest[path] = brotli.compress(body)


def page_files(oidc: OidcSettings | None = None) -> PageFiles:
    """Return the page that comes with the package. ``oidc``: where its readers may sign in.

    Raises ValueError for one that can't be put together.
    """
    sources = sources_of("web")
    if oidc is not None:
        issuer, client = (escape(it) for it in (oidc.issuer, oidc.client_id))
        told = f'<meta name="issuer" content="{issuer}" data-client="{client}">\n    '.encode()
        sources["index.html"] = sources["index.html"].replace(b"<title>", told + b"<title>", 1)
    return PageFiles({f"/{path}": body for path, body in put_together(sources).items()})


def sources_of(folder: str) -> dict[str, bytes]:
    """Return a page of the package as it is written, by the paths within its folder."""
    return dict(_read(files("tertulia") / folder, ""))


@dataclass(frozen=True, slots=True)
class Assembled:
    """A page's parts as they are served, and as they are asked for."""

    served: dict[str, bytes]
    """By path from its folder: the document by none."""
    script: str
    style: str
    later: str | None
    """The style of what is loaded when it is wanted."""
    parts: list[str]
    languages: dict[str, str]
    """By path, as each is asked for."""


def assembled(sources: Mapping[str, bytes], folder: str = "") -> Assembled:
    """Put a page's modules, styles and document together. Raises ValueError where that can't be.

    ``folder``: where its ``index.html`` and its ``page.js`` are, with a slash at its end; what these ask for
    may be elsewhere in ``sources``.
    """
    texts = {
        path: body.decode() for path, body in sources.items() if path.endswith((".js", ".css"))
    }
    within = {path: path.removeprefix(folder) for path in texts if path.startswith(folder)}
    languages = {path: name for path, name in within.items() if _LANGUAGE.fullmatch(name)}
    served = {name: without_spare(texts[path]).encode() for path, name in languages.items()}
    named = {path: _named(name, served[name]) for path, name in languages.items()}
    # A part fits only the script that it was made with: another version's node has none of that name.
    joined, parts = joined_page(
        texts,
        f"{folder}page.js",
        named,
        lambda path, it: _named(path.removeprefix(folder), it.encode()),
    )
    served["page.js"] = (joined.text + "//# sourceMappingURL=page.js.map\n").encode()
    served["page.js.map"] = joined.source_map().encode()
    served |= {name: part.text.encode() for name, part in parts.items()}
    index = sources[f"{folder}index.html"].decode()
    links, asked = {}, {}
    for when, name in (("stylesheet", "style.css"), ("later", _LATER)):
        paths = [it["path"] for it in _STYLES.finditer(index) if it["when"] == when]
        if not paths:
            continue
        text = "".join(without_comments(texts[normpath(join(folder, path))]) for path in paths)
        served[name] = _without_indents(_BLANK_IN_STYLE.sub("", text))
        asked[when] = _named(name, served[name])
        links[when] = f'<link rel="{when}" href="{asked[when]}">'
    script = _named("page.js", served["page.js"])
    # Each takes the place of the first of those that it is made of.
    index = _STYLES.sub(lambda found: links.pop(found["when"], ""), index)
    index = index.replace('rel="later"', 'id="later" rel="later"')
    index = index.replace('src="page.js"', f'src="{script}"')
    served[""] = _without_indents(index)
    return Assembled(
        served,
        script,
        asked["stylesheet"],
        asked.get("later"),
        list(parts),
        {languages[path]: name for path, name in named.items()},
    )


def put_together(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what is served, by path, of a page as it is written. Raises ValueError where that can't be."""
    page = assembled(sources)
    others = {
        path: body for path, body in sources.items() if not path.endswith((".js", ".css", ".html"))
    }
    served = {**others, **page.served}
    # What a browser keeps to show the page without a network; a language, as it is asked for.
    shell = {
        "./": served[""],
        page.script: served["page.js"],
        page.style: served["style.css"],
        "icon.svg": served["icon.svg"],
        "manifest.webmanifest": served["manifest.webmanifest"],
    }
    kept = {
        "files": {name: _integrity(body) for name, body in shell.items()},
        "parts": [*page.parts, *filter(None, [page.later])],
        "languages": {name: _integrity(served[path]) for path, name in page.languages.items()},
    }
    worker = f"self.shell = {json.dumps(kept)};\n" + without_spare(sources[_WORKER].decode())
    return served | {_WORKER_NAME: worker.encode()}


def _read(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for file in folder.iterdir():
        if file.is_dir():
            yield from _read(file, f"{path}{file.name}/")
        elif _ending(file.name) in _TYPES:
            yield path + file.name, file.read_bytes()


def _without_indents(text: str) -> bytes:
    return re.sub(r"\s*\n\s*", "\n", text).encode()


def _file(path: str, body: bytes) -> _File:
    ending = _ending(path) or ".html"
    packed = gzip.compress(body, 9, mtime=0) if ending in _PACKED else None
    is_part = ending != ".html" and path != f"/{_WORKER_NAME}"
    return _File(_TYPES[ending], body, packed, _version(body), is_part)


def _named(path: str, body: bytes) -> str:
    return f"{path}?{_version(body)}"


def _version(body: bytes) -> str:
    return sha256(body).hexdigest()[:12]


def _integrity(body: bytes) -> str:
    return f"sha256-{b64encode(sha256(body).digest()).decode()}"


def _ending(path: str) -> str:
    return "".join(re.findall(r"\.\w+$", path.partition("?")[0]))


def _takes(accepted: str, *names: str) -> bool:
    for one in accepted.split(","):
        name, _, quality = one.partition(";")
        if name.strip().lower() in names:
            return re.fullmatch(r"q=0(\.0*)?", quality.strip().lower()) is None
    return False
