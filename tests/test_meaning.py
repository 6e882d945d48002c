"""What y, classes, weights and containers mean: read as they are meant, or refused."""

import datetime

import numpy as np
import pytest
from common import assert_refused, both_estimators, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression

from skreg import (
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
    regularization_path,
)
from skreg._problem.data import split_rows
from skreg.adversarial import adversarial_examples

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = X @ [1, 2, 0, -1] + 0.1 * rng.normal(size=60)
LABELS = np.column_stack([y > 0, X[:, 0] > 0.5, X[:, 1] > 0]).astype(int)


def classifier(**params):
    return RegularizedMLPClassifier(
        (5,), **({"max_iter": 2, "random_state": 0} | params)
    )


def regressor(**params):
    return RegularizedMLPRegressor(
        (5,), **({"max_iter": 2, "random_state": 0} | params)
    )


# ---------------------------------------------------------------------- multilabel y

WRONG_LABELS = [
    2 * LABELS - 1,
    LABELS + 1,
    (255 * LABELS).astype(np.uint8),
    2.0 * LABELS - 1,
    sparse.csr_matrix(3 * LABELS),
    np.full_like(LABELS, 2),
    np.column_stack([LABELS[:, 0], 1 - LABELS[:, 0]]) * 5.0,
]


@few_epochs
@pytest.mark.parametrize("Y", WRONG_LABELS)
def test_labels_other_than_0_and_1_are_refused(Y):
    parts = ["0 or 1", "multilabel indicator", "MultiOutputClassifier"]
    # all calls that read y, of an estimator that knows right labels
    right = LABELS[:, : Y.shape[1]]
    fitted = classifier(early_stopping=True).fit(X, right)
    stream = classifier().partial_fit(X, right, classes=[0, 1])
    dense = Y.toarray() if sparse.issparse(Y) else Y
    for call in [
        lambda: classifier().fit(X, Y),
        lambda: classifier().partial_fit(X, Y, classes=[0, 1]),
        lambda: stream.partial_fit(X, Y),
        lambda: fitted.fit(X, right, X_val=X, y_val=Y),
        lambda: fitted.fine_tune(X, Y),
        lambda: fitted.input_gradient(X, dense),
        lambda: adversarial_examples(fitted, X, dense),
        lambda: RegularizedMLPClassifierCV((), alphas=2, cv=2).fit(X, Y),
        lambda: regularization_path(classifier(), X, Y, alphas=2),
    ]:
        assert_refused(call, ValueError, *parts)


@few_epochs
@pytest.mark.parametrize(
    "Y",
    [
        LABELS.astype(bool),
        LABELS.astype(float),
        LABELS.astype(np.uint8),
        sparse.csr_matrix(LABELS),
        sparse.csr_matrix(LABELS.astype(bool)),
    ],
)
def test_labels_0_and_1_of_any_type(Y):
    expected = classifier().fit(X, LABELS).predict_proba(X)
    assert_array_equal(classifier().fit(X, Y).predict_proba(X), expected)


@few_epochs
@pytest.mark.parametrize("value", [0, 1])
def test_label_with_one_value(value):
    Y = LABELS.copy()
    Y[:, 1] = value
    model = classifier(max_iter=20).fit(X, Y)
    assert (model.predict(X)[:, 1] == value).all()
    assert model.loss_ > 0
    model.partial_fit(X[:1], np.full((1, 3), value))


# -------------------------------------------------------------- classes and weights


@few_epochs
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_without_weight_stays_a_class(solver):
    X, y = iris()
    model = classifier(solver=solver, max_iter=20).fit(X, y, (y < 2) * 1.0)
    assert_array_equal(model.classes_, [0, 1, 2])
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert proba[:, 2].max() < 0.01


@few_epochs
def test_class_without_weight_in_calls_that_go_on():
    X, y = iris()
    weights = (y < 2) * 1.0
    model = classifier().partial_fit(X, y, weights, classes=[0, 1, 2])
    model.partial_fit(X, y)
    assert_refused(
        lambda: model.partial_fit(X, np.where(y == 2, 7, y), weights),
        ValueError,
        "[7]",
    )
    warm = classifier(warm_start=True).fit(X, y, weights).fit(X, y)
    assert_array_equal(warm.classes_, [0, 1, 2])
    chosen = RegularizedMLPClassifierCV(
        (), alphas=2, cv=3, max_iter=3, random_state=0
    ).fit(X, y, weights)
    assert chosen.predict_proba(X).shape == (150, 3)
    one_left = classifier().fit(X, y, y == 1)
    assert (one_left.predict(X) == 1).all()


