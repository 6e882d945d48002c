"""Every regularizer with every other: neutral values, threads, refusals, draws."""

import pickle
import warnings

import numpy as np
import pytest
from common import all_weights, assert_same_fit, both_estimators, data_for, few_epochs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skreg._problem import cores
from skreg.adversarial import AdversarialTraining
from skreg.augmentation import CutMix, FeatureMasking, GaussianNoise, Mixup
from skreg.averaging import ExponentialMovingAverage, StochasticWeightAveraging
from skreg.schedules import EarlyDropout, FlatThenCosine, Linear

pytestmark = few_epochs

# name: (neutral values, values that do something)
CHOICES = {
    "l1": ([0.0], [1e-3]),
    "l2": ([0.0], [1e-2]),
    "group_l1": ([0.0], [1e-3]),
    "weight_decay": ([0.0], [0.1]),
    "dropout": ([0.0], [0.3]),
    "input_dropout": ([0.0], [0.2]),
    "batch_norm": ([False], [True, "before", "after"]),
    "residual": ([False], [True]),
    "skip": ([False], [True]),
    "hierarchy": ([None], [0.5, np.inf]),
    "max_norm": ([None, np.inf, [np.inf] * 3], [0.5, [0.5, np.inf, 1.0]]),
    "max_grad_norm": ([None, np.inf], [0.05]),
    "weight_averaging": (
        [None, ExponentialMovingAverage(0.0)],
        ["ema", "swa", StochasticWeightAveraging(0.3)],
    ),
    "adversarial": (
        [None, AdversarialTraining(0.0), AdversarialTraining(clean_weight=1)],
        [
            AdversarialTraining(),
            AdversarialTraining(n_steps=2, norm="l2", random_start=True),
        ],
    ),
    "augmentation": (
        [None, GaussianNoise(0.0), [Mixup(0.0), FeatureMasking(0.0)]],
        [GaussianNoise(0.3), [FeatureMasking(0.2), Mixup(0.5)], CutMix()],
    ),
    "learning_rate": (["constant"], ["one_cycle", FlatThenCosine(0.5)]),
    "warm_up": ([0.0], [1.5]),
    "feature_scaling": ([0.0], [6.0]),
    "preprocessing": ([None], ["robust"]),
}
FOR_CLASSIFIERS = {"label_smoothing": ([0.0], [0.2])}
# What does nothing, or is refused, without something else.
TOGETHER = {"hierarchy": {"skip": True, "group_l1": 1e-2}}
BASE = {
    "hidden_layer_sizes": (9, 9),
    "l2": 0.0,
    "max_iter": 8,
    "batch_size": 40,
    "random_state": 0,
}


def choices_of(Estimator):
    return CHOICES | (FOR_CLASSIFIERS if Estimator is RegularizedMLPClassifier else {})


def single(which):
    """(Estimator, name, value) for all values of one kind."""
    for Estimator in [RegularizedMLPClassifier, RegularizedMLPRegressor]:
        for name, values in choices_of(Estimator).items():
            for value in values[which]:
                yield pytest.param(
                    Estimator, name, value, id=f"{Estimator.__name__}-{name}={value}"
                )


@pytest.mark.parametrize(("Estimator", "name", "value"), list(single(0)))
def test_neutral_values_change_no_bit(Estimator, name, value):
    plain = Estimator(**BASE)
    X, y = data_for(plain)
    neutral = clone(plain).set_params(**{name: value}).fit(X, y)
    assert_same_fit(neutral, plain.fit(X, y))


@pytest.mark.parametrize(("Estimator", "name", "value"), list(single(1)))
def test_every_one_does_something_and_survives_a_pickle(Estimator, name, value):
    plain = Estimator(**BASE, **TOGETHER.get(name, {}))
    X, y = data_for(plain)
    model = clone(plain).set_params(**{name: value}).fit(X, y)
    plain.fit(X, y)
    assert not np.array_equal(model.predict(X), plain.predict(X)) or not np.array_equal(
        all_weights(model), all_weights(plain)
    )
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(("Estimator", "name", "value"), list(single(1)))
def test_the_same_bits_with_any_number_of_threads(Estimator, name, value, monkeypatch):
    model = Estimator(**BASE | {"hidden_layer_sizes": (70, 70)}, dropout=0.1)
    model.set_params(**TOGETHER.get(name, {}), **{name: value})
    X, y = data_for(model)
    results = set()
    for threads in [1, 2, 3]:
        monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1.0)
        monkeypatch.setattr(cores, "_cores", lambda n=threads: n)
        with threadpool_limits(threads):
            model.fit(X, y)
        results.add(all_weights(model).tobytes() + model.predict(X).tobytes())
    assert len(results) == 1


@both_estimators
def test_a_grid_searches_inside_the_objects(Estimator):
    model = Estimator(
        **BASE,
        adversarial=AdversarialTraining(),
        weight_averaging=ExponentialMovingAverage(),
    )
    grid = {
        "adversarial__epsilon": [0.0, 0.1],
        "weight_averaging__decay": [0.0, 0.9],
        "batch_norm": [False, True],
    }
    # accuracy would not tell them apart
    scoring = "neg_log_loss" if Estimator is RegularizedMLPClassifier else "r2"
    search = GridSearchCV(model, grid, cv=2, scoring=scoring, error_score="raise")
    search.fit(*data_for(model))
    assert len(set(search.cv_results_["mean_test_score"])) == 8


