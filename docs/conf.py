"""How Sphinx builds these pages: strictly, and without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

sys.path.insert(0, str(Path(__file__).parent))

project = "Interlock"
author = "The Interlock authors"
copyright = author  # noqa: A001  # Sphinx asks for this name
release = "0.1.0"

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
smartquotes = False  # what is quoted is often code

html_theme = "furo"
html_title = "Interlock"
html_static_path = ["static"]


def setup(app: Sphinx) -> None:
    """Put the generated parts of the reference into the pages that ask for them."""
    import reference

    def expand(_app: Sphinx, _page: str, source: list[str]) -> None:
        source[0] = reference.expand(source[0])

    def outdated(_app: Sphinx, env: BuildEnvironment, *_changes: set[str]) -> list[str]:
        # What is generated changes without its page: these are read anew each time.
        return [page for page in env.found_docs if "% generated: " in source_of(env, page)]

    def source_of(env: BuildEnvironment, page: str) -> str:
        return Path(env.doc2path(page)).read_text(encoding="utf-8")

    app.connect("source-read", expand)
    app.connect("env-get-outdated", outdated)
