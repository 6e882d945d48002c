"""X and y as they are handed over: what is read as numbers, and what is refused."""

import re
import warnings
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import validate_data

from skreg._problem.sparse_input import check_indices

# Kinds of dtype that hold no time.
NUMBERS_OR_TEXT = frozenset("biufcSUTV")
TIMES = frozenset("mM")

# Rows by which it is judged what a conversion has lost, and the share of a feature's
# standard deviation that is too much.
LOOKED_AT = 256
LOST = 0.25
# Columns of sparse X up to which these rows are made dense for it.
MOST_LOOKED_AT = 4096

# For scikit-learn y=None is a y that is missing.
NO_Y = "no_validation"


def read_data(estimator, X, y=NO_Y, **rules):
    """`validate_data`, for rows whose numbers mean what they say.

    A time would be read as a count of its unit: microseconds since 1970, say. y of
    shape (n, 1) becomes (n,), so that predictions have the shape of what a user
    subtracts them from.

    Parameters
    ----------
    estimator : estimator
    X, y : as they were given; without y, X alone is read
    **rules
        Of `validate_data`.

    Returns
    -------
    X, or (X, y)

    Raises
    ------
    ValueError
        If there are times in X, or in y of a regressor, or if the indices of a sparse
        matrix do not fit it.

    Warns
    -----
    DataConversionWarning
        If y has one column.
    """
    refuse_masked(X, "X")
    refuse_times(X, "X")
    check_indices(X)
    without_y = isinstance(y, str) and y == NO_Y
    if not without_y:
        refuse_masked(y, "y")
        if is_regressor(estimator):
            refuse_times(y, "y")
        refuse_objects(y, "y", labels=not is_regressor(estimator))
        check_indices(y, "y")
    # scikit-learn's first look for NaN is a sum, which may overflow without one; what
    # is too large for the dtype becomes infinite, which it refuses
    with np.errstate(over="ignore", invalid="ignore"), errors_name_the_column(X, rules):
        read = validate_data(estimator, X, y, **rules)
    if without_y:
        return read
    X, y = read
    return X, one_dimensional(y)


def warn_of_lost_digits(given, read, names):
    """Warn of features whose variation the conversion to float32 has rounded away.

    Parameters
    ----------
    given : array-like or sparse matrix
        X as the user gave it.
    read : ndarray or sparse matrix
        As the kernels read it.
    names : ndarray of str or None
        Of the features.

    Warns
    -----
    DataConversionWarning
        If what is lost of a feature is above a quarter of its standard deviation, by
        some rows, evenly spaced.
    """
    dtype = getattr(given, "dtype", None)
    if read.dtype != np.float32 or dtype == np.float32:
        return
    rows = np.linspace(0, read.shape[0] - 1, LOOKED_AT).astype(np.intp)
    rows = np.unique(rows)
    if hasattr(given, "iloc"):
        given = given.iloc[rows]
    elif isinstance(given, np.ndarray):
        given = given[rows]
    elif isinstance(given, list | tuple):
        given = [given[i] for i in rows]
    elif sparse.issparse(given):
        if given.shape[1] > MOST_LOOKED_AT:
            return
        given, read = given.tocsr()[rows].toarray(), read[rows].toarray()
        rows = np.arange(len(given))
    else:
        # other frames, which are not made for rows in between
        return
    with np.errstate(all="ignore"):
        given = np.asarray(given, dtype=np.float64)
        spread = given.std(axis=0)
        lost = (given - read[rows]).std(axis=0)
    bad = np.flatnonzero((lost > LOST * spread) & np.isfinite(spread))
    if not len(bad):
        return
    j = int(bad[0])
    others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    warnings.warn(
        f"float32 rounds away what varies in feature "
        f"{j if names is None else repr(str(names[j]))}{others} (mean "
        f"{given[:, j].mean():.3g}, standard deviation {spread[j]:.3g}): it says "
        "little or nothing to the network. Subtract the mean and scale, for example "
        "with StandardScaler, or set dtype='float64'.",
        DataConversionWarning,
        stacklevel=2,
    )