# ------------------------------------------------------------------------ max-norm etc.


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_max_norm_holds_after_every_fit(Estimator, solver, csr):
    bounds = [0.5, np.inf, 0.25]
    model = Estimator(**BASE, solver=solver, learning_rate_init=0.05, max_norm=bounds)
    X, y = data_for(model)
    model.fit(sparse.csr_array(X) if csr else X, y)
    lengths = [np.linalg.norm(W, axis=0).max() for W in model.coefs_]
    assert_allclose(lengths[0], 0.5, rtol=1e-6)
    assert lengths[1] > 0.8
    assert_allclose(lengths[2], 0.25, rtol=1e-6)


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_sparse_rows_have_the_steps_of_dense_ones(csr):
    """Also where a step needs all of the gradient."""
    X = np.random.default_rng(0).normal(size=(60, 40))
    X[np.abs(X) < 1.2] = 0
    y = X[:, 0]
    fits = [
        RegularizedMLPRegressor(
            **BASE | {"dtype": "float64"},
            max_norm=0.5,
            max_grad_norm=0.3,
            weight_averaging="ema",
            batch_norm=True,
        ).fit(rows, y)
        for rows in [X, sparse.csr_array(X)]
    ]
    assert_allclose(*map(all_weights, fits), rtol=1e-9, atol=1e-12)


def test_a_clipped_step_of_sgd_is_no_longer_than_the_bound():
    X, y = data_for(RegularizedMLPRegressor())
    model = RegularizedMLPRegressor(
        (9,),
        solver="sgd",
        momentum=0.0,
        l2=0.0,
        batch_size=1000,
        max_iter=1,
        learning_rate_init=0.5,
        max_grad_norm=0.01,
        random_state=0,
        dtype="float64",
    )
    start = clone(model).set_params(learning_rate_init=1e-300).fit(X, y)
    step = all_weights(model.fit(X, y)) - all_weights(start)
    assert np.linalg.norm(step) == pytest.approx(0.5 * 0.01, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_smoothed_labels_bound_the_confidence(n_classes):
    """At the optimum the probability of a pure region is 1 - e + e / K."""
    X = np.eye(n_classes)
    y = np.arange(n_classes)
    model = RegularizedMLPClassifier(
        (), solver="lbfgs", l2=0.0, label_smoothing=0.3, dtype="float64", tol=1e-10
    )
    probabilities = model.fit(X, y).predict_proba(X)
    assert_allclose(np.diag(probabilities), 0.7 + 0.3 / n_classes, rtol=1e-6)


def test_a_residual_network_with_zero_weights_is_the_first_layer():
    X, y = data_for(RegularizedMLPRegressor())
    model = RegularizedMLPRegressor(
        (6, 6, 6), residual=True, max_iter=1, dtype="float64", random_state=0
    ).fit(X, y)
    for W, b in zip(model.coefs_[1:3], model.intercepts_[1:3], strict=True):
        W[:] = b[:] = 0
    x = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = x @ model.coefs_[3] + model.intercepts_[3]
    assert_allclose(model.predict(X), raw[:, 0] * y.std() + y.mean(), rtol=1e-10)


# ------------------------------------------------------------------------------ draws


def drawn(draw, Estimator):
    chosen = {}
    for name, (neutral, active) in choices_of(Estimator).items():
        chosen[name] = draw(st.sampled_from([neutral[0], *active]))
    chosen["hidden_layer_sizes"] = draw(st.sampled_from([(), (5,), (6, 6), (7, 4)]))
    if isinstance(chosen["max_norm"], list):
        chosen["max_norm"] = 0.5
    if draw(st.integers(0, 4)) == 0:
        chosen[draw(st.sampled_from(["l1", "l2"]))] = "auto"
    # a schedule of nothing is refused too, but of that there are tests elsewhere
    if chosen["dropout"] or chosen["input_dropout"]:
        chosen["dropout_schedule"] = draw(st.sampled_from([None, EarlyDropout(0.5)]))
    if chosen["weight_decay"]:
        chosen["weight_decay_schedule"] = draw(st.sampled_from([None, Linear(0, 1)]))
    chosen |= {
        "solver": draw(st.sampled_from(["adam", "sgd", "lbfgs"])),
        "early_stopping": draw(st.booleans()),
        "batch_size": draw(st.sampled_from([1, 7, 200])),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
        "activation": draw(st.sampled_from(["relu", "tanh"])),
    }
    return chosen


@st.composite
def cases(draw):
    Estimator = draw(
        st.sampled_from([RegularizedMLPClassifier, RegularizedMLPRegressor])
    )
    return Estimator, drawn(draw, Estimator), draw(st.booleans())


# What a refusal may say: each names two things that exclude each other.
REASONS = [
    "does not support",
    "hidden_layer_sizes",
    "exclude each other",
    "sets none aside",
]


@settings(max_examples=150, deadline=None)
@given(cases())
def test_random_combinations_train_or_are_refused_with_a_reason(case):
    Estimator, chosen, csr = case
    model = Estimator(**chosen, max_iter=2, random_state=0)
    X, y = data_for(model)
    X, y = X[::3], y[::3]
    X_given = sparse.csr_array(X) if csr else X
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X_given, y)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert any(reason in refusal for reason in REASONS), refusal
        assert not hasattr(model, "n_iter_")
        return
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(all_weights(model)).all()
    if not csr:
        assert np.isfinite(model.input_gradient(X, y)).all()
