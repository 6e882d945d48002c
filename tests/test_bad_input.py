"""Bad input is refused before work starts, in words that help; nothing is lost."""

import copy
import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pytest
from common import (
    FIGURES,
    all_weights,
    assert_refused,
    both_estimators,
    data_for,
    diabetes,
    few_epochs,
    iris,
)
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skreg.adversarial import AdversarialTraining
from skreg.averaging import ExponentialMovingAverage, StochasticWeightAveraging

pytestmark = few_epochs

# (parameter, value, parts of the message): each value out of range or of a wrong type
# or length. The message names the parameter, the rule and the value.
BAD_PARAMETERS = [
    ("hidden_layer_sizes", (10, 0), ["whole numbers >= 1", "(10, 0)"]),
    ("hidden_layer_sizes", -3, ["-3"]),
    ("hidden_layer_sizes", (2.5,), ["whole numbers", "(2.5,)"]),
    ("hidden_layer_sizes", "100", ["100"]),
    ("activation", "rellu", ["rellu", "'relu'"]),
    ("activation", ["relu", "tanh"], ["one per hidden layer, here 1", "with 2"]),
    ("activation", ["rellu"], ["one of", "'rellu'"]),
    ("solver", "newton", ["newton", "'adam'"]),
    ("l1", -1.0, ["[0.0, inf)", "-1.0"]),
    ("l1", [0.1, -0.2], ["finite number >= 0", "-0.2"]),
    ("l1", [0.1, 0.1, 0.1], ["one per weight matrix, here 2", "with 3"]),
    ("l1", [0.1, np.inf], ["finite number", "inf"]),
    ("l1", np.nan, ["nan"]),
    ("l1", np.inf, ["inf"]),
    ("l2", "strong", ["strong"]),
    ("l2", [1e-3], ["one per weight matrix, here 2", "with 1"]),
    ("group_l1", -1.0, ["[0.0, inf)", "-1.0"]),
    ("group_l1", [0.1], ["[0.1]"]),
    ("hierarchy", 0.0, ["(0.0, inf]", "0.0"]),
    ("hierarchy", np.nan, ["nan"]),
    ("hierarchy", [1.0], ["[1.0]"]),
    ("feature_groups", [0, 1, 1], ["one label per feature", "(3,)"]),
    ("feature_groups", "abc", ["abc"]),
    ("weight_decay", -0.1, ["[0.0, inf)", "-0.1"]),
    ("weight_decay", [0.1], ["[0.1]"]),
    ("feature_scaling", -1.0, ["[0.0, 100.0]", "-1.0"]),
    ("feature_scaling", 101, ["[0.0, 100.0]", "101"]),
    ("feature_scaling", [6.0], ["[6.0]"]),
    ("preprocessing", "standard", ["standard", "'robust'"]),
    ("preprocessing", True, ["True"]),
    ("dropout", 1.0, ["[0.0, 1.0)", "1.0"]),
    ("dropout", [0.5, 0.5], ["one per hidden layer, here 1", "with 2"]),
    ("dropout", [1.5], ["number in [0, 1)", "1.5"]),
    ("input_dropout", -0.1, ["[0.0, 1.0)", "-0.1"]),
    ("batch_norm", "middle", ["middle", "'after'"]),
    ("residual", "yes", ["yes"]),
    ("residual", True, ["equal widths", "(100,)"]),
    ("skip", "yes", ["yes"]),
    ("max_norm", 0.0, ["(0.0, inf]", "0.0"]),
    ("max_norm", [1.0], ["one per weight matrix, here 2", "with 1"]),
    ("max_norm", [1.0, -1.0], ["number > 0", "-1.0"]),
    ("max_grad_norm", 0.0, ["(0.0, inf]", "0.0"]),
    ("weight_averaging", "polyak", ["polyak", "'ema'"]),
    ("weight_averaging", AdversarialTraining(), ["skreg.averaging"]),
    ("weight_averaging", ExponentialMovingAverage(1.0), ["[0.0, 1.0)", "1.0"]),
    ("weight_averaging", StochasticWeightAveraging(-0.5), ["[0.0, 1.0)", "-0.5"]),
    ("adversarial", ExponentialMovingAverage(), ["AdversarialTraining"]),
    ("adversarial", AdversarialTraining(-1.0), ["epsilon", "-1.0"]),
    ("adversarial", AdversarialTraining(norm="l1"), ["'inf'", "l1"]),
    ("adversarial", AdversarialTraining(n_steps=0), ["n_steps", "0"]),
    ("adversarial", AdversarialTraining(step_size=0.0), ["step_size", "0.0"]),
    ("adversarial", AdversarialTraining(clean_weight=2), ["clean_weight", "2"]),
    ("adversarial", AdversarialTraining(bounds=(1, 0)), ["bounds", "low < high"]),
    ("adversarial", AdversarialTraining(bounds=(0,)), ["bounds", "(0,)"]),
    ("batch_size", 0, ["[1, inf)", "0"]),
    ("batch_size", 2.5, ["2.5"]),
    ("learning_rate", "exponential", ["exponential", "'one_cycle'"]),
    ("learning_rate_init", 0.0, ["(0.0, inf)", "0.0"]),
    ("power_t", -1.0, ["-1.0"]),
    ("warm_up", -1.0, ["[0.0, inf)", "-1.0"]),
    ("max_iter", 0, ["[1, inf)", "0"]),
    ("shuffle", "yes", ["yes"]),
    ("random_state", "seed", ["seed"]),
    ("tol", -1e-3, ["-0.001"]),
    ("warm_start", "yes", ["yes"]),
    ("momentum", 1.0, ["[0.0, 1.0)", "1.0"]),
    ("nesterovs_momentum", "yes", ["yes"]),
    ("early_stopping", "yes", ["yes"]),
    ("validation_fraction", 1.0, ["(0.0, 1.0)", "1.0"]),
    ("validation_fraction", 0.0, ["(0.0, 1.0)", "0.0"]),
    ("scoring", "accurracy", ["accurracy", "'accuracy'"]),
    ("beta_1", 1.0, ["[0.0, 1.0)", "1.0"]),
    ("beta_2", -0.1, ["-0.1"]),
    ("epsilon", 0.0, ["(0.0, inf)", "0.0"]),
    ("n_iter_no_change", 0, ["[1, inf)", "0"]),
    ("max_fun", 0, ["[1, inf)", "0"]),
    ("n_members", 0, ["[1, inf)", "0"]),
    ("dtype", "float16", ["float16", "'float32'"]),
]
BAD_CLASSIFIER_PARAMETERS = [
    ("label_smoothing", 1.0, ["[0.0, 1.0)", "1.0"]),
]
BAD_REGRESSOR_PARAMETERS = [
    ("loss", "mse", ["mse", "'squared_error'"]),
    ("quantile", 1.0, ["(0.0, 1.0)", "1.0"]),
    ("huber_delta", 0.0, ["(0.0, inf)", "0.0"]),
    ("standardize_target", "yes", ["yes"]),
]


