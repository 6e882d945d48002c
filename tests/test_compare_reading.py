"""What `skreg compare` makes of the texts in a file, and what it leaves out."""

import bz2
import datetime
import gzip
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.fixes import parse_version

from skreg._compare.columns import find_columns, find_row_numbers
from skreg._compare.errors import InputError
from skreg._compare.problem import Selection, load_problem, state_problem
from skreg._compare.tables import Reading, read_table, suggest

ROWS = 40


@pytest.fixture
def write(tmp_path):
    """Write bytes or texts into a file and return its path."""

    def write(content, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode(encoding)
        path.write_bytes(data)
        return path

    return write


def column(path, name, **options):
    """A column as it is read, with None where a value is missing."""
    values = read_table(path, Reading(**options)).frame[name]
    return [None if pd.isna(value) else value for value in values]


# Separators, encodings, compression


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_shows_its_separator(write, separator):
    table = pd.DataFrame({"a": [1.5, 2.5], "ü": ["x", "y"]})
    path = write(table.to_csv(sep=separator, index=False), encoding="utf-8-sig")
    pd.testing.assert_frame_equal(read_table(path).frame, table)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"size, in m";y\n1,5;2\n3;4\n', ["size, in m", "y"]),
        ('"a;b","c;d"\n1,2\n3,4\n', ["a;b", "c;d"]),
        ('"a;b;c;d",y\n1,2\n3,4\n', ["a;b;c;d", "y"]),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ["a", "b"]),
        ("a, b;c, d\n1;2\n3;4\n", ["a, b", "c, d"]),
        ("sep=;\na;b\n1;2\n", ["a", "b"]),
        ("a b  c\n1 2 3\n4 5  6\n", ["a", "b", "c"]),
        ("\n\na,b\n1,2\n", ["a", "b"]),
        ('"a\nb",c\n1,2\n', ["a\nb", "c"]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"]),
        (" a , b \n1,2\n", ["a", "b"]),
    ],
)
def test_header_shows_the_separator_whatever_its_names_hold(write, text, names):
    frame = read_table(write(text)).frame
    assert list(frame.columns) == names
    assert all(map(pd.api.types.is_numeric_dtype, frame.dtypes))


def test_row_names_of_r_stand_before_the_columns(write):
    frame = read_table(write('"mpg","cyl"\n"Mazda",21,6\n"Fiat",30,4\n')).frame
    assert frame["mpg"].tolist() == [21, 30]
    assert find_row_numbers(frame)[0] == ["Unnamed: 0"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", "UTF-16-le"),
        ("utf-16-be", "UTF-16-be"),
        ("utf-32", ""),
        ("latin-1", "Latin-1"),
        ("cp1252", "Latin-1"),
    ],
)
def test_encoding_is_found_out_or_said(write, encoding, said):
    table = read_table(write("größe;y\nüber;1\nä;2\n", encoding=encoding))
    assert list(table.frame.columns) == ["größe", "y"]
    assert table.frame["größe"].tolist() == ["über", "ä"]
    notes = " ".join(table.notes)
    assert said in notes
    assert bool(notes) == bool(said)


def test_encoding_can_be_given(write):
    path = write("имя,y\nда,1\nнет,2\n", encoding="cp1251")
    assert read_table(path, Reading(encoding="cp1251")).frame.columns[0] == "имя"
    with pytest.raises(InputError, match="--encoding utf-8 is not that of the file"):
        read_table(path, Reading(encoding="utf-8"))
    with pytest.raises(InputError, match="--encoding klingon is not known"):
        Reading(encoding="klingon")


