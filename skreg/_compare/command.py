"""The arguments of ``skreg compare``, and the order in which things happen."""

import math
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from skreg import __version__

from .candidates import build_candidates
from .crossvalidation import check_scoring, cross_validate, fit_best
from .errors import InputError
from .files import make_folder, write_files
from .findings import Comparison, sentences
from .problem import load_problem
from .report import effects_table, problem_line, results_table

app = typer.Typer(add_completion=False, no_args_is_help=True)


class Task(StrEnum):
    """What can be asked of a target."""

    auto = "auto"
    classification = "classification"
    regression = "regression"


def _show_version(asked: bool):
    if asked:
        typer.echo(f"skreg {__version__}")
        raise typer.Exit


@app.callback()
def skreg(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show it and exit."
        ),
    ] = False,
):
    """Regularized multilayer perceptrons for scikit-learn."""


@app.command()
def compare(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA.csv|.parquet]",
            show_default=False,
            help="The table. Without it: diabetes, which scikit-learn bundles.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column to predict."),
    ] = None,
    task: Annotated[
        Task,
        typer.Option(
            help="auto: texts, booleans and few different whole numbers are classes."
        ),
    ] = Task.auto,
    scoring: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="r2; accuracy for classes",
            help="A scorer of scikit-learn. Tuning goes by it too.",
        ),
    ] = None,
    cv: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    n_jobs: Annotated[
        int, typer.Option(help="Number of processes; -1: one per processor.")
    ] = -1,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, help="Decides the folds and all that is random."
        ),
    ] = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="After it no further fold is started. What is then left out is said.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where plot, tables and best pipeline are written."
        ),
    ] = Path("skreg-compare"),
):
    """Cross-validate skreg's network among its peers.

    The network competes without a regularizer and tuned over its regularizers, against
    Ridge, Lasso and ElasticNet (for classes: logistic regression with l2 and l1),
    gradient boosting, scikit-learn's network and a dummy. What can be tuned is tuned
    inside each fold; all share the same imputing, scaling and encoding.
    """
    deadline = math.inf if time_limit is None else time.time() + time_limit
    console = Console(highlight=False, markup=False)
    try:
        if n_jobs == 0:
            raise InputError("--n-jobs 0 leaves nobody to work. Use 1 or more, or -1.")
        problem = load_problem(data, target, task, cv)
        scoring = check_scoring(problem, scoring)
        make_folder(output)
    except InputError as error:
        Console(stderr=True, highlight=False, markup=False).print(f"Error: {error}")
        raise typer.Exit(2) from error

    candidates = build_candidates(problem, scoring, seed)
    console.print(problem_line(problem, scoring, cv))
    _print_lines(console, problem.notes)
    with _progress(console) as progress:
        bar = progress.add_task("", total=cv * sum(c.models for c in candidates))
        folds = []
        for fold in cross_validate(
            problem,
            candidates,
            scoring,
            folds=cv,
            n_jobs=n_jobs,
            seed=seed,
            deadline=deadline,
        ):
            folds.append(fold)
            progress.update(bar, advance=fold.models, description=fold.candidate)
    comparison = Comparison.of(problem, scoring, folds)
    best = next(c for c in candidates if c.name == comparison.ranked[0].name)
    fit_best(best, problem, n_jobs)
