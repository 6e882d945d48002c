"""The question put to the candidates: a table, a target, a task."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.datasets import load_diabetes

from .columns import Columns, find_columns, find_row_numbers
from .errors import InputError
from .tables import Reading, Table, read_table, suggest

# Whole numbers are classes when few differ and each comes often.
MAX_CLASSES = 20
ROWS_PER_CLASS = 10
# Each class must reach every inner training part and what early stopping splits off.
MIN_CLASS_ROWS = 6
LOPSIDED = 0.9


@dataclass(frozen=True)
class Problem:
    """A table of predictors with its target.

    Attributes
    ----------
    name : str
        What the reader knows the data as.
    X : pandas.DataFrame
        The usable predictors, untouched.
    y : numpy.ndarray
    target : str
    is_classification : bool
    columns : Columns
    notes : list of str
        What was decided or left out on the way, in words.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray
    target: str
    is_classification: bool
    columns: Columns
    notes: list[str]

    @property
    def task(self):
        return "classification" if self.is_classification else "regression"


@dataclass(frozen=True)
class Selection:
    """What of a table is used.

    Attributes
    ----------
    drop : tuple of str
        Names of columns to leave out; several may stand in one text, after commas.
    sample : int or None
        Number of rows to draw; None for all.
    seed : int
        Decides which.
    """

    drop: tuple = ()
    sample: int | None = None
    seed: int = 0


def load_problem(path, target, task, folds, reading=None, selection=None):
    """Read the data, or the bundled set without a path, and state the problem.

    The bundled set is diabetes: 442 noisy rows on which Ridge and Lasso are hard to
    beat and a network without a regularizer overfits.

    Parameters
    ----------
    path : pathlib.Path or None
    target : str or None
        Name of the column to predict; needed with a path.
    task : {"auto", "classification", "regression"}
    folds : int
        Number of folds that the rows must fill.
    reading : Reading or None
    selection : Selection or None

    Returns
    -------
    Problem
    """
    if path is not None:
        table = read_table(path, reading, target)
        return state_problem(path.name, table, target, task, folds, selection)
    if target is not None:
        raise InputError(
            f"--target {target} names a column of a file, but no file is given. "
            f"Run: skreg compare DATA.csv --target {target}"
        )
    if reading not in (None, Reading()):
        raise InputError(
            "--sep, --decimal and --encoding say how a file is read, but no file is "
            "given. Run: skreg compare DATA.csv --target COLUMN"
        )
    table = Table(load_diabetes(as_frame=True, scaled=False).frame)
    problem = state_problem("diabetes", table, "target", task, folds, selection)
    problem.notes.append(
        "No file was given, so these are data that scikit-learn bundles: few and noisy "
        "rows, hard on a network, easy for Ridge and Lasso."
    )
    return problem


def state_problem(name, table, target, task, folds, selection=None):
    """Split a table into predictors and target, and settle the task.

    Parameters
    ----------
    name : str
    table : Table or pandas.DataFrame
    target : str or None
    task : {"auto", "classification", "regression"}
    folds : int
    selection : Selection or None

    Returns
    -------
    Problem
    """
    selection = selection or Selection()
    table = table if isinstance(table, Table) else Table(table)
    notes, frame = list(table.notes), table.frame
    _check_target(frame, target)
    frame = _drop_columns(frame, target, selection.drop)
    frame = _drop_copies(frame, target, table.originals, notes)
    frame = _drop_missing_target(frame, target, notes)
    _check_rows(frame[target], folds)
    if task == "auto":
        task = find_task(frame[target])
        notes.append(_explain_task(frame[target], task))
    is_classification = task == "classification"
    frame = _drop_row_numbers(frame, target, notes)
    frame = _draw_rows(frame, target, is_classification, selection, notes)
    _check_rows(frame[target], folds)
    if is_classification:
        frame = _drop_rare_classes(frame, target, folds, notes)
        y = _as_labels(frame[target])
    else:
        y = _as_quantity(frame[target])
    X = frame.drop(columns=target)
    columns = find_columns(X, table.kinds)
    _note_columns(X, columns, notes)
    _note_leaks(X, y, columns, target, notes)
    X = X.drop(columns=columns.useless)
    return Problem(name, X, y, target, is_classification, columns, notes)


