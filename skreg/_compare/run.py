"""The comparison from the first line on the screen to the last file."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from .candidates import build_candidates
from .crossvalidation import cross_validate, fit_finally
from .files import write_files
from .findings import Comparison, sentences
from .report import effects_table, problem_line, results_table


def run(problem, settings, folder):
    """Compare the candidates on a problem, report, and write the files.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    folder : pathlib.Path
        An existing folder.

    Returns
    -------
    bool
        Whether any candidate has been scored, and so anything written.
    """
    console = Console(highlight=False, markup=False)
    console.print(problem_line(problem, settings))
    _print_items(console, problem.notes)

    candidates = build_candidates(problem, settings.scoring, settings.seed)
    folds = _with_progress(console, problem, candidates, settings)
    comparison = Comparison.of(problem, settings.scoring, folds)
    if comparison.ranked:
        console.print(results_table(comparison))
    if comparison.effects:
        console.print(effects_table(comparison))
    console.print()
    _print_items(console, sentences(comparison))
    if not comparison.ranked:
        return False

    best = next(c for c in candidates if c.name == comparison.ranked[0].name)
    with console.status(f"Fitting {best.name} on all rows"):
        pipeline = fit_finally(best, problem, settings)
    written = write_files(folder, comparison, pipeline, settings)
    console.print(f"\nWritten to {folder}:")
    _print_items(console, [f"{name}: {what}" for name, what in written.items()])
    return True


def _with_progress(console, problem, candidates, settings):
    """Cross-validate under a progress bar that counts trained models."""
    models = {candidate.name: candidate.models for candidate in candidates}
    folds = []
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task(
            "Cross-validating", total=settings.folds * sum(models.values())
        )
        for fold in cross_validate(problem, candidates, settings):
            folds.append(fold)
            done = f"{fold.candidate}, fold {fold.number + 1}"
            progress.update(bar, advance=models[fold.candidate], description=done)
    return folds


def _print_items(console, items):
    for item in items:
        console.print(f"• {item}")