def one_dimensional(y):
    """(n,) for y of one column, with a warning, as scikit-learn's estimators do."""
    if y.ndim != 2 or y.shape[1] != 1:
        return y
    warnings.warn(
        "A column-vector y was passed when a 1d array was expected. y of shape "
        f"{y.shape} is read as y.ravel(), and predictions have the shape (n,).",
        DataConversionWarning,
        stacklevel=2,
    )
    if hasattr(y, "toarray"):
        y = y.toarray()
    return y.ravel()


def refuse_masked(values, name):
    """Raise ValueError for a masked array: its masked values would be read as data."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(
            f"{name} is a masked array with {int(np.ma.getmaskarray(values).sum())} "
            "masked values, which skreg does not leave out. Fill them, for example "
            "with .filled(np.nan) and SimpleImputer, or leave these rows out."
        )


def refuse_times(values, name):
    """Raise ValueError for dates, times of day and durations in X or y.

    Parameters
    ----------
    values : array-like, frame or sparse matrix
    name : str
        For the error.
    """
    if is_plain(values):
        return
    for column, part in columns_of(values):
        if holds_times(part):
            where = name if column is None else f"{name}, in its column {column!r},"
            raise ValueError(
                f"{where} holds dates, times or durations; skreg reads numbers only. "
                "Make numbers of them first, in a unit of your choice, such as "
                "(t - t.min()) / np.timedelta64(1, 'D') for days, or features such as "
                "the month and the weekday."
            )


def refuse_objects(values, name, *, labels):
    """Raise ValueError for a y whose objects are missing, or of no use as a y.

    Parameters
    ----------
    values : array-like, frame or sparse matrix
    name : str
        For the error.
    labels : bool
        Whether they are classes, which must be texts where they are objects, or else
        values, which must be numbers.
    """
    # a y that is not there is validate_data's to say
    if values is None or is_plain(values) or sparse.issparse(values):
        return
    try:
        array = np.asarray(values)
        if array.dtype.kind in "biufc":
            return
        # texts of a list may have been made of what is missing
        objects = array if array.dtype.kind in TIMES else np.asarray(values, object)
    except (TypeError, ValueError):
        # no array at all, which validate_data says in its own words
        return
    objects = (
        objects.ravel().tolist() if objects.dtype == object else list(objects.flat)
    )
    missing = [value for value in objects if is_missing(value)]
    if missing:
        raise ValueError(
            f"{name} has missing values: {missing[0]!r} in {len(missing)} of "
            f"{len(objects)} places. Leave these rows out, or fill them."
        )
    if array.dtype != object:
        return
    for value in objects:
        if labels and not isinstance(value, str):
            kinds = sorted({type(value).__name__ for value in objects})
            raise ValueError(
                # scikit-learn's checks look for the first three words
                f"Unknown label type: {name} holds objects of type {', '.join(kinds)}; "
                "classes must be numbers or texts of one type. Make an array of them "
                "first, such as [str(label) for label in y], or y.astype(int) of whole "
                "numbers."
            )
        if not labels and not is_number(value):
            raise ValueError(
                f"{name} holds {value!r}, of type {type(value).__name__}, which is no "
                "number. Make numbers of it first, or use a classifier for classes."
            )


def is_missing(value):
    """Whether an object is None, NaN, NaT or the NA of pandas."""
    if value is None or type(value).__name__ == "NAType":
        return True
    unequal = value != value
    return isinstance(unequal, bool | np.bool_) and bool(unequal)


def is_number(value):
    """Whether an object can be read as a number."""
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


@contextmanager
def errors_about(X, y):
    """Around what reads data of other names: errors name these, not X and y."""
    try:
        yield
    except (TypeError, ValueError) as error:
        names = {"X": X, "y": y}
        text = re.sub(r"\b[Xy]\b", lambda found: names[found[0]], str(error))
        if text == str(error):
            text = f"{X}, {y}: {text}"
        if re.search(r"has \d+ features, but|feature names should match", text):
            text += (
                f" {X} must have gone through the same steps as the training data. A "
                f"Pipeline takes it through them with transform_input=[{X!r}] and "
                "enable_metadata_routing=True."
            )
        raise (TypeError if isinstance(error, TypeError) else ValueError)(
            text
        ) from error


# What scikit-learn says of X with a column that cannot be read, and what that is.
UNREADABLE = re.compile(
    r"could not convert|float\(\) argument|Input X contains (NaN|infinity)"
)

REMEDIES = {
    "text": "Make numbers of it, for example with OneHotEncoder in a ColumnTransformer",
    "missing": "Fill it, for example with SimpleImputer in a ColumnTransformer",
    "infinite": "Replace these values, for example by NaN, which SimpleImputer fills",
}


@contextmanager
def errors_name_the_column(X, rules=None, names=None):
    """Around what reads X: errors about its values name the first such column.

    Parameters
    ----------
    X : array-like, frame or sparse matrix
    rules : dict, optional
        Of `validate_data`, with the dtype.
    names : ndarray of str, optional
        Of the columns, where X has none of its own.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        found = None
        if UNREADABLE.search(str(error)):
            dtype = None if rules is None else rules["dtype"]
            found = unreadable_column(X, dtype if isinstance(dtype, np.dtype) else None)
        if found is None:
            raise
        column, fault = found
        if names is not None:
            column = names[column]
        name = repr(str(column)) if isinstance(column, str) else column
        said = str(error)
        # the last of several lines ends with an address
        said = f"{said}\n" if "\n" in said else f"{said.rstrip('.')}. "
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{said}The first such column is {name}. {REMEDIES[fault]}, or leave it "
            "out."
        ) from error


