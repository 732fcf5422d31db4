"""How Sphinx makes the site (``make docs``) of the pages that GitHub shows as they are.

Its sources begin at the root of the repository: a link from page to page is the same here and there, and
one to any other file is a download. A link or an anchor that leads nowhere is a warning, and ``make docs``
fails with one.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx

ROOT: Final = Path(__file__).parents[1]
MAP: Final = ROOT / "docs" / "index.md"
"""The page that names all others, from which the navigation is made: so nobody keeps two lists."""
PART: Final = re.compile(r"^## (.+)\n((?:(?!## ).*\n)*)", re.MULTILINE)
LINK: Final = re.compile(r"^- \[.+?\]\(([\w./-]+)\.md\)", re.MULTILINE)
FOLDERS: Final = {"docs/decisions/README": "0*"}
"""Pages that stand for their folder, and which pages of it come below them."""
WIDE: Final = (4, 60)
"""Columns, and letters in the longest row, with which a table is too wide for a phone."""

project = "Tertulia"
html_title = project
extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".?*", "build", "node_modules", "test-output", "var"]  # else they are walked

myst_heading_anchors = 4  # by GitHub's rule
nitpicky = True
# Examples show the wire, and lines with … in them: what is in no language is not coloured.
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_favicon = html_logo = "../service/tertulia/web/icon.svg"
html_copy_source = False
html_show_copyright = False
copybutton_prompt_text = "$ "
copybutton_here_doc_delimiter = "EOF"

linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|([\w-]+\.)*example(\.\w+)?)([:/].*)?$"]

linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]  # a script of theirs makes them


def setup(app: Sphinx) -> None:
    """Have the navigation put in, and the front page where browsers look for it."""
    app.connect("source-read", add_navigation)
    app.connect("doctree-resolved", label_cells)
    app.connect("build-finished", copy_front_page)


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Put under the front page what the map names, part by part, and under a folder's page its folder."""
    if page == root_doc:
        app.env.note_dependency(str(MAP))  # so that it is read again when the map changes
        parts = PART.findall(MAP.read_text())
        trees = [
            tree([f"/docs/{it}" for it in LINK.findall(text)], ":hidden:", f":caption: {title}")
            for title, text in parts
        ]
        source[0] += tree(["docs/index"], ":hidden:") + "".join(trees)
    elif page in FOLDERS:
        source[0] += tree([FOLDERS[page]], ":glob:", ":maxdepth: 1")


def tree(pages: list[str], *options: str) -> str:
    """Return the directive for a part of the navigation."""
    return "\n".join(["", "", "```{toctree}", *options, "", *pages, "```", ""])


def label_cells(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Name the column in each cell of wide tables: on a phone cells stand below each other (site.css)."""
    for table in doctree.findall(nodes.table):
        head = next(table.findall(nodes.thead), None)
        names = [it.astext() for it in head.findall(nodes.entry)] if head else []
        rows = [*next(table.findall(nodes.tbody)).findall(nodes.row)]
        columns, letters = WIDE
        if len(names) < columns or max(len(row.astext()) for row in rows) < letters:
            continue
        table["classes"].append("wide")
        for row in rows:
            for name, cell in zip(names, row.findall(nodes.entry), strict=True):
                if name and cell.children:
                    cell.insert(0, nodes.container("", nodes.Text(name), classes=["column"]))


def copy_front_page(app: Sphinx, failure: Exception | None) -> None:
    """Let the front page be the site's index, too."""
    if failure is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")
