"""Sphinx: the pages of docs/ and the Markdown files they link to, as a site (``make site``).

The pages stay plain Markdown that reads well where it lies. docs/index.md lists all of them, and
the navigation is that list; a page that is not on it, a link that leads nowhere and a picture that
is missing end the build, and so does anything that a page would load from another host.
"""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app import __version__  # noqa: E402

project = "Gatepost"
release = __version__
root_doc = "docs/index"
extensions = ["myst_parser"]
include_patterns = [
    "docs/**",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "clients/python/README.md",
    "deploy/patroni/README.md",
    "examples/README.md",
]
exclude_patterns = ["**/node_modules", ".gatepost", ".git", ".venv", "bench", "build", "site"]
myst_heading_anchors = 4
# an info string may name what Pygments has no lexer for, as mermaid, which GitHub draws
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"Gatepost {release}"
html_copy_source = False
html_use_index = False
html_show_sphinx = False
html_show_copyright = False

_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"((?:https?:)?//[^\"]+)")
_STYLED = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)")


def navigation(_: Sphinx, docname: str, source: list[str]) -> None:
    """The list of docs/index.md, once more as the table of contents that Sphinx makes a menu of."""
    if docname != root_doc:
        return
    for section in source[0].split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        pages = "\n".join(re.findall(r"^- \[[^\]]+\]\(([^)#]+)\)", section, re.MULTILINE))
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{pages}\n```\n"


def folders(_: Sphinx, docname: str, source: list[str]) -> None:
    """Links to folders of the project lose their target: a site has no page for these."""

    def without(found: re.Match[str]) -> str:
        return found[1] if (ROOT / docname).parent.joinpath(found[2]).is_dir() else found[0]

    source[0] = re.sub(r"\[([^\]]+)\]\(([^)#:]+)\)", without, source[0])


def finish(app: Sphinx, error: Exception | None) -> None:
    """The site begins at its root, and loads nothing from elsewhere."""
    if error is not None:
        return
    out = Path(app.outdir)
    start = '<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html">\n'
    (out / "index.html").write_text(start)
    for pattern, suffix in ((_LOADED, "html"), (_STYLED, "css")):
        for page in out.rglob(f"*.{suffix}"):
            if found := pattern.search(page.read_text()):
                raise ExtensionError(f"{page.relative_to(out)} loads {found[1]}")


def setup(app: Sphinx) -> None:
    app.connect("source-read", navigation)
    app.connect("source-read", folders)
    app.connect("build-finished", finish)
