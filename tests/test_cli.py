"""The `skreg` command as its users run it."""

import gzip
import io
import json
import pickle
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, r2_score
from typer.testing import CliRunner

import skreg
from skreg import cli
from skreg._compare.candidates import DEFAULTS, DUMMY, TUNED, UNREGULARIZED
from skreg._compare.command import app

FILES = {
    *("best_pipeline.joblib", "best_skreg_pipeline.joblib", "comparison.png"),
    *("results.csv", "results.json"),
}
GERMAN = str.maketrans(",.", ".,")


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def words(text):
    """Undo the wrapping of lines."""
    return re.sub(r"\s+", " ", text)


def classes_table(rows=120):
    """Numbers, texts, booleans and dates, all but the last with gaps."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, rows),
            "town": rng.choice(["Ulm", "Köln", "Jena"], rows),
            "member": rng.choice([True, False], rows).astype(object),
            "since": pd.date_range("2020-01-01", periods=rows).astype(str),
            "nothing": [np.nan] * rows,
        }
    )
    late = table["age"] + 15 * (table["town"] == "Ulm") + rng.normal(0, 4, rows)
    table["buys"] = np.where(late > 45, "yes", "no")
    for name in ("age", "town", "member", "buys"):
        table.loc[rng.choice(rows, 6, replace=False), name] = None
    return table


def quantities_table(rows=100):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(rows, 4)), columns=list("abcd"))
    table["sold"] = pd.Categorical(rng.choice(["a", "b"], rows))
    table["price"] = 1e6 + 1e5 * (table["a"] - table["b"] + rng.normal(0, 0.5, rows))
    return table


@pytest.fixture(scope="module")
def classes_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "classes.csv"
    classes_table().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def quantities_parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "quantities.parquet"
    quantities_table().to_parquet(path)
    return path


@pytest.fixture(scope="module")
def classified(classes_csv, tmp_path_factory):
    """One run on classes, in this process: what it printed and where it wrote."""
    folder = tmp_path_factory.mktemp("classified") / "new" / "folder"
    result = run(
        *("compare", classes_csv, "--target", "buys", "--cv", 2, "--n-jobs", 1),
        *("--output", folder),
    )
    return result, folder


@pytest.fixture(scope="module")
def regressed(quantities_parquet, tmp_path_factory):
    """One run on quantities, in two processes."""
    folder = tmp_path_factory.mktemp("regressed")
    result = run(
        *("compare", quantities_parquet, "--target", "price", "--cv", 2),
        *("--n-jobs", 2, "--scoring", "neg_root_mean_squared_error"),
        *("--output", folder),
    )
    return result, folder


def test_classification_reports_every_candidate(classified):
    result, _ = classified
    text = words(result.output)
    assert result.exit_code == 0
    assert "classes.csv: 114 rows" in text
    assert "hence classification" in text
    for name in (DUMMY, "Logistic, l2", "Logistic, l1", "HistGradientBoosting"):
        assert name in text
    for name in (DEFAULTS, UNREGULARIZED, TUNED, "scikit-learn MLP"):
        assert name in text
    for name in ("l1", "l2", "weight_decay", "dropout", "early_stopping"):
        assert re.search(rf"{name} [+-]\d", text)
    assert "has the best mean score: accuracy" in text
    assert re.search("helped most|No evidence that a regularizer helped", text)
    assert "Rows left out for want of buys: 6." in text
    assert "columns left out: nothing." in text
    assert "Traceback" not in text


def test_regression_from_parquet(regressed):
    result, folder = regressed
    assert result.exit_code == 0
    table = pd.read_csv(folder / "results.csv", index_col="model")
    assert {"Ridge", "Lasso", "ElasticNet"} < set(table.index)
    scores = table["neg_root_mean_squared_error mean"]
    assert scores.is_monotonic_decreasing
    assert scores["Ridge"] > scores[DUMMY]
    assert scores[TUNED] > scores[DUMMY]
    # The noise has a standard deviation of 50,000: nothing can do much better.
    assert -90_000 < scores["Ridge"] < -40_000


def test_files_are_written_and_named(classified):
    result, folder = classified
    assert {path.name for path in folder.iterdir()} == FILES
    assert all(name in result.output for name in FILES)
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_record_repeats_the_run(classified):
    _, folder = classified
    record = json.loads((folder / "results.json").read_text("utf-8"))
    assert record["settings"]["folds"] == 2
    assert record["settings"]["seed"] == 0
    assert record["versions"]["skreg"] == skreg.__version__
    table = pd.read_csv(folder / "results.csv", index_col="model")
    for result in record["results"]:
        mean = table.loc[result["model"], "accuracy mean"]
        assert np.mean(result["scores"]) == pytest.approx(mean)
    names = {effect["name"] for effect in record["regularizers"]}
    assert {"l1", "l2", "weight_decay", "dropout", "early_stopping"} <= names


def test_saved_pipeline_predicts_raw_rows(classified, classes_csv):
    _, folder = classified
    pipeline = joblib.load(folder / "best_pipeline.joblib")
    table = pd.read_csv(classes_csv).dropna(subset="buys")
    X = table.drop(columns="buys")
    assert accuracy_score(table["buys"], pipeline.predict(X)) > 0.8
    shuffled = X[X.columns[::-1]]
    assert (pipeline.predict(shuffled) == pipeline.predict(X)).all()
    assert (pipeline.predict(pl.from_pandas(X)) == pipeline.predict(X)).all()
    with pytest.raises(ValueError, match="X has no column 'age'"):
        pipeline.predict(X.drop(columns="age"))
    with pytest.raises(TypeError, match="a pandas or polars DataFrame; got ndarray"):
        pipeline.predict(X.to_numpy())
    X["town"] = "Unseen"
    X["age"] = np.nan
    assert set(pipeline.predict(X)) <= {"yes", "no"}


class Globals(pickle.Unpickler):
    """What a pickle refers to by name."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.found = set()

    def find_class(self, module, name):
        self.found.add(f"{module}.{name}")
        return super().find_class(module, name)


