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

from .budget import Budget
from .candidates import DEFAULTS, TUNED, UNREGULARIZED
from .crossvalidation import cross_validate, fit_finally
from .files import write_files
from .findings import Comparison, sentences
from .report import choices, effects_table, problem_line, results_table

BEST, BEST_OF_SKREG = "best_pipeline.joblib", "best_skreg_pipeline.joblib"


def run(problem, candidates, settings, folder, start):
    """Compare the candidates on a problem, report, and write the files.

    Parameters
    ----------
    problem : Problem
    candidates : list of Candidate
    settings : Settings
    folder : pathlib.Path
        An existing folder.
    start : float
        Since when the time limit counts.

    Returns
    -------
    bool
        Whether any candidate has been scored, and so anything written.
    """
    budget = Budget.of(start, settings.time_limit)
    console = Console(highlight=False, markup=False)
    console.print(problem_line(problem, settings))
    _print_items(console, problem.notes)

    folds = _with_progress(console, problem, candidates, settings, budget.folds)
    comparison = Comparison.of(problem, settings.scoring, folds)
    if comparison.ranked:
        console.print(results_table(comparison))
        console.print("Chosen inside the folds:")
        _print_items(console, choices(comparison))
    if comparison.effects:
        console.print(effects_table(comparison))
    console.print()
    _print_items(console, sentences(comparison))
    if not comparison.ranked:
        return False

    pipelines, unfitted = {}, []
    for file, name in _best(comparison).items():
        candidate = next(c for c in candidates if c.name == name)
        known = [fitted for fitted in pipelines.values() if fitted[0] == name]
        if known:
            pipelines[file] = known[0]
            continue
        with console.status(f"Fitting {name} on all rows"):
            pipeline = fit_finally(
                candidate, comparison[name], problem, settings, budget.fits
            )
        if pipeline is None:
            unfitted.append(file)
            (folder / file).unlink(missing_ok=True)  # of an earlier comparison
        else:
            pipelines[file] = (name, pipeline)
    written = write_files(folder, comparison, pipelines, settings)
    console.print(f"\nWritten to {folder}:", soft_wrap=True)
    _print_items(console, [f"{name}: {what}" for name, what in written.items()])
    if pipelines:
        console.print(
            "joblib.load(...).predict takes tables with these columns, in any order."
        )
    if unfitted:
        console.print(
            f"Not written, for the time limit was reached: {', '.join(unfitted)}."
        )
    return True


def _best(comparison):
    """Return the names of the best candidate of all, and of the best with skreg."""
    names = [result.name for result in comparison.ranked]
    best = {BEST: names[0]}
    ours = [name for name in names if name in (DEFAULTS, UNREGULARIZED, TUNED)]
    return best | ({BEST_OF_SKREG: ours[0]} if ours else {})


def _with_progress(console, problem, candidates, settings, deadline):
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
        for fold in cross_validate(problem, candidates, settings, deadline):
            folds.append(fold)
            done = f"{fold.candidate}, fold {fold.number + 1}"
            progress.update(bar, advance=models[fold.candidate], description=done)
    return folds


def _print_items(console, items):
    for item in items:
        console.print(f"• {item}")
