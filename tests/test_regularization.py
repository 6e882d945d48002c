"""Each regularizer does what it claims, on its own layer, and nothing when neutral."""

import numpy as np
import pytest
from common import (
    all_weights,
    assert_same_fit,
    both_estimators,
    breast_cancer,
    data_for,
    diabetes,
    few_epochs,
    iris,
)
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.utils.class_weight import compute_sample_weight

from skreg._problem.activations import ACTIVATIONS
from skreg._problem.losses import REGRESSION_LOSSES
from skreg._problem.schedules import SCHEDULES

stochastic = pytest.mark.parametrize("solver", ["adam", "sgd"])

# Ends without a warning, close to a minimum.
to_the_end = {
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.02,
    "max_iter": 60,
    "batch_size": 50,
    "random_state": 0,
}


def zero_shares(estimator):
    """The share of zeros in each weight matrix."""
    return [np.mean(W == 0) for W in estimator.coefs_]


@both_estimators
@stochastic
def test_l1_gives_zeros_and_the_more_the_stronger(Estimator, solver):
    estimator = Estimator((20,), solver=solver, l2=0.0, **to_the_end)
    X, y = data_for(estimator)
    shares = [
        np.mean(zero_shares(clone(estimator).set_params(l1=l1).fit(X, y)))
        for l1 in [0.0, 1e-3, 1e-2, 1e-1, 10.0]
    ]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert 0 < shares[2] < 1


@both_estimators
def test_all_weights_zero_predict_the_best_constant(Estimator):
    estimator = Estimator(l1=100.0, **to_the_end)
    X, y = data_for(estimator)
    estimator.fit(X, y)
    if hasattr(estimator, "predict_proba"):
        assert_allclose(estimator.predict_proba(X), 1 / 3, atol=0.02)
    else:
        assert_allclose(estimator.predict(X), y.mean(), rtol=0.01)


@both_estimators
@stochastic
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_l1_acts_on_its_own_layer(Estimator, solver, layer):
    l1 = [0.0, 0.0, 0.0]
    l1[layer] = 0.05
    estimator = Estimator((20, 10), solver=solver, l1=l1, l2=0.0, **to_the_end)
    shares = zero_shares(estimator.fit(*data_for(estimator)))
    assert shares.pop(layer) > 0.1
    assert shares == [0, 0]


@few_epochs
@both_estimators
def test_zero_share(Estimator):
    model = Estimator((20,), l1=0.02, max_iter=30, random_state=0)
    with pytest.raises(NotFittedError):
        model.zero_share_  # noqa: B018
    X, y = data_for(model)
    model.fit(X, y)
    weights = np.concatenate([W.ravel() for W in model.coefs_])
    assert model.zero_share_ == pytest.approx(np.mean(weights == 0))
    assert 0 < model.zero_share_ < 1


@both_estimators
@stochastic
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_l2_shrinks_its_own_layer(Estimator, solver, layer):
    l2 = [0.0, 0.0, 0.0]
    l2[layer] = 1.0
    free = Estimator((20, 10), "tanh", solver=solver, l2=0.0, **to_the_end)
    shrunk = clone(free).set_params(l2=l2)
    X, y = data_for(free)
    ratios = [
        np.linalg.norm(W) / np.linalg.norm(W_free)
        for W, W_free in zip(
            shrunk.fit(X, y).coefs_, free.fit(X, y).coefs_, strict=True
        )
    ]
    assert np.argmin(ratios) == layer


def test_penalties_do_not_depend_on_the_batch_size():
    X, y = diabetes()
    fits = [
        RegularizedMLPRegressor((), l1=0.1, l2=0.5, dtype="float64", **to_the_end)
        .set_params(batch_size=batch_size, max_iter=400)
        .fit(X, y)
        for batch_size in [13, 442]
    ]
    one, other = (all_weights(fitted) for fitted in fits)
    assert_allclose(one, other, atol=0.02 * np.abs(other).max())


@both_estimators
@few_epochs
def test_decay_is_coupled_l2_for_plain_sgd(Estimator):
    plain = Estimator(
        solver="sgd",
        momentum=0.0,
        learning_rate="invscaling",
        learning_rate_init=0.1,
        max_iter=20,
        # the penalty is part of the loss, and must not decide when to stop
        n_iter_no_change=20,
        dtype="float64",
        random_state=0,
    )
    X, y = data_for(plain)
    coupled = clone(plain).set_params(l2=0.3).fit(X, y)
    decoupled = clone(plain).set_params(l2=0.0, weight_decay=0.3).fit(X, y)
    assert_allclose(all_weights(decoupled), all_weights(coupled), rtol=1e-10)


