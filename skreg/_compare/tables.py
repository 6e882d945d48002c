"""Tables from files."""

import difflib

import pandas as pd

from .errors import InputError

SEPARATORS = ",;\t|"


def read_table(path):
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    pandas.DataFrame
        Its column names are texts.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            f"{path.name} is neither {' nor '.join(READERS)}. Convert the table to one "
            "of them, or rename the file if it is one."
        )
    if not path.is_file():
        names = [other.name for other in path.parent.glob("*")]
        raise InputError(
            f"There is no file {path}.{suggest(path.name, names)} Correct the path, or "
            "leave it out to compare on scikit-learn's diabetes data."
        )
    try:
        table = read(path)
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path.name} cannot be read as {path.suffix}: {error}"
        ) from error
    return table.set_axis(table.columns.map(str), axis="columns")


def _read_csv(path):
    """Read a CSV file whose header shows what separates the columns."""
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    separator = max(SEPARATORS, key=header.count)
    return pd.read_csv(path, sep=separator, encoding="utf-8-sig", low_memory=False)


READERS = {".csv": _read_csv, ".parquet": pd.read_parquet}


def suggest(name, known):
    """Return " Did you mean ...?" with the known names close to a name, or nothing."""
    close = difflib.get_close_matches(name, known)
    return f" Did you mean {' or '.join(close)}?" if close else ""
