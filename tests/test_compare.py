"""The parts of `skreg compare`: columns, the task, candidates, folds, findings."""

import datetime
import io
import time
import warnings
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from joblib import wrap_non_picklable_objects
from rich.console import Console
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skreg._compare import budget, crossvalidation
from skreg._compare.budget import Budget, OutOfTime, stop_at
from skreg._compare.candidates import (
    DEFAULTS,
    DUMMY,
    TUNED,
    UNREGULARIZED,
    Candidate,
    build_candidates,
    choose,
)
from skreg._compare.columns import find_columns, scaling_encoder, tree_encoder
from skreg._compare.crossvalidation import Fold, Settings, cross_validate
from skreg._compare.errors import InputError
from skreg._compare.findings import Comparison, Difference, Result, sentences
from skreg._compare.problem import find_task, load_problem, state_problem
from skreg._compare.report import choices, effects_table, results_table
from skreg._compare.significance import corrected_t_test, holm

DAYS = pd.date_range("2024-02-28", periods=4, freq="36h")


def every_kind():
    return pd.DataFrame(
        {
            "whole": [1, 2, 3, 4],
            "real": [0.5, np.inf, np.nan, 2.0],
            "flag": [True, False, True, False],
            "flag with gaps": [True, None, False, True],
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "decimal": [Decimal("1.5"), None, Decimal(2), Decimal(3)],
            "duration": pd.to_timedelta([1, 2, 3, None], unit="s"),
            "text": ["a", "b", None, "a"],
            "category": pd.Categorical([1, 2, 1, None]),
            "mixed": [1, "one", 2.5, None],
            "instant": DAYS,
            "instant in a zone": DAYS.tz_localize("Europe/Berlin"),
            "instant as text": DAYS.astype(str),
            "day": [day.date() for day in DAYS],
            "constant": [7, 7, 7, 7],
            "empty": [None, None, None, None],
            "lists": [[1], [2], [3], [4]],
        }
    )


def clean(table):
    return find_columns(table).cleaner().fit_transform(table)


def problem_of(table, target="y", task="auto", folds=2):
    return state_problem("table", table, target, task, folds)


def linear_table(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    y = X @ [1.0, -2.0, 0.0] + rng.normal(size=rows)
    return pd.DataFrame(X, columns=list("abc")).assign(y=y)


# Columns


def test_each_column_has_its_kind():
    columns = find_columns(every_kind())
    assert columns.numbers == [
        *("whole", "real", "flag", "flag with gaps", "nullable", "decimal", "duration")
    ]
    assert columns.texts == ["text", "category", "mixed"]
    assert columns.dates == [
        *("instant", "instant in a zone", "instant as text", "day")
    ]
    assert columns.useless == ["constant", "empty", "lists"]


def test_clean_table_holds_floats_and_texts():
    table = clean(every_kind())
    assert set(map(str, table.dtypes)) == {"float64", "object"}
    np.testing.assert_array_equal(table["real"], [0.5, np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(table["flag with gaps"], [1.0, np.nan, 0.0, 1.0])
    np.testing.assert_array_equal(table["nullable"], [1.0, np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(table["decimal"], [1.5, np.nan, 2.0, 3.0])
    np.testing.assert_array_equal(table["duration"], [1.0, 2.0, 3.0, np.nan])
    assert table["mixed"].tolist()[:3] == ["1", "one", "2.5"]
    assert table["text"].isna().tolist() == [False, False, True, False]


def test_a_date_is_days_and_its_place_in_the_cycles():
    table = clean(every_kind())
    days = (DAYS - pd.Timestamp(0)) / pd.Timedelta(days=1)
    for name in ("instant", "instant as text"):
        np.testing.assert_allclose(table[name], days)
    np.testing.assert_allclose(table["day"], np.floor(days))
    np.testing.assert_allclose(table["instant (day, cos)"], [1, -1, 1, -1], atol=1e-6)
    assert len(table.filter(like="instant as text (").columns) == 6


def test_a_missing_date_is_missing_in_all_its_parts():
    table = pd.DataFrame({"day": [datetime.date(2024, 1, 1), None, None]})
    assert clean(table).iloc[1:].isna().all(axis=None)


@pytest.mark.parametrize("encoder", [scaling_encoder, tree_encoder])
def test_encoders_stand_unseen_categories_and_new_gaps(encoder):
    table = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "t": ["a", "b", "a", "b"]})
    columns = find_columns(table)
    steps = Pipeline([("clean", columns.cleaner()), ("encode", encoder())]).fit(table)
    unseen = pd.DataFrame({"n": [np.nan, 1.0], "t": ["new", None]})
    assert steps.transform(unseen).shape == (2, steps.transform(table).shape[1])


def test_scaled_numbers_and_marks_of_missing_ones():
    table = pd.DataFrame({"n": [0.0, 1.0, 2.0, np.nan]})
    encoded = scaling_encoder().fit_transform(clean(table))
    np.testing.assert_allclose(encoded[:, 0].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(encoded[3, 0], encoded[1, 0])
    assert encoded[:, 1].tolist() == [0, 0, 0, 1]


def test_rare_categories_are_pooled_and_many_are_bounded():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"t": [f"v{i}" for i in rng.integers(500, size=5000)]})
    assert scaling_encoder().fit_transform(clean(table)).shape[1] <= 40
    codes = tree_encoder().fit_transform(clean(table))
    assert len(np.unique(codes)) <= 250


# The task and the target


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 5, "classification"),
        ([True, False] * 5, "classification"),
        (pd.Categorical([1.5, 2.5] * 5), "classification"),
        ([0, 1] * 5, "classification"),
        ([0.0, 1.0] * 5, "classification"),
        ([1, 2, 3] * 10, "classification"),
        ([1, 2, 3] * 9, "regression"),
        (list(range(20)) * 10, "classification"),
        (list(range(21)) * 20, "regression"),
        ([0.5, 1.0] * 50, "regression"),
    ],
)
def test_task_is_found_from_the_target(values, task):
    assert find_task(pd.Series(values)) == task