def zipped(data, names=("table.csv",)):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("t.csv.gz", gzip.compress),
        ("t.tsv.gz", gzip.compress),
        ("t.gz", gzip.compress),
        ("T.CSV.GZ", gzip.compress),
        ("t.csv.bz2", bz2.compress),
        ("t.csv.xz", lzma.compress),
        ("t.csv.zip", zipped),
        ("t.zip", zipped),
        ("t.csv", gzip.compress),
        ("t.csv.gz", bytes),
        ("t.tsv", bytes),
        ("t.txt", bytes),
        ("t.tab", bytes),
    ],
)
def test_compressed_files_and_other_names(write, name, compress):
    frame = read_table(write(compress(b"a\tb\n1\t2\n3\t4\n"), name)).frame
    assert frame.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"\x1f\x8bbroken", "t.csv.gz", "cannot be read as .csv"),
        (zipped(b"a,b\n1,2\n", ["1.csv", "2.csv"]), "t.zip", r"holds 2 files \(1.csv"),
        (b"a,b\n1,2\n3,4,5\n", "t.csv", "line 3 has 3 fields separated by ','"),
        (b"a,b\n1,2,3,4\n", "t.csv", "header has 2 names, the first row 4 fields"),
        (b"a,b\n", "t.csv", "no rows below a header"),
        (b"", "t.csv", "no rows below a header"),
        (b"a", "t.xlsx", "neither .csv nor .parquet"),
    ],
)
def test_what_cannot_be_read_says_why(write, content, name, words):
    with pytest.raises(InputError, match=words):
        read_table(write(content, name))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sep": ";;"}, "--sep must be one character"),
        ({"sep": '"'}, "--sep must be one character"),
        ({"decimal": ";"}, r"--decimal must be \. or ,"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        Reading(**options)


@pytest.mark.parametrize(
    ("text", "sep"), [("a:b\n1:2\n", ":"), ("a\tb\n1\t2\n", "tab"), ("a b\n1 2\n", " ")]
)
def test_separator_can_be_given(write, text, sep):
    assert read_table(write(text), Reading(sep=sep)).frame["b"].tolist() == [2]


def test_parquet_refuses_what_is_for_texts(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(InputError, match="are for text files"):
        read_table(path, Reading(sep=";"))


def test_a_header_of_numbers_is_pointed_out(write):
    assert "holds numbers alone" in read_table(write("1,2\n3,4\n")).notes[0]


# Numbers


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.5", "-2", "+3", "1e3", ".5", "2."], [1.5, -2, 3, 1000, 0.5, 2]),
        (["1,5", "-2", "0,125", "1e3", ",5"], [1.5, -2, 0.125, 1000, 0.5]),
        (["1,234.5", "999.0"], [1234.5, 999]),
        (["1.234,5", "999,0"], [1234.5, 999]),
        (["1,234,567", "8"], [1234567, 8]),
        (["1.234.567", "8"], [1234567, 8]),
        (["12,34,567", "1,200"], [1234567, 1200]),
        (["1 234,5", "2"], [1234.5, 2]),
        (["1\u00a0234,5", "12\u202f345"], [1234.5, 12345]),
        (["1'234.50", "1’000"], [1234.5, 1000]),
        (["$1,234.50", "-$3.00", "$-4"], [1234.5, -3, -4]),
        (["1.234,50 €", "99,90 €", "-5,00 €"], [1234.5, 99.9, -5]),
        (["€ 5", "€7"], [5, 7]),
        (["USD 1,000.5", "2 USD"], [1000.5, 2]),
        (["R$ 1.234,50", "R$ 2,10"], [1234.5, 2.1]),
        (["12%", "5.5 %"], [12, 5.5]),
        (["12,5%", "5%"], [12.5, 5]),
        (["(1,234.50)", "7.00"], [-1234.5, 7]),
        (["−1.5", "2"], [-1.5, 2]),
        (["–1.5", "2"], [-1.5, 2]),
        (["1", "NA", "?", "", "null", "-", "#DIV/0!"], [1] + [None] * 6),
        (["1,5", "NA"], [1.5, None]),
        (["inf", "1.5"], [np.inf, 1.5]),
        (["3", "4"], [3, 4]),
    ],
)
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_texts_are_the_numbers_that_they_mean(write, texts, numbers, separator):
    table = pd.DataFrame({"a": texts, "b": ["x"] * len(texts)})
    path = write(table.to_csv(sep=separator, index=False))
    assert column(path, "a") == numbers
    # The same from a pipeline that is given texts.
    problem = find_columns(pd.DataFrame({"a": column(path, "a")}))
    kinds = read_table(path).kinds
    cleaner = find_columns(read_table(path).frame[["a"]], kinds).cleaner()
    if problem.numbers:
        cleaned = cleaner.fit_transform(table)["a"].tolist()
        expected = [np.nan if n is None or np.isinf(n) else float(n) for n in numbers]
        np.testing.assert_array_equal(cleaned, expected)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["$5", "€6", "$7"], "not all in one form"),
        (["12%", "0.5", "7%"], "not all in one form"),
        (["1.5", "2,5", "3.5"], "not all in one form"),
        ([*map(str, range(9)), "about ten"], "but not 'about ten'"),
        (["<0.01", "0.5", "0.7"], "but not '<0.01'"),
        (["5 kg", "7.5kg", "1.5k"], "5 kg is more than a number"),
        (["5-", "7.50-"], "5- is more than a number"),
        (["1:30:15", "2:45"], "most values are times"),
        (["2024Q1", "2024-Q2", "Q3 2024"], "most values are dates"),
        (["2024-01-01 10:00:00 CET", "2024-01-02 10:00:00 CET"], "values are dates"),
        (["01234", "98765"], "01234 begins with a zero, so the values are codes"),
        (["12345678901234567", "2"], "has too many digits, so the values are codes"),
        (["01/02/2024", "13/02/2024", "01/25/2024"], "most values are dates"),
    ],
)
def test_what_stays_text_although_it_looks_like_numbers_is_said(write, texts, words):
    path = write("\n".join(["a;b", *(f"{text};1" for text in texts)]) + "\n")
    table = read_table(path)
    assert table.frame["a"].tolist() == texts
    assert any(note.startswith("a: ") and words in note for note in table.notes)