@both_estimators
@pytest.mark.parametrize(("name", "value", "parts"), BAD_PARAMETERS)
def test_parameters(Estimator, name, value, parts):
    model = Estimator(**{name: value})
    assert_refused(lambda: model.fit(*data_for(model)), ValueError, name, *parts)
    assert not hasattr(model, "n_iter_")


@pytest.mark.parametrize(("name", "value", "parts"), BAD_REGRESSOR_PARAMETERS)
def test_parameters_of_the_regressor(name, value, parts):
    model = RegularizedMLPRegressor(**{name: value})
    assert_refused(lambda: model.fit(*diabetes()), ValueError, name, *parts)


@pytest.mark.parametrize(("name", "value", "parts"), BAD_CLASSIFIER_PARAMETERS)
def test_parameters_of_the_classifier(name, value, parts):
    model = RegularizedMLPClassifier(**{name: value})
    assert_refused(lambda: model.fit(*iris()), ValueError, name, *parts)


@both_estimators
def test_every_parameter_has_a_bad_value_in_the_tables(Estimator):
    tables = BAD_PARAMETERS + BAD_CLASSIFIER_PARAMETERS + BAD_REGRESSOR_PARAMETERS
    tested = {name for name, *_ in tables}
    takes_anything = {"verbose"}
    own_tests = {
        "augmentation",
        "class_weight",
        "dropout_schedule",
        "weight_decay_schedule",
    }
    assert set(Estimator().get_params()) <= tested | takes_anything | own_tests