@pytest.mark.parametrize("file", sorted(f for f in FILES if f.endswith(".joblib")))
def test_saved_pipelines_are_made_of_public_classes(classified, regressed, file):
    for _, folder in (classified, regressed):
        reader = Globals(pickle.dumps(joblib.load(folder / file)))
        pipeline = reader.load()
        assert not {name for name in reader.found if "skreg._compare" in name}
        assert "skreg.tables.TableCleaner" in reader.found
        for step in (pipeline["clean"], pipeline["model"]):
            kind = type(step)
            package = kind.__module__.partition("._")[0]
            assert getattr(sys.modules[package], kind.__name__) is kind


def test_the_best_network_of_skreg_is_saved_beside_the_best(regressed):
    _, folder = regressed
    ranked = pd.read_csv(folder / "results.csv")["model"].tolist()
    best = next(name for name in ranked if name in (DEFAULTS, UNREGULARIZED, TUNED))
    result, _ = regressed
    assert f"best_skreg_pipeline.joblib: {best}, fitted on all rows" in words(
        result.output
    )
    pipeline = joblib.load(folder / "best_skreg_pipeline.joblib")
    assert isinstance(pipeline["model"], skreg.RegularizedMLPRegressor)


def test_saved_pipeline_holds_the_model_not_the_search(regressed, quantities_parquet):
    _, folder = regressed
    pipeline = joblib.load(folder / "best_pipeline.joblib")
    table = pd.read_parquet(quantities_parquet)
    assert not hasattr(pipeline["model"], "cv_results_")
    assert r2_score(table["price"], pipeline.predict(table)) > 0.6


def test_seed_decides_the_scores_whatever_the_number_of_processes(
    classified, classes_csv, tmp_path
):
    _, folder = classified
    run(
        *("compare", classes_csv, "--target", "buys", "--cv", 2, "--n-jobs", 2),
        *("--output", tmp_path, "--models", "skreg"),
    )
    first, second = (
        json.loads((path / "results.json").read_text("utf-8"))
        for path in (folder, tmp_path)
    )
    assert first["regularizers"] == second["regularizers"]
    of_both = {entry["model"]: entry for entry in first["results"]}
    assert len(second["results"]) == 3
    for entry in second["results"]:
        for key in ("model", "scores", "chosen", "zero weights"):
            assert entry[key] == of_both[entry["model"]][key]