@pytest.mark.parametrize(
    "texts", [["1.2.3", "1.2.4", "2.0.1"], ["10.0.0.1", "192.168.0.1"], ["16:9", "4:3"]]
)
def test_what_is_no_number_nor_date_is_text_without_a_word(write, texts):
    table = read_table(write("\n".join(["a;b", *(f"{text};1" for text in texts)])))
    assert table.frame["a"].tolist() == texts
    assert table.notes == []


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["1:30", "02:45", "25:00", "-0:10"], [5400, 9900, 90000, -600]),
        (["1:30", "NA", "", "?"], [5400, None, None, None]),
        (["01:30:15", "0:00:00.5"], [5415, 0.5]),
        (["1:30 PM", "12:05 am", "12:00 p.m."], [48600, 300, 43200]),
        (["1 days 02:00:00", "-1 days +23:59:59"], [93600, -1]),
    ],
)
def test_times_are_seconds(write, texts, seconds):
    table = pd.DataFrame({"a": texts, "b": "x"})
    read = read_table(write(table.to_csv(sep=";", index=False)))
    assert [None if pd.isna(v) else v for v in read.frame["a"]] == seconds
    assert read.notes == [f"a: {texts[0]} is read as {seconds[0]:g} seconds."]
    columns = find_columns(read.frame[["a"]], read.kinds)
    assert columns.numbers == ["a"]
    for given in (read.frame, table):
        cleaned = columns.cleaner().fit_transform(given)["a"]
        np.testing.assert_array_equal(cleaned, np.array(seconds, dtype=float))


def test_times_of_parquet_are_seconds():
    times = pd.DataFrame({"a": [datetime.time(1, 30), None, datetime.time(13, 0, 1)]})
    columns = find_columns(times)
    assert columns.numbers == ["a"]
    cleaned = columns.cleaner().fit_transform(times)["a"]
    np.testing.assert_array_equal(cleaned, [5400, np.nan, 46801])


def test_codes_are_categories_that_a_pipeline_takes_as_texts_alone(write):
    path = write("zip;b\n01234;1\n98765;2\n?;3\n")
    read = read_table(path)
    assert column(path, "zip") == ["01234", "98765", None]
    cleaner = find_columns(read.frame[["zip"]], read.kinds).cleaner()
    texts = pd.DataFrame({"zip": ["01234", "98765", "?"]})
    pd.testing.assert_frame_equal(
        cleaner.fit_transform(texts), cleaner.transform(read.frame)
    )
    with pytest.raises(ValueError, match=r"1234, a number.*dtype=\{'zip': str\}"):
        cleaner.transform(pd.DataFrame({"zip": [1234, 98765]}))