@both_estimators
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["X", "y", "sample_weight"])
def test_values_that_are_not_finite(Estimator, bad, where):
    model = Estimator()
    X, y = (array.astype(float) for array in data_for(model))
    weights = np.ones(len(y))
    {"X": X, "y": y, "sample_weight": weights}[where].flat[3] = bad
    name = "NaN" if np.isnan(bad) else "infinity"
    parts = [name] if where != "y" else []
    assert_refused(lambda: model.fit(X, y, weights), ValueError, *parts)


@both_estimators
@pytest.mark.filterwarnings("ignore::RuntimeWarning:numpy")
@pytest.mark.filterwarnings("ignore::RuntimeWarning:sklearn")
def test_too_large_for_float32(Estimator):
    model = Estimator()
    X, y = data_for(model)
    assert_refused(lambda: model.fit(X * 1e60, y), ValueError, "too large", "float32")


def test_target_too_large_for_float32():
    X, y = diabetes()
    model = RegularizedMLPRegressor(standardize_target=False)
    refused = lambda: model.fit(X, y * 1e60)  # noqa: E731
    assert_refused(refused, ValueError, "y has values", "standardize_target=True")
    model.set_params(standardize_target=True, max_iter=2).fit(X, y * 1e60)


@both_estimators
def test_shapes(Estimator):
    model = Estimator()
    X, y = data_for(model)
    assert_refused(lambda: model.fit(X[:, 0], y), ValueError, "Reshape your data")
    assert_refused(lambda: model.fit(X, y[:-1]), ValueError, "inconsistent numbers")
    assert_refused(lambda: model.fit(X[:0], y[:0]), ValueError, "0 sample(s)")
    assert_refused(lambda: model.fit(X, y, np.ones(3)), ValueError, "sample_weight")


@both_estimators
def test_weights(Estimator):
    model = Estimator()
    X, y = data_for(model)
    weights = np.ones(len(y))
    weights[5] = -2.0
    assert_refused(
        lambda: model.fit(X, y, weights), ValueError, "sample_weight", "negative", "-2"
    )
    assert_refused(
        lambda: model.fit(X, y, 0 * weights), ValueError, "sample_weight", "zero"
    )


def test_one_class():
    X, _ = iris()
    model = RegularizedMLPClassifier()
    refused = lambda: model.fit(X, ["only"] * len(X))  # noqa: E731
    assert_refused(refused, ValueError, "at least 2 classes", "'only'")


def test_one_class_in_y():
    X, y = iris()
    refused = lambda: RegularizedMLPClassifier().fit(X, y > 5)  # noqa: E731
    assert_refused(refused, ValueError, "at least 2 classes", "y has one class, False")


def test_values_for_a_classifier():
    X, y = diabetes()
    model = RegularizedMLPClassifier()
    assert_refused(lambda: model.fit(X, y + 0.5), ValueError, "continuous")
    several = np.stack([np.arange(len(y)) % 3, np.arange(len(y)) % 4], axis=1)
    assert_refused(
        lambda: model.fit(X, several), ValueError, "0 or 1", "MultiOutputClassifier"
    )


@pytest.mark.parametrize(
    ("class_weight", "parts"),
    [
        ({7: 2.0}, ["class_weight", "[7]", "not among the classes"]),
        ({0: -1.0}, ["class_weight", ">= 0", "-1.0"]),
        ({0: np.nan}, ["class_weight", "finite"]),
        ("balance", ["class_weight", "'balanced'"]),
    ],
)
def test_class_weight(class_weight, parts):
    X, y = iris()
    model = RegularizedMLPClassifier(class_weight=class_weight)
    assert_refused(lambda: model.fit(X, y), ValueError, *parts)


def test_class_weight_where_it_has_no_meaning():
    X, y = iris()
    model = RegularizedMLPClassifier(class_weight="balanced")
    labels = np.stack([y > 0, y > 1], axis=1).astype(int)
    assert_refused(
        lambda: model.fit(X, labels), ValueError, "class_weight", "multilabel"
    )
    refused = lambda: model.partial_fit(X, y, classes=[0, 1, 2])  # noqa: E731
    assert_refused(refused, ValueError, "class_weight='balanced'", "dict")


