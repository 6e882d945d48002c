"""Strengths that are "auto": the hypergradient, the rule, and a whole fit."""

import pickle
from math import exp, inf, log, nan

import numpy as np
import pytest
from cases import KEY, data_of, engine_of, random_params
from common import (
    FIGURES,
    assert_same_fit,
    both_estimators,
    data_for,
    diabetes,
    few_epochs,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from reference import Network
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skreg._problem import cores
from skreg._problem.optimizers import Optimizer
from skreg._training import adaptive
from skreg._training.adaptive import LARGEST, SMALLEST, START, Strength, Tuner

auto = {"l1": "auto", "l2": "auto", "early_stopping": True, "random_state": 0}

# ------------------------------------------------------------------- hypergradient


def optimizer_that_has_run(solver, size, rng):
    """Its second moment is settled: one step moves it by nothing."""
    optimizer = Optimizer(
        solver, size, np.dtype(np.float64), beta_1=0.6, beta_2=1 - 1e-9, momentum=0.5
    )
    optimizer.step = 7
    optimizer.first[:] = rng.normal(scale=0.1, size=size)
    if solver == "adam":
        optimizer.second[:] = rng.uniform(0.01, 1.0, size)
    return optimizer


# What multiplies the strengths' pull in a step, over the metric and the rate:
# - the gradient enters Adam's mean with 1 - beta_1, and the prox with 1 - beta_1^t;
# - Nesterov's step takes it 1 + mu times, likewise prox and what follows from it.
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_hypergradient_is_the_derivative_through_one_step(solver, name):
    rng = np.random.default_rng(0)
    network = Network([5, 4, 2], ["tanh"], "squared_error")
    loops = engine_of(network, capacity=30)
    rows = [
        data_of(rng.normal(size=(30, 5)), rng.normal(size=(30, 2))) for _ in range(2)
    ]
    train, validation = rows
    start = random_params(network, rng)
    strengths = {"l1": [0.03, 0.02], "l2": [0.1, 0.2]}
    rate = 0.01
    if solver == "adam":
        rate /= np.sqrt(1 - (1 - 1e-9) ** 8)  # for the correction of its moment

    def validation_loss_after_step(log_factor, layer):
        """The weights after the step, the optimizer, and the validation loss."""
        changed = {key: list(values) for key, values in strengths.items()}
        changed[name][layer] *= exp(log_factor)
        params = start.copy()
        optimizer = optimizer_that_has_run(
            solver, params.size, np.random.default_rng(1)
        )
        loops.run_epoch(
            params,
            train,
            optimizer=optimizer,
            segments=loops.segments(changed["l1"], changed["l2"], 0.0),
            key=KEY,
            epoch=0,
            order=None,
            learning_rates=np.array([rate]),
            batch_size=30,
        )
        return params, optimizer, loops.loss_and_gradient(params, validation)

    params, optimizer, _ = validation_loss_after_step(0.0, 0)
    gradient = np.empty_like(params)
    loops.loss_and_gradient(params, validation, gradient)
    direction = gradient * adaptive.metric(optimizer)
    if solver == "adam":
        step = optimizer.step
        factor = rate * np.sqrt(1 - optimizer.beta_2**step) / (1 - 0.6**step)
        factor *= (1 - 0.6**step) if name == "l1" else 0.4
    else:
        factor = 1.5 * rate
    # L2 pulls at the weights before the step, the prox at those after it
    pulled = start if name == "l2" else params
    for layer, ((W, _), (g, _)) in enumerate(
        zip(network.layers(pulled), network.layers(direction), strict=True)
    ):
        h = 1e-4
        _, _, above = validation_loss_after_step(h, layer)
        _, _, below = validation_loss_after_step(-h, layer)
        expected = (above - below) / (2 * h)
        computed = factor * strengths[name][layer] * adaptive.hypergradient(name, W, g)
        assert abs(expected) > 1e-6
        assert computed == pytest.approx(expected, rel=1e-4)


def test_zeros_take_no_part_under_l1():
    W = np.array([[0.0, -2.0, 0.5]])
    assert adaptive.hypergradient("l1", W, np.array([[9.0, 1.0, 3.0]])) == -2.0
    assert adaptive.hypergradient("l2", W, np.array([[9.0, 1.0, 3.0]])) == 0.5


# ------------------------------------------------------------------------- the rule


def rule_in_plain_python(value, derivatives):
    """The strengths after each step."""
    turns, last, path = 0, None, []
    for derivative in derivatives:
        rises = derivative < 0
        if last is not None and rises != last:
            turns += 1
        last = rises
        step = max(log(10) / 2 / (1 + turns), 0.05)
        value *= exp(step if rises else -step)
        value = max(1e-5, min(value, 1e2))
        path.append(value)
    return path


@given(
    st.floats(SMALLEST, LARGEST),
    st.lists(st.sampled_from([-2.0, -1e-9, 0.0, 1e-9, 3.0]), max_size=120),
)
def test_rule(value, derivatives):
    strength = Strength(value)
    path = []
    for derivative in derivatives:
        strength.move(derivative)
        path.append(strength.value)
    assert path == pytest.approx(rule_in_plain_python(value, derivatives))
    assert all(SMALLEST <= v <= LARGEST for v in path)


def test_without_weights_the_strength_falls():
    strength = Strength(50.0)
    strength.move(adaptive.hypergradient("l1", np.zeros((3, 2)), np.ones((3, 2))))
    assert strength.value < 50.0


def test_a_derivative_that_is_no_number_moves_nothing():
    strength = Strength(0.1, sign=1, turns=2)
    strength.move(nan)
    assert strength == Strength(0.1, sign=1, turns=2)
    strength.move(-inf)
    assert strength.value > 0.1


# --------------------------------------------------------------------- a whole fit


def noise_and_signal():
    """X, targets that have nothing to do with it, and targets it determines."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20))
    return X, rng.normal(size=400), X @ rng.normal(size=20)


@few_epochs
@both_estimators
@pytest.mark.parametrize("name", ["l1", "l2"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("hidden", [(), (30,)])
def test_strengths_rise_on_noise_and_fall_on_signal(Estimator, name, solver, hidden):
    X, noise, signal = noise_and_signal()
    estimator = Estimator(
        hidden,
        solver=solver,
        learning_rate_init=0.01,
        batch_size=50,
        max_iter=15 if hidden else 30,
        n_iter_no_change=inf,
        early_stopping=True,
        validation_fraction=0.3,
        scoring=lambda *_: next(epochs),  # the last epoch is kept
        random_state=0,
    ).set_params(**{"l2": 0.0, name: "auto"})
    chosen = {}
    for kind, y in [("noise", noise), ("signal", signal)]:
        epochs = iter(range(100))
        estimator.fit(X, y > 0 if is_classifier(estimator) else y)
        chosen[kind] = np.log(getattr(estimator, f"{name}_")) - np.log(START[name])
        assert len(chosen[kind]) == len(hidden) + 1
    assert min(chosen["noise"]) > log(10)
    if not hidden and name == "l2":
        # with hidden units there are weights to shrink for a linear signal, too; and
        # the L1 penalty begins at its least
        assert chosen["signal"] < 0
    assert np.mean(chosen["noise"]) > np.mean(chosen["signal"]) + log(5)


@both_estimators
def test_better_than_no_penalty_where_one_is_needed(Estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 60))
    y = 2 * X[:, 0] + X[:, 1] + rng.normal(size=1200)
    if is_classifier(Estimator()):
        y = y > 0
    settings = {"learning_rate_init": 0.005, "random_state": 0, "batch_size": 32}
    plain = Estimator(l2=0.0, early_stopping=True, **settings)
    tuned = Estimator(l1="auto", l2=0.0, early_stopping=True, **settings)
    plain.fit(X[:200], y[:200], X_val=X[200:300], y_val=y[200:300])
    tuned.fit(X[:200], y[:200], X_val=X[200:300], y_val=y[200:300])
    assert tuned.best_validation_score_ > plain.best_validation_score_
    assert tuned.score(X[300:], y[300:]) > plain.score(X[300:], y[300:])
    assert tuned.zero_share_ > 0.3


# Replays a fit: every epoch with the strengths that the tuner gave it.
@few_epochs
@both_estimators
def test_kept_strengths_are_those_of_the_epoch_whose_weights_are(
    Estimator, monkeypatch
):
    by_epoch = []
    keep = Tuner.epoch_done

    def noting(tuner, problem, optimizer):
        by_epoch.append((problem.settings.l1, problem.settings.l2))
        keep(tuner, problem, optimizer)

    monkeypatch.setattr(Tuner, "epoch_done", noting)
    estimator = Estimator(learning_rate_init=0.02, max_iter=60, **auto)
    estimator.fit(*data_for(estimator))
    scores = estimator.validation_scores_
    best = scores.index(max(scores))
    assert len(by_epoch) == estimator.n_iter_ > best + 1
    assert (estimator.l1_, estimator.l2_) == by_epoch[best] != by_epoch[-1]
    assert by_epoch[0] == ([START["l1"]] * 2, [START["l2"]] * 2)


@few_epochs
@both_estimators
def test_the_loss_has_the_penalties_of_its_epoch(Estimator):
    estimator = Estimator(max_iter=1, **auto)
    fixed = clone(estimator).set_params(**START)
    X, y = data_for(estimator)
    # the first epoch is trained with the strengths at the start
    assert_same_fit(estimator.fit(X, y), fixed.fit(X, y))


@few_epochs
@both_estimators
def test_any_scorer_decides_while_the_loss_tunes(Estimator):
    by_score = Estimator(
        scoring="accuracy" if is_classifier(Estimator()) else "r2", **auto
    )
    X, y = data_for(by_score)
    by_score.fit(X, y)
    by_loss = Estimator(**auto).fit(X, y)
    n = min(by_score.n_iter_, by_loss.n_iter_)
    assert by_score.loss_curve_[:n] == by_loss.loss_curve_[:n]
    assert by_score.validation_scores_[:n] != by_loss.validation_scores_[:n]


@few_epochs
@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_same_bits(Estimator, solver, dtype, monkeypatch):
    estimator = Estimator(
        (20, 20), solver=solver, dropout=0.2, dtype=dtype, max_iter=20, **auto
    )
    X, y = data_for(estimator)
    first = estimator.fit(X, y)
    monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1.0)
    second = clone(estimator).fit(X, y)
    with threadpool_limits(1):
        third = clone(estimator).fit(X, y)
    for other in (second, third):
        assert_same_fit(other, first)
        assert (other.l1_, other.l2_) == (first.l1_, first.l2_)


@few_epochs
@both_estimators
def test_sparse_input_is_tuned_as_dense_is(Estimator):
    estimator = Estimator(dtype="float64", max_iter=40, **auto)
    X, y = data_for(estimator)
    X = X * (np.random.default_rng(0).random(X.shape) < 0.4)
    dense = clone(estimator).fit(X, y)
    csr = clone(estimator).fit(sparse.csr_array(X), y)
    assert csr.n_iter_ == dense.n_iter_
    np.testing.assert_allclose(csr.l1_, dense.l1_, rtol=1e-10)
    np.testing.assert_allclose(csr.l2_, dense.l2_, rtol=1e-10)


@few_epochs
@both_estimators
@pytest.mark.parametrize(
    "other",
    [
        {"weight_averaging": "ema"},
        {"weight_averaging": "swa"},
        {"max_norm": 1.0, "max_grad_norm": 1.0, "residual": True},
        {"weight_decay": 0.1, "input_dropout": 0.1, "learning_rate": "one_cycle"},
    ],
)
def test_with_other_regularizers(Estimator, other):
    estimator = Estimator((10, 10), max_iter=6, n_iter_no_change=inf, **auto, **other)
    X, y = data_for(estimator)
    estimator.fit(X, y)
    assert_same_fit(clone(estimator).fit(X, y), estimator)
    strengths = np.array([estimator.l1_, estimator.l2_])
    assert np.isfinite(strengths).all()
    assert (strengths != np.array([[START["l1"]] * 3, [START["l2"]] * 3])).any()


@few_epochs
@both_estimators
def test_warm_start_goes_on_from_the_tuned_strengths(Estimator):
    estimator = Estimator(warm_start=True, max_iter=8, n_iter_no_change=inf, **auto)
    X, y = data_for(estimator)
    strengths = estimator.fit(X, y).l2_
    assert strengths != [START["l2"]] * 2
    restored, fixed = (pickle.loads(pickle.dumps(estimator)) for _ in range(2))
    fixed.set_params(l1=estimator.l1_, l2=strengths)
    for fitted in (estimator, restored, fixed):
        # one epoch, with the strengths that it begins with
        fitted.set_params(max_iter=1).fit(X, y)
        assert fitted.l2_ == strengths
        assert_same_fit(fitted, estimator)
    estimator.set_params(l1=0.5, l2="auto").fit(X, y)
    assert estimator.l1_ == [0.5, 0.5]
    estimator.set_params(l1="auto", l2=[0.1, 0.2]).fit(X, y)
    assert estimator.l1_ == [START["l1"]] * 2
    assert estimator.l2_ == [0.1, 0.2]


@few_epochs
@both_estimators
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_given_strengths_are_shown_as_they_are(Estimator, solver):
    estimator = Estimator((3,), solver=solver, l1=1, l2=[0, 0.1], max_iter=2)
    estimator.fit(*data_for(estimator))
    assert estimator.l1_ == [1.0, 1.0]
    assert estimator.l2_ == [0.0, 0.1]
    assert all(type(value) is float for value in estimator.l1_ + estimator.l2_)


@few_epochs
def test_in_a_grid():
    X, y = diabetes()
    grid = {"l2": [1e-4, "auto", [0.1, 0.0]], "l1": [0.0, "auto"]}
    estimator = RegularizedMLPRegressor(
        (5,), early_stopping=True, max_iter=3, random_state=0
    )
    search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 6
    assert clone(estimator.set_params(l2="auto")).l2 == "auto"


@few_epochs
@both_estimators
def test_fits_that_tune_nothing_know_no_tuner(Estimator):
    estimator = Estimator(early_stopping=True, max_iter=2).fit(*data_for(Estimator()))
    assert estimator._state.tuner is None
    assert {"l1_", "l2_"} <= set(vars(estimator))
    assert all(hasattr(estimator, name) for name in FIGURES)


# --------------------------------------------------------------------------- errors


@both_estimators
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_needs_validation_data(Estimator, name):
    estimator = Estimator(**{name: "auto"})
    message = f"{name}='auto' .* early_stopping=False .* Set early_stopping=True"
    with pytest.raises(ValueError, match=message):
        estimator.fit(*data_for(estimator))
    assert not hasattr(estimator, "coefs_")


@both_estimators
@pytest.mark.parametrize("early_stopping", [False, True])
def test_lbfgs_refuses(Estimator, early_stopping):
    estimator = Estimator(solver="lbfgs", l2="auto", early_stopping=early_stopping)
    with pytest.raises(ValueError, match="'lbfgs' does not support l2='auto'"):
        estimator.fit(*data_for(estimator))


@both_estimators
@pytest.mark.parametrize("batch_norm", [True, "after"])
def test_batch_norm_is_refused(Estimator, batch_norm):
    estimator = Estimator(l2="auto", early_stopping=True, batch_norm=batch_norm)
    with pytest.raises(ValueError, match=f"batch_norm={batch_norm!r}"):
        estimator.fit(*data_for(estimator))


@both_estimators
@pytest.mark.parametrize("early_stopping", [False, True])
def test_partial_fit_refuses(Estimator, early_stopping):
    estimator = Estimator(l1="auto", early_stopping=early_stopping)
    with pytest.raises(AttributeError, match="partial_fit"):
        _ = estimator.partial_fit
    with pytest.raises(AttributeError) as error:
        estimator.partial_fit(*data_for(estimator))
    assert "l1='auto'" in str(error.value)


@pytest.mark.parametrize("value", ["Auto", "none", ["auto", "auto"], ["auto", 0.1]])
def test_other_words_are_refused(value):
    X, y = diabetes()
    with pytest.raises(ValueError, match="l2"):
        RegularizedMLPRegressor((5,), l2=value, early_stopping=True).fit(X, y)
    with pytest.raises(ValueError, match="l1"):
        RegularizedMLPClassifier((5,), l1=value, early_stopping=True).fit(X, y > 100)


@few_epochs
def test_strengths_are_plain_lists_for_a_second_fit():
    X, y = diabetes()
    tuned = RegularizedMLPRegressor(max_iter=500, **auto).fit(X, y)
    again = clone(tuned).set_params(l1=tuned.l1_, l2=tuned.l2_).fit(X, y)
    assert_array_equal([again.l1_, again.l2_], [tuned.l1_, tuned.l2_])