def test_a_file_as_excel_writes_it_in_germany(tmp_path):
    rng = np.random.default_rng(0)
    rows = 80
    size, day = rng.uniform(20, 2000, rows), pd.date_range("2023-11-01", periods=rows)
    price = 3 * size + rng.normal(0, 50, rows)
    table = pd.DataFrame(
        {
            "Fläche; m²": [f"{s:,.2f}".translate(GERMAN) for s in size],
            "verkauft": day.strftime("%d.%m.%Y"),
            "Rabatt": [f"{r} %" for r in rng.integers(0, 9, rows)],
            "Preis": [f"{p:,.2f} €".translate(GERMAN) for p in price],
        }
    ).sample(frac=1, random_state=0)
    path = tmp_path / "wohnungen.csv.gz"
    path.write_bytes(gzip.compress(table.to_csv(sep=";").encode("cp1252")))
    arguments = (path, "--target", "Preis", "--cv", 2, "--n-jobs", 1, "--models")
    result = run("compare", *arguments, "dummy,ridge", "--output", tmp_path / "out")
    text = words(result.output)
    assert result.exit_code == 0
    assert "80 rows, columns: 2 number, 1 date; regression of Preis" in text
    assert "Columns that number or name the rows are left out: Unnamed: 0." in text
    assert "Latin-1" in text
    pipeline = joblib.load(tmp_path / "out" / "best_pipeline.joblib")
    assert r2_score(price[table.index], pipeline.predict(table)) > 0.95
    assert not (tmp_path / "out" / "best_skreg_pipeline.joblib").exists()


def test_an_index_in_the_file_gives_nothing_away(tmp_path):
    frame = load_iris(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "None", 1: "NA", 2: "null"})
    scores = []
    for index in (True, False):
        path = tmp_path / "iris.csv"
        frame.to_csv(path, index=index)
        result = run(
            *("compare", path, "--target", "target", "--n-jobs", 1, "--cv", 3),
            *("--models", "logistic-l1", "--output", tmp_path),
        )
        assert ("Unnamed: 0" in result.output) == index
        record = json.loads((tmp_path / "results.json").read_text("utf-8"))
        assert record["rows"] == 150
        scores.append(record["results"][0]["scores"])
    assert scores[0] == scores[1]
    assert np.mean(scores) < 0.98


def test_options_for_what_is_compared(classes_csv, tmp_path):
    result = run(
        *("compare", classes_csv, "--target", "buys", "--cv", 2, "--n-jobs", 1),
        *("--models", "dummy", "--models", "logistic-l2", "--drop", "town,member"),
        *("--sample", 60, "--sep", ",", "--decimal", ".", "--encoding", "utf-8"),
        *("--output", tmp_path),
    )
    assert result.exit_code == 0
    assert "60 rows, columns: 1 number, 1 date" in words(result.output)
    ranked = pd.read_csv(tmp_path / "results.csv")["model"].tolist()
    assert sorted(ranked) == [DUMMY, "Logistic, l2"]


def test_when_time_ends_before_the_last_fits_it_is_said(
    classes_csv, tmp_path, monkeypatch
):
    (tmp_path / "best_pipeline.joblib").write_text("of an earlier comparison")
    monkeypatch.setattr("skreg._compare.run.fit_finally", lambda *arguments: None)
    result = run(
        *("compare", classes_csv, "--target", "buys", "--cv", 2, "--n-jobs", 1),
        *("--models", "dummy", "--output", tmp_path),
    )
    assert result.exit_code == 0
    assert "the time limit was reached: best_pipeline.joblib" in words(result.output)
    assert not (tmp_path / "best_pipeline.joblib").exists()