@pytest.mark.parametrize(
    ("loss", "smallest", "rule"),
    [("poisson", -1.0, "y >= 0"), ("gamma", -1.0, "y > 0"), ("gamma", 0.0, "y > 0")],
)
def test_targets_out_of_a_loss_range(loss, smallest, rule):
    X, y = diabetes()
    y = y.copy()
    y[0] = smallest
    model = RegularizedMLPRegressor(loss=loss)
    assert_refused(lambda: model.fit(X, y), ValueError, loss, rule, f"is {smallest:g}")
    # a row that is left out need not be in range
    weights = np.ones(len(y))
    weights[0] = 0
    model.set_params(max_iter=2).fit(X, y, weights)


def test_poisson_target_of_zeros():
    X, y = diabetes()
    model = RegularizedMLPRegressor(loss="poisson")
    assert_refused(lambda: model.fit(X, 0 * y), ValueError, "poisson", "positive")


@both_estimators
def test_predict_before_fit(Estimator):
    model = Estimator()
    X, _ = data_for(model)
    assert_refused(lambda: model.predict(X), NotFittedError, Estimator.__name__)
    assert not hasattr(model, "coefs_")


@both_estimators
def test_other_features_at_predict(Estimator):
    pd = pytest.importorskip("pandas")
    model = Estimator(max_iter=2)
    X, y = data_for(model)
    frame = pd.DataFrame(X).add_prefix("f")
    model.fit(frame, y)
    fewer = frame.drop(columns="f0")
    assert_refused(lambda: model.predict(fewer), ValueError, "missing", "f0")
    model.fit(X, y)
    expected = f"expecting {X.shape[1]} features"
    assert_refused(lambda: model.predict(X[:, 1:]), ValueError, expected)
    model.fit(frame, y)
    renamed = frame.rename(columns={"f0": "g0"})
    assert_refused(lambda: model.predict(renamed), ValueError, "feature names", "g0")
    reordered = frame[frame.columns[::-1]]
    assert_refused(lambda: model.predict(reordered), ValueError, "same order")


def test_partial_fit_and_classes():
    X, y = iris()
    model = RegularizedMLPClassifier()
    assert_refused(
        lambda: model.partial_fit(X, y), ValueError, "classes must be passed", "first"
    )
    refused = lambda: model.partial_fit(X, y, classes=[2])  # noqa: E731
    assert_refused(refused, ValueError, "at least 2 classes", "classes has one", "2")
    model.partial_fit(X[y < 2], y[y < 2], classes=[0, 1])
    assert_refused(lambda: model.partial_fit(X, y), ValueError, "[2]", "first call")
    refused = lambda: model.partial_fit(X, y, classes=[0, 1, 2])  # noqa: E731
    assert_refused(refused, ValueError, "classes=[0, 1, 2]", "first call")


@both_estimators
@pytest.mark.parametrize(
    "given",
    [
        {"solver": "lbfgs"},
        {"early_stopping": True},
        {"learning_rate": "cosine"},
        {"learning_rate": "one_cycle"},
    ],
)
def test_partial_fit_that_needs_to_know_the_end(Estimator, given):
    ((name, value),) = given.items()
    model = Estimator(**given)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        model.partial_fit  # noqa: B018
    message = str(caught.value)
    assert f"{name}={value!r}" in message
    assert f"Set {name}=" in message


@both_estimators
@pytest.mark.parametrize(
    "given",
    [
        {"dropout": 0.5},
        {"input_dropout": 0.5},
        {"weight_decay": 0.1},
        {"early_stopping": True},
    ],
)
def test_what_lbfgs_excludes(Estimator, given):
    ((name, value),) = given.items()
    model = Estimator(solver="lbfgs", **given)
    parts = ["solver='lbfgs'", f"{name}={value!r}", "solver='adam'"]
    assert_refused(lambda: model.fit(*data_for(model)), ValueError, *parts)


@both_estimators
@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("X_val", ["X_val", "without y_val", "both or neither"]),
        ("y_val", ["y_val", "without X_val", "both or neither"]),
        ("sample_weight_val", ["sample_weight_val", "without X_val"]),
    ],
)
def test_validation_data_in_part(Estimator, given, parts):
    model = Estimator(early_stopping=True)
    X, y = data_for(model)
    value = X if given == "X_val" else y
    assert_refused(lambda: model.fit(X, y, **{given: value}), ValueError, *parts)


@both_estimators
def test_validation_data_without_early_stopping(Estimator):
    model = Estimator()
    X, y = data_for(model)
    parts = ["X_val", "early_stopping=False", "Set early_stopping=True"]
    assert_refused(lambda: model.fit(X, y, X_val=X, y_val=y), ValueError, *parts)


