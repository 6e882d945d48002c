"""Two roles for the strengths that are worth a search, from skreg's one list of them.

    :range:`l1` is "1e-6 to 0.03", and :grid:`l1` is "1e-4, 1e-3, 0.01".

A name that ``skreg/_problem/strengths.py`` does not have stops the build.
"""

from docutils import nodes

from skreg._problem.strengths import STRENGTHS


def number(value):
    """A number as one writes it: 1e-4 rather than 0.0001 or 1e-04."""
    if 0 < value < 0.01:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:g}"


def range_of(name):
    """The range of a strength, in words."""
    strength = STRENGTHS[name]
    return f"{number(strength.low)} to {number(strength.high)}"


def grid_of(name):
    """What a grid search of a strength tries first, in words."""
    return ", ".join(map(number, STRENGTHS[name].grid))


def role(words):
    """A role that writes what `words` says of a strength."""

    def run(name, rawtext, text, lineno, inliner, options=None, content=None):
        if text in STRENGTHS:
            return [nodes.Text(words(text))], []
        error = inliner.reporter.error(
            f"{text!r} is no strength of skreg/_problem/strengths.py; these are: "
            f"{', '.join(STRENGTHS)}.",
            line=lineno,
        )
        return [inliner.problematic(rawtext, rawtext, error)], [error]

    return run


def setup(app):
    """Register the roles."""
    app.add_role("range", role(range_of))
    app.add_role("grid", role(grid_of))
    return {"parallel_read_safe": True}
