"""Numbers, times and dates that stand in a table as texts."""

import re

import numpy as np
import pandas as pd

# What pandas.read_csv takes for a missing value.
MISSING = frozenset(
    {
        *("", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind"),
        *("1.#qnan", "<na>", "n/a", "na", "null", "nan", "none"),
    }
)
# Among numbers and dates, these stand for a missing value too.
GAPS = MISSING | {
    *("?", "-", "--", "–", "—", ".", "missing", "nat", "n.a."),
    *("#div/0!", "#name?", "#num!", "#ref!", "#value!"),
    *("0000-00-00", "0000-00-00 00:00:00"),
}
TRUTHS = {"true": True, "false": False}

SPACES = " \u00a0\u2009\u202f"
# ASCII's, the minus of mathematics, and the dash that text programs make of it.
MINUS = "-−–"
CURRENCY = (
    r"US\$|R\$|[$€£¥₹₽₩₺₫฿]|zł|kr\.?|Kč|Rs\.?|Fr\.|"
    "USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|AUD|CAD|NZD|BRL|MXN|ZAR|TRY"
)


def _number_pattern(decimal):
    """Match a number with a decimal mark; the other mark may stand between thousands.

    A group of thousands never follows a lone zero: 0,125 has a decimal comma.
    """
    mark, other = map(re.escape, ".," if decimal == "." else ",.")
    gap = f"[{SPACES}'’]"
    whole = (
        rf"[1-9]\d{{0,2}}(?:{other}\d{{2,3}})*{other}\d{{3}}"
        rf"|[1-9]\d{{0,2}}(?:{gap}\d{{3}})+|\d+"
    )
    digits = rf"(?:(?:{whole})(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?"
    return re.compile(
        rf"(?P<open>\()?(?P<sign>[{MINUS}+]?)\s*(?P<before>{CURRENCY})?\s*"
        rf"(?P<inner>[{MINUS}+]?)(?P<digits>{digits})\s*(?P<after>{CURRENCY})?\s*"
        r"(?P<percent>%)?(?(open)\))",
        re.ASCII,
    )


NUMBER = {decimal: _number_pattern(decimal) for decimal in ".,"}
INFINITE = re.compile(rf"[{MINUS}+]?inf(inity)?", re.IGNORECASE)
# Two digits of minutes: 16:9 and 2:1 are ratios. Days stand as pandas writes them.
TIME = re.compile(
    rf"(?:(?P<days>[{MINUS}+]?\d+) days? [+]?)?(?P<sign>[{MINUS}+]?)"
    r"(?P<hours>\d+):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?",
    re.ASCII | re.IGNORECASE,
)


def match_number(text, decimal):
    """Return the match of a number with a decimal mark, or None.

    Parameters
    ----------
    text : str
    decimal : {".", ","}

    Returns
    -------
    re.Match or None
    """
    return NUMBER[decimal].fullmatch(text.strip())


def number_of(text, decimal):
    """Return the number that a text stands for, or None where it stands for none.

    Parameters
    ----------
    text : str
    decimal : {".", ","}

    Returns
    -------
    float or None
        NaN for a missing value. Signs of currencies and percent are left out.
    """
    text = text.strip()
    found = NUMBER[decimal].fullmatch(text)
    if found is None:
        plain = text.casefold()
        if plain in GAPS:
            return np.nan
        if plain in TRUTHS:
            return float(TRUTHS[plain])
        if not INFINITE.fullmatch(text):
            return None
        return -np.inf if text[0] in MINUS else np.inf
    digits = re.sub(
        f"[{SPACES}'’{',' if decimal == '.' else '.'}]", "", found["digits"]
    )
    value = float(digits.replace(",", "."))
    signs = found["sign"] + found["inner"] + ("-" if found["open"] else "")
    return -value if sum(map(signs.count, MINUS)) % 2 else value


def seconds_of(text):
    """Return the seconds of a time of day or a duration, None where it is neither.

    Parameters
    ----------
    text : str
        Such as 1:30, 01:30:15.5, 1:30 PM or 2 days 01:30:00; hours stand first.

    Returns
    -------
    float or None
        NaN for a missing value.
    """
    text = text.strip()
    found = TIME.fullmatch(text)
    if found is None:
        return np.nan if text.casefold() in GAPS else None
    hours = int(found["hours"])
    if found["half"]:
        if not 1 <= hours <= 12 or found["days"] or found["sign"]:
            return None
        hours = hours % 12 + 12 * (found["half"] in "pP")
    within = 60 * (60 * hours + int(found["minutes"])) + float(found["seconds"] or 0)
    days = found["days"] or "0"
    whole = (-1 if days[0] in MINUS else 1) * int(days.lstrip(f"+{MINUS}"))
    return 86_400.0 * whole + (-within if found["sign"] in [*MINUS] else within)


def as_numbers(values, read, what):
    """Read numbers among which there are texts.

    Parameters
    ----------
    values : ndarray of object
    read : callable
        Returns the number that a text stands for, or None.
    what : str
        What such a text is, for the error.

    Returns
    -------
    ndarray of float

    Raises
    ------
    ValueError
        With the first text that is no such number.
    """
    known = {}
    numbers = np.empty(len(values))
    for i, value in enumerate(values):
        if not isinstance(value, str):
            numbers[i] = np.nan if pd.isna(value) else float(value)
            continue
        if value not in known:
            known[value] = read(value)
        if known[value] is None:
            raise ValueError(f"{value!r}, which is no {what}")
        numbers[i] = known[value]
    return numbers


def as_dates(column, form):
    """Read dates, in universal time.

    Parameters
    ----------
    column : pandas.Series
        Dates, or texts.
    form : str
        ``"ISO8601"``, or a format such as ``"%d/%m/%Y"`` for the texts.

    Returns
    -------
    pandas.Series of datetime64

    Raises
    ------
    ValueError
        With the first value that is no such date.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True)
    values = column.astype(object)
    if form == "%Y%m%d":
        values = values.map(_as_digits)
    texts = values.map(lambda value: isinstance(value, str))
    gaps = values.isna() | texts & values.map(
        lambda value: isinstance(value, str) and value.strip().casefold() in GAPS
    )
    values = values.where(~gaps, None).map(
        lambda value: value.strip() if isinstance(value, str) else value
    )
    dates = pd.to_datetime(
        values, utc=True, format=form if texts.any() else "ISO8601", errors="coerce"
    )
    wrong = dates.isna() & ~gaps
    if wrong.any():
        shown = "a date" if form == "ISO8601" else f"a date of the form {form}"
        raise ValueError(f"{values[wrong].iloc[0]!r}, which is not {shown}")
    return dates


def _as_digits(value):
    """Write a date such as 20240131 as text when it came as a number."""
    is_number = isinstance(value, int | float | np.number) and not pd.isna(value)
    return str(int(value)) if is_number else value