def unreadable_column(X, dtype=None):
    """(Name or number, key of `REMEDIES`) of the first column that is no numbers.

    Texts come before what is missing, and that before what is infinite: scikit-learn
    looks for them in this order. None if there is no such column.
    """
    faults = {}
    for column, part in all_columns(X):
        fault = fault_of(part, dtype)
        if fault is not None:
            faults.setdefault(fault, column)
    for fault in REMEDIES:
        if fault in faults:
            return faults[fault], fault
    return None


def all_columns(X):
    """(Name or number, values) of each column; of sparse X the stored values."""
    if sparse.issparse(X):
        X = X.tocsc()
        for j, (start, end) in enumerate(pairwise(X.indptr)):
            yield j, X.data[start:end]
        return
    for name, part in columns_of(X):
        if name is not None:
            yield name, part
            continue
        array = np.asarray(part)
        if array.ndim == 2:
            yield from enumerate(array.T)


def fault_of(column, dtype=None):
    """The key of `REMEDIES` for a column, or None."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.asarray(column, dtype=np.float64)
            if dtype is not None:
                numbers = numbers.astype(dtype)
    except (TypeError, ValueError):
        objects = np.asarray(column, dtype=object).tolist()
        texts = [v for v in objects if not is_missing(v) and not is_number(v)]
        return "text" if texts else "missing"
    if np.isnan(numbers).any():
        return "missing"
    return None if np.isfinite(numbers).all() else "infinite"


def is_plain(values):
    """Whether it is an array of numbers or texts, as most are: nothing to look at."""
    return type(values) is np.ndarray and values.dtype.kind in NUMBERS_OR_TEXT


def columns_of(values):
    """(Name, column) of what may have columns of its own types; else (None, values)."""
    if getattr(values, "ndim", 2) == 2:
        if hasattr(values, "iloc"):
            # pandas: by place, for names may come twice
            for j, name in enumerate(values.columns):
                yield name, values.iloc[:, j]
            return
        if hasattr(values, "get_column") and hasattr(values, "columns"):
            for name in values.columns:
                yield name, values.get_column(name)
            return
        if isinstance(values, np.ndarray) and values.dtype == object:
            for j, column in enumerate(values.T):
                yield j, column
            return
    yield None, values


def holds_times(values):
    """Whether there is a time among values of one type, or among objects."""
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind in NUMBERS_OR_TEXT:
        return False
    if kind in TIMES:
        return True
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        # no array at all, which validate_data says in its own words
        return False
    if array.dtype != object:
        return array.dtype.kind in TIMES
    return any(map(is_time, array.ravel().tolist()))


def is_time(value):
    """Whether an object is a date, a time of day, a period or a duration."""
    return isinstance(value, (timedelta, np.datetime64, np.timedelta64)) or hasattr(
        value, "strftime"
    )