def test_forced_task_needs_no_explanation():
    table = pd.DataFrame({"x": range(40), "y": [0, 1] * 20})
    problem = problem_of(table, task="regression")
    assert problem.task == "regression"
    assert problem.y.dtype == float
    assert problem.notes == []


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["a", "b"], ["a", "b"]),
        ([True, False], [False, True]),
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        ([1.0, 2.0], [1, 2]),
        (pd.Categorical(["u", "v"]), ["u", "v"]),
    ],
)
def test_labels_keep_their_meaning(values, labels):
    y = pd.Series(values).repeat(10).reset_index(drop=True)
    problem = problem_of(pd.DataFrame({"x": range(20), "y": y}))
    assert sorted(set(problem.y.tolist())) == labels


def test_rows_without_a_target_and_rare_classes_are_left_out_in_words():
    table = pd.DataFrame({"x": range(40), "y": ["a"] * 20 + ["b"] * 17 + [None] * 3})
    table.loc[0, "y"] = "rare"
    problem = problem_of(table)
    assert len(problem.X) == len(problem.y) == 36
    assert "Rows left out for want of y: 3." in problem.notes
    assert any("rare (rows lost: 1)" in note for note in problem.notes)


def test_an_infinite_target_is_a_missing_one():
    table = linear_table()
    table.loc[0, "y"] = -np.inf
    assert np.isfinite(problem_of(table).y).all()


def test_lopsided_classes_and_scattered_texts_are_pointed_out():
    table = pd.DataFrame(
        {"x": range(200), "name": map(str, range(200, 400)), "y": [0] * 190 + [1] * 10}
    )
    table["name"] = "n" + table["name"]
    notes = " ".join(problem_of(table).notes)
    assert "95% of the rows are of one class" in notes
    assert "a value of its own in name" in notes


def test_bundled_data_need_no_file():
    problem = load_problem(None, None, "auto", 5)
    assert problem.X.shape == (442, 10)
    assert "No file was given" in problem.notes[-1]
    assert problem.task == "regression"


# Candidates


def test_candidates_of_both_tasks_are_named_in_the_issue():
    regression = problem_of(linear_table())
    assert [c.name for c in build_candidates(regression, "r2", 0)] == [
        DUMMY,
        "Ridge",
        "Lasso",
        "ElasticNet",
        "HistGradientBoosting",
        DEFAULTS,
        UNREGULARIZED,
        TUNED,
        "scikit-learn MLP",
    ]
    classes = problem_of(linear_table().assign(y=["a", "b"] * 30))
    names = [c.name for c in build_candidates(classes, "accuracy", 0)]
    assert names[1:3] == ["Logistic, l2", "Logistic, l1"]


