"""Tables of numbers, texts and dates on their way into a network.

Needs pandas, which `skreg[cli]` installs.
"""

from datetime import time

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skreg._documentation import DocumentationLinkMixin
from skreg._persistence import VersionedMixin

__all__ = ["TableCleaner"]

CYCLES_IN_DAYS = {"year": 365.2425, "week": 7.0, "day": 1.0}
DECIMAL_MARKS = {"number": ".", "number, decimal comma": ","}


class TableCleaner(
    DocumentationLinkMixin, VersionedMixin, TransformerMixin, BaseEstimator
):
    """Give each column of a table the type of its kind: float64, or text.

    A pipeline that `skreg compare` saves begins with it. Columns are found by their
    names: neither their order nor further columns matter.

    Parameters
    ----------
    columns : dict of str to str
        The kind of each column that is used:

        - `"number"`: numbers, booleans and durations (in seconds). Texts among them are
          read with a decimal point, and commas between thousands. Signs of currencies
          and of percent are left out.
        - `"number, decimal comma"`: texts are read with a decimal comma, and points
          between thousands.
        - `"time"`: times of day and durations, or texts such as `"1:30"`, `"1:30:15"`
          and `"1:30 PM"`, in seconds.
        - `"date"`: dates, or texts as ISO 8601 has them. A date becomes the days since
          1970, and its place in the year, week and day, each as sine and cosine.
        - a format such as `"%d/%m/%Y"`: texts are read as dates of that form.
        - `"text"`: categories; any value is turned into its text.
        - `"code"`: categories of digits such as `"01234"`. Numbers are refused, for
          they have lost the zeros that codes begin with.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        The names in `columns`.
    n_features_in_ : int
        Their number.

    Examples
    --------
    >>> import pandas as pd
    >>> from skreg.tables import TableCleaner
    >>> table = pd.DataFrame({"town": ["Ulm", "Bonn"], "price": ["1.234,50 €", "99 €"]})
    >>> cleaner = TableCleaner({"price": "number, decimal comma", "town": "text"})
    >>> cleaner.fit_transform(table)["price"].tolist()
    [1234.5, 99.0]
    """

    def __init__(self, columns):
        self.columns = columns

    def fit(self, X, y=None):
        """Check that the table has the columns, and that they can be read.

        Parameters
        ----------
        X : pandas.DataFrame or polars.DataFrame
            A table with named columns.
        y : Ignored

        Returns
        -------
        self : TableCleaner
            The fitted transformer.
        """
        self._note_names()
        self.transform(X)
        return self

    def _note_names(self):
        if not isinstance(self.columns, dict):
            raise TypeError(
                "columns must be a dict of column names and kinds, such as "
                '{"age": "number", "since": "date", "town": "text"}; got '
                f"{self.columns!r}."
            )
        self.feature_names_in_ = np.array(list(self.columns), dtype=object)
        self.n_features_in_ = len(self.columns)

    def fit_transform(self, X, y=None):
        """Fit, and transform the same table.

        Parameters
        ----------
        X : pandas.DataFrame or polars.DataFrame
            A table with named columns.
        y : Ignored

        Returns
        -------
        table : pandas.DataFrame
            As `transform` returns it.
        """
        self._note_names()
        return self.transform(X)

    def transform(self, X):
        """Return the columns as float64 or text, with NaN where a value is missing.

        Parameters
        ----------
        X : pandas.DataFrame or polars.DataFrame
            A table with named columns.

        Returns
        -------
        table : pandas.DataFrame
            Its columns are in the order of `columns`.
        """
        import pandas as pd

        check_is_fitted(self)
        table = _select(X, list(self.columns))
        return pd.concat(
            [_read(table[name], kind) for name, kind in self.columns.items()], axis=1
        )

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` makes.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        names : ndarray of str
            A date has seven columns.
        """
        names = []
        for name, kind in self.columns.items():
            names.append(name)
            if kind == "date" or "%" in kind:
                names += _names_of_cycles(name)
        return np.array(names, dtype=object)


def _select(X, names):
    """Return the named columns as a pandas table, or say what is wrong with X."""
    import pandas as pd

    columns = getattr(X, "columns", None)
    if columns is None or not (hasattr(X, "to_pandas") or isinstance(X, pd.DataFrame)):
        raise TypeError(
            "X must be a table with named columns, a pandas or polars DataFrame; got "
            f"{type(X).__name__}. Make one with the names that were fitted: "
            f"pandas.DataFrame(X, columns=[{', '.join(map(repr, names[:3]))}"
            f"{', ...' if len(names) > 3 else ''}])."
        )
    known = list(columns)
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(
            f"X has no column {', '.join(map(repr, missing))}. It needs the columns it "
            f"was fitted on, in any order; it has {', '.join(map(repr, known[:12]))}"
            f"{', ...' if len(known) > 12 else ''}. Rename or add what is missing (NaN "
            "where it is unknown)."
        )
    twice = [name for name in names if known.count(name) > 1]
    if twice:
        raise ValueError(
            f"X has several columns {', '.join(map(repr, twice))}. Give each name once."
        )
    table = X[names]
    return table if isinstance(table, pd.DataFrame) else table.to_pandas()


def _read(column, kind):
    from skreg._problem.texts import MISSING, as_dates

    try:
        if kind in DECIMAL_MARKS:
            return _as_number(column, DECIMAL_MARKS[kind])
        if kind == "time":
            return _as_seconds(column)
        if kind == "text":
            return _as_text(column, MISSING)
        if kind == "code":
            return _as_code(column)
        if kind == "date" or "%" in kind:
            return _as_cycles(as_dates(column, "ISO8601" if kind == "date" else kind))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {column.name!r} is of the kind {kind!r}, but holds {error}. Mend "
            "the value, or leave it missing."
        ) from error
    raise ValueError(
        f"columns[{column.name!r}] must be {', '.join(map(repr, DECIMAL_MARKS))}, "
        f"'time', 'date', a format such as '%d/%m/%Y', 'text' or 'code'; got {kind!r}."
    )


def _as_number(column, decimal):
    import pandas as pd
    from pandas.api import types

    from skreg._problem.texts import as_numbers, number_of

    if types.is_timedelta64_dtype(column):
        column = column.dt.total_seconds()
    if types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
    else:
        values = as_numbers(
            column.to_numpy(dtype=object),
            lambda text: number_of(text, decimal),
            "number",
        )
    values = np.where(np.isfinite(values), values, np.nan)
    return pd.Series(values, column.index, name=column.name)


def _as_seconds(column):
    import pandas as pd
    from pandas.api import types

    from skreg._problem.texts import as_numbers, seconds_of

    if types.is_timedelta64_dtype(column) or types.is_numeric_dtype(column):
        return _as_number(column, ".")
    values = column.astype(object).map(
        lambda value: str(value) if isinstance(value, time) else value
    )
    seconds = as_numbers(values.to_numpy(dtype=object), seconds_of, "time")
    return pd.Series(seconds, column.index, name=column.name)


def _as_code(column):
    """Refuse numbers: 01234 that was read as 1234 is a code no more."""
    from skreg._problem.texts import GAPS

    numbers = [v for v in column.dropna() if not isinstance(v, str)]
    if numbers:
        raise ValueError(
            f"{numbers[0]!r}, a number, which has lost the zeros that it may have "
            "begun with (read it as text: "
            f"pandas.read_csv(..., dtype={{{column.name!r}: str}}))"
        )
    return _as_text(column, GAPS)


def _as_text(column, gaps):
    """Texts that stand for a missing value are missing, as pandas.read_csv has it."""
    values = column.astype(object).where(column.notna(), np.nan)
    values = values.map(lambda value: str(value).strip(), na_action="ignore")
    missing = values.isna() | values.map(lambda value: str(value).casefold() in gaps)
    return values.where(~missing, np.nan).astype(object)


def _names_of_cycles(name):
    return [
        f"{name} ({cycle}, {wave})"
        for cycle in CYCLES_IN_DAYS
        for wave in ("sin", "cos")
    ]


def _as_cycles(dates):
    """Days since 1970, and the place in the year, the week and the day."""
    import pandas as pd

    days = (dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
    # the remainder first: the sine of whole days in a cycle of one day is exactly zero
    angles = [
        2 * np.pi * (days % length / length) for length in CYCLES_IN_DAYS.values()
    ]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    names = [dates.name, *_names_of_cycles(dates.name)]
    return pd.DataFrame(dict(zip(names, [days, *waves], strict=True)), dtype=float)
