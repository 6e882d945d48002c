"""The tables on the screen."""

import numpy as np
from rich.table import Table
from rich.text import Text

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
    table = Table(title="Candidates, best first")
    table.add_column("model")
    table.add_column(f"{comparison.scoring}, mean ± spread", justify="right")
    table.add_column("fit + tuning", justify="right")
    table.add_column("zero weights", justify="right")
    table.add_column("chosen by inner folds")
    for result in comparison.ranked:
        table.add_row(
            result.name,
            comparison.show(result.scores),
            f"{result.seconds:.2f} s",
            "–" if np.isnan(result.zeros) else f"{result.zeros:.0%}",
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
    table = Table(title="Each regularizer against the same network without one")
    table.add_column("regularizer")
    table.add_column(f"change in {comparison.scoring}", justify="right")
    table.add_column("verdict")
    for effect in comparison.effects:
        style = "green" if effect.verdict == "helped" else None
        table.add_row(
            effect.name,
            comparison.show(effect, "+"),
            Text(effect.verdict, style=style or ""),
        )
    return table


def problem_line(problem, scoring, folds):
    """Say in a line what is compared on what."""
    columns = problem.columns
    kinds = {
        "number": len(columns.numbers),
        "text": len(columns.texts),
        "date": len(columns.dates),
    }
    parts = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    return (
        f"{problem.name}: {len(problem.y):,} rows, columns: {parts}; "
        f"{problem.task} of {problem.target}, scored by {scoring} (higher is better) "
        f"on {folds} folds."
    )