@few_epochs
@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize(
    "ensemble",
    [
        lambda net: BaggingClassifier(net, n_estimators=5, random_state=0),
        lambda net: AdaBoostClassifier(net, n_estimators=3, random_state=0),
        lambda net: VotingClassifier(
            [("net", net), ("linear", LogisticRegression())], voting="soft"
        ),
        lambda net: CalibratedClassifierCV(net, cv=2),
    ],
)
def test_ensembles_with_a_rare_class(ensemble):
    X, y = iris()
    rows = np.r_[:102]
    model = ensemble(classifier(max_iter=20, learning_rate_init=0.01))
    model.fit(X[rows], y[rows])
    assert model.predict_proba(X).shape == (150, 3)
    assert np.isfinite(model.predict_proba(X)).all()
    if isinstance(model, VotingClassifier):
        model.fit(X[rows], y[rows], sample_weight=(y[rows] < 2) * 1.0)
        assert model.predict_proba(X).shape == (150, 3)


@few_epochs
@pytest.mark.parametrize("by_class", ["balanced", {0: 5.0, 2: 0.25}, {1: 0.0}])
def test_class_weight_counts_in_validation_data_that_are_given(by_class):
    """As in a part that is split off: the same rows, weighted by hand."""
    X, y = iris()
    train, val = np.r_[0:40, 60:90, 110:150], np.r_[40:60, 90:110]
    model = classifier(early_stopping=True, class_weight=by_class, max_iter=4)
    model.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    counts = np.bincount(y[train])
    factors = len(train) / (3 * counts)
    if by_class != "balanced":
        factors = np.array([by_class.get(c, 1.0) for c in range(3)])
    by_hand = classifier(early_stopping=True, max_iter=4).fit(
        X[train],
        y[train],
        factors[y[train]],
        X_val=X[val],
        y_val=y[val],
        sample_weight_val=factors[y[val]],
    )
    assert_allclose(model.validation_scores_, by_hand.validation_scores_, rtol=1e-5)


@few_epochs
def test_class_weight_counts_in_the_scores_of_folds():
    X, y = iris()
    params = {"alphas": [0.01], "cv": 3, "max_iter": 3, "random_state": 0}
    by_class = np.array([1.0, 4.0, 0.5])
    weighted = RegularizedMLPClassifierCV(
        (), class_weight=dict(enumerate(by_class)), **params
    ).fit(X, y)
    by_hand = RegularizedMLPClassifierCV((), **params).fit(X, y, by_class[y])
    assert_allclose(weighted.scores_, by_hand.scores_, rtol=1e-5)


# ------------------------------------------------------------------ the only of a class


def split(labels, fraction, rows=None):
    return split_rows(
        rows,
        len(labels),
        fraction=fraction,
        random_state=np.random.RandomState(0),
        labels=labels,
    )


def test_only_row_of_a_class_is_trained_on_and_the_rest_keep_their_shares():
    labels = np.repeat([0, 1, 2, 3], [60, 30, 10, 1])
    with pytest.warns(UserWarning, match="4 classes.*smallest class has 1"):
        train, val = split(labels, 0.2)
    assert_array_equal(np.bincount(labels[val], minlength=4), [13, 6, 2, 0])
    assert 100 in train
    assert_array_equal(np.sort(np.r_[train, val]), np.arange(101))


def test_fewer_validation_rows_than_classes():
    labels = np.repeat(np.arange(6), [40, 20, 20, 5, 2, 1])
    with pytest.warns(UserWarning, match="keep the shares"):
        train, val = split(labels, 0.05)
    assert_array_equal(np.bincount(labels[val], minlength=6), [3, 1, 1, 0, 0, 0])
    assert set(labels[train]) == set(range(6))


def test_more_validation_rows_than_can_be_spared():
    labels = np.repeat(np.arange(4), 2)
    with pytest.warns(UserWarning, match="keep the shares"):
        train, val = split(labels, 0.7)
    assert_array_equal(labels[train], np.arange(4))
    assert_array_equal(labels[val], np.arange(4))