@both_estimators
@few_epochs
@pytest.mark.parametrize("settings", [{"solver": "adam"}, {"solver": "sgd"}])
def test_decay_is_something_else_with_a_memory_of_gradients(Estimator, settings):
    plain = Estimator(max_iter=20, dtype="float64", random_state=0, **settings)
    X, y = data_for(plain)
    coupled = clone(plain).set_params(l2=0.3).fit(X, y)
    decoupled = clone(plain).set_params(l2=0.0, weight_decay=0.3).fit(X, y)
    difference = all_weights(decoupled) - all_weights(coupled)
    assert np.abs(difference).max() > 1e-3


def without_training(estimator, X, y):
    """The estimator with its initial weights."""
    settings = {"learning_rate_init": 1e-30, "max_iter": 1}
    return clone(estimator).set_params(**settings).fit(X, y)


@few_epochs
@stochastic
def test_decay_shrinks_by_its_own_factor_in_each_step(solver):
    X, y = diabetes()
    X = np.zeros_like(X)  # the first weights get no gradient
    estimator = RegularizedMLPRegressor(
        solver=solver,
        l2=0.0,
        weight_decay=0.5,
        learning_rate_init=0.01,
        batch_size=100,
        dtype="float64",
        random_state=0,
    )
    W = without_training(estimator, X, y).coefs_[0]
    shrunk = estimator.partial_fit(X, y).partial_fit(X, y).coefs_[0]
    n_steps = 2 * 5
    assert_allclose(shrunk, W * (1 - 0.01 * 0.5) ** n_steps, rtol=1e-10)


@few_epochs
@stochastic
def test_decay_spares_biases(solver):
    X, y = diabetes()
    estimator = RegularizedMLPRegressor(
        solver=solver, learning_rate_init=1e-12, weight_decay=1e11, random_state=0
    )
    start = without_training(estimator, X, y)
    estimator.partial_fit(X, y)
    for b, b_start in zip(estimator.intercepts_, start.intercepts_, strict=True):
        assert_allclose(b, b_start, atol=1e-6)
    assert np.linalg.norm(estimator.coefs_[0]) < np.linalg.norm(start.coefs_[0])


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_input_dropout_is_ridge_and_needs_no_scaling_at_prediction(rate):
    """Masks m / (1 - p) of mean 1 and variance p / (1 - p) turn the expected loss

        E (y - (m / (1 - p) * x) w)^2 / 2 = (y - x w)^2 / 2 + p / (1 - p) (x w)_j^2 / 2

    into a ridge problem with l2 = p / (1 - p) for features of variance 1 (Wager, Wang,
    Liang 2013). The network's own w solves it, without a factor of 1 - p.
    """
    X, y = diabetes()
    settings = to_the_end | {"max_iter": 1000, "hidden_layer_sizes": ()}
    dropped = RegularizedMLPRegressor(l2=0.0, input_dropout=rate, **settings).fit(X, y)
    ridge = RegularizedMLPRegressor(
        (), l2=rate / (1 - rate), solver="lbfgs", random_state=0
    ).fit(X, y)
    assert_allclose(
        dropped.predict(X), ridge.predict(X), atol=0.15 * np.std(ridge.predict(X))
    )


@both_estimators
@few_epochs
def test_inverted_dropout_predicts_as_scaling_by_the_share_kept(Estimator):
    """Dropout as first published keeps masks of 0 and 1 and, to predict, multiplies
    the weights that leave a layer by 1 - p. Its weights are ours divided by 1 - p.
    """
    rates = [0.25, 0.5]
    inverted = Estimator((20, 10), dropout=rates, max_iter=20, random_state=0)
    X, y = data_for(inverted)
    inverted.fit(X, y)
    published = [W.copy() for W in inverted.coefs_]
    for W, rate in zip(published[1:], rates, strict=True):
        W /= 1 - rate
    scaled = without_training(inverted.set_params(dropout=0.0), X, y)
    for b, b_inverted in zip(scaled.intercepts_, inverted.intercepts_, strict=True):
        b[:] = b_inverted
    for W, W_published, kept in zip(
        scaled.coefs_, published, [1, 0.75, 0.5], strict=True
    ):
        W[:] = kept * W_published
    assert_allclose(scaled.predict(X), inverted.predict(X), rtol=1e-5)


