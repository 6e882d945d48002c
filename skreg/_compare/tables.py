"""Tables from files: what is compressed, encoded and separated in which way."""

import bz2
import csv
import difflib
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from .errors import InputError
from .texts import read_texts

SEPARATORS = ",;\t|"
NAMES_OF_SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    r"\t": "\t",
    "pipe": "|",
    "space": " ",
    "colon": ":",
}
TEXT_FILES = (".csv", ".tsv", ".tab", ".txt")
COMPRESSED = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zip": lambda data: _only_member(data),
}
MAGIC = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\0": ".xz",
    b"PK\x03\x04": ".zip",
}
# The longer marks first: that of UTF-32 begins as that of UTF-16 does.
BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
UNREADABLE = (
    *(ValueError, OSError, EOFError, csv.Error, zipfile.BadZipFile),
    *(lzma.LZMAError, zlib.error),
)
# Records that show what separates their fields.
RECORDS_SNIFFED = 200


@dataclass(frozen=True)
class Reading:
    """How a text file is to be read; None is found out.

    Attributes
    ----------
    sep, decimal, encoding : str or None
    """

    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self):
        sep = NAMES_OF_SEPARATORS.get(self.sep, self.sep)
        object.__setattr__(self, "sep", sep)
        if sep is not None and (len(sep) != 1 or sep in '"\r\n'):
            raise InputError(
                f"--sep must be one character, or one of "
                f"{', '.join(NAMES_OF_SEPARATORS)}; got {sep!r}."
            )
        if self.decimal not in (None, ".", ","):
            raise InputError(f"--decimal must be . or , ; got {self.decimal!r}.")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError as error:
                raise InputError(
                    f"--encoding {self.encoding} is not known to Python. Try utf-8, "
                    "latin-1, cp1252 or utf-16."
                ) from error


@dataclass(frozen=True)
class Table:
    """A table, and what was found when it was read.

    Attributes
    ----------
    frame : pandas.DataFrame
        Its column names are different texts.
    kinds : dict of str to str
        Of columns that stood in the file as texts of a certain form: the kind that
        ``skreg.tables.TableCleaner`` reads them by.
    originals : dict of str to str
        The name that a renamed column has in the file, by its new name.
    notes : list of str
    """

    frame: pd.DataFrame
    kinds: dict = field(default_factory=dict)
    originals: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


def read_table(path, reading=None, target=None):
    """Read a text file of separated fields, compressed or not, or a Parquet file.

    Parameters
    ----------
    path : pathlib.Path
    reading : Reading or None
    target : str or None
        Name of a column in which a text such as "NA" is a value like any other.

    Returns
    -------
    Table
    """
    reading = reading or Reading()
    suffix = _suffix(path)
    if suffix is None:
        raise InputError(
            f"{path.name} is neither .csv nor .parquet (nor {', '.join(TEXT_FILES[1:])}"
            f", nor one of these texts as {', '.join(COMPRESSED)}). Convert the table "
            "to one of them, or rename the file if it is one."
        )
    if not path.is_file():
        names = [other.name for other in path.parent.glob("*")]
        raise InputError(
            f"There is no file {path}.{suggest(path.name, names)} Correct the path, or "
            "leave it out to compare on scikit-learn's diabetes data."
        )
    try:
        if suffix == ".parquet":
            return _read_parquet(path, reading)
        return _read_text(path, reading, target)
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f"{path.name} cannot be read as {suffix}: {error}") from error