def test_rows_without_weight_are_no_rows_of_a_class():
    labels = np.repeat([0, 1, 2], [20, 20, 3])
    rows = np.r_[0:40, 42]
    with pytest.warns(UserWarning, match="keep the shares"):
        train, val = split(labels, 0.25, rows)
    assert 42 in train
    assert_array_equal(np.sort(np.bincount(labels[val])), [5, 6])


def test_only_row_of_a_label_is_trained_on():
    labels = np.zeros((20, 3), dtype=int)
    labels[::2, 0] = 1
    labels[7, 1] = 1
    labels[:, 2] = 1
    labels[11, 2] = 0
    for seed in range(20):
        train, _ = split_rows(
            None,
            20,
            fraction=0.5,
            random_state=np.random.RandomState(seed),
            labels=labels,
        )
        assert {7, 11} <= set(train)


def test_only_rows_and_no_other():
    with pytest.raises(ValueError, match="only one of its class"):
        split(np.arange(5), 0.4)


@few_epochs
def test_class_of_one_row_is_learnt_with_early_stopping():
    X, y = iris()
    rows = np.r_[:100, 149]
    for seed in range(5):
        model = classifier(
            early_stopping=True, random_state=seed, validation_fraction=0.3
        )
        with pytest.warns(UserWarning, match="keep the shares"):
            model.fit(X[rows], y[rows])
        assert model.t_ == 2 * 70


# ------------------------------------------------------------------- y of one column


@few_epochs
@pytest.mark.parametrize("early_stopping", [False, True])
def test_column_of_values_is_raveled(early_stopping):
    column = y.reshape(-1, 1)
    model = regressor(early_stopping=early_stopping)
    flat = model.fit(X, y).predict(X)
    with pytest.warns(DataConversionWarning, match=r"\(60, 1\)"):
        model.fit(X, column)
    assert_array_equal(model.predict(X), flat)
    assert (y - model.predict(X)).shape == (60,)


@few_epochs
def test_column_of_values_in_every_call():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"y": y})
    fitted = regressor(early_stopping=True).fit(X, y)
    for call in [
        lambda: regressor().partial_fit(X, frame),
        lambda: fitted.fine_tune(X, frame),
        lambda: regressor(early_stopping=True).fit(X, y, X_val=X, y_val=frame),
        lambda: RegularizedMLPRegressorCV((), alphas=2, cv=2, max_iter=2).fit(X, frame),
    ]:
        with pytest.warns(DataConversionWarning):
            model = call()
        assert model.predict(X).shape == (60,)
    with pytest.warns(DataConversionWarning):
        gradient = fitted.input_gradient(X, y.reshape(-1, 1))
    assert_array_equal(gradient, fitted.input_gradient(X, y))


@few_epochs
def test_two_columns_stay_two():
    assert regressor().fit(X, np.column_stack([y, y])).predict(X).shape == (60, 2)


# ------------------------------------------------------------------------------ times

DAYS = np.datetime64("2020-01-01") + np.arange(60)
OBJECTS = np.array([datetime.date(2020, 1, 1)] * 60, dtype=object)
TIMES = [
    DAYS,
    DAYS - DAYS[0],
    OBJECTS,
    list(DAYS.astype(datetime.datetime)),
    np.array([datetime.timedelta(days=k) for k in range(60)], dtype=object),
]


def frames_of_times():
    pd = pytest.importorskip("pandas")
    series = pd.Series(DAYS.astype("datetime64[ns]"))
    return [
        series,
        series.dt.tz_localize("UTC"),
        series.dt.to_period("D"),
        series - series[0],
        series.astype(object),
        series.astype("category"),
    ]


def refuses_times(call, *parts):
    assert_refused(call, ValueError, "dates, times or durations", *parts)


@few_epochs
@pytest.mark.parametrize("k", range(len(TIMES) + 6))
def test_times_as_targets_are_refused(k):
    target = TIMES[k] if k < len(TIMES) else frames_of_times()[k - len(TIMES)]
    refuses_times(lambda: regressor().fit(X, target), "y holds")
    refuses_times(lambda: regressor().partial_fit(X, target))
    fitted = regressor(early_stopping=True).fit(X, y)
    refuses_times(lambda: fitted.fit(X, y, X_val=X, y_val=target))
    refuses_times(lambda: fitted.fine_tune(X, target))
    refuses_times(lambda: fitted.score(X, target))
    refuses_times(lambda: fitted.input_gradient(X, target))
    refuses_times(lambda: RegularizedMLPRegressorCV((), alphas=2).fit(X, target))
    several = np.column_stack([np.asarray(target, dtype=object)] * 2)
    refuses_times(lambda: regressor().fit(X, several), "column 0")