@both_estimators
def test_validation_data_that_do_not_fit(Estimator):
    model = Estimator(early_stopping=True)
    X, y = data_for(model)
    fit = lambda **given: model.fit(X, y, **given)  # noqa: E731
    assert_refused(lambda: fit(X_val=X[:, 1:], y_val=y), ValueError, "features")
    assert_refused(lambda: fit(X_val=X, y_val=y[1:]), ValueError, "inconsistent")
    negative = {"X_val": X, "y_val": y, "sample_weight_val": -np.ones(len(y))}
    assert_refused(lambda: fit(**negative), ValueError, "sample_weight_val", "negative")


def test_validation_data_with_a_new_class():
    X, y = iris()
    model = RegularizedMLPClassifier(early_stopping=True)
    known = y < 2
    refused = lambda: model.fit(X[known], y[known], X_val=X, y_val=y)  # noqa: E731
    assert_refused(refused, ValueError, "[2]")


def test_a_split_too_small_for_its_classes_warns():
    X, y = iris()
    few = np.r_[0:5, 50:55, 100:105]
    model = RegularizedMLPClassifier(early_stopping=True, max_iter=2)
    with pytest.warns(
        UserWarning, match="validation_fraction=.*2 of 15 rows.*Raise it"
    ):
        model.fit(X[few], y[few])
    assert len(model.validation_scores_) == 2


@both_estimators
def test_a_split_that_leaves_nothing(Estimator):
    model = Estimator(early_stopping=True, validation_fraction=0.99)
    X, y = data_for(model)
    few = [0, -1]
    refused = lambda: model.fit(X[few], y[few])  # noqa: E731
    assert_refused(refused, ValueError, "validation_fraction=0.99", "n_samples=2")


@both_estimators
def test_divergence_stops_and_keeps_finite_weights(Estimator):
    model = Estimator(solver="sgd", learning_rate_init=1e30, random_state=0)
    X, y = data_for(model)
    with pytest.warns(ConvergenceWarning, match=r"diverged.*Lower learning_rate_init"):
        model.fit(X, y)
    assert np.isfinite(all_weights(model)).all()
    assert np.isfinite(model.predict(X)).all()
    assert model.n_iter_ < 10


@both_estimators
@pytest.mark.filterwarnings("error:.*has not converged")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_not_converged(Estimator, solver):
    model = Estimator(solver=solver, max_iter=2)
    with pytest.warns(ConvergenceWarning, match=r"not converged.*max_iter=2.*Raise"):
        model.fit(*data_for(model))


REFUSED_CALLS = {
    "X": lambda model, X, y: model.fit(X * np.nan, y),
    "features": lambda model, X, y: model.partial_fit(X[:, 1:], y),
    "parameter": lambda model, X, y: model.set_params(l1=[1.0]).fit(X, y),
    "weights": lambda model, X, y: model.fit(X, y, -np.ones(len(y))),
    "solver": lambda model, X, y: model.set_params(solver="lbfgs", dropout=0.1).fit(
        X, y
    ),
    "split": lambda model, X, y: model.set_params(
        early_stopping=True, validation_fraction=0.999
    ).fit(X, y),
    "validation": lambda model, X, y: model.set_params(early_stopping=True).fit(
        X, y, X_val=X[:, 1:], y_val=y
    ),
    "target": lambda model, X, y: model.fit(X, np.full(len(y), np.nan)),
}


@both_estimators
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("refused", REFUSED_CALLS)
def test_a_refused_call_loses_nothing(Estimator, refused, warm_start):
    model = Estimator((7,), max_iter=3, random_state=0, warm_start=warm_start)
    X, y = data_for(model)
    model.fit(X, y)
    before = copy.deepcopy(model)
    assert_refused(lambda: REFUSED_CALLS[refused](model, X, y), ValueError)
    assert_array_equal(all_weights(model), all_weights(before))
    assert_array_equal(model.predict(X), before.predict(X))
    for name in [*FIGURES, "n_features_in_", "loss_"]:
        assert getattr(model, name) == getattr(before, name)
    # and training goes on as if nothing had happened
    model.set_params(**before.get_params()).partial_fit(X, y)
    before.partial_fit(X, y)
    assert_array_equal(all_weights(model), all_weights(before))


