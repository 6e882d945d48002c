"""Columns of a table: their kinds, and the way from each kind to numbers."""

import re
from dataclasses import dataclass, field

import numpy as np
from pandas.api import types
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skreg._problem.texts import as_dates
from skreg.tables import TableCleaner

# A category in fewer than 0.5 % of the rows is pooled with the other rare ones.
RARE = 0.005
MAX_CATEGORIES = 40
# HistGradientBoosting bins a column into at most 255 categories.
MAX_TREE_CATEGORIES = 250

ISO_DATE = r"\d{4}-\d{2}-\d{2}"

# Names that writers of tables give to the number of a row. The first are never those
# of features.
NAMELESS = re.compile(r"(unnamed: \d+|index|level_\d+|__index_level_\d+__)(\.\d+)?")
NUMBERS_OF_ROWS = frozenset(
    [
        "id",
        "ids",
        "idx",
        "index",
        "row",
        "rows",
        "rowid",
        "rowname",
        "rownames",
        "rownum",
        "rownumber",
        "rownr",
        "rowno",
        "no",
        "nr",
        "num",
        "nummer",
        "number",
        "sno",
        "srno",
        "slno",
        "serial",
        "record",
        "recordid",
        "recno",
        "obs",
        "observation",
        "case",
        "caseid",
        "sample",
        "sampleid",
        "key",
        "lfd",
        "lfdnr",
        "zeile",
        "uid",
        "uuid",
        "guid",
        "pk",
    ]
)

NUMBER_KINDS = {
    *("boolean", "decimal", "floating", "integer", "mixed-integer-float", "time"),
}
DATE_KINDS = {"date", "datetime", "datetime64"}

is_number = make_column_selector(dtype_include=float)
is_text = make_column_selector(dtype_exclude=float)


@dataclass(frozen=True)
class Columns:
    """Names of the usable columns by kind, and of the unusable ones.

    Where the kind is not the plain one for ``TableCleaner``, it stands in `kinds`.
    """

    numbers: list[str]
    dates: list[str]
    texts: list[str]
    useless: list[str]

    kinds: dict[str, str] = field(default_factory=dict)

    def cleaner(self):
        """Return the pipeline step that gives each column its kind's type."""
        columns = {name: self.kinds.get(name, "number") for name in self.numbers}
        columns |= {name: self.kinds.get(name, "date") for name in self.dates}
        columns |= {name: self.kinds.get(name, "text") for name in self.texts}
        return TableCleaner(columns)


def find_columns(table, kinds=None):
    """Sort the columns of a table by kind.

    Booleans, times of day and durations count as numbers. A text column in which every
    value is an ISO date is a date. Useless columns are constant, empty, or hold values
    such as lists.

    Parameters
    ----------
    table : pandas.DataFrame
    kinds : dict of str to str or None
        The form that numbers and dates had as texts, where they were read from such.

    Returns
    -------
    Columns
    """
    by_kind = {"number": [], "date": [], "text": [], "useless": []}
    for name in table.columns:
        by_kind[_kind(table[name])].append(name)
    times = [
        name for name in by_kind["number"] if types.infer_dtype(table[name]) == "time"
    ]
    return Columns(*by_kind.values(), dict.fromkeys(times, "time") | (kinds or {}))


def find_row_numbers(table):
    """Find the columns that number or name the rows, and those that may.

    A number of the row is a feature of the file, not of what the row is about: with
    rows sorted by class it gives the class away. A column without a name numbers the
    rows if no two values are the same; so does one with a name such as "id" or
    "customer_id". A year or a time that happens to count has another name, and stays.

    Parameters
    ----------
    table : pandas.DataFrame

    Returns
    -------
    certain, doubtful : list of str
        The doubtful ones count the rows under a name that says nothing.
    """
    certain, doubtful = [], []
    for name in table.columns:
        column = table[name]
        if len(column) < 2 or not _may_name_rows(column):
            continue
        if _is_called_a_number(name):
            certain.append(name)
        elif _counts(column):
            doubtful.append(name)
    return certain, doubtful


def _may_name_rows(column):
    """Whether all values differ, and are whole numbers or texts."""
    if types.is_bool_dtype(column) or types.is_datetime64_any_dtype(column):
        return False
    try:
        if column.isna().any() or not column.is_unique:
            return False
    except TypeError:  # unhashable values
        return False
    if types.is_numeric_dtype(column):
        return bool((column % 1 == 0).all())
    return types.infer_dtype(column) == "string" and not _is_iso_date(column)


def _is_called_a_number(name):
    name = str(name).strip()
    if NAMELESS.fullmatch(name.casefold()) or name in ("#", "№", "n°"):
        return True
    # CustomerId and customer_id are words that end in id; paid and humid are not.
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.sub(r"(?<=[a-z])(ID)$", r" \1", words)
    words = [word for word in re.split(r"[^0-9a-z]+", words.casefold()) if word]
    if not words:
        return False
    return "".join(words) in NUMBERS_OF_ROWS or words[-1] in (
        "id",
        "idx",
        "uuid",
        "guid",
    )


def _counts(column):
    """Whether whole numbers count the rows, from 0 or 1.

    They do by steps that are all the same, up or down, or shuffled by steps of one.
    """
    if not types.is_numeric_dtype(column):
        return False
    values = column.to_numpy(dtype=float)
    # years may follow each other, too
    if values.min() not in (0, 1):
        return False
    steps = np.diff(values)
    return bool((steps == steps[0]).all() or (np.diff(np.sort(values)) == 1).all())


def _kind(column):
    try:
        if column.nunique(dropna=False) < 2:
            return "useless"
    except TypeError:  # unhashable values: lists, dictionaries
        return "useless"
    if types.is_numeric_dtype(column) or types.is_timedelta64_dtype(column):
        return "number"
    if types.is_datetime64_any_dtype(column):
        return "date"
    inferred = types.infer_dtype(column, skipna=True)
    if inferred in NUMBER_KINDS:
        return "number"
    if inferred in DATE_KINDS or (inferred == "string" and _is_iso_date(column)):
        return "date"
    return "text"


def _is_iso_date(column):
    if not column.dropna().astype(str).str.match(ISO_DATE).all():
        return False
    try:
        return bool(as_dates(column, "ISO8601").notna().any())
    except ValueError:
        return False


def scaling_encoder():
    """Impute and scale numbers, mark what was missing, one-hot encode texts.

    The marks and the one-hot columns stay 0 or 1: scaling would blow up rare ones.
    """
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    texts = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=RARE,
        max_categories=MAX_CATEGORIES,
        sparse_output=False,
    )
    return make_column_transformer(
        (numbers, is_number),
        (MissingIndicator(error_on_new=False), is_number),
        (texts, is_text),
    )


def tree_encoder():
    """Give texts a code each, first in the matrix; trees split numbers as they are."""
    texts = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        max_categories=MAX_TREE_CATEGORIES,
    )
    return make_column_transformer((texts, is_text), ("passthrough", is_number))
