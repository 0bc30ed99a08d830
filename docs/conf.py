"""Configuration of Sphinx: ``sphinx-build docs html`` builds the documentation."""

from skgrad import __version__

project = "skgrad"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc", "myst_parser"]
autodoc_default_options = {
    "members": True,
    "exclude-members": "set_fit_request, set_partial_fit_request, set_score_request",
}
numpydoc_show_class_members = False
html_theme = "alabaster"