@both_estimators
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (8,)),
        ("activation", "tanh"),
        ("skip", True),
        ("dtype", "float64"),
    ],
)
def test_going_on_with_another_network(Estimator, name, value):
    model = Estimator((7,), max_iter=2, warm_start=True)
    X, y = data_for(model)
    model.fit(X, y).set_params(**{name: value})
    parts = [f"another {name}", "warm_start=False"]
    assert_refused(lambda: model.fit(X, y), ValueError, *parts)


def test_going_on_with_another_loss():
    X, y = diabetes()
    model = RegularizedMLPRegressor(max_iter=2, warm_start=True).fit(X, y)
    model.set_params(loss="huber")
    parts = ["another loss", "'squared_error' before", "'huber' now"]
    assert_refused(lambda: model.fit(X, y), ValueError, *parts)
    two = np.stack([y, y], axis=1)
    model.set_params(loss="squared_error")
    assert_refused(lambda: model.fit(X, two), ValueError, "2 outputs", "1 in")


# ------------------------------------------------------------- y and its own name

ROWS = np.random.default_rng(0).normal(size=(20, 3))
CODES = np.arange(20) % 2
LABELS = np.column_stack([CODES, 1 - CODES])
DAYS = [datetime.date(2020, 1, 1 + i) for i in range(20)]


@pytest.mark.parametrize(
    ("target", "X_val", "y_val"),
    [
        (ROWS[:, 0], ROWS, np.r_[np.nan, ROWS[1:, 0]]),
        (ROWS[:, 0], ROWS, ROWS[:5, 0]),
        (ROWS[:, 0], ROWS, DAYS),
        (ROWS[:, 0], ROWS, LABELS),
        (ROWS[:, 0], ROWS, 1e60 * ROWS[:, 0]),
        (ROWS[:, 0], ROWS, ROWS[:, :1, None]),
        (CODES, ROWS, CODES + 5),
        (CODES, ROWS, LABELS),
        (CODES, ROWS, ROWS[:, 0]),
        (LABELS, ROWS, 2 * LABELS - 1),
        (ROWS[:, 0], np.full_like(ROWS, np.inf), ROWS[:, 0]),
        (ROWS[:, 0], ROWS[:, :2], ROWS[:, 0]),
        (ROWS[:, 0], ROWS[:, 0], ROWS[:, 0]),
        (ROWS[:, 0], ROWS.astype(str).astype(object) + "a", ROWS[:, 0]),
    ],
)
def test_errors_about_validation_data_name_them(target, X_val, y_val):
    is_value = target.dtype == float
    model = (RegularizedMLPRegressor if is_value else RegularizedMLPClassifier)(
        (4,), early_stopping=True, random_state=0
    )
    with pytest.raises(ValueError, match="_val") as caught:
        model.fit(ROWS, target, X_val=X_val, y_val=y_val)
    assert not re.search(r"\b[Xy]\b", str(caught.value))


@pytest.mark.parametrize(
    "wrong", [2 * LABELS - 1, LABELS + 1, 255 * LABELS, (2 * LABELS - 1).tolist()]
)
def test_score_refuses_the_labels_that_fit_refuses(wrong):
    model = RegularizedMLPClassifier((4,), random_state=0)
    model.partial_fit(ROWS, LABELS, classes=[0, 1])
    for call in (model.score, model.partial_fit, model.fit, model.input_gradient):
        with pytest.raises(ValueError, match="must be 0 or 1"):
            call(ROWS, wrong)
    assert 0 <= model.score(ROWS, sparse.csr_array(LABELS)) <= 1


MISSING = [None, np.nan, pd.NA, pd.NaT, float("nan")]


@both_estimators
@pytest.mark.parametrize("missing", MISSING)
def test_missing_values_among_objects_are_said(Estimator, missing):
    if missing is pd.NaT and Estimator is RegularizedMLPRegressor:
        pytest.skip("it is a time")
    texts = [missing, *"abab" * 4, "a", "b", "a"]
    numbers = [missing, *CODES[1:].tolist()]
    for given in (texts, numbers):
        for y in (np.array(given, dtype=object), pd.Series(given, dtype=object)):
            assert_refused(
                lambda y=y: Estimator((4,)).fit(ROWS, y),
                ValueError,
                "y has missing values",
                "1 of 20",
            )


