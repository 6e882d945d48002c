"""Sphinx configuration: `sphinx-build -W -b html docs docs/_build/html`."""

import os
import sys
from pathlib import Path

import skreg

# directives for tables that are not written by hand, and the look of plots
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skreg"
author = "The skreg developers"
copyright = author
version = release = skreg.__version__

extensions = [
    "numpydoc",
    "tables",
    "public_names",
    "regularizers",
    "strengths",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    # MathJax becomes a part of the site: formulas need no other server
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery"]
default_role = "literal"

# Links to other projects need their inventories from the network. Without it the names
# stay plain text, and a build on any machine gives no warning.
intersphinx_mapping = {}
if os.environ.get("READTHEDOCS"):
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable", None),
        "python": ("https://docs.python.org/3", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

autosummary_generate = True
# the context of its templates holds a function (_ext/public_names.py)
suppress_warnings = ["config.cache"]
toc_object_entries_show_parents = "hide"
# the template of classes lists the members itself (_ext/public_names.py)
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_examples",
    "subsection_order": [
        f"gallery/{name}" for name in ["first", "penalties", "training", "searches"]
    ],
    "within_subsection_order": "FileNameSortKey",
    # the examples that use a class are shown on its page
    "doc_module": "skreg",
    "backreferences_dir": "generated",
    # for screens of two pixels to one of the page
    "image_srcset": ["2x"],
    "thumbnail_size": (800, 560),
    # output is what is printed, not the value of a last line
    "capture_repr": (),
    # no page with the seconds of the machine that built the documentation
    "write_computation_times": False,
    "reset_modules": ("matplotlib", "plot_style.set_plot_style"),
}

# prompts and output are not copied
copybutton_exclude = ".linenos, .gp, .go"

# The size of the text around them; the longest formula fits the column then.
mathjax3_config = {"chtml": {"scale": 0.9}}

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["skreg.css"]
# These pages have no pages below them, and their tables need the width.
html_sidebars = {page: [] for page in ["benchmarks", "install", "references", "start"]}
html_title = "skreg"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