def test_unregularized_network_has_no_regularizer():
    problem = problem_of(linear_table())
    for candidate in build_candidates(problem, "r2", 0):
        if candidate.name == UNREGULARIZED:
            model = candidate.pipeline["model"]
            names = ("l1", "l2", "weight_decay", "dropout", "input_dropout")
            assert [getattr(model, name) for name in names] == [0.0] * 5
            assert not model.early_stopping


def test_both_networks_share_what_is_no_regularizer_nor_schedule():
    problem = problem_of(linear_table())
    models = {c.name: c.pipeline["model"] for c in build_candidates(problem, "r2", 0)}
    ours = models[UNREGULARIZED].get_params()
    theirs = models["scikit-learn MLP"].estimator.regressor.get_params()
    schedule = {"learning_rate", "learning_rate_init", "max_iter", "n_iter_no_change"}
    shared = set(ours) & set(theirs) - {"warm_start", "verbose"} - schedule
    assert len(shared) > 10
    assert {name: ours[name] for name in shared} == {
        name: theirs[name] for name in shared
    }


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_our_network_trains_as_the_guide_advises(task):
    problem = problem_of(linear_table().assign(y=[0, 1] * 30), task=task)
    models = {c.name: c.pipeline["model"] for c in build_candidates(problem, None, 0)}
    for model in (models[UNREGULARIZED], models[TUNED].estimator):
        assert model.learning_rate == "one_cycle"
        assert model.learning_rate_init == 0.01
        assert 20 <= model.max_iter <= 60
        # With a schedule that ends, early stopping keeps the best of all epochs.
        assert model.n_iter_no_change == float("inf")
    assert {"early_stopping": [True]} in models[TUNED].param_grid


def test_tuning_goes_by_the_scoring_in_every_candidate():
    for task in ("regression", "classification"):
        problem = problem_of(linear_table().assign(y=[0, 1] * 30), task=task)
        for candidate in build_candidates(problem, "my scoring", 0):
            model = candidate.pipeline["model"]
            if candidate.name in (DUMMY, DEFAULTS, UNREGULARIZED):
                assert not isinstance(model, GridSearchCV)
            else:
                assert model.scoring == "my scoring"


def test_linear_models_are_tuned_by_the_scoring_and_predict_in_the_units_of_y():
    table = linear_table(rows=80).assign(y=lambda t: 1e4 + 1e3 * t["y"])
    problem = problem_of(table)
    models = {c.name: c.pipeline for c in build_candidates(problem, "r2", 0)}
    for name in ("Ridge", "Lasso", "ElasticNet"):
        assert models[name].fit(problem.X, problem.y).score(problem.X, problem.y) > 0.7


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ([], None),
        (["ridge,skreg"], ["Ridge", DEFAULTS, UNREGULARIZED, TUNED]),
        (["skreg, tuned", "DUMMY"], [DUMMY, TUNED]),
        (["scikit-learn"], ["scikit-learn MLP"]),
        (["skreg-tuned"], [TUNED]),
    ],
)
def test_models_are_chosen_by_the_beginnings_of_their_names(asked, names):
    candidates = build_candidates(problem_of(linear_table()), "r2", 0)
    chosen = [candidate.name for candidate in choose(candidates, asked)]
    assert chosen == (names or [candidate.name for candidate in candidates])


def test_an_unknown_model_has_a_suggestion():
    candidates = build_candidates(problem_of(linear_table()), "r2", 0)
    for asked in ("Ridgee", "ridge,Ridgee"):
        with pytest.raises(
            InputError, match=r"--models Ridgee .* Did you mean ridge\?"
        ):
            choose(candidates, [asked])


# Folds


def settings_of(**changes):
    defaults = {"scoring": "r2", "folds": 2, "seed": 0, "n_jobs": 1, "time_limit": None}
    return Settings(**defaults | changes)


def candidate_of(model, name="model"):
    return Candidate(name, Pipeline([("encode", scaling_encoder()), ("model", model)]))


