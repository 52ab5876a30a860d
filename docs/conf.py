"""How Sphinx builds these pages: strictly, and without a network."""

project = "Interlock"
author = "The Interlock authors"
copyright = author  # noqa: A001  # Sphinx asks for this name
release = "0.1.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Only our own names can be looked up; those of other projects would need their inventories.
nitpick_ignore_regex = [(r"py:.*", r"(?!interlock).*")]

html_theme = "furo"
html_title = "Interlock"