@both_estimators
@few_epochs
@stochastic
def test_dropout_acts_on_its_own_layer(Estimator, solver):
    """A unit that is always dropped but once in a blue moon never learns."""
    estimator = Estimator(
        (20, 10), "tanh", solver=solver, l2=0.0, batch_size=50, random_state=0
    )
    X, y = data_for(estimator)
    start = without_training(estimator, X, y)
    for dropout, changed in [
        ([0.0, 1 - 1e-9], [False, False, False]),
        ([1 - 1e-9, 0.0], [False, False, True]),
        ([0.0, 0.0], [True, True, True]),
    ]:
        estimator.set_params(dropout=dropout, max_iter=1).fit(X, y)
        pairs = zip(estimator.coefs_, start.coefs_, strict=True)
        assert [(W_start != W).any() for W, W_start in pairs] == changed
        # the output's bias learns in any case
        assert (estimator.intercepts_[-1] != start.intercepts_[-1]).any()


NEUTRAL = [
    {"l1": 0},
    {"l1": [0.0, 0.0, 0.0]},
    {"l2": [1e-4, 1e-4, 1e-4]},
    {"l2": np.full(3, 1e-4)},
    {"weight_decay": 0},
    {"dropout": 0},
    {"dropout": (0.0, 0.0)},
    {"input_dropout": 0},
    {"activation": ["relu", "relu"]},
    {"hidden_layer_sizes": np.array([20, 10])},
    {"momentum": 0.1, "nesterovs_momentum": False, "power_t": 2.0, "max_fun": 1},
    {"dtype": np.float32},
]


@both_estimators
@few_epochs
@pytest.mark.parametrize("settings", NEUTRAL, ids=str)
def test_neutral_values_change_no_bit(Estimator, settings):
    plain = Estimator((20, 10), max_iter=4, batch_size=32, random_state=0)
    X, y = data_for(plain)
    neutral = clone(plain).set_params(**settings)
    assert_same_fit(neutral.fit(X, y), plain.fit(X, y))


@both_estimators
@few_epochs
@pytest.mark.parametrize("weight", [1, 2.5, 1e-6])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_equal_weights_change_no_bit(Estimator, weight, solver):
    plain = Estimator(max_iter=4, solver=solver, random_state=0)
    X, y = data_for(plain)
    weighted = clone(plain).fit(X, y, np.full(len(y), weight))
    assert_same_fit(weighted, plain.fit(X, y))
    assert_same_fit(clone(plain).fit(X, y, weight), plain)


@few_epochs
@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 2: 0.5}])
@pytest.mark.parametrize("sample_weight", [None, "given"])
def test_class_weight_is_a_factor_of_sample_weight(class_weight, sample_weight):
    X, y = iris()
    rows = np.r_[0:50, 50:80, 100:110]
    X, y = X[rows], y[rows]
    if sample_weight is not None:
        sample_weight = 1.0 + np.arange(len(y)) % 3
        if class_weight == "balanced":
            # scikit-learn counts rows; here each class comes to weigh the same
            totals = np.bincount(y, sample_weight)
            class_weight = dict(enumerate(totals.sum() / (3 * totals)))
    factors = compute_sample_weight(class_weight, y)
    estimator = RegularizedMLPClassifier(max_iter=4, dtype="float64", random_state=0)
    by_row = clone(estimator).fit(
        X, y, factors if sample_weight is None else factors * sample_weight
    )
    by_class = estimator.set_params(class_weight=class_weight)
    by_class.fit(X, y, sample_weight)
    assert_allclose(all_weights(by_class), all_weights(by_row), rtol=1e-9, atol=1e-12)


@few_epochs
def test_class_of_weight_zero_stays_a_class():
    X, y = iris()
    estimator = RegularizedMLPClassifier(max_iter=4, class_weight={1: 0}).fit(X, y)
    assert_array_equal(estimator.classes_, [0, 1, 2])
    assert estimator.t_ == 4 * np.sum(y != 1)
    assert not (estimator.predict(X) == 1).any()