def test_a_missing_value_of_a_list_is_no_text():
    for y in ([np.nan, "a"] * 10, [None, "a"] * 10):
        with pytest.raises(ValueError, match="missing values"):
            RegularizedMLPClassifier((4,)).fit(ROWS, y)


@pytest.mark.parametrize(
    ("y", "kinds"),
    [
        (DAYS, "date"),
        ([pd.Timestamp(day) for day in DAYS], "Timestamp"),
        ([DAYS[0], *CODES[1:].tolist()], "date, int"),
        ([decimal.Decimal(int(code)) for code in CODES], "Decimal"),
        ([1, "a"] * 10, "int, str"),
        (LABELS.tolist(), "int"),
    ],
)
def test_objects_that_are_no_classes_are_named(y, kinds):
    y = np.array(y, dtype=object)
    model = RegularizedMLPClassifier((4,), random_state=0)
    fitted = clone(model).partial_fit(ROWS, CODES, classes=[0, 1])
    for call in (model.fit, fitted.partial_fit, fitted.score, fitted.fine_tune):
        with pytest.raises(ValueError, match=rf"y holds objects of type {kinds};"):
            call(ROWS, y)


def test_values_of_objects():
    values = [decimal.Decimal(int(code)) for code in CODES]
    model = RegularizedMLPRegressor((4,), solver="lbfgs", random_state=0)
    expected = clone(model).fit(ROWS, CODES).predict(ROWS)
    assert_array_equal(model.fit(ROWS, np.array(values)).predict(ROWS), expected)
    with pytest.raises(ValueError, match="y holds 'a', of type str"):
        model.fit(ROWS, np.array([1, "a"] * 10, dtype=object))


def faulty(kind):
    """Four columns, of which the third and the last are at fault, as a frame."""
    X = pd.DataFrame(ROWS.astype(float)[:, [0, 1, 0, 1]], columns=list("abcd"))
    for name in "cd":
        if kind == "text":
            X[name] = ["red"] * len(X)
        elif kind == "category":
            X[name] = pd.Categorical(["red"] * len(X))
        elif kind == "NA":
            X[name] = X[name].astype("Float64")
            X.loc[2, name] = pd.NA
        else:
            X.loc[2, name] = {"nan": np.nan, "inf": -np.inf, "large": 1e300}[kind]
    return X


FAULTS = {
    "text": ("could not convert", "OneHotEncoder"),
    "category": ("could not convert", "OneHotEncoder"),
    "nan": ("Input X contains NaN", "SimpleImputer"),
    "NA": ("Input X contains NaN", "SimpleImputer"),
    "inf": ("Input X contains infinity", "Replace"),
    "large": ("Input X contains infinity", "Replace"),
}


@both_estimators
@pytest.mark.parametrize("kind", FAULTS)
def test_the_column_that_cannot_be_read_is_named(Estimator, kind):
    start, remedy = FAULTS[kind]
    X = faulty(kind)
    y = np.arange(len(X)) % 2
    sound = X.assign(c=X["a"], d=X["b"])
    model = Estimator((4,), max_iter=2, random_state=0).fit(sound, y)
    plain = Estimator((4,), max_iter=2, random_state=0).fit(sound.to_numpy(), y)
    calls = [
        (lambda: Estimator((4,)).fit(X, y), "'c'"),
        (lambda: model.predict(X), "'c'"),
    ]
    if kind != "NA":
        calls += [
            (lambda: Estimator((4,)).fit(X.to_numpy(), y), "2"),
            (lambda: Estimator((4,)).fit(X.to_numpy().tolist(), y), "2"),
            (lambda: plain.predict(X.to_numpy()), "2"),
        ]
    if kind in ("nan", "inf"):
        sparse_X = sparse.coo_array(X.to_numpy())
        calls.append((lambda: Estimator((4,)).fit(sparse_X, y), "2"))
        calls.append((lambda: plain.predict(sparse_X), "2"))
    for call, name in calls:
        with pytest.raises(ValueError, match=f"The first such column is {name}") as e:
            call()
        assert str(e.value).startswith(start)
        assert remedy in str(e.value)
    validated = Estimator((4,), early_stopping=True)
    assert_refused(
        lambda: validated.fit(sound, y, X_val=X, y_val=y), ValueError, "'c'", "X_val"
    )
