"""Columns of a table: their kinds, and the way from each kind to numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

# A category in fewer than 0.5 % of the rows is pooled with the other rare ones.
RARE = 0.005
MAX_CATEGORIES = 40
# HistGradientBoosting bins a column into at most 255 categories.
MAX_TREE_CATEGORIES = 250

CYCLES_IN_DAYS = {"year": 365.2425, "week": 7.0, "day": 1.0}
ISO_DATE = r"\d{4}-\d{2}-\d{2}"

NUMBER_KINDS = {"boolean", "decimal", "floating", "integer", "mixed-integer-float"}
DATE_KINDS = {"date", "datetime", "datetime64"}

is_number = make_column_selector(dtype_include=float)
is_text = make_column_selector(dtype_exclude=float)


@dataclass(frozen=True)
class Columns:
    """Names of the usable columns by kind, and of the unusable ones."""

    numbers: list[str]
    dates: list[str]
    texts: list[str]
    useless: list[str]

    def cleaner(self):
        """Return the pipeline step that gives each column its kind's type."""
        return FunctionTransformer(
            clean_table,
            kw_args={
                "numbers": self.numbers,
                "dates": self.dates,
                "texts": self.texts,
            },
        )


def find_columns(table):
    """Sort the columns of a table by kind.

    Booleans and durations count as numbers. A text column in which every value starts
    as an ISO date does is a date. Useless columns are constant, empty, or hold values
    such as lists.

    Parameters
    ----------
    table : pandas.DataFrame

    Returns
    -------
    Columns
    """
    by_kind = {"number": [], "date": [], "text": [], "useless": []}
    for name in table.columns:
        by_kind[_kind(table[name])].append(name)
    return Columns(*by_kind.values())


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
    return column.dropna().astype(str).str.match(ISO_DATE).all()


def clean_table(table, numbers, dates, texts):
    """Return the columns as float64 or text, with NaN where a value is missing.

    Parameters
    ----------
    table : pandas.DataFrame
    numbers, dates, texts : list of str
        Names of the columns of each kind.

    Returns
    -------
    pandas.DataFrame
    """
    parts = [_as_number(table[name]) for name in numbers]
    parts += [_as_cycles(table[name]) for name in dates]
    parts += [_as_text(table[name]) for name in texts]
    return pd.concat(parts, axis=1)


def _as_number(column):
    if types.is_timedelta64_dtype(column):
        column = column.dt.total_seconds()
    values = column.to_numpy(dtype=float, na_value=np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    return pd.Series(values, column.index, name=column.name)


def _as_cycles(column):
    """Days since 1970, and the place in the year, the week and the day."""
    dates = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    days = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    parts = {column.name: days}
    for cycle, length in CYCLES_IN_DAYS.items():
        angle = 2 * np.pi * days / length
        parts[f"{column.name} ({cycle}, sin)"] = np.sin(angle)
        parts[f"{column.name} ({cycle}, cos)"] = np.cos(angle)
    return pd.DataFrame(parts, dtype=float)


def _as_text(column):
    values = column.astype(object).where(column.notna(), np.nan)
    return values.map(str, na_action="ignore").astype(object)


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