@few_epochs
@pytest.mark.parametrize("k", range(6))
def test_times_among_the_features_are_refused(k):
    pd = pytest.importorskip("pandas")
    series = frames_of_times()[k]
    alone, beside = (
        pd.DataFrame({"when": series}),
        pd.DataFrame({"size": y, "when": series}),
    )
    for frame in (alone, beside):
        names = "size", "when"
        fitted = regressor().fit(
            pd.DataFrame(
                X[:, : frame.shape[1]], columns=list(names[-frame.shape[1] :])
            ),
            y,
        )
        for call in [
            lambda frame=frame: regressor().fit(frame, y),
            lambda frame=frame: regressor().partial_fit(frame, y),
            lambda frame=frame: classifier().fit(frame, y > 0),
            lambda frame=frame, fitted=fitted: fitted.predict(frame),
            lambda frame=frame, fitted=fitted: fitted.partial_fit(frame, y),
            lambda frame=frame, fitted=fitted: adversarial_examples(fitted, frame, y),
        ]:
            refuses_times(call, "'when'")


def test_times_in_arrays_and_polars():
    refuses_times(lambda: regressor().fit(DAYS.reshape(-1, 1), y), "X holds")
    refuses_times(lambda: regressor().fit(OBJECTS.reshape(-1, 1), y), "column 0")
    refuses_times(lambda: regressor().fit(X, y, DAYS), "sample_weight holds")
    pl = pytest.importorskip("polars", minversion="1.10")
    when = pl.Series("when", list(DAYS.astype(datetime.datetime)))
    for column in (when, when - when[0], when.cast(pl.Datetime("us", "UTC"))):
        refuses_times(lambda c=column: regressor().fit(pl.DataFrame([c]), y), "'when'")
        refuses_times(lambda c=column: regressor().fit(X, c), "y holds")


# ------------------------------------------------------------------------- containers


@few_epochs
@pytest.mark.parametrize(
    "sizes",
    [5, np.int8(5), [5], (5,), np.array([5]), range(5, 6), [np.uint16(5)]],
)
def test_containers_of_sizes(sizes):
    model = regressor(max_iter=1).set_params(hidden_layer_sizes=sizes).fit(X, y)
    assert model.coefs_[0].shape == (4, 5)


@pytest.mark.parametrize(
    "sizes",
    [
        np.array(5),
        np.array([[5, 5]]),
        [[5]],
        {5},
        {5: 1},
        True,
        [True],
        np.array([True]),
        np.array([5.0]),
        (5, None),
    ],
)
def test_what_is_no_list_of_sizes(sizes):
    model = RegularizedMLPRegressor(sizes)
    assert_refused(
        lambda: model.fit(X, y),
        ValueError,
        "hidden_layer_sizes must be whole numbers >= 1",
        repr(sizes),
    )


@pytest.mark.parametrize("name", ["l1", "l2", "dropout", "max_norm", "activation"])
@pytest.mark.parametrize("value", [np.array(0.5), {0.5}, {0.5: 1}])
def test_what_is_no_list_with_one_per_layer(name, value):
    model = RegularizedMLPRegressor((5,), **{name: value})
    assert_refused(lambda: model.fit(X, y), ValueError, f"{name} must be one value")


# ------------------------------------------------------------ digits that float32 lacks


@both_estimators
@pytest.mark.parametrize("frame", [False, True])
def test_variation_that_float32_rounds_away_is_said(Estimator, frame):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] > 0
    X[:, 0] = 1.7e9 + 10 * X[:, 0]
    given = X
    if frame:
        pd = pytest.importorskip("pandas")
        given = pd.DataFrame(X, columns=["time", "a", "b"])
    model = Estimator((), solver="lbfgs")
    with pytest.warns(DataConversionWarning, match="'time'" if frame else "feature 0 "):
        model.fit(given, y)
    # the remedy helps
    model.set_params(dtype="float64")
    assert model.fit(given, y).score(given, y) > 0.6


@few_epochs
@both_estimators
def test_features_that_become_zero_are_said(Estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    with pytest.warns(DataConversionWarning, match="feature 0 and 1 more"):
        Estimator((4,), max_iter=2).fit(1e-60 * X, X[:, 0] > 0)