def test_balanced_classes_raise_the_recall_of_the_rare_one():
    X, y = breast_cancer()
    rows = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:15]]
    X, y = X[rows, :2], y[rows]
    plain = RegularizedMLPClassifier((), **to_the_end).fit(X, y)
    balanced = clone(plain).set_params(class_weight="balanced").fit(X, y)
    recall = [np.mean(m.predict(X[y == 0]) == 0) for m in (plain, balanced)]
    assert recall[1] > recall[0]


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@stochastic
def test_every_loss_trains(loss, solver):
    X, y = diabetes()
    y = y / y.mean()
    estimator = RegularizedMLPRegressor(
        loss=loss, solver=solver, **to_the_end | {"learning_rate_init": 0.005}
    ).fit(X, y)
    assert estimator.score(X, y) > 0.4
    if loss in ["poisson", "gamma"]:
        assert estimator.predict(X).min() > 0


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_covers_its_share(quantile):
    X, y = diabetes()
    estimator = RegularizedMLPRegressor(
        (), loss="quantile", quantile=quantile, **to_the_end
    ).fit(X, y)
    assert np.mean(y <= estimator.predict(X)) == pytest.approx(quantile, abs=0.03)


@pytest.mark.parametrize(
    ("loss", "robust"),
    [("absolute_error", True), ("huber", True), ("squared_error", False)],
)
def test_robust_losses_bear_outliers(loss, robust):
    X, y = diabetes()
    clean = LinearRegression().fit(X, y).predict(X)
    spoilt = y.copy()
    spoilt[::20] += 20 * y.std()
    estimator = RegularizedMLPRegressor(
        (), loss=loss, huber_delta=0.05, l2=0.0, **to_the_end | {"max_iter": 200}
    ).fit(X, spoilt)
    error = np.mean(np.abs(estimator.predict(X) - clean))
    assert (error < 0.3 * y.std()) == robust


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_log_link(loss):
    """A change of unit of y shifts the output's bias and nothing else."""
    X, y = diabetes()
    estimator = RegularizedMLPRegressor(
        (), loss=loss, solver="lbfgs", l2=0.01, dtype="float64", tol=1e-8, max_iter=1000
    )
    one = clone(estimator).fit(X, y / 100)
    assert one.out_activation_ == "exp"
    assert_allclose(
        one.predict(X), np.exp(X @ one.coefs_[0] + one.intercepts_[0])[:, 0]
    )
    if loss == "gamma":
        two = clone(estimator).fit(X, y)
        assert_allclose(two.coefs_[0], one.coefs_[0], rtol=1e-4, atol=1e-5)
        assert_allclose(two.intercepts_[0] - one.intercepts_[0], np.log(100), rtol=1e-5)


@both_estimators
@stochastic
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains(Estimator, solver, activation):
    estimator = Estimator((20, 10), activation, solver=solver, **to_the_end)
    X, y = data_for(estimator)
    assert estimator.fit(X, y).score(X, y) > 0.45


@both_estimators
@few_epochs
@stochastic
@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_every_schedule_trains(Estimator, solver, learning_rate):
    settings = to_the_end | {"learning_rate": learning_rate, "power_t": 0.1}
    estimator = Estimator((20,), solver=solver, **settings)
    X, y = data_for(estimator)
    assert estimator.fit(X, y).score(X, y) > 0.45


@few_epochs
def test_regularizers_help_where_there_is_noise():
    """Dropout and L1 against none, on few rows of breast cancer with noise features."""
    X, y = breast_cancer()
    rng = np.random.default_rng(0)
    X = np.hstack([X[:, :5], rng.standard_normal((len(X), 200))])
    train, test = slice(0, 100), slice(100, None)
    settings = to_the_end | {"max_iter": 100}
    scores = {}
    for name, regularizer in {
        "none": {},
        "l1": {"l1": [0.02, 0.0]},
        "dropout": {"dropout": 0.5, "input_dropout": 0.5},
    }.items():
        estimator = RegularizedMLPClassifier(**settings, **regularizer)
        scores[name] = estimator.fit(X[train], y[train]).score(X[test], y[test])
    assert scores["l1"] > scores["none"] + 0.02
    assert scores["dropout"] > scores["none"]