@pytest.mark.parametrize("text", ["1e400", "-1e400", "inf"])
def test_numbers_that_are_not_finite_are_said(write, text):
    notes = read_table(write(f"a,b\n{text},x\n2,y\n")).notes
    assert notes == [f"a: {text} is not finite and counts as missing."]


def test_dates_with_and_without_a_time_zone_are_said(write):
    path = write("a;b\n2024-01-01T10:00:00;1\n2024-07-01T10:00:00+02:00;2\n")
    assert "without a time zone are taken as universal" in read_table(path).notes[0]


def days_of(path):
    read = read_table(path)
    return find_columns(read.frame, read.kinds).cleaner().fit_transform(read.frame)["a"]


def test_a_date_that_is_none_is_missing(write):
    days = days_of(write("a;b\n0000-00-00;1\n1969-12-31;2\n2024-01-02;3\n"))
    np.testing.assert_array_equal(days, [np.nan, -1, 19724])


@pytest.mark.skipif(
    parse_version(pd.__version__).major < 3,
    reason="pandas counts nanoseconds before 3.0, and has no such date",
)
def test_a_date_far_off_is_a_date(write):
    days = days_of(write("a;b\n9999-12-31;1\n2024-01-02;2\n"))
    np.testing.assert_array_equal(days, [2932896, 19724])


def test_one_column_tells_the_decimal_mark_of_the_others(write):
    # 1.234 is a thousand where another column has decimal commas, else a fraction.
    path = write("a;b\n1.234;0,5\n5.678;1,5\n")
    assert column(path, "a") == [1234, 5678]
    path = write("a;b\n1.234;0.5\n5.678;1.5\n")
    assert column(path, "a") == [1.234, 5.678]
    assert read_table(path).notes == []


@pytest.mark.parametrize(
    ("text", "numbers", "other", "others"),
    [
        ('a,b\n"1,234",x\n"5,678",y\n', [1234, 5678], ",", [1.234, 5.678]),
        ("a;b\n1,234;x\n5,678;y\n", [1.234, 5.678], ".", [1234, 5678]),
        ("a,b\n1.234,x\n5.678,y\n", [1.234, 5.678], ",", [1234, 5678]),
    ],
)
def test_what_nothing_decides_is_said_and_can_be_given(
    write, text, numbers, other, others
):
    path = write(text)
    assert column(path, "a") == numbers
    (note,) = read_table(path).notes
    assert f"--decimal {other} makes it" in note
    assert column(path, "a", decimal=other) == others
    assert read_table(path, Reading(decimal=other)).notes == []


def test_many_decimals_are_read_at_once_and_exactly(write):
    values = np.random.default_rng(0).normal(size=3000)
    path = write("a,b\n" + "\n".join(f"{float(v)!r},x" for v in values) + "\n")
    np.testing.assert_array_equal(read_table(path).frame["a"], values)


def test_truths_and_plain_numbers_have_the_types_of_pandas(write):
    frame = read_table(write("t,i,f\nTrue,1,1.0\nFALSE,2,2.0\n")).frame
    assert [str(dtype) for dtype in frame.dtypes] == ["bool", "int64", "float64"]


