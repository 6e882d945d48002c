"""The tables on the screen."""

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .candidates import TUNED


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
        title="Candidates, best first",
        caption="Mean ± standard deviation over the folds. The time includes tuning. "
        "Zeros: share of the weights that are exactly zero.",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("model", no_wrap=True)
    table.add_column(comparison.scoring, justify="right", no_wrap=True)
    table.add_column("fit time", justify="right", no_wrap=True)
    table.add_column("zeros", justify="right", no_wrap=True)
    table.add_column("chosen inside the folds")
    for result in comparison.ranked:
        table.add_row(
            result.name,
            comparison.show(result.scores),
            f"{result.seconds:.2f} s",
            "-" if np.isnan(result.zeros) else f"{result.zeros:.0%}",
            result.choice,
            style="bold" if result.name == TUNED else None,
        )
    return table


def effects_table(comparison):
    """Return the table of regularizers, most helpful first.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    rich.table.Table
    """
    table = Table(title="Each regularizer against none", box=SIMPLE_HEAD)
    table.add_column("regularizer")
    table.add_column(f"change in {comparison.scoring}", justify="right")
    table.add_column("better on")
    table.add_column("verdict")
    for effect in comparison.effects:
        table.add_row(
            effect.name,
            comparison.show(effect, "+"),
            effect.better,
            effect.verdict,
            style="green" if effect.verdict == "helped" else None,
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