def _suffix(path):
    """Return what kind of file a path names, or None: .csv for table.CSV.gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED:
        inner = suffixes[-2] if len(suffixes) > 1 else ".csv"
        return inner if inner in TEXT_FILES else ".csv"
    last = suffixes[-1] if suffixes else ""
    return last if last in (*TEXT_FILES, ".parquet") else None


def _read_parquet(path, reading):
    if reading != Reading():
        raise InputError(
            f"--sep, --decimal and --encoding are for text files; {path.name} says "
            "itself what it holds. Leave them out."
        )
    frame = pd.read_parquet(path)
    if frame.index.names != [None] or not isinstance(frame.index, pd.RangeIndex):
        named = [name for name in frame.index.names if name is not None]
        frame = frame.reset_index() if named else frame.reset_index(drop=True)
    names, originals, notes = _name_columns(frame.columns.map(str))
    return Table(frame.set_axis(names, axis="columns"), {}, originals, notes)


def _read_text(path, reading, target):
    notes = []
    text = _decode(_decompress(path.read_bytes()), reading, notes)
    sep, text = _find_separator(text, reading)
    header, frame = _split_fields(text, sep, notes)
    names, originals, more = _name_columns(header)
    frame = frame.set_axis(names, axis="columns")
    renamed = [name for name, original in originals.items() if original == target]
    frame, kinds, found = read_texts(
        frame, reading.decimal, sep, targets={target, *renamed}
    )
    return Table(frame, kinds, originals, [*notes, *more, *found])


def _decompress(data):
    """Undo compression, which a file's first bytes show whatever its name is."""
    for magic, suffix in MAGIC.items():
        if data.startswith(magic):
            return COMPRESSED[suffix](data)
    return data


def _only_member(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith("__MACOSX")
        ]
        if len(names) != 1:
            raise InputError(
                f"The .zip file holds {len(names)} files ({', '.join(names[:5])}). "
                "Take out the one to be compared on."
            )
        return archive.read(names[0])


