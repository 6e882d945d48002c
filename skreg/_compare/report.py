"""The tables on the screen."""

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .candidates import TUNED
from .findings import HELPED, TEST


def results_table(comparison):
    """Return the table of candidates, best first.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    rich.table.Table
    """
    table = Table(
        title=f"Candidates by {comparison.scoring}, best first",
        caption="Mean ± standard deviation over the folds. The time includes tuning. "
        "Zeros: share of the weights that are exactly zero.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("model", no_wrap=True)
    for name in ("score", "fit time", "zeros"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in comparison.ranked:
        table.add_row(
            result.name,
            comparison.show(result.scores),
            f"{result.seconds:.2f} s",
            "-" if np.isnan(result.zeros) else f"{result.zeros:.0%}",
            style="bold" if result.name == TUNED else None,
        )
    return table


def choices(comparison):
    """Say what was chosen inside the folds, a text per candidate that has a choice.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of str
    """
    return [
        f"{result.name}: {result.choice}"
        for result in comparison.ranked
        if result.choice
    ]


def effects_table(comparison):
    """Return the table of regularizers, most helpful first.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    rich.table.Table
    """
    table = Table(
        title=f"Each regularizer against none: change in {comparison.scoring}",
        caption=TEST,
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("regularizer")
    for name in ("change", "better on", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for effect in comparison.effects:
        table.add_row(
            effect.name,
            comparison.show(effect, "+"),
            effect.better,
            effect.shown_p,
            effect.verdict,
            style="green" if effect.verdict == HELPED else None,
        )
    return table


def problem_line(problem, settings):
    """Say in a line what is compared on what."""
    columns = problem.columns
    kinds = {"number": columns.numbers, "text": columns.texts, "date": columns.dates}
    counts = ", ".join(f"{len(names)} {kind}" for kind, names in kinds.items() if names)
    return (
        f"{problem.name}: {len(problem.y):,} rows, columns: {counts}; "
        f"{problem.task} of {problem.target}, scored by {settings.scoring} "
        f"(higher is better) on {settings.folds} folds."
    )
