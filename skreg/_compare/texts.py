"""From the texts of a file to numbers, dates and texts."""

import re
from datetime import datetime
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from skreg._problem.texts import (
    GAPS,
    INFINITE,
    MISSING,
    TIME,
    TRUTHS,
    as_numbers,
    match_number,
    number_of,
    seconds_of,
)

KINDS = {".": "number", ",": "number, decimal comma"}

# Day first, where both would do and nothing in the file decides.
DAYS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%m.%d.%y", "%d-%m-%y", "%m-%d-%y"),
    *("%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%Y-%m", "%Y/%m", "%m/%Y", "%Y%m%d"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d-%B-%Y", "%d. %B %Y"),
    *("%d %b %y", "%d/%b/%Y", "%d%b%Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
    *("%B %d %Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%a, %d %b %Y"),
)
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
PLAIN = re.compile(r"[+-]?\d*\.?\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
DATE_IN_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
# A number with a bound, a sign or a short unit: >5, 5-, 5kg, 1.5k.
QUALIFIED = re.compile(r"(?:[<>≤≥~≈]=?\s*)?(?P<number>.*\d)(?:\s*[^\d\s,.%]{1,4})?")
DAY = "(?:0?[1-9]|[12][0-9]|3[01])"
LIKE_A_DATE = re.compile(
    rf"(?:{DAY}(?P<mark>[/.-]){DAY}(?P=mark)(?:\d{{4}}|\d\d)"
    rf"|\d{{4}}(?P<sign>[/.-]){DAY}(?P=sign){DAY})(?:[ T,].*)?"
    r"|\d{4}[ -]?[QW]\d\d?|Q[1-4][ /-]?\d{4}",
    re.ASCII,
)

# A column of which so many values are numbers is named where it stays text.
NEARLY = 0.6
# Different values that are looked at before all of them are.
GLANCE = 1000


def read_texts(frame, decimal, separator, targets=()):
    """Turn each column of texts into numbers, booleans or dates where it holds such.

    What one value leaves open, the others of its column decide, else the other columns:
    whether 1.234 is a decimal or a thousand, whether 3/4/2024 is in March or April.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of texts; an empty one is a missing value.
    decimal : {".", ","} or None
        The decimal mark, where it is known.
    separator : str
        Of the fields; after a semicolon, a decimal comma is likely.
    targets : set of str
        Columns in which all texts are values, be it "NA" or "None".

    Returns
    -------
    frame : pandas.DataFrame
    kinds : dict of str to str
        For ``skreg.tables.TableCleaner``; without the columns of plain numbers and
        texts.
    notes : list of str
    """
    looks = {
        name: Look(frame[name].to_numpy(dtype=object), name in targets)
        for name in frame.columns
    }
    mark, mark_note = _file_mark(looks, decimal, separator)
    forms, form_note = _file_forms(looks)
    columns, kinds, notes = {}, {}, []
    for name, look in looks.items():
        columns[name], kind, note = look.read(mark, forms.get(name), decimal)
        if kind:
            kinds[name] = kind
        if note:
            notes.append(f"{name}: {note}")
    return pd.DataFrame(columns), kinds, [*notes, *mark_note, *form_note]


class Look:
    """What a column's texts may be.

    Attributes
    ----------
    texts : ndarray of object
    different : ndarray of str
        The different ones that are no gaps.
    marks : set of str
        The decimal marks with which all are numbers.
    decided : bool
        Whether it is no matter, or no question, which of the two is taken.
    is_code : bool
        Whether they are codes such as 007, whose zeros count, or digits of which a
        number would keep only the first.
    is_time : bool
        Whether all are times or durations of one form.
    is_plain : bool
        Whether all are numbers as Python writes them.
    forms : list of str
        The formats by which all are dates.
    """

    def __init__(self, texts, is_target):
        self.texts = np.array([text.strip() for text in texts], dtype=object)
        self.is_target = is_target
        self.codes, self.distinct = pd.factorize(self.texts)
        self.folded = np.array(
            [text.casefold() for text in self.distinct], dtype=object
        )
        self.is_gap = np.array([text in GAPS for text in self.folded], dtype=bool)
        self.different = self.distinct[~self.is_gap]
        self.is_truth = len(self.different) > 0 and all(
            text in TRUTHS for text in self.folded[~self.is_gap]
        )
        self.is_plain = False
        self.is_code = all(map(str.isdecimal, self.different)) and any(
            map(_is_code, self.different)
        )
        self.is_time = _are_times(self.different)
        if self.is_code or self.is_time:
            self.marks, self.decided, self.forms = set(), True, []
            return
        self.marks, self.decided = self._find_marks()
        self.forms = [] if self.marks or self.is_truth else self._find_forms()
        if self.marks and all(map(DATE_IN_DIGITS.fullmatch, self.different)):
            self.forms = self._find_forms()

    def _find_marks(self):
        """Return the decimal marks that fit all values, and whether that is certain.

        Different currencies, or percent in some values alone, make them no numbers of
        one unit.
        """
        if not len(self.different) or self.is_truth:
            return set(), True
        marks = {mark for mark in KINDS if self._fits(self.different[:GLANCE], mark)}
        if not marks:
            return set(), True
        self.is_plain = marks == {"."} and _are_plain(self.different)
        if not self.is_plain:
            marks = {mark for mark in marks if self._fits(self.different, mark)}
        if len(marks) == 2:
            same = all(
                number_of(text, ".") == number_of(text, ",") for text in self.different
            )
            return marks, same
        return marks, True

    def _fits(self, texts, mark):
        units, percents = set(), set()
        for text in texts:
            found = match_number(text, mark)
            if found is None:
                if INFINITE.fullmatch(text):
                    continue
                return False
            unit = found["before"] or found["after"]
            if unit:
                units.add(unit)
            percents.add(bool(found["percent"]))
        return len(units) < 2 and len(percents) < 2

    def _find_forms(self):
        if not len(self.different) or not any(map(str.isdigit, self.different[0])):
            return []
        if all(map(ISO_DATE.fullmatch, self.different)) and _parse_all(
            self.different, "ISO8601"
        ):
            return ["ISO8601"]
        first = self.different[0]
        return [
            form
            for form in _formats_like(first)
            if _parses(first, form) and _parse_all(self.different, form)
        ]

    @property
    def shows(self):
        """The decimal mark that this column proves to be the file's, or None."""
        if not self.decided or len(self.marks) != 1:
            return None
        (mark,) = self.marks
        other = "," if mark == "." else "."
        proof = any(match_number(text, other) is None for text in self.different)
        return mark if proof else None

    def read(self, mark, form, forced):
        """Return the column, its kind for a cleaner, and what there is to say of it."""
        if form:
            return self._dates(form)
        if self.is_truth:
            return self._truths(), None, ""
        if self.is_time:
            numbers = as_numbers(self.distinct, seconds_of, "time")
            text = self.different[0]
            said = f"{text} is read as {seconds_of(text):g} seconds."
            return self._column(numbers), "time", said
        if self.is_code:
            return self._words(GAPS), "code", self._why_code()
        marks = self.marks
        if forced and marks and forced not in marks:
            why = (
                f"{self._example(forced)} is no number with --decimal {forced}, so the "
                "column is text."
            )
            return self._words(MISSING), None, why
        if marks:
            own = forced or (mark if mark in marks else next(iter(marks)))
            return self._numbers(own)
        said = f"{self._nearly_numbers()} {self._classes_like_gaps()}".strip()
        return self._words({""} if self.is_target else MISSING), None, said

    def _example(self, mark):
        return next(t for t in self.different if match_number(t, mark) is None)

    def _numbers(self, mark):
        if self.is_plain:
            numbers = np.full(len(self.distinct), np.nan)
            numbers[~self.is_gap] = self.different.astype(float)
        else:
            numbers = as_numbers(
                self.distinct, partial(number_of, decimal=mark), "number"
            )
        column, said = self._column(numbers), self._signs(mark)
        infinite = self.distinct[np.isinf(numbers)]
        if len(infinite):
            said += [f"{infinite[0]} is not finite and counts as missing"]
        is_whole = (column % 1 == 0).all() and column.abs().max() < 2**53
        if is_whole and not any(mark in text for text in self.different):
            column = column.astype("int64")
        return column, KINDS[mark], f"{', '.join(said)}." if said else ""

    def _column(self, values):
        """Put a value for each different text in the texts' places."""
        return pd.Series(values[self.codes])

    def _signs(self, mark):
        """Say what is left out of numbers."""
        found = [match_number(text, mark) for text in self.different[:GLANCE]]
        found = [match for match in found if match]
        signs = {match["before"] or match["after"] for match in found} - {None}
        said = [f"{sign} is left out" for sign in signs]
        if any(match["percent"] for match in found):
            said.append("12% is read as 12")
        if any(match["open"] for match in found):
            said.append("brackets are read as minus")
        return said

    def _truths(self):
        values = [TRUTHS.get(text) for text in self.folded]
        column = self._column(np.array(values, dtype=object))
        return column if column.isna().any() else column.astype(bool)

    def _dates(self, form):
        texts = pd.Series(np.where(self.is_gap, None, self.distinct), dtype=object)
        dates = pd.to_datetime(texts, format=form, utc=True)
        column = dates.iloc[self.codes].reset_index(drop=True)
        if form == "ISO8601":
            zones = {bool(ZONE.search(text)) for text in self.different}
            mixed = "dates without a time zone are taken as universal time."
            return column, "date", mixed if len(zones) > 1 else ""
        return column, form, f"read as dates of the form {form}."

    def _words(self, empty):
        words = [
            None if folded in empty else text
            for text, folded in zip(self.distinct, self.folded, strict=True)
        ]
        return pd.Series([words[code] for code in self.codes])

    def _why_code(self):
        text = next(filter(_is_code, self.different))
        why = "begins with a zero" if text[0] == "0" else "has too many digits"
        return (
            f"{text} {why}, so the values are codes, not numbers. Rewrite them if they "
            "are quantities."
        )

    def _classes_like_gaps(self):
        """Name a class of words that elsewhere is a missing value."""
        gaps = [text for text in self.distinct[self.is_gap] if text]
        if not self.is_target or not gaps or not len(self.different):
            return ""
        return f"{gaps[0]} is a class; a missing value is an empty field."

    def _nearly_numbers(self):
        """Name what keeps a column of numbers from being one."""
        for what, test in (
            ("numbers", lambda text: any(match_number(text, mark) for mark in KINDS)),
            ("times", TIME.fullmatch),
            ("dates", LIKE_A_DATE.fullmatch),
        ):
            is_one = np.array([bool(test(text)) for text in self.different], dtype=bool)
            if not len(is_one) or is_one.mean() < NEARLY:
                continue
            others = self.different[~is_one]
            shown = ", ".join(map(repr, others[:3]))
            why = (
                f"not {shown}"
                if len(others)
                else "not all in one form that is known (marks, signs, order, zone)"
            )
            return f"most values are {what}, but {why}, so it is text. Clean it first."
        qualified = [text for text in self.different if _is_qualified(text)]
        if self.is_target or len(qualified) < NEARLY * max(1, len(self.different)):
            return ""
        return (
            f"{qualified[0]} is more than a number, so the column is text. If it is a "
            "quantity, write the number alone."
        )


def _file_mark(looks, decimal, separator):
    """Return the decimal mark for columns that fit both, and a note on these."""
    if decimal:
        return decimal, []
    shown = {look.shows for look in looks.values()} - {None}
    open_ones = [name for name, look in looks.items() if not look.decided]
    if len(shown) == 1:
        return shown.pop(), []
    mark = "," if separator == ";" and shown != {"."} else "."
    if not open_ones:
        return mark, []
    text = next(
        text
        for text in looks[open_ones[0]].different
        if number_of(text, ".") != number_of(text, ",")
    )
    other = "," if mark == "." else "."
    return mark, [
        f"In {', '.join(open_ones)}, {text} is read as {number_of(text, mark):g}; "
        f"--decimal {other} makes it {number_of(text, other):g}."
    ]


def _file_forms(looks):
    """Return the format of each column of dates, and a note on doubtful ones."""
    decided = [look.forms[0] for look in looks.values() if len(look.forms) == 1]
    orders = {_order(form) for form in decided} - {None}
    forms, doubtful = {}, []
    for name, look in looks.items():
        if not look.forms:
            continue
        fitting = [form for form in look.forms if {_order(form)} == orders]
        forms[name] = (fitting or look.forms)[0]
        if len({_order(form) for form in look.forms}) > 1 and not fitting:
            doubtful.append(name)
    if not doubtful:
        return forms, []
    return forms, [
        f"In {', '.join(doubtful)} either the day or the month may stand first; it is "
        "read as the day. Dates as 2024-12-31 leave no doubt."
    ]


def _order(form):
    """Whether a day stands before its month, both in digits; None for other formats."""
    if "%d" not in form or "%m" not in form or form.startswith("%Y"):
        return None
    return "day" if form.index("%d") < form.index("%m") else "month"


def _is_code(text):
    """Whether a number would lose digits of a text of digits."""
    return (len(text) > 1 and text[0] == "0") or float(text) >= 2**53


def _are_times(texts):
    forms = set()
    for text in texts:
        found = TIME.fullmatch(text)
        if found is None or seconds_of(text) is None:
            return False
        forms.add((found["seconds"] is None, found["half"] is None))
    return len(forms) == 1


def _is_qualified(text):
    found = QUALIFIED.fullmatch(text)
    return bool(found) and any(match_number(found["number"], mark) for mark in KINDS)


def _are_plain(texts):
    """Whether all texts are numbers as Python writes them, which are read at once."""
    return all(map(PLAIN.fullmatch, texts))


def _formats_like(text):
    """Return the formats that have the marks of a text: colons, letters, a zone."""
    times = TIMES if ":" in text else ()
    zones = ("%z", " %z") if times and ZONE.search(text) else ("",)
    gap = "T" if re.search(r"\dT\d", text) else " "
    dated = [
        f"{day}{gap}{time}{zone}" for day, time, zone in product(DAYS, times, zones)
    ]
    return dated if times else DAYS


def _parses(text, form):
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _parse_all(texts, form):
    series = pd.Series(texts, dtype=object)
    return bool(
        pd.to_datetime(series, format=form, utc=True, errors="coerce").notna().all()
    )
