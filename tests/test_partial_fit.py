"""Training goes on: partial_fit and warm_start."""

import copy

import numpy as np
import pytest
from common import (
    all_weights,
    assert_same_fit,
    both_estimators,
    data_for,
    diabetes,
    few_epochs,
    iris,
)
from numpy.testing import assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning

from skreg._problem.optimizers import Optimizer

pytestmark = few_epochs

regularized = {"dropout": 0.3, "input_dropout": 0.1, "l1": 1e-3, "batch_size": 32}


def first_call(estimator):
    """What partial_fit needs in its first call."""
    return {"classes": [0, 1, 2]} if is_classifier(estimator) else {}


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_calls_of_partial_fit_are_epochs_of_fit(Estimator, solver, learning_rate):
    settings = {"solver": solver, "learning_rate": learning_rate, "random_state": 0}
    if learning_rate == "adaptive":
        # no epoch is progress: the rate is divided in every third, once the loss has
        # left that of the best constant
        settings |= {"tol": 10.0, "n_iter_no_change": 2, "learning_rate_init": 0.05}
    at_once = Estimator((20,), max_iter=7, **settings, **regularized)
    by_epochs = clone(at_once)
    X, y = data_for(at_once)
    at_once.fit(X, y)
    given = first_call(at_once)
    for _ in range(7):
        by_epochs.partial_fit(X, y, **given)
    assert by_epochs.n_iter_ == 1
    assert by_epochs.t_ == at_once.t_ == 7 * len(y)
    assert by_epochs.loss_curve_ == at_once.loss_curve_
    assert_array_equal(all_weights(by_epochs), all_weights(at_once))


@both_estimators
def test_partial_fit_goes_on_from_fit(Estimator):
    longer = Estimator(max_iter=4, random_state=0)
    shorter = clone(longer).set_params(max_iter=3)
    X, y = data_for(longer)
    longer.fit(X, y)
    shorter.fit(X, y).partial_fit(X, y)
    assert_array_equal(all_weights(shorter), all_weights(longer))


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start_goes_on_from_fit(Estimator, solver):
    at_once = Estimator(solver=solver, max_iter=6, random_state=0, **regularized)
    in_parts = clone(at_once).set_params(max_iter=3, warm_start=True)
    X, y = data_for(at_once)
    at_once.fit(X, y)
    in_parts.fit(X, y).fit(X, y)
    assert in_parts.n_iter_ == 3
    assert in_parts.t_ == at_once.t_
    assert in_parts.loss_curve_ == at_once.loss_curve_
    assert_array_equal(all_weights(in_parts), all_weights(at_once))


@both_estimators
def test_warm_start_of_lbfgs_starts_where_it_ended(Estimator):
    estimator = Estimator(
        solver="lbfgs", l1=1e-3, max_iter=20, random_state=0, warm_start=True
    )
    X, y = data_for(estimator)
    before = estimator.fit(X, y).loss_
    estimator.set_params(max_iter=1).fit(X, y)
    assert estimator.n_iter_ == 1
    assert estimator.loss_ <= before


@both_estimators
def test_solver_may_change_between_warm_starts(Estimator):
    estimator = Estimator(max_iter=20, random_state=0, warm_start=True, dropout=0.1)
    X, y = data_for(estimator)
    losses = [estimator.fit(X, y).loss_]
    for settings in [{"solver": "sgd"}, {"solver": "lbfgs", "dropout": 0.0}]:
        losses.append(estimator.set_params(**settings).fit(X, y).loss_)
    # dropout makes the loss rise and fall a little
    assert losses[1] < 1.5 * losses[0]
    assert losses[2] < losses[0]


