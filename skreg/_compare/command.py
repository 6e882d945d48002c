"""The arguments of ``skreg compare``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skreg import __version__

from .budget import now
from .candidates import build_candidates, choose
from .crossvalidation import Settings, check_scoring
from .errors import InputError
from .files import make_folder
from .problem import Selection, load_problem
from .run import run
from .tables import Reading

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
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help="A .csv, .tsv or .txt file, also as .gz, .bz2, .xz or .zip, or a "
            ".parquet file. Without it: scikit-learn's diabetes data.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column to predict."),
    ] = None,
    task: Annotated[
        Task,
        typer.Option(
            metavar="TASK",
            help="classification, regression or auto: texts, booleans and few "
            "different whole numbers are classes.",
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
    cv: Annotated[
        int, typer.Option(metavar="FOLDS", min=2, help="Number of folds.")
    ] = 5,
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            show_default="all",
            help="The models to compare, or beginnings of their names: ridge,skreg.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMNS", help="Columns to leave out: name,phone."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="ROWS", min=1, help="Compare on so many rows, drawn at random."
        ),
    ] = None,
    sep: Annotated[
        str | None,
        typer.Option(
            metavar="CHARACTER",
            show_default="found out",
            help="What separates the fields, such as ; or tab.",
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(
            metavar="MARK", show_default="found out", help="The decimal mark, . or ,"
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="found out",
            help="Of the characters, such as latin-1.",
        ),
    ] = None,
    n_jobs: Annotated[
        int,
        typer.Option(
            metavar="PROCESSES",
            callback=_check_n_jobs,
            help="Number of processes; -1: one per processor.",
        ),
    ] = -1,
    seed: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=2**32 - 1,
            help="Decides the folds and all that is random.",
        ),
    ] = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="For all of it. What cannot be done in time is left out, and said.",
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
    start = (context.obj or {}).get("start", now())
    try:
        problem = load_problem(
            *(data, target, task, cv),
            reading=Reading(sep, decimal, encoding),
            selection=Selection(tuple(drop or ()), sample, seed),
        )
        scoring = check_scoring(problem, scoring)
        candidates = choose(build_candidates(problem, scoring, seed), models or [])
        make_folder(output)
    except InputError as error:
        Console(stderr=True, highlight=False, markup=False).print(f"Error: {error}")
        raise typer.Exit(2) from error
    settings = Settings(scoring, cv, seed, n_jobs, time_limit)
    if not run(problem, candidates, settings, output, start):
        raise typer.Exit(1)
