"""Batch normalization between batches, running averages and folded predictions."""

import pickle

import numpy as np
import pytest
from common import all_weights, both_estimators, data_for, few_epochs, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from reference import ACTIVATIONS, NORM_EPSILON, Network
from scipy import sparse
from scipy.special import softmax

pytestmark = few_epochs

positions = pytest.mark.parametrize("position", ["before", "after"])
WIDTHS = (9, 7)


def fitted(Estimator, position, **given):
    settings = {
        "hidden_layer_sizes": WIDTHS,
        "batch_norm": position,
        "dtype": "float64",
        "max_iter": 4,
        "batch_size": 32,
        "learning_rate_init": 0.01,
        "random_state": 0,
    }
    estimator = Estimator(**settings | given)
    return estimator.fit(*data_for(estimator))


def moments(model):
    """(Means, variances) that predictions use, of each hidden layer."""
    network = model._network
    return list(network.statistics.by_layer(network.layer_sizes[1:-1]))


def raw_outputs(model, X, statistics):
    """The network as it is trained, in NumPy, normalised by given statistics."""
    network = model._network
    x = X
    for l, (W, b) in enumerate(zip(network.coefs, network.intercepts, strict=True)):
        x = x @ W + b
        if l == len(network.activations):
            return x
        act = ACTIVATIONS[network.activations[l]][0]
        if network.batch_norm == "after":
            x = act(x)
        mean, variance = statistics[l]
        x = (x - mean) / np.sqrt(variance + NORM_EPSILON)
        x = network.scales[l] * x + network.shifts[l]
        if network.batch_norm == "before":
            x = act(x)


@positions
def test_folded_predictions_are_the_network_s(position):
    model = fitted(RegularizedMLPClassifier, position)
    X, _ = iris()
    expected = softmax(raw_outputs(model, X, moments(model)), axis=1)
    assert_allclose(model.predict_proba(X), expected, rtol=1e-10)

    x = X
    layers = zip(model.folded_coefs_, model.folded_intercepts_, strict=True)
    for l, (W, b) in enumerate(layers):
        x = x @ W + b
        x = np.maximum(x, 0) if l < 2 else x
    assert_allclose(softmax(x, axis=1), expected, rtol=1e-10)


@both_estimators
@positions
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_alone_is_predicted_as_in_a_batch(Estimator, position, dtype):
    model = fitted(Estimator, position, dtype=dtype)
    X, _ = data_for(model)
    together = model.predict(X)
    assert_array_equal(
        [model.predict(X[i : i + 1])[0] for i in range(20)], together[:20]
    )