@both_estimators
def test_settings_may_change_between_calls(Estimator):
    estimator = Estimator(random_state=0)
    X, y = data_for(estimator)
    estimator.partial_fit(X, y, **first_call(estimator))
    before = all_weights(estimator)
    estimator.set_params(learning_rate_init=1e-30, l1=0.0, dropout=0.5, beta_1=0.5)
    estimator.partial_fit(X, y)
    assert_array_equal(all_weights(estimator), before)
    estimator.set_params(l1=100.0, learning_rate_init=0.1).partial_fit(X, y)
    assert not np.concatenate([W.ravel() for W in estimator.coefs_]).any()


def test_batches_need_not_have_all_classes():
    X, y = iris()
    estimator = RegularizedMLPClassifier(
        learning_rate_init=0.02, random_state=0, batch_size=25
    )
    order = np.random.default_rng(0).permutation(len(y))
    for part in np.array_split(order, 30) * 10:
        rows = part[y[part] != y[part[0]]]
        estimator.partial_fit(X[rows], y[rows], classes=np.arange(3))
    assert estimator.score(X, y) > 0.9
    assert_array_equal(estimator.classes_, np.arange(3))


def test_first_batch_sets_the_scale_of_the_target():
    X, y = diabetes()
    estimator = RegularizedMLPRegressor(random_state=0).partial_fit(X[:200], y[:200])
    unscaled = clone(estimator).set_params(standardize_target=False)
    scaled_by_hand = (y - y[:200].mean()) / y[:200].std()
    unscaled.partial_fit(X[:200], scaled_by_hand[:200])
    estimator.partial_fit(X[200:], y[200:])
    unscaled.partial_fit(X[200:], scaled_by_hand[200:])
    np.testing.assert_allclose(
        estimator.predict(X),
        y[:200].mean() + y[:200].std() * unscaled.predict(X),
        rtol=1e-5,
    )


@pytest.mark.parametrize("through", ["partial_fit", "validation"])
def test_counts_may_all_be_zero_after_the_first_call(through):
    X, y = diabetes()
    zeros = np.zeros(10)
    estimator = RegularizedMLPRegressor(loss="poisson", random_state=0, max_iter=3)
    if through == "partial_fit":
        estimator.partial_fit(X, y).partial_fit(X[:10], zeros)
        assert np.isfinite(estimator.loss_)
    else:
        estimator.set_params(early_stopping=True)
        estimator.fit(X, y, X_val=X[:10], y_val=zeros)
        assert np.isfinite(estimator.validation_scores_).all()


