"""Averages of the weights: what they are the average of, and where training goes on."""

import pickle

import numpy as np
import pytest
from common import all_weights, both_estimators, data_for, few_epochs
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier
from sklearn.base import clone

from skreg.averaging import ExponentialMovingAverage, StochasticWeightAveraging

pytestmark = few_epochs

SETTINGS = {
    "hidden_layer_sizes": (8,),
    "dtype": "float64",
    "batch_size": 40,
    "random_state": 0,
    "learning_rate_init": 0.01,
}


def iterates(estimator, epochs):
    """The weights after each epoch, of the same training without average."""
    model = clone(estimator).set_params(weight_averaging=None)
    X, y = data_for(model)
    model.set_params(max_iter=1, warm_start=True, tol=0)
    for _ in range(epochs):
        yield all_weights(model.fit(X, y)).copy()


@both_estimators
def test_swa_is_the_mean_of_the_last_epochs(Estimator):
    model = Estimator(
        weight_averaging=StochasticWeightAveraging(start=0.5), max_iter=6, **SETTINGS
    )
    path = list(iterates(model, 6))
    model.set_params(tol=0).fit(*data_for(model))
    assert_allclose(all_weights(model), np.mean(path[3:], axis=0), rtol=1e-10)


@both_estimators
def test_ema_with_one_step_per_epoch(Estimator):
    decay = 0.8
    model = Estimator(
        weight_averaging=ExponentialMovingAverage(decay),
        max_iter=6,
        **SETTINGS | {"batch_size": 1000},
    )
    start = clone(model).set_params(max_iter=1, learning_rate_init=1e-300, tol=0)
    average = all_weights(start.fit(*data_for(model)))
    for t, weights in enumerate(iterates(model, 6), start=1):
        d = min(decay, (1 + t) / (10 + t))
        average = d * average + (1 - d) * weights
    model.set_params(tol=0).fit(*data_for(model))
    assert_allclose(all_weights(model), average, rtol=1e-9, atol=1e-12)


@both_estimators
@pytest.mark.parametrize("averaging", ["ema", StochasticWeightAveraging(0.0)])
def test_the_path_of_training_is_the_same_as_without(Estimator, averaging):
    model = Estimator(max_iter=5, **SETTINGS)
    X, y = data_for(model)
    plain = clone(model).fit(X, y)
    averaged = model.set_params(weight_averaging=averaging).fit(X, y)
    assert plain.loss_curve_ == averaged.loss_curve_
    assert not np.array_equal(all_weights(plain), all_weights(averaged))


@both_estimators
def test_training_goes_on_from_the_iterate_not_from_the_average(Estimator):
    model = Estimator(weight_averaging="ema", max_iter=6, **SETTINGS)
    X, y = data_for(model)
    whole = clone(model).set_params(tol=0).fit(X, y)
    parts = model.set_params(max_iter=3, warm_start=True, tol=0).fit(X, y)
    parts = pickle.loads(pickle.dumps(parts)).fit(X, y)
    assert parts.loss_curve_ == whole.loss_curve_
    assert_array_equal(all_weights(parts), all_weights(whole))


def test_without_average_training_goes_on_from_the_iterate_too():
    model = RegularizedMLPClassifier(max_iter=3, warm_start=True, tol=0, **SETTINGS)
    X, y = data_for(model)
    plain = clone(model).fit(X, y).fit(X, y)
    model.set_params(weight_averaging="ema").fit(X, y)
    model.set_params(weight_averaging=None).fit(X, y)
    assert_array_equal(all_weights(model), all_weights(plain))
    assert model._state.optimizer.average is None


def test_validation_scores_are_those_of_the_average():
    model = RegularizedMLPClassifier(
        weight_averaging="ema",
        early_stopping=True,
        max_iter=40,
        **SETTINGS | {"learning_rate_init": 0.1},
    )
    X, y = data_for(model)
    train, held_out = np.arange(0, 150, 2), np.arange(1, 150, 2)
    model.fit(X[train], y[train], X_val=X[held_out], y_val=y[held_out])
    log_loss = -model.predict_log_proba(X[held_out])[np.arange(75), y[held_out]].mean()
    assert -log_loss == pytest.approx(model.best_validation_score_, rel=1e-9)


def test_an_average_of_weights_has_batch_statistics_of_its_own():
    model = RegularizedMLPClassifier(
        weight_averaging=StochasticWeightAveraging(0.2),
        batch_norm=True,
        max_iter=10,
        **SETTINGS | {"batch_size": 150, "learning_rate_init": 0.1},
    )
    X, y = data_for(model)
    model.set_params(tol=0).fit(X, y)
    z = X @ model.coefs_[0] + model.intercepts_[0]
    network = model._network
    ((mean, variance),) = network.statistics.by_layer([8])
    assert_allclose(mean, z.mean(axis=0), rtol=1e-9, atol=1e-12)
    assert_allclose(variance, z.var(axis=0, ddof=1), rtol=1e-9)


def test_swa_trains_to_its_end_whatever_the_loss():
    X, y = data_for(RegularizedMLPClassifier())
    model = RegularizedMLPClassifier(
        weight_averaging="swa",
        max_iter=30,
        tol=10.0,
        n_iter_no_change=2,
        random_state=0,
    )
    assert model.fit(X, y).n_iter_ == 30


def test_partial_fit_knows_no_end_to_average_before():
    model = RegularizedMLPClassifier(weight_averaging="swa")
    assert not hasattr(model, "partial_fit")
    assert hasattr(model.set_params(weight_averaging="ema"), "partial_fit")


def test_a_diverging_epoch_leaves_no_trace_in_the_average():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = np.arange(50) % 2
    model = RegularizedMLPClassifier(
        (8, 8, 8),
        activation="identity",
        solver="sgd",
        weight_averaging="ema",
        learning_rate_init=1e3,
        random_state=0,
    )
    with pytest.warns(UserWarning, match="diverged"):
        model.fit(X * 1e6, y)
    assert np.isfinite(all_weights(model)).all()