@both_estimators
@positions
def test_single_precision_is_near_double(Estimator, position):
    given = {"activation": "tanh", "max_iter": 10}
    single = fitted(Estimator, position, dtype="float32", **given)
    double = fitted(Estimator, position, **given)
    assert_allclose(all_weights(single), all_weights(double), rtol=1e-3, atol=1e-3)
    for one, other in zip(moments(single), moments(double), strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_folded_weights_are_the_weights_without_norms():
    model = fitted(RegularizedMLPClassifier, False)
    assert_array_equal(model.folded_coefs_[0], model.coefs_[0])
    assert_array_equal(model.folded_intercepts_[1], model.intercepts_[1])


def test_biases_that_a_norm_takes_away_stay_zero():
    model = fitted(RegularizedMLPClassifier, "before")
    assert not any(b.any() for b in model.intercepts_[:-1])
    assert model.intercepts_[-1].any()


@both_estimators
@positions
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_weights_are_repeated_rows(Estimator, position, csr):
    """In one batch of all rows, where the batch's statistics are weighted."""
    model = Estimator(
        WIDTHS, batch_norm=position, dtype="float64", batch_size=10_000, max_iter=5
    )
    # not Adam: it would blow up the rounding error of a gradient that is zero
    model.set_params(solver="sgd", random_state=0, shuffle=False, tol=0, l2=0.0)
    X, y = (array[:60] for array in data_for(model))
    y = y if Estimator is RegularizedMLPRegressor else np.arange(60) % 3
    times = np.random.default_rng(0).integers(1, 4, len(y))
    X_long, y_long = X.repeat(times, axis=0), y.repeat(times)
    if csr:
        X, X_long = sparse.csr_array(X), sparse.csr_array(X_long)
    weighted = model.fit(X, y, sample_weight=times)
    weights = all_weights(weighted)
    repeated = model.fit(X_long, y_long)
    assert_allclose(weights, all_weights(repeated), rtol=1e-6, atol=1e-8)


@positions
def test_lbfgs_has_the_statistics_of_all_rows(position):
    model = fitted(
        RegularizedMLPRegressor,
        position,
        solver="lbfgs",
        l2=1e-3,
        max_iter=20,
        activation="tanh",
        standardize_target=False,
    )
    X, y = data_for(model)
    network = model._network
    oracle = Network(
        network.layer_sizes, network.activations, "squared_error", batch_norm=position
    )
    loss, _ = oracle.loss_and_gradient(network.params, X, y[:, None])
    penalty = sum((W**2).sum() for W in model.coefs_) * 1e-3 / 2
    assert model.loss_ == pytest.approx(loss + penalty, rel=1e-9)
    # and predictions those of training
    error = ((model.predict(X) - y) ** 2).mean() / 2
    n = len(X)
    unbiased = [(m, n / (n - 1) * v) for m, v in moments(model)]
    assert_allclose(error, loss, rtol=0.02)
    for (mean, variance), layer in zip(
        unbiased, oracle.forward(network.params, X)[1], strict=False
    ):
        assert_allclose(mean, layer["moments"][0], rtol=1e-9, atol=1e-12)
        assert_allclose(
            variance * ((n - 1) / n) ** 2, layer["moments"][1], rtol=1e-9, atol=1e-12
        )


@positions
def test_batches_of_one_row_are_normalised_by_the_running_averages(position):
    model = fitted(RegularizedMLPRegressor, position, batch_size=1, max_iter=2)
    for mean, variance in moments(model):
        # there never was a spread to gather
        assert_array_equal(mean, 0)
        assert_array_equal(variance, 1)
    X, y = data_for(model)
    # the network trains all the same
    assert model.loss_curve_[1] < model.loss_curve_[0]
    assert model.score(X, y) > 0.2


@positions
def test_a_last_batch_of_one_row(position):
    X, y = iris()
    model = fitted(RegularizedMLPClassifier, position, batch_size=149, max_iter=30)
    assert np.isfinite(all_weights(model)).all()
    assert model.score(X, y) > 0.8


def test_early_stopping_restores_the_statistics_of_the_best_epoch():
    X, y = iris()
    train, held_out = np.arange(0, 150, 2), np.arange(1, 150, 2)
    model = RegularizedMLPClassifier(
        WIDTHS,
        batch_norm=True,
        early_stopping=True,
        scoring="neg_log_loss",
        learning_rate_init=0.05,
        n_iter_no_change=15,
        max_iter=200,
        random_state=0,
    )
    model.fit(X[train], y[train], X_val=X[held_out], y_val=y[held_out])
    scores = model.validation_scores_
    assert np.argmax(scores) < len(scores) - 1
    from sklearn.metrics import log_loss

    score = -log_loss(y[held_out], model.predict_proba(X[held_out]))
    assert score == pytest.approx(max(scores), rel=1e-6)


@both_estimators
@positions
def test_partial_fit_is_fit_epoch_by_epoch(Estimator, position):
    whole = fitted(Estimator, position)
    model = Estimator(**whole.get_params())
    X, y = data_for(model)
    classes = {"classes": np.unique(y)} if hasattr(model, "predict_proba") else {}
    for _ in range(4):
        model.partial_fit(X, y, **classes)
        # what a pickle brings back goes on as the original
        model = pickle.loads(pickle.dumps(model))
        classes = {}
    if Estimator is RegularizedMLPClassifier:
        # but fit gathers the running averages anew at its end
        assert_array_equal(all_weights(model), all_weights(whole))


def test_training_cannot_go_on_without_the_norms():
    X, y = iris()
    model = fitted(RegularizedMLPClassifier, "before").set_params(
        warm_start=True, batch_norm=False
    )
    with pytest.raises(ValueError, match="another batch_norm"):
        model.fit(X, y)


def test_norms_make_training_indifferent_to_the_scale_of_the_inputs():
    """One of the paper's claims: features in other units, the same path of training."""
    given = {"max_iter": 20, "l2": 0.0, "solver": "sgd", "momentum": 0.0}
    plain = [
        fitted(RegularizedMLPClassifier, False, **given).loss_,
        _fit_scaled(False, given),
    ]
    normed = [
        fitted(RegularizedMLPClassifier, "before", **given).loss_,
        _fit_scaled("before", given),
    ]
    assert abs(plain[1] - plain[0]) > 0.1
    assert abs(normed[1] - normed[0]) < 0.1


def _fit_scaled(position, given):
    X, y = iris()
    model = fitted(RegularizedMLPClassifier, position, **given)
    return type(model)(**model.get_params()).fit(X * 20, y).loss_