def test_warm_start_with_balanced_classes_without_one_of_them():
    X, y = iris()
    estimator = RegularizedMLPClassifier(
        class_weight="balanced", warm_start=True, max_iter=3, random_state=0
    ).fit(X, y)
    estimator.fit(X[y < 2], y[y < 2])
    assert np.isfinite(estimator.loss_)
    assert_array_equal(estimator.classes_, np.arange(3))


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_divergence_leaves_nothing_that_spoils_the_next_call(Estimator, solver):
    undisturbed = Estimator(solver=solver, random_state=0)
    disturbed = clone(undisturbed)
    X, y = data_for(undisturbed)
    for estimator in [undisturbed, disturbed]:
        estimator.partial_fit(X, y, **first_call(estimator))
    disturbed.set_params(learning_rate_init=1e38, l2=1.0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        disturbed.partial_fit(X, y)
    disturbed.set_params(learning_rate_init=0.001, l2=1e-4).partial_fit(X, y)
    undisturbed.partial_fit(X, y)
    assert disturbed.loss_ == pytest.approx(undisturbed.loss_, rel=0.05)


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_after_divergence_the_optimizer_starts_anew(Estimator, solver):
    """As a new one would from the same weights; nothing else of the state changes."""
    estimator = Estimator(solver=solver, random_state=0, l1=1e-4)
    X, y = data_for(estimator)
    for _ in range(3):
        estimator.partial_fit(X, y, **first_call(estimator))
    before = all_weights(estimator)
    replaced = copy.deepcopy(estimator)
    estimator.set_params(learning_rate_init=1e38, l2=1.0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        estimator.partial_fit(X, y)
    assert_array_equal(all_weights(estimator), before)
    optimizer = estimator._state.optimizer
    assert (optimizer.step, optimizer.starts) == (0, 1)
    assert not any(moment.any() for moment in optimizer.moments)

    new = Optimizer(solver, optimizer.size, optimizer.dtype, starts=1)
    replaced._state.optimizer = new
    estimator.set_params(learning_rate_init=0.001, l2=1e-4)
    assert_same_fit(estimator.partial_fit(X, y), replaced.partial_fit(X, y))


@both_estimators
def test_adam_after_another_solver_corrects_its_means(Estimator):
    """Its first step is no longer than the rate, as that of a new Adam."""
    rate = 0.001
    estimator = Estimator(l2=0.0, learning_rate_init=rate, random_state=0)
    estimator.set_params(batch_size=1000)  # one step an epoch
    X, y = data_for(estimator)
    for _ in range(200):
        estimator.partial_fit(X, y, **first_call(estimator))
    estimator.set_params(solver="sgd").partial_fit(X, y)
    before = all_weights(estimator)
    estimator.set_params(solver="adam").partial_fit(X, y)
    step = np.abs(all_weights(estimator) - before).max()
    assert step == pytest.approx(rate, rel=1e-2)


@both_estimators
def test_no_dropout_mask_comes_twice(Estimator):
    """An optimizer that starts anew counts steps from 0, with another key."""
    estimator = Estimator(dropout=0.5, shuffle=False, random_state=0)
    X, y = data_for(estimator)
    first = copy.deepcopy(estimator).partial_fit(X, y, **first_call(estimator))
    first._state.optimizer.start_anew()
    second = copy.deepcopy(first)
    second._state.optimizer.starts = 0
    assert (
        all_weights(first.partial_fit(X, y)) != all_weights(second.partial_fit(X, y))
    ).any()


@both_estimators
def test_loss_curve_of_each_fit_without_warm_start(Estimator):
    estimator = Estimator(max_iter=3, random_state=0)
    X, y = data_for(estimator)
    once = clone(estimator).fit(X, y)
    twice = estimator.fit(X, y).fit(X, y)
    assert_same_fit(twice, once)


@both_estimators
def test_adaptive_rate_heeds_what_is_set_between_calls(Estimator):
    """A rate that has been divided stays so until the schedule's settings change."""
    estimator = Estimator(learning_rate="adaptive", n_iter_no_change=1, tol=1e9)
    X, y = data_for(estimator)

    def rate_after(n_calls, **settings):
        estimator.set_params(**settings)
        for _ in range(n_calls):
            estimator.partial_fit(X, y, **first_call(estimator))
        return estimator._state.schedule.rate

    assert rate_after(3) == 0.001 / 5
    assert rate_after(3, n_iter_no_change=5) == 0.001 / 5
    assert rate_after(1, n_iter_no_change=1) == 0.001 / 5 / 5
    assert rate_after(9, tol=0.0, n_iter_no_change=9) == 0.001 / 5 / 5
    assert rate_after(1, learning_rate_init=0.01) == 0.01


@both_estimators
@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"solver": "lbfgs"}, ["solver='lbfgs'", "'adam' or 'sgd'"]),
        ({"early_stopping": True}, ["early_stopping=True", "False"]),
        ({"learning_rate": "cosine"}, ["learning_rate='cosine'", "'constant'"]),
        ({"weight_averaging": "swa"}, ["weight_averaging='swa'", "'ema'"]),
        ({"l1": "auto"}, ["l1='auto'", "number"]),
    ],
)
def test_where_it_is_not_there_its_own_message_says_why(Estimator, given, parts):
    estimator = Estimator(**given)
    assert not hasattr(estimator, "partial_fit")
    X, y = data_for(estimator)
    for call in [
        lambda: estimator.partial_fit(X, y),
        lambda: Estimator.partial_fit(estimator, X, y),
    ]:
        with pytest.raises(AttributeError) as caught:
            call()
        for part in ["partial_fit", *parts]:
            assert part in str(caught.value)
