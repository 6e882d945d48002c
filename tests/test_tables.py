"""The transformer that saved pipelines of `skreg compare` begin with."""

import datetime
import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skreg
from skreg._compare.columns import scaling_encoder
from skreg.tables import TableCleaner

KINDS = {
    "price": "number, decimal comma",
    "age": "number",
    "member": "number",
    "since": "%d/%m/%Y",
    "seen": "date",
    "town": "text",
}


def texts():
    return pd.DataFrame(
        {
            "price": ["1.234,50 €", "99,90 €", "", "5,00 €"],
            "age": ["30", "1,040.5", "NA", "50"],
            "member": ["True", "false", "", "TRUE"],
            "since": ["31/12/2023", "", "01/02/2024", "05/06/2024"],
            "seen": ["2024-01-02", "2024-01-03", "", "2024-01-05"],
            "town": ["Ulm", "Bonn", "", "Ulm"],
        }
    )


def values():
    return pd.DataFrame(
        {
            "price": [1234.5, 99.9, np.nan, 5.0],
            "age": [30, 1040.5, np.nan, 50],
            "member": [True, False, None, True],
            "since": pd.to_datetime(["2023-12-31", None, "2024-02-01", "2024-06-05"]),
            "seen": [datetime.date(2024, 1, d) if d else None for d in (2, 3, 0, 5)],
            "town": ["Ulm", "Bonn", None, "Ulm"],
        }
    )


@pytest.fixture(scope="module")
def pipeline():
    X, y = pd.concat([texts()] * 5, ignore_index=True), [0, 1, 1, 0] * 5
    return make_pipeline(
        TableCleaner(KINDS), scaling_encoder(), LogisticRegression()
    ).fit(X, y)


@pytest.mark.parametrize(
    "other",
    [
        values(),
        texts()[list(KINDS)[::-1]],
        values().assign(further=1),
        pl.DataFrame(texts().to_dict("list")),
        pl.from_pandas(values()),
        pl.from_pandas(values()[list(KINDS)[::-1]]),
        values().convert_dtypes(),
        pd.read_csv(io.StringIO(texts().to_csv(index=False))),
    ],
)
def test_the_same_table_in_another_form_is_the_same(pipeline, other):
    cleaner = TableCleaner(KINDS).fit(texts())
    pd.testing.assert_frame_equal(
        cleaner.transform(other), cleaner.transform(texts()), check_names=False
    )
    np.testing.assert_array_equal(
        pipeline.predict_proba(other), pipeline.predict_proba(texts())
    )


def test_one_row_and_names_of_what_comes_out():
    cleaner = TableCleaner(KINDS).fit(texts())
    one = cleaner.transform(texts().iloc[[1]])
    assert list(one.columns) == list(cleaner.get_feature_names_out())
    assert cleaner.feature_names_in_.tolist() == list(KINDS)
    assert cleaner.n_features_in_ == 6
    assert clone(cleaner).columns == KINDS
    with pytest.raises(NotFittedError):
        TableCleaner(KINDS).transform(texts())


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.zeros((2, 6)), TypeError, "got ndarray. Make one with the names"),
        ([[1, 2]], TypeError, "pandas or polars DataFrame; got list"),
        (texts()["town"], TypeError, "got Series"),
        (texts().drop(columns=["age", "town"]), ValueError, "no column 'age', 'town'"),
        (pl.DataFrame({"age": [1]}), ValueError, "no column 'price'"),
        (texts().rename(columns={"age": "Age"}), ValueError, "it has 'price', 'Age'"),
        (
            pd.concat([texts(), texts()[["age"]]], axis=1),
            ValueError,
            "several columns 'age'",
        ),
        (
            texts().assign(age="old"),
            ValueError,
            "Column 'age' is of the kind 'number', but holds 'old', which is no number",
        ),
        (texts().assign(since="2024-13-45"), ValueError, "a date of the form %d/%m/%Y"),
        (texts().assign(seen="soon"), ValueError, "'soon', which is not a date"),
    ],
)
def test_what_does_not_suit_is_said(pipeline, X, error, words):
    with pytest.raises(error, match=words):
        pipeline.predict(X)


def test_an_unknown_kind_is_said():
    with pytest.raises(ValueError, match=r"columns\['a'\] must be 'number'.*got 'no'"):
        TableCleaner({"a": "no"}).fit(pd.DataFrame({"a": [1]}))


def test_dates_in_digits_are_read_from_numbers_too():
    cleaner = TableCleaner({"day": "%Y%m%d"})
    days = [
        cleaner.fit_transform(pd.DataFrame({"day": given}))["day"].tolist()
        for given in (["20231231"], [20231231], np.array([20231231.0]))
    ]
    assert days == [[19722.0]] * 3


def test_it_carries_its_version(pipeline, monkeypatch):
    cleaner = pipeline[0]
    saved = pickle.dumps(cleaner)
    assert pickle.loads(saved).get_params() == cleaner.get_params()
    monkeypatch.setattr("skreg.__version__", "0.0.1")
    old = pickle.dumps(cleaner)
    monkeypatch.undo()
    with pytest.warns(InconsistentVersionWarning, match="TableCleaner"):
        pickle.loads(old)


def test_it_loads_in_another_process(pipeline, tmp_path):
    path = tmp_path / "pipeline.joblib"
    joblib.dump(pipeline, path)
    texts().to_csv(tmp_path / "table.csv", index=False)
    code = (
        "import joblib, pandas\n"
        f"table = pandas.read_csv({str(tmp_path / 'table.csv')!r}, dtype=str)\n"
        f"print(joblib.load({str(path)!r}).predict(table).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert run.stdout.strip() == str(pipeline.predict(texts()).tolist())


def test_the_name_is_public():
    assert skreg.tables.__all__ == ["TableCleaner"]
    assert TableCleaner.__module__ == "skreg.tables"


def test_whole_days_have_no_time_of_day():
    days = pd.to_datetime("2015-01-01") + pd.to_timedelta(range(400), unit="D")
    read = TableCleaner({"since": "date"}).fit_transform(pd.DataFrame({"since": days}))
    assert (read["since (day, sin)"] == 0).all()
    assert (read["since (day, cos)"] == 1).all()
    assert read["since (week, sin)"].std() > 0.5


def test_columns_without_their_kinds_are_refused():
    table = pd.DataFrame({"age": [1, 2]})
    with pytest.raises(TypeError, match="columns must be a dict"):
        TableCleaner(["age"]).fit_transform(table)