class Faulty(LinearRegression):
    """A model that suits no data."""

    def fit(self, X, y):
        raise ValueError("these data do not suit me")


class Talkative(LinearRegression):
    """A model that warns twice."""

    def fit(self, X, y):
        warnings.warn("slow", ConvergenceWarning, stacklevel=1)
        warnings.warn("slow", ConvergenceWarning, stacklevel=1)
        return super().fit(X, y)


def test_a_failing_candidate_leaves_the_others_in_peace():
    problem = problem_of(linear_table())
    candidates = [candidate_of(Faulty(), "bad"), candidate_of(Ridge(), "good")]
    folds = cross_validate(problem, candidates, settings_of())
    comparison = Comparison.of(problem, "r2", folds)
    assert [result.name for result in comparison.ranked] == ["good"]
    assert "these data do not suit me" in comparison.left_out[0].failure


def test_warnings_are_counted_not_shown():
    problem = problem_of(linear_table())
    folds = cross_validate(problem, [candidate_of(Talkative())], settings_of())
    comparison = Comparison.of(problem, "r2", folds)
    assert comparison.warnings == {("model", "ConvergenceWarning"): 4}
    assert any("model: 4 ConvergenceWarning" in text for text in sentences(comparison))


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self, monkeypatch):
        self.time = 1000.0
        monkeypatch.setattr(budget, "now", lambda: self.time)


class Slow(LinearRegression):
    """A model whose fit takes ten seconds by a clock."""

    clock = None

    def fit(self, X, y):
        Slow.clock.time += 10
        return super().fit(X, y)


class Endless(LinearRegression):
    """A model whose fit ends only when it is stopped."""

    clock = None

    def fit(self, X, y):
        Endless.clock.time += 1000
        while True:
            pass


def folds_within(seconds, candidates, monkeypatch, clock=None):
    clock = clock or Clock(monkeypatch)
    monkeypatch.setattr(Slow, "clock", clock)
    monkeypatch.setattr(Endless, "clock", clock)
    deadline = clock.time + seconds
    folds = cross_validate(
        problem_of(linear_table()), candidates, settings_of(), deadline
    )
    return Comparison.of(problem_of(linear_table()), "r2", folds)


def test_what_does_not_fit_into_the_time_is_not_started(monkeypatch):
    candidates = [candidate_of(Slow(), name) for name in ("first", "second")]
    candidates.append(candidate_of(Ridge(), "quick"))
    clock = Clock(monkeypatch)
    start = clock.time
    comparison = folds_within(35, candidates, monkeypatch, clock)
    # The second could do one fold of two: known after the first, which leaves the time
    # to the quick one.
    assert {result.name for result in comparison.ranked} == {"first", "quick"}
    (second,) = comparison.left_out
    assert "time limit was reached (1 of 2 folds were done)" in second.failure
    assert clock.time == start + 30


def test_a_fit_that_the_deadline_finds_at_work_is_stopped(monkeypatch):
    candidates = [candidate_of(Ridge(), "quick"), candidate_of(Endless(), "endless")]
    comparison = folds_within(100, candidates, monkeypatch)
    assert [result.name for result in comparison.ranked] == ["quick"]
    assert "time limit was reached (0 of 2" in comparison.left_out[0].failure


def test_processes_that_do_not_stop_are_ended():
    # As a compiled call, a sleep ends for no exception.
    sleep = wrap_non_picklable_objects(lambda X: time.sleep(600))
    deaf = make_pipeline(FunctionTransformer(sleep), Ridge())
    candidates = [candidate_of(Ridge(), "quick"), candidate_of(deaf, "deaf")]
    folds = list(
        cross_validate(
            problem_of(linear_table()),
            candidates,
            settings_of(n_jobs=2),
            budget.now() + 20,
        )
    )
    assert sorted((fold.candidate, fold.failure) for fold in folds) == [
        *[("deaf", "the time limit was reached")] * 2,
        *[("quick", "")] * 2,
    ]


def test_a_search_is_stopped_as_its_fits_are(monkeypatch):
    search = GridSearchCV(Endless(), {"fit_intercept": [True, False]}, cv=2)
    comparison = folds_within(100, [candidate_of(search, "search")], monkeypatch)
    assert "time limit was reached" in comparison.left_out[0].failure