def _drop_columns(frame, target, asked):
    names = set()
    for text in asked:
        for name in [text] if text in frame.columns else text.split(","):
            name = name.strip()
            if name == target:
                raise InputError(f"--drop {name} is the target. Name another column.")
            if name not in frame.columns:
                raise InputError(
                    f"--drop {name} is not a column.{suggest(name, frame.columns)} "
                    f"The columns are {_listing(frame.columns)}."
                )
            names.add(name)
    return frame.drop(columns=list(names))


def _drop_copies(frame, target, originals, notes):
    """Leave out what bears the target's name, and second copies of other columns."""
    namesakes, copies = [], []
    for name, original in originals.items():
        if name not in frame:
            continue
        if original == target:
            namesakes.append(name)
        elif original in frame and frame[name].equals(frame[original]):
            copies.append(name)
    if namesakes:
        notes.append(
            f"{len(namesakes) + 1} columns are named {target}: the first is the "
            "target, the others are left out, for they may give it away."
        )
    if copies:
        notes.append(f"Copies of columns left out: {_listing(copies)}.")
    return frame.drop(columns=[*namesakes, *copies])


def _drop_row_numbers(frame, target, notes):
    """Leave out columns that number the rows of the whole file."""
    features = frame.drop(columns=target)
    certain, doubtful = find_row_numbers(features)
    if certain:
        notes.append(
            f"Columns that number or name the rows are left out: {_listing(certain)}. "
            "Rename one that is a feature."
        )
    if doubtful and len(doubtful) + len(certain) < features.shape[1]:
        notes.append(
            f"{_listing(doubtful)} counts the rows. If that is an order of theirs "
            f"and no feature: --drop {doubtful[0]}."
        )
    return frame.drop(columns=certain)


def _draw_rows(frame, target, is_classification, selection, notes):
    """Draw rows at random; each class keeps its share."""
    rows = len(frame)
    if selection.sample is None or selection.sample >= rows:
        return frame
    rng = np.random.default_rng(selection.seed)
    order = rng.permutation(rows)
    if is_classification:
        codes = frame[target].astype(str).factorize()[0][order]
        # The place of each row within its class, as a share: equal shares of all
        # classes come first.
        place = np.empty(rows)
        for code in np.unique(codes):
            members = np.flatnonzero(codes == code)
            place[members] = (np.arange(len(members)) + 0.5) / len(members)
        order = order[np.argsort(place, kind="stable")]
    notes.append(f"{selection.sample:,} of {rows:,} rows are drawn at random.")
    return frame.iloc[np.sort(order[: selection.sample])]