# Dates


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["31/12/2023", "01/02/2024"], ["2023-12-31", "2024-02-01"]),
        (["31.12.2023", "1.2.2024"], ["2023-12-31", "2024-02-01"]),
        (["31-12-23", "01-02-24"], ["2023-12-31", "2024-02-01"]),
        (["12/31/2023", "02/01/2024"], ["2023-12-31", "2024-02-01"]),
        (["2023/12/31", "2024/02/01"], ["2023-12-31", "2024-02-01"]),
        (["20231231", "20240201"], ["2023-12-31", "2024-02-01"]),
        (["2023-12-31", "2024-02-01"], ["2023-12-31", "2024-02-01"]),
        (["31 Dec 2023", "1 Feb 2024"], ["2023-12-31", "2024-02-01"]),
        (["Dec 31, 2023", "Feb 1, 2024"], ["2023-12-31", "2024-02-01"]),
        (["December 31, 2023", "May 1, 2024"], ["2023-12-31", "2024-05-01"]),
        (["12/2023", "02/2024"], ["2023-12-01", "2024-02-01"]),
        (["2023-12", "2024-02"], ["2023-12-01", "2024-02-01"]),
        (["31/12/2023 18:00", "01/02/2024 06:00"], ["2023-12-31T18", "2024-02-01T06"]),
        (["12/31/2023 6:00 PM", "2/1/2024 6:00 AM"],
         ["2023-12-31T18", "2024-02-01T06"]),
        (["2023-12-31T18:00:00Z", "2024-02-01T06:00:00Z"],
         ["2023-12-31T18", "2024-02-01T06"]),
        (["2023-12-31 19:00:00+01:00", "2024-02-01 07:00:00+01:00"],
         ["2023-12-31T18", "2024-02-01T06"]),
        (["31/12/2023", "NA", ""], ["2023-12-31", None, None]),
    ],
)  # fmt: skip
def test_dates_are_days(write, texts, days):
    table = pd.DataFrame({"when": texts, "y": range(len(texts))})
    read = read_table(write(table.to_csv(sep=";", index=False)))
    columns = find_columns(read.frame[["when"]], read.kinds)
    assert columns.dates == ["when"]
    expected = (pd.to_datetime(pd.Series(days)) - pd.Timestamp(0)) / pd.Timedelta("1D")
    for given in (read.frame, table):
        cleaned = columns.cleaner().fit_transform(given)
        np.testing.assert_allclose(cleaned["when"], expected.to_numpy())
        assert cleaned.shape[1] == 7


def test_day_or_month_first_is_decided_by_other_dates_or_said(write):
    doubtful = read_table(write("a;y\n01/02/2024;1\n03/04/2024;2\n"))
    assert doubtful.kinds["a"] == "%d/%m/%Y"
    assert "either the day or the month may stand first" in doubtful.notes[-1]
    decided = read_table(write("a;b\n01/02/2024;12/31/2024\n03/04/2024;01/02/2024\n"))
    assert decided.kinds == {"a": "%m/%d/%Y", "b": "%m/%d/%Y"}
    assert not any("either the day" in note for note in decided.notes)


# The target


@pytest.mark.parametrize("missing", ["None", "NA", "null", "nan", "N/A", "?"])
def test_texts_of_the_target_stay_texts(write, missing):
    rows = "".join(f"{i % 7},{[missing, 'low', 'high'][i % 3]}\n" for i in range(60))
    problem = load_problem(write("x,level\n" + rows), "level", "auto", 2)
    assert sorted(set(problem.y)) == sorted([missing, "low", "high"])
    assert len(problem.y) == 60
    assert f"level: {missing} is a class; a missing value is an empty field." in (
        problem.notes
    )


@pytest.mark.parametrize("missing", ["None", "NA", "null", "?", "-", "#N/A"])
@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["0", "1"], [0, 1]),
        (["1.5", "2.25"], [1.5, 2.25]),
        (["true", "False"], [True, False]),
        (["007", "010"], ["007", "010"]),
        (["1:30", "2:45"], [5400, 9900]),
    ],
)
def test_gaps_beside_digits_and_truths_of_the_target_are_missing(
    write, missing, values, read
):
    rows = "".join(f"{i % 7},{[*values, missing][i % 3]}\n" for i in range(60))
    problem = load_problem(write("x,y\n" + rows), "y", "auto", 2)
    assert sorted(set(problem.y)) == sorted(read)
    assert "Rows left out for want of y: 20." in problem.notes


def test_all_classes_may_look_missing(write):
    rows = "".join(f"{i % 7},{['None', 'NA', 'null'][i % 3]}\n" for i in range(60))
    problem = load_problem(write("x,y\n" + rows), "y", "auto", 2)
    assert sorted(set(problem.y)) == ["NA", "None", "null"]


def test_codes_of_classes_keep_their_zeros(write):
    rows = "".join(f"{i % 7},{['007', '010'][i % 2]}\n" for i in range(40))
    problem = load_problem(write("x,y\n" + rows), "y", "auto", 2)
    assert sorted(set(problem.y)) == ["007", "010"]


def test_a_target_of_numbers_is_read_as_such(write):
    rows = "".join(f"{i};1.{i:03},50 €\n" for i in range(ROWS)) + "3;NA\n"
    problem = load_problem(write("x;price\n" + rows), "price", "auto", 2)
    assert problem.task == "regression"
    np.testing.assert_allclose(problem.y, 1000.5 + np.arange(ROWS))
    assert "Rows left out for want of price: 1." in problem.notes