def test_work_that_swallows_the_stop_is_stopped_again(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(budget, "PATIENCE", 0.01)
    caught = []

    def work():
        clock.time += 2
        while True:
            try:
                while True:
                    pass
            except OutOfTime:
                caught.append(1)
                if len(caught) == 3:
                    raise

    with pytest.raises(OutOfTime), stop_at(clock.time + 1):
        work()
    assert len(caught) == 3


def test_work_in_time_is_left_alone(monkeypatch):
    clock = Clock(monkeypatch)
    with stop_at(clock.time + 1):
        result = sum(range(10_000))
    clock.time += 2
    assert result == sum(range(10_000))
    with stop_at(np.inf):
        pass
    with pytest.raises(OutOfTime), stop_at(clock.time):
        raise AssertionError("the work was started")


def test_the_time_is_for_folds_and_for_what_follows(monkeypatch):
    monkeypatch.setattr(budget, "now", lambda: 100.0)
    assert Budget.of(100, None) == Budget(np.inf, np.inf)
    whole = Budget.of(100, 60)
    assert 100 < whole.folds < whole.fits < 160


def test_a_slow_start_leaves_more_time_to_the_files(monkeypatch):
    clock = Clock(monkeypatch)
    assert Budget.of(clock.time - 1, 100).fits == clock.time + 94
    assert Budget.of(clock.time - 50, 100).fits == clock.time + 35
    late = Budget.of(clock.time - 90, 100)
    assert late.folds == late.fits < clock.time


def fold_of_search(name, elapsed):
    return Fold(name, 0, 0.5, elapsed, elapsed, parameters={"alpha": 0.1})


def test_final_fit_tunes_again_only_where_there_is_time(monkeypatch):
    clock = Clock(monkeypatch)
    problem = problem_of(linear_table())
    search = GridSearchCV(Ridge(), {"alpha": [1e-6, 1e6]}, cv=2)
    result = Result("model", [fold_of_search("model", 10.0)])
    fit = crossvalidation.fit_finally
    arguments = (candidate_of(search), result, problem, settings_of())
    assert fit(*arguments, clock.time + 100)["model"].alpha == 1e-6
    # Too little for a search: the settings that the folds chose.
    assert fit(*arguments, clock.time + 5)["model"].alpha == 0.1
    assert fit(*arguments, clock.time) is None


def test_share_of_zeros_and_choices_of_each_kind_of_model():
    table = linear_table()
    X, y = table[["a", "b", "c"]], table["y"]
    lasso = Lasso(alpha=0.5).fit(X, y)
    assert crossvalidation.zero_share(lasso) == np.mean(lasso.coef_ == 0) > 0
    search = GridSearchCV(lasso, {"alpha": [0.1, 100.0]}).fit(X, y)
    assert crossvalidation.chosen_settings(search) == {"alpha": 0.1}
    assert crossvalidation.zero_share(search) < 1
    network = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=2000).fit(
        X, y
    )
    assert crossvalidation.zero_share(network) == 0
    assert np.isnan(crossvalidation.zero_share(clone(network)))


def test_each_regularizer_is_scored_at_the_setting_the_inner_folds_prefer():
    table = linear_table()
    X, y = table[["a", "b", "c"]], table["y"]
    grid = [{}, {"alpha": [0.01, 1e6]}, {"positive": [True]}, {"tol": [-1.0]}]
    with pytest.warns(match="fits failed|non-finite"):  # by the last setting
        search = GridSearchCV(Ridge(), grid).fit(X, y)
    best = dict(crossvalidation._best_of_each(search, X, y))
    assert set(best) == {"alpha", "positive"}
    assert best["alpha"].alpha == 0.01
    np.testing.assert_allclose(best["alpha"].coef_, Ridge(0.01).fit(X, y).coef_)


@pytest.mark.parametrize(
    ("scoring", "task"), [("r2", "regression"), ("accuracy", "classification")]
)
def test_scoring_follows_the_task(scoring, task):
    table = linear_table().assign(y=[0, 1] * 30)
    assert crossvalidation.check_scoring(problem_of(table, task=task), None) == scoring


@pytest.mark.parametrize(
    ("scoring", "words"),
    [("accurracy", "Did you mean accuracy"), ("roc_auc", "does not suit")],
)
def test_unknown_and_unsuited_scoring(scoring, words):
    with pytest.raises(InputError, match=words):
        crossvalidation.check_scoring(problem_of(linear_table()), scoring)


