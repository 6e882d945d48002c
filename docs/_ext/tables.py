"""Two directives for tables that are not written by hand.

    .. registry-table:: activations
    .. registry-table:: losses

has the rows of skreg's registries. A loss that has no formula here, or one that its
compiled kernel contradicts, stops the build.

    .. result:: speed

is the table, with what follows it, in ``benchmarks/results/speed.md``.
"""

from itertools import cycle
from pathlib import Path

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from skreg._kernels import units
from skreg._problem.activations import ACTIVATIONS, glorot, glorot_logistic, lecun
from skreg._problem.losses import (
    BINARY_LOG_LOSS,
    MULTINOMIAL_LOG_LOSS,
    REGRESSION_LOSSES,
)

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
INITIALISATION = {
    glorot: "Glorot & Bengio (2010)",
    glorot_logistic: "Glorot & Bengio (2010), a third of the variance",
    lecun: "LeCun et al. (1998)",
}
LINKS = {
    "identity": "f",
    "exp": "exp(f)",
    "logistic": "1 / (1 + exp(-f))",
    "softmax": "exp(f) / sum(exp(f))",
}
LOSSES = REGRESSION_LOSSES | {
    "log loss, two classes or multilabel": BINARY_LOG_LOSS,
    "log loss, more classes": MULTINOMIAL_LOG_LOSS,
}
# The loss and its derivative by the raw output f, as Python.
FORMULAS = {
    "squared_error": ("(f - y)**2 / 2", "f - y"),
    "absolute_error": ("abs(f - y)", "sign(f - y)"),
    "huber": (
        "(f - y)**2 / 2 if abs(f - y) <= delta else delta * (abs(f - y) - delta / 2)",
        "clip(f - y, -delta, delta)",
    ),
    "quantile": ("max(q * (y - f), (q - 1) * (y - f))", "(y < f) - q"),
    "poisson": ("exp(f) - y * f", "exp(f) - y"),
    "gamma": ("f + y * exp(-f)", "1 - y * exp(-f)"),
    "log loss, two classes or multilabel": (
        "log(1 + exp(f)) - y * f",
        "1 / (1 + exp(-f)) - y",
    ),
    "log loss, more classes": (
        "log(sum(exp(f))) - sum(y * f)",
        "exp(f) / sum(exp(f)) - y",
    ),
}
PARAMETERS = {"huber": ("delta", 1.35), "quantile": ("q", 0.3)}


def check(name, kernel):
    """Compare the formulas with the compiled kernel.

    Raises
    ------
    ValueError
        If they differ.
    """
    symbol, value = PARAMETERS.get(name, ("", 0.0))
    multinomial = LOSSES[name] is MULTINOMIAL_LOG_LOSS
    for f, y in [(0.3, 1.0), (-2.0, 1.0), (2.5, 1.0)]:
        f, y = (np.array([f, 0.1]), np.array([y, 0.0])) if multinomial else (f, y)
        known = {"f": f, "y": y, symbol: value} | {
            name: getattr(np, name) for name in ["sign", "clip", "exp", "log"]
        }
        if multinomial:
            known["sum"] = np.sum
        expected = [eval(formula, known) for formula in FORMULAS[name]]
        losses, deltas = units.losses_of(
            kernel, value, np.atleast_2d(f), np.atleast_2d(y)
        )
        computed = losses[0], deltas[0]
        if not all(map(np.allclose, computed, expected)):
            raise ValueError(f"the formulas of {name!r} differ from its kernel")


def activations():
    """Header and rows; a cell in backquotes is code."""
    yield "name", "formula", "initial weights"
    for name, entry in ACTIVATIONS.items():
        yield f"`{name}`", f"`{entry.formula}`", INITIALISATION[entry.bound]


def losses():
    """Header and rows; a cell in backquotes is code."""
    yield "loss", "of the raw output f", "derivative by f", "prediction", "targets"
    for name, entry in LOSSES.items():
        check(name, entry.kernel)
        loss, derivative = FORMULAS[name]
        yield (
            f"`{name}`" if name in REGRESSION_LOSSES else name,
            f"`{loss}`",
            f"`{derivative}`",
            f"`{LINKS[entry.out_activation]}`",
            targets(entry),
        )


def targets(entry):
    """What y may be, in words."""
    if entry is BINARY_LOG_LOSS:
        return "0 or 1"
    if entry is MULTINOMIAL_LOG_LOSS:
        return "one-hot"
    if entry.smallest > -np.inf:
        return f"y {'>' if entry.open_below else '>='} {entry.smallest:g}"
    return "any y"


class RegistryTable(SphinxDirective):
    """A table of one registry."""

    required_arguments = 1

    def run(self):
        """Build the table's nodes."""
        registries = {"activations": activations, "losses": losses}
        return [table(registries[self.arguments[0]]())]


class Result(SphinxDirective):
    """The table and the remark that a benchmark wrote in Markdown."""

    required_arguments = 1

    def run(self):
        """Build the nodes of the table and of the remark."""
        path = RESULTS / f"{self.arguments[0]}.md"
        self.env.note_dependency(path)
        rows, remark = path.read_text("utf-8").strip().split("\n\n")
        header, _, *body = (
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in rows.splitlines()
        )
        built = table([header, *body])
        built["classes"].append("result")
        return [built, nodes.paragraph("", "", *with_code(remark))]


def table(rows):
    """A docutils table; the first row is the header."""
    header, *rows = rows
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", row_of_cells(header))
    group += nodes.tbody("", *map(row_of_cells, rows))
    return nodes.table("", group)


def row_of_cells(texts):
    """One row of a docutils table."""
    row = nodes.row()
    for text in texts:
        row += nodes.entry("", nodes.paragraph("", "", *with_code(text)))
    return row


def with_code(text):
    """Nodes of a text; what is between backquotes is code."""
    return [
        nodes.literal(part, part) if inside else nodes.Text(part)
        for part, inside in zip(text.split("`"), cycle([False, True]), strict=False)
        if part
    ]


def setup(app):
    """Register the directives."""
    app.add_directive("registry-table", RegistryTable)
    app.add_directive("result", Result)
    return {"parallel_read_safe": True}