def test_truths_with_gaps_stay_truths(write):
    rows = "".join(f"{i},{[True, False][i % 2]}\n" for i in range(ROWS)) + "3,\n"
    assert load_problem(write("x,y\n" + rows), "y", "auto", 2).y.dtype == bool


# Duplicated names


@pytest.mark.parametrize(
    "names", ["churn,a,churn", "churn,a, churn ", "churn,a,churn,churn"]
)
def test_namesakes_of_the_target_are_left_out(write, names):
    width = names.count(",") - 1
    rows = "".join(f"{i % 2},{i}" + f",{i % 2}" * width + "\n" for i in range(ROWS))
    problem = load_problem(write(f"{names}\n{rows}"), "churn", "auto", 2)
    assert list(problem.X.columns) == ["a"]
    assert any("columns are named churn" in note for note in problem.notes)


def test_namesakes_of_the_target_in_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"y": [0, 1] * 20, "a": range(5, 45), "y ": [0, 1] * 20})
    frame.to_parquet(path)
    problem = load_problem(path, "y", "auto", 2)
    assert list(problem.X.columns) == ["a"]


def test_other_namesakes_are_numbered_and_copies_left_out(write):
    rows = "".join(f"{i},{2 * i % 7},{i},{i % 5},{i % 2}\n" for i in range(5, ROWS))
    problem = load_problem(write("a,b,a,b,y\n" + rows), "y", "auto", 2)
    assert list(problem.X.columns) == ["a", "b", "b.1"]
    notes = " ".join(problem.notes)
    assert "a.1 for a, b.1 for b" in notes
    assert "Copies of columns left out: a.1." in notes


def test_a_column_that_tells_the_target_is_pointed_out(write):
    rows = "".join(f"{i % 7},{['no', 'yes'][i % 2]},{i % 2}\n" for i in range(ROWS))
    problem = load_problem(write("a,b,y\n" + rows), "y", "auto", 2)
    assert any("b tells y in every row" in note for note in problem.notes)
    values = np.arange(ROWS) + 0.5
    frame = pd.DataFrame({"a": values % 7, "copy": values, "y": values})
    notes = state_problem("t", frame, "y", "auto", 2).notes
    assert any("copy tells y in every row" in note for note in notes)


# Columns that number the rows


