"""Where the documentation of a class is, for the HTML representation."""

# The address that pyproject.toml gives, of the newest release.
ADDRESS = "https://skreg.readthedocs.io/en/stable"


class DocumentationLinkMixin:
    """The question mark of a class's HTML representation leads to its page.

    These are scikit-learn's names (since 1.5). The template is that of the pages which
    Sphinx makes from ``docs/api.rst``. A class that somebody derives outside skreg has
    no page there, and gets no link.
    """

    _doc_link_module = "skreg"
    _doc_link_template = ADDRESS + "/generated/{estimator_module}.{estimator_name}.html"