# Findings


def comparison_of(scores, effects=(), chosen=None):
    """A comparison of made-up scores, one list per candidate."""
    folds = [
        Fold(
            name,
            number,
            score=score,
            seconds=1.0,
            chosen=chosen[number] if chosen else {},
            regularizers={key: values[number] for key, values in dict(effects).items()}
            if name == TUNED
            else {},
        )
        for name, values in scores.items()
        for number, score in enumerate(values)
    ]
    return Comparison.of(problem_of(linear_table()), "r2", folds)


def test_corrected_t_test_against_a_computation_by_hand():
    # Mean 0.2, variance 0.01, t = 0.2 / sqrt((1/3 + 1/2) 0.01) = 2.190890 on two
    # degrees of freedom, for which P(|T| > t) = 1 - t / sqrt(2 + t²).
    assert corrected_t_test([0.1, 0.2, 0.3], 1 / 2, 10) == pytest.approx(
        0.1598319, abs=1e-7
    )
    assert corrected_t_test([-0.1, -0.2, -0.3], 1 / 2, 10) == corrected_t_test(
        [0.1, 0.2, 0.3], 1 / 2, 10
    )
    # The uncorrected test: t = 0.2 / sqrt(0.01 / 3).
    assert corrected_t_test([0.1, 0.2, 0.3], 0, 10) == pytest.approx(
        0.0741799, abs=1e-7
    )


def test_differences_without_spread_have_the_p_value_of_the_sign_test():
    assert corrected_t_test([0.0] * 5, 1 / 4, 20) == 1
    # one row more in every fold is little, most of them are much
    assert corrected_t_test([0.05] * 5, 1 / 4, 20) > 0.1
    assert corrected_t_test([0.7 - 0.5, 0.6 - 0.4], 1, 10) > 0.1
    assert corrected_t_test([0.5] * 5, 1 / 4, 20) < 0.001
    assert corrected_t_test([-0.575] * 3, 1 / 2, 40) < 0.01


def test_holm_against_a_computation_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    assert holm([0.02]).tolist() == [0.02]
    assert holm([]).size == 0


def test_under_the_null_few_families_of_eight_have_a_verdict():
    rng = np.random.default_rng(0)
    folds, families = 5, 1000
    # Differences of models that do not differ: the folds share 1 / k of their noise.
    shared = np.sqrt(1 / folds) * rng.normal(size=(families, 8, 1))
    own = np.sqrt(1 - 1 / folds) * rng.normal(size=(families, 8, folds))
    wrong = sum(
        any(
            difference.verdict != "no evidence"
            for difference in Difference.all(dict(enumerate(family)), 100)
        )
        for family in shared + own
    )
    assert 0.03 < wrong / families < 0.065
    # What was called helpful before: a mean beyond the standard deviation.
    spread = np.std(shared + own, axis=2, ddof=1)
    before = np.abs(np.mean(shared + own, axis=2)) > spread
    assert np.mean(before.any(axis=1)) > 0.5


def test_a_large_difference_is_found():
    steady = 0.1 + 0.005 * np.array([1.0, -1.0, 0.5, -0.5, 0.0])
    wild = np.array([0.3, -0.2, 0.1, -0.1, 0.2])
    verdicts = {
        difference.name: difference.verdict
        for difference in Difference.all(
            {"good": steady, "bad": -steady, "wild": wild, "none": np.zeros(5)}, 100
        )
    }
    assert verdicts == {
        "good": "helped",
        "bad": "made it worse",
        "wild": "no evidence",
        "none": "no evidence",
    }


def test_words_say_what_helped_and_who_won():
    comparison = comparison_of(
        {
            UNREGULARIZED: [0.40, 0.50, 0.60, 0.50],
            TUNED: [0.60, 0.70, 0.80, 0.70],
            "Ridge": [0.75, 0.65, 0.85, 0.65],
        },
        effects={
            "l1": [0.60, 0.71, 0.80, 0.69],
            "l2": [0.50, 0.40, 0.60, 0.55],
            "dropout": [0.10, 0.21, 0.30, 0.20],
        },
    )
    text = "\n".join(sentences(comparison))
    assert "l1 helped most: r2 +0.200 ± 0.008" in text
    assert "from 0.475" not in text
    assert "from 0.500 to 0.700" in text
    assert "No evidence of a difference: l2." in text
    assert "Made it worse: dropout." in text
    assert "Ridge has the best mean score: r2 0.725 ± 0.096." in text
    assert f"No evidence that it is better than: {TUNED}" in text


