"""The arguments of ``skreg compare``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skreg import __version__

from .crossvalidation import Settings, check_scoring
from .errors import InputError
from .files import make_folder
from .problem import load_problem
from .run import run

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode="markdown"
)


class Task(StrEnum):
    """What can be asked of a target."""

    auto = "auto"
    classification = "classification"
    regression = "regression"


def _show_version(asked: bool):
    if asked:
        typer.echo(f"skreg {__version__}")
        raise typer.Exit


def _check_n_jobs(n_jobs: int):
    if n_jobs == 0:
        raise typer.BadParameter("0 processes do no work; use 1 or more, or -1.")
    return n_jobs


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
            metavar="DATA",
            show_default=False,
            help="A .csv or .parquet file. Without it: scikit-learn's diabetes data.",
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
        int,
        typer.Option(
            callback=_check_n_jobs, help="Number of processes; -1: one per processor."
        ),
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
            help="After it no further fold is started. What that leaves out is said.",
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
    try:
        problem = load_problem(data, target, task, cv)
        scoring = check_scoring(problem, scoring)
        make_folder(output)
    except InputError as error:
        Console(stderr=True, highlight=False, markup=False).print(f"Error: {error}")
        raise typer.Exit(2) from error
    settings = Settings(scoring, cv, seed, n_jobs, time_limit)
    if not run(problem, settings, output):
        raise typer.Exit(1)