def _decode(data, reading, notes):
    """Turn bytes into text: by --encoding, a byte order mark, or their looks."""
    if reading.encoding is not None:
        try:
            return data.decode(reading.encoding).removeprefix("\ufeff")
        except UnicodeError as error:
            raise InputError(
                f"--encoding {reading.encoding} is not that of the file: {error}. "
                "Without the option the encoding is found out."
            ) from error
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding)
    # Half of the bytes of Western texts in UTF-16 are zero.
    head = data[:2000]
    if head and head.count(0) > len(head) // 4:
        order = "le" if head[1::2].count(0) >= head[::2].count(0) else "be"
        notes.append(f"The file has no byte order mark; it is read as UTF-16-{order}.")
        return data.decode(f"utf-16-{order}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text, encoding = data.decode("cp1252"), "Windows-1252 (Latin-1)"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "Latin-1"
    notes.append(
        f"The file is not UTF-8; it is read as {encoding}. --encoding names another."
    )
    return text


def _find_separator(text, reading):
    """Return the separator, and the text without Excel's line "sep=;"."""
    named = re.match(r"sep=(.)\r?\n", text)
    if named:
        text = text[named.end() :]
    if reading.sep is not None:
        return reading.sep, text
    return (named[1] if named else _sniff_separator(text)), text


def _sniff_separator(text):
    """Return the separator with which the first records have as many fields as names.

    R leaves the name of the first column out, so one field more counts as well.
    """
    head = "".join(_first_lines(text))
    best = (0.0, 0, ",")
    for separator in SEPARATORS:
        widths = [len(record) for record in _records(head, separator)]
        if not widths or widths[0] < 2:
            continue
        counts = Counter(widths[1:])
        fitting = max(counts[widths[0]], counts[widths[0] + 1])
        share = fitting / len(widths[1:]) if widths[1:] else 1.0
        best = max(best, (share, widths[0], separator))
    if best[1]:
        return best[2]
    widths = {len(line.split()) for line in head.splitlines() if line.strip()}
    return " " if len(widths) == 1 and max(widths) > 1 else ","


def _first_lines(text):
    stream = io.StringIO(text, newline="")
    return [line for line, _ in zip(stream, range(RECORDS_SNIFFED), strict=False)]


def _records(text, separator):
    """Yield the records that are not empty."""
    lines = io.StringIO(text, newline="")
    for record in csv.reader(lines, delimiter=separator, skipinitialspace=True):
        if record:
            yield record


def _split_fields(text, separator, notes):
    """Return the names in the header, and the fields below it as texts."""
    stream = io.StringIO(text, newline="")
    header = next(
        csv.reader(_written(stream), delimiter=separator, skipinitialspace=True), []
    )
    if separator == " ":
        header = [name for name in header if name]
    start = stream.tell()
    first = next(_records(text[start : start + 1_000_000], separator), [])
    if separator == " ":
        first = [field for field in first if field]
    if not header or not first:
        raise ValueError("it has no rows below a header.")
    width = max(len(header), len(first))
    try:
        frame = pd.read_csv(
            stream,
            sep=r"\s+" if separator == " " else separator,
            header=None,
            names=range(width),
            index_col=False,
            dtype=str,
            na_filter=False,
            skipinitialspace=separator != "\t",
        )
    except pd.errors.ParserError as error:
        raise _explain_rows(error, text[:start].count("\n"), separator) from error
    frame = frame.fillna("")  # the end of a record that is too short
    header = [name.strip() for name in header]
    if width > len(header):
        frame, header = _name_the_rest(frame, header, separator)
    if all(re.fullmatch(r"[+-]?[\d.,]+", name) for name in header if name):
        notes.append(
            "The first line holds numbers alone, yet is taken for the names of the "
            "columns. If it is a row, write names above it."
        )
    return header, frame


def _explain_rows(error, lines_before, separator):
    """Say which line of the file has too many fields."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found is None:
        return error
    expected, line, seen = map(int, found.groups())
    return ValueError(
        f"line {line + lines_before} has {seen} fields separated by {separator!r}, not "
        f"{expected} as the header. Give the separator (--sep), or put texts that hold "
        'it in "double quotes".'
    )


def _written(stream):
    """Yield the lines from the first on that is not empty."""
    for line in iter(stream.readline, ""):
        if line.strip():
            yield line
            break
    yield from iter(stream.readline, "")


def _name_the_rest(frame, header, separator):
    """Name fields that have no name: row names, as R writes them, or nothing at all."""
    while frame.shape[1] > len(header) and (frame.iloc[:, -1] == "").all():
        frame = frame.iloc[:, :-1]
    if frame.shape[1] == len(header) + 1:
        header = ["", *header]
    if frame.shape[1] != len(header):
        raise InputError(
            f"The header has {len(header)} names, the first row {frame.shape[1]} "
            f"fields (separated by {separator!r}). Give the separator (--sep), put "
            'texts that hold it in "double quotes", or name every column.'
        )
    return frame, header


def _name_columns(header):
    """Name each column differently, as pandas does, and say what was renamed.

    Returns
    -------
    names : list of str
    originals : dict of str to str
    notes : list of str
    """
    header = [str(name).strip() or f"Unnamed: {i}" for i, name in enumerate(header)]
    taken, names, originals = set(header), [], {}
    for name in header:
        new, number = name, 0
        while new in names or (number and new in taken):
            number += 1
            new = f"{name}.{number}"
        if new != name:
            originals[new] = name
        names.append(new)
    listing = ", ".join(f"{new} for {old}" for new, old in originals.items())
    notes = [f"Names that come twice are numbered: {listing}."] if originals else []
    return names, originals, notes


def suggest(name, known):
    """Return " Did you mean ...?" with the known names close to a name, or nothing.

    Upper and lower case count as the same.
    """
    by_folded = {}
    for other in known:
        by_folded.setdefault(str(other).strip().casefold(), []).append(str(other))
    close = difflib.get_close_matches(str(name).strip().casefold(), by_folded)
    if close and close[0] == str(name).strip().casefold():
        close = close[:1]
    names = [other for folded in close for other in by_folded[folded]]
    return f" Did you mean {' or '.join(names)}?" if names else ""