def test_eighty_columns_cut_no_word_of_the_help(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = run("compare", "--help").output
    assert "…" not in text
    for word in ("TASK", "CHARACTER", "classification", "regression", "PROCESSES"):
        assert word in re.findall(r"\w+", text)


def test_time_limit_leaves_out_in_words_what_did_not_start(classes_csv, tmp_path):
    result = run(
        *("compare", classes_csv, "--target", "buys", "--n-jobs", 1),
        *("--time-limit", 0, "--output", tmp_path),
    )
    assert result.exit_code == 1
    text = words(result.output)
    assert "Why: the time limit was reached (0 of 5 folds were done)." in text
    assert "there is no winner" in text
    assert list(tmp_path.iterdir()) == []


ERRORS = {
    "missing file": (["nowhere.csv", "--target", "y"], "There is no file nowhere.csv"),
    "misspelt file": (["tabel.csv", "--target", "y"], "Did you mean table.csv"),
    "unknown extension": (["table.xls", "--target", "y"], "neither .csv nor .parquet"),
    "broken parquet": (["broken.parquet", "--target", "y"], "cannot be read"),
    "empty file": (["empty.csv", "--target", "y"], "cannot be read"),
    "no target": (["table.csv"], "--target is missing"),
    "target without a file": (["--target", "y"], "no file is given"),
    "target in another case": (
        ["table.csv", "--target", "PRICE"],
        "Did you mean price?",
    ),
    "unknown model": (
        ["table.csv", "--target", "price", "--models", "Riddge"],
        "Did you mean ridge?",
    ),
    "unknown column to drop": (
        ["table.csv", "--target", "price", "--drop", "Same"],
        "Did you mean same?",
    ),
    "long separator": (
        ["table.csv", "--target", "price", "--sep", "::"],
        "--sep must be one character",
    ),
    "unknown encoding": (
        ["table.csv", "--target", "price", "--encoding", "utf-99"],
        "--encoding utf-99 is not known",
    ),
    "reading without a file": (["--sep", ";"], "no file is given"),
    "unknown target": (["table.csv", "--target", "pice"], "Did you mean price?"),
    "constant target": (["table.csv", "--target", "same"], "is constant (7"),
    "empty target": (["table.csv", "--target", "empty"], "0 rows are too few"),
    "date": (["dates.parquet", "--target", "day"], "holds dates"),
    "names": (["table.csv", "--target", "name"], "fewer than two classes"),
    "text as quantity": (
        ["table.csv", "--target", "name", "--task", "regression"],
        "needs numbers",
    ),
    "few rows": (
        ["table.csv", "--target", "price", "--cv", "11"],
        "20 rows are too few",
    ),
    "nothing to go by": (["alone.csv", "--target", "y"], "no column to predict from"),
    "unknown scoring": (
        ["table.csv", "--target", "price", "--scoring", "max_eror"],
        "Did you mean neg_max_error?",
    ),
    "unsuited scoring": (
        ["table.csv", "--target", "price", "--scoring", "roc_auc"],
        "does not suit this regression of price",
    ),
    "output is a file": (
        ["table.csv", "--target", "price", "--output", "table.csv"],
        "cannot be a folder",
    ),
    "no processes": (["--n-jobs", "0"], "0 processes do no work"),
    "one fold": (["--cv", "1"], "--cv"),
    "unknown task": (["--task", "clustering"], "--task"),
}


@pytest.mark.parametrize(("arguments", "message"), ERRORS.values(), ids=ERRORS)
def test_error_says_what_is_wrong(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"price": np.arange(20) + 0.5, "same": 7, "empty": None})
    table["name"] = [f"n{i}" for i in range(20)]
    table.to_csv("table.csv", index=False)
    pd.DataFrame({"x": range(9), "day": pd.date_range("2024", periods=9)}).to_parquet(
        "dates.parquet"
    )
    pd.DataFrame({"x": 1, "y": np.arange(20) + 0.5}).to_csv("alone.csv", index=False)
    Path("broken.parquet").write_text("not parquet")
    Path("empty.csv").touch()
    result = run("compare", *arguments)
    assert result.exit_code == 2
    assert message in words(result.stderr)


def test_version():
    assert run("--version").output == f"skreg {skreg.__version__}\n"


def test_help_names_every_option():
    text = run("compare", "--help").output
    names = "target task scoring cv n-jobs seed time-limit sep decimal encoding drop"
    for name in (*names.split(), "models", "sample"):
        assert f"--{name}" in text


def test_console_script_is_installed():
    (script,) = entry_points(group="console_scripts", name="skreg")
    assert script.load() is cli.main
    command = shutil.which("skreg", path=Path(sys.executable).parent)
    shown = subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == f"skreg {skreg.__version__}"


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_a_time_limit_counts_from_the_start_of_the_process():
    # Waiting for a processor is no time of the process, and yet of the user.
    code = (
        "import time; time.sleep(1); from skreg.cli import _start_of_process; "
        "print(time.time() - _start_of_process() >= 1 + time.process_time() / 2)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "True\n"


def test_missing_extra_is_named_with_the_remedy(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "rich" else name)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    assert 'needs rich. Install what is missing: pip install "skreg[cli]"' in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_bundled_data_show_that_regularizing_helps(tmp_path):
    result = run("compare", "--output", tmp_path)
    assert result.exit_code == 0
    record = json.loads((tmp_path / "results.json").read_text("utf-8"))
    scores = {entry["model"]: np.mean(entry["scores"]) for entry in record["results"]}
    changes = {
        entry["name"]: np.mean(entry["change"]) for entry in record["regularizers"]
    }
    assert min(changes["l1"], changes["l2"], changes["dropout + l1"]) > 0.05
    assert scores[TUNED] > scores[UNREGULARIZED]
    assert scores[TUNED] > scores["Ridge"] - 0.05