def numbered(name, values, rows=ROWS):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: values, "x": rng.normal(size=rows)})
    return frame.assign(y=np.repeat(["a", "b"], rows // 2))


def used(frame, **options):
    return list(state_problem("t", frame, "y", "auto", 2, **options).X.columns)


@pytest.mark.parametrize(
    "values",
    [
        range(ROWS),
        range(1, ROWS + 1),
        range(ROWS)[::-1],
        np.random.default_rng(0).permutation(5 * ROWS)[:ROWS],
        np.arange(ROWS, dtype=float),
        [f"row {i}" for i in range(ROWS)],
    ],
)
@pytest.mark.parametrize(
    "name",
    ["Unnamed: 0", "index", "level_0", "id", "ID", "PassengerId", "customer_id", "row",
     "CustomerID", "#", "Row Number", "no.", "Unnamed: 0.1", "rowNumber", "Sample ID"],
)  # fmt: skip
def test_numbers_of_rows_are_left_out_with_a_note(name, values):
    frame = numbered(name, values)
    problem = state_problem("t", frame, "y", "auto", 2)
    assert list(problem.X.columns) == ["x"]
    assert any(
        "number or name the rows are left out" in note and name in note
        for note in problem.notes
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("year", range(1980, 1980 + ROWS)),
        ("Year", range(1980, 1980 + ROWS)),
        ("age", range(20, 20 + ROWS)),
        ("t", range(ROWS)),
        ("month", range(1, ROWS + 1)),
        ("paid", range(ROWS)),
        ("id", [i // 2 for i in range(ROWS)]),
        ("Unnamed: 0", pd.date_range("2024", periods=ROWS)),
        ("id", np.arange(ROWS) + 0.5),
    ],
)
def test_features_that_count_or_repeat_stay(name, values):
    assert used(numbered(name, values)) == [name, "x"]


@pytest.mark.parametrize(
    "values",
    [
        np.arange(ROWS),
        np.arange(ROWS) + 1.0,
        np.arange(ROWS)[::-1],
        5 * np.arange(ROWS),
        np.random.default_rng(0).permutation(ROWS) + 1,
    ],
    ids=["up", "from one", "down", "by five", "shuffled"],
)
def test_what_counts_under_another_name_is_pointed_out(values):
    problem = state_problem("t", numbered("t", values), "y", "auto", 2)
    assert any("t counts the rows" in note for note in problem.notes)


def test_years_do_not_count_the_rows():
    problem = state_problem("t", numbered("year", range(1990, 2030)), "y", "auto", 2)
    assert not any("counts the rows" in note for note in problem.notes)


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_index_that_to_csv_writes_is_no_feature(write, shuffled):
    frame = numbered("z", np.random.default_rng(1).normal(size=ROWS))
    if shuffled:
        frame = frame.sample(frac=0.8, random_state=0)
    path = write(frame.to_csv())
    problem = load_problem(path, "y", "auto", 2)
    assert list(problem.X.columns) == ["z", "x"]
    twice = write(pd.read_csv(path).to_csv(), "twice.csv")
    assert list(load_problem(twice, "y", "auto", 2).X.columns) == ["z", "x"]


def test_rows_without_a_target_do_not_hide_the_numbers_of_rows():
    frame = numbered("index", range(ROWS))
    frame.loc[[3, 7], "y"] = None
    assert used(frame) == ["x"]


# --drop, --sample, --target


def test_columns_can_be_dropped():
    frame = numbered("a, b", range(5, 45)).assign(c=np.arange(ROWS) % 3)
    assert used(frame, selection=Selection(("x",))) == ["a, b", "c"]
    assert used(frame, selection=Selection(("a, b", "x"))) == ["c"]
    assert used(frame, selection=Selection(("x, c",))) == ["a, b"]
    with pytest.raises(InputError, match=r"--drop X is not a column. Did you mean x\?"):
        used(frame, selection=Selection(("X",)))
    with pytest.raises(InputError, match="--drop y is the target"):
        used(frame, selection=Selection(("y",)))


def test_a_sample_keeps_the_shares_of_the_classes():
    rows = 1000
    frame = numbered("a", np.random.default_rng(0).normal(size=rows), rows)
    frame["y"] = np.where(np.arange(rows) % 10 == 0, "rare", "common")
    problem = state_problem("t", frame, "y", "auto", 2, Selection(sample=200))
    assert np.unique(problem.y, return_counts=True)[1].tolist() == [180, 20]
    assert "200 of 1,000 rows are drawn at random." in problem.notes
    same = state_problem("t", frame, "y", "auto", 2, Selection(sample=200))
    other = state_problem("t", frame, "y", "auto", 2, Selection(sample=200, seed=1))
    assert problem.X.index.equals(same.X.index)
    assert not problem.X.index.equals(other.X.index)
    assert (
        len(state_problem("t", frame, "y", "auto", 2, Selection(sample=5000)).y) == rows
    )


def test_a_sample_of_quantities():
    frame = numbered("a", np.random.default_rng(0).normal(size=ROWS))
    frame["y"] = np.arange(ROWS) + 0.5
    problem = state_problem("t", frame, "y", "auto", 2, Selection(sample=10))
    assert len(problem.y) == 10
    with pytest.raises(InputError, match="3 rows are too few"):
        state_problem("t", frame, "y", "auto", 2, Selection(sample=3))


@pytest.mark.parametrize(
    ("asked", "known", "words"),
    [
        ("PRICE", ["price", "size"], " Did you mean price?"),
        ("price", ["Price", "size"], " Did you mean Price?"),
        ("pirce", ["PRICE", "size"], " Did you mean PRICE?"),
        (" Price", ["price"], " Did you mean price?"),
        ("umsatz", ["Umsatz ", "x"], " Did you mean Umsatz ?"),
        ("xyz", ["price"], ""),
    ],
)
def test_suggestions_do_not_mind_case(asked, known, words):
    assert suggest(asked, known) == words