def find_task(target):
    """Find whether a target asks for classification or regression.

    Texts, booleans and categories are classes. Whole numbers are classes when only two
    differ, or at most 20 that come ten times each on average. All other numbers ask
    for regression.

    Parameters
    ----------
    target : pandas.Series
        Without missing values.

    Returns
    -------
    {"classification", "regression"}
    """
    if types.is_bool_dtype(target) or not types.is_numeric_dtype(target):
        return "classification"
    few = max(2, min(MAX_CLASSES, len(target) // ROWS_PER_CLASS))
    return (
        "classification"
        if _is_whole(target) and target.nunique() <= few
        else "regression"
    )


def _is_whole(target):
    return bool((target.to_numpy(dtype=float) % 1 == 0).all())


def _explain_task(target, task):
    kind = "numbers" if types.is_numeric_dtype(target) else "values"
    other = "regression" if task == "classification" else "classification"
    return (
        f"{target.name} has {target.nunique():,} different {kind}, hence {task} "
        f"(--task {other} forces the other)."
    )


def _check_target(table, target):
    names = list(table.columns)
    if target is None:
        raise InputError(
            f"--target is missing: which column is to be predicted? "
            f"The columns are {_listing(names)}."
        )
    if target not in names:
        raise InputError(
            f"--target {target} is not a column.{suggest(target, names)} "
            f"The columns are {_listing(names)}."
        )
    if types.is_datetime64_any_dtype(table[target]):
        raise InputError(
            f"--target {target} holds dates, which are neither classes nor numbers. "
            "Turn it into a number, such as days since a start."
        )


def _drop_missing_target(table, target, notes):
    missing = table[target].isna()
    if types.is_float_dtype(table[target]):
        missing |= np.isinf(table[target])
    if missing.any():
        notes.append(f"Rows left out for want of {target}: {missing.sum():,}.")
    table = table[~missing]
    if types.infer_dtype(table[target]) == "boolean":
        table = table.astype({target: bool})
    return table


def _check_rows(target, folds):
    if len(target) < 2 * folds:
        raise InputError(
            f"{len(target)} rows are too few for --cv {folds}: each fold needs two. "
            "Use fewer folds or more rows."
        )
    if target.nunique() < 2:
        raise InputError(
            f"--target {target.name} is constant ({target.iloc[0]} in every row), so "
            "there is nothing to predict. Choose another column."
        )


def _drop_rare_classes(table, target, folds, notes):
    least = max(MIN_CLASS_ROWS, folds)
    rows = table.groupby(target, observed=True)[target].transform("size")
    rare = table.loc[rows < least, target]
    if not rare.empty:
        notes.append(
            f"Classes with fewer than {least} rows are left out: "
            f"{_listing(rare.unique())} (rows lost: {len(rare):,})."
        )
    table = table[rows >= least]
    if table[target].nunique() < 2:
        raise InputError(
            f"--target {target} has fewer than two classes with {least} rows or more. "
            "Use fewer folds (--cv), or --task regression if it is a quantity."
        )
    commonest = table[target].value_counts(normalize=True).max()
    if commonest > LOPSIDED:
        notes.append(
            f"{commonest:.0%} of the rows are of one class: accuracy says little then, "
            "try --scoring roc_auc or balanced_accuracy."
        )
    return table


def _as_labels(target):
    """Booleans and whole numbers keep their type; everything else becomes text."""
    if types.is_bool_dtype(target):
        return target.to_numpy(dtype=bool)
    if types.is_numeric_dtype(target) and _is_whole(target):
        return target.to_numpy(dtype=int)
    return target.astype(str).to_numpy(dtype=object)


def _as_quantity(target):
    try:
        return target.to_numpy(dtype=float)
    except ValueError as error:
        raise InputError(
            f"--task regression needs numbers, but --target {target.name} is not one "
            f"in every row ({error}). Use --task classification or clean the column."
        ) from error


def _note_columns(X, columns, notes):
    if len(columns.useless) == X.shape[1]:
        raise InputError(
            "There is no column to predict from: besides the target, all are empty or "
            "constant."
        )
    if columns.useless:
        notes.append(
            f"Empty or constant columns left out: {_listing(columns.useless)}."
        )
    scattered = [name for name in columns.texts if X[name].nunique() > len(X) / 2]
    if scattered:
        notes.append(
            f"Nearly every row has a value of its own in {_listing(scattered)}; the "
            "rare ones are pooled. If it holds numbers, clean it first."
        )


def _note_leaks(X, y, columns, target, notes):
    """Point at single columns that tell the target in every row."""
    codes, values = pd.factorize(y)
    telling = []
    for name in [*columns.numbers, *columns.texts]:
        if X[name].nunique() != len(values):
            continue
        if len(values) < len(y) / 2:
            others = pd.factorize(X[name])[0]
            pairs = set(zip(codes.tolist(), others.tolist(), strict=True))
            if len(pairs) == len(values):
                telling.append(name)
        elif (
            y.dtype == float
            and types.is_numeric_dtype(X[name])
            and np.array_equal(X[name].to_numpy(dtype=float, na_value=np.nan), y)
        ):
            telling.append(name)
    if telling:
        notes.append(
            f"{_listing(telling)} tells {target} in every row. If it is not known "
            f"before {target} is: --drop {telling[0]}."
        )


def _listing(names, most=12):
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