def test_words_admit_when_nothing_helped():
    comparison = comparison_of(
        {UNREGULARIZED: [0.4, 0.5, 0.6], TUNED: [0.4, 0.5, 0.6]},
        effects={"l1": [0.5, 0.4, 0.61]},
    )
    text = sentences(comparison)[0]
    assert "No evidence that a regularizer helped" in text
    assert "better on 2 of 3 folds" in text


def test_words_say_when_the_tuned_network_is_clearly_behind():
    comparison = comparison_of({TUNED: [0.1, 0.2, 0.1], "Ridge": [0.9, 0.9, 0.9]})
    text = "\n".join(sentences(comparison))
    assert "Which regularizer helped cannot be said" in text
    assert f"{TUNED} is clearly behind it: -0.767" in text


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8])
@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_percentage_error"])
def test_eighty_columns_cut_no_word(scale, scoring):
    rng = np.random.default_rng(0)
    names = [c.name for c in build_candidates(problem_of(linear_table()), "r2", 0)]
    regularizers = ["dropout + early_stopping", "weight_decay", "dropout + l1", "l2"]
    chosen = [{"early_stopping": True, "dropout": 0.1 * n, "l1": n} for n in range(5)]
    comparison = comparison_of(
        {name: -scale * rng.random(5) for name in names},
        {name: -scale * rng.random(5) for name in regularizers},
        chosen,
    )
    comparison = replace(comparison, scoring=scoring)
    console = Console(width=80, file=io.StringIO())
    console.print(results_table(comparison))
    console.print(effects_table(comparison))
    for text in [*choices(comparison), *sentences(comparison)]:
        console.print(text)
    text = console.file.getvalue()
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    shown = text.split()
    whole = [*names, *regularizers, scoring, *choices(comparison)]
    whole += [effect.verdict for effect in comparison.effects]
    whole += [comparison.show(r.scores) for r in comparison.ranked]
    whole += [comparison.show(effect, "+") for effect in comparison.effects]
    plain = {word.strip(".,;:()") for word in shown}
    for word in {w.strip(".,;:()") for text in whole for w in text.split()}:
        assert word in plain, word
    for name in names:
        assert name in text


def test_a_score_that_is_no_number_cannot_be_ranked():
    comparison = comparison_of({"good": [1.0, 2.0], "bad": [np.nan, 1.0]})
    assert [result.name for result in comparison.ranked] == ["good"]
    assert comparison.left_out[0].failure == "its score is not finite"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([{"alpha": 1.0}] * 3, "alpha 1"),
        ([{"alpha": 1.0}, {"alpha": 2.0}, {"alpha": 1.0}], "alpha 1 (2 of 3 folds)"),
        ([{"alpha": 1.0}, {"alpha": 4.0}, {"alpha": 2.0}], "alpha 2 (median)"),
        ([{"l1": 0.1}, {"none": True}, {"l2": 0.1}], "l1 0.1; none; l2 0.1"),
        ([{"early_stopping": True, "l1": 0.5}] * 3, "early_stopping, l1 0.5"),
        ([{}] * 3, ""),
    ],
)
def test_choices_of_the_folds_in_few_words(chosen, words):
    folds = [Fold("model", n, chosen=setting) for n, setting in enumerate(chosen)]
    assert Result("model", folds).choice == words


@pytest.mark.parametrize(
    ("scale", "decimals"), [(0.001, 5), (1, 2), (10, 1), (1000, 0)]
)
def test_decimals_follow_the_spread(scale, decimals):
    scores = {"a": scale * np.array([1.0, 2.0, 3.0])}
    assert comparison_of(scores).decimals == decimals
    assert comparison_of({"a": [1.0, 1.0]}).decimals == 3


def test_warnings_counter_is_empty_without_warnings():
    assert comparison_of({"a": [1.0, 2.0]}).warnings == Counter()
