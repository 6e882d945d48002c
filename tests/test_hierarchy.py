"""LassoNet's hierarchy: its prox against brute force, and what holds in training.

Whole epochs are compared with the oracle in test_training_step.py.
"""

import numpy as np
import pytest
import reference
from cases import data_of, engine_of, random_inputs, random_params
from common import (
    all_weights,
    assert_refused,
    assert_same_fit,
    both_estimators,
    data_for,
    few_epochs,
    iris,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.linear_model import MultiTaskLasso

from skreg import regularization_path
from skreg._kernels import units
from skreg._problem.optimizers import Optimizer
from skreg.averaging import ExponentialMovingAverage

pytestmark = few_epochs

# ------------------------------------------------------------------------------- prox


def clipped(w, T, bound):
    """The best hidden weights for the linear weights T."""
    reach = bound * np.linalg.norm(T, axis=-1, keepdims=True)
    return np.clip(w, -reach, reach)


def objective(T, t, d, w, e, lam, bound):
    """What is left to minimise once the hidden weights are the best; T: (..., k)."""
    return (
        ((T - t) ** 2 / (2 * d)).sum(axis=-1)
        + lam * np.linalg.norm(T, axis=-1)
        + ((clipped(w, T, bound) - w) ** 2 / (2 * e)).sum(axis=-1)
    )


def least(t, d, w, e, lam, bound):
    """The least value that a search over the linear weights finds."""
    case = t, d, w, e, lam, bound
    radius = 2 * max(np.linalg.norm(t), np.abs(w).max() / bound) + 1e-3
    rng = np.random.default_rng(0)
    if len(t) == 1:
        points = np.linspace(-radius, radius, 20_001)[:, None]
    else:
        points = rng.normal(size=(3000, len(t)))
        points *= (
            radius * rng.random((3000, 1)) / np.linalg.norm(points, axis=1)[:, None]
        )
    points = np.vstack([points, t, np.zeros(len(t))])
    values = objective(points, *case)
    found = [values.min()]
    for start in points[np.argsort(values)[:4]]:
        result = minimize(
            objective, start, case, "Nelder-Mead", options={"xatol": 1e-9, "fatol": 0}
        )
        found.append(result.fun)
    return min(found)


@st.composite
def cases(draw):
    """Linear and hidden weights, their metrics, lam and M."""
    n_linear = draw(st.integers(1, 4))
    n_hidden = draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.0, 1.0, 4.0]))
    t = rng.normal(size=n_linear)
    t[rng.random(n_linear) < draw(st.sampled_from([0.0, 0.5]))] = 0
    w = draw(st.sampled_from([0.01, 1.0, 30.0])) * rng.normal(size=n_hidden)
    lam = draw(st.sampled_from([0.0, 0.1, 1.0, 10.0]))
    bound = draw(st.sampled_from([0.01, 1.0, 10.0]))
    d, e = (np.exp(spread * rng.normal(size=n)) for n in [n_linear, n_hidden])
    return t, d, w, e, lam, bound


@settings(max_examples=40, deadline=None)
@given(cases())
@example((np.zeros(2), np.ones(2), np.ones(3), np.ones(3), 0.5, 1.0))
@example((np.array([0.0, 0.5]), np.array([2.0, 1]), np.ones(3), np.ones(3), 0.0, 1.0))
@example((np.array([1e-9, 0.5]), np.array([2.0, 1]), np.ones(3), np.ones(3), 0.0, 1.0))
def test_no_search_finds_less(case):
    t, _, w, _, _, bound = case
    T, W = units.hierarchy_prox(*case)
    np.testing.assert_allclose(W, clipped(w, T, bound), rtol=1e-12)
    assert np.abs(W).max() <= bound * np.linalg.norm(T) * (1 + 1e-12)
    value = objective(T, *case)
    assert value <= least(*case) + 1e-9 * abs(objective(t, *case)) + 1e-12
    assert np.all((T * t > 0) | (t == 0) | (T == 0))


@settings(max_examples=200, deadline=None)
@given(cases())
def test_all_is_zero_exactly_from_the_strength_in_closed_form(case):
    t, d, w, e, _, bound = case
    threshold = np.linalg.norm(t / d) + bound * np.sum(np.abs(w) / e)
    T, W = units.hierarchy_prox(t, d, w, e, threshold * (1 + 1e-9), bound)
    assert not T.any()
    assert not W.any()
    T, W = units.hierarchy_prox(t, d, w, e, threshold * (1 - 1e-6), bound)
    assert T.any()
    assert np.array_equal(W != 0, w != 0)


@given(cases())
def test_without_bound_the_linear_weights_carry_the_penalty_alone(case):
    t, d, w, e, lam, _ = case
    T, W = units.hierarchy_prox(t, d, w, e, lam, np.inf)
    np.testing.assert_array_equal(W, w)
    np.testing.assert_array_equal(T, units.group_prox(t, d, lam))


def test_one_linear_weight_by_hand():
    """(T - 1) + lam - M (2 - M T) = 0 with M = 1: T = (1 - lam + 2) / 2."""
    one = np.ones(1)
    T, W = units.hierarchy_prox(one, one, 2 * one, one, 0.5, 1.0)
    np.testing.assert_allclose([T[0], W[0]], 1.25, rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_result_scales_with_the_weights(scale):
    rng = np.random.default_rng(1)
    t, w = rng.normal(size=3), rng.normal(size=9)
    d, e = rng.uniform(0.1, 2.0, 3), rng.uniform(0.1, 2.0, 9)
    expected = units.hierarchy_prox(t, d, w, e, 0.3, 0.5)
    got = units.hierarchy_prox(scale * t, d, scale * w, e, scale * 0.3, 0.5)
    for result, wanted in zip(got, expected, strict=True):
        np.testing.assert_allclose(result, scale * wanted, rtol=1e-12)


def test_what_is_not_a_number_stays_so():
    one = np.ones(2)
    for t, w in [([np.nan, 1.0], one), (one, [np.nan, 5.0])]:
        found = units.hierarchy_prox(np.array(t), one, np.array(w), one, 0.1, 0.5)
        assert np.isnan(np.concatenate(found)).any()


# ----------------------------------------------------------------------------- training

SOLVERS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.02},
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "heavy ball": {
        "solver": "sgd",
        "nesterovs_momentum": False,
        "learning_rate_init": 0.05,
    },
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
}
every_solver = pytest.mark.parametrize("solver", SOLVERS)


def lengths(W, theta, labels):
    """The largest |W_0| of every group, and its ||theta||."""
    groups = [labels == label for label in np.unique(labels)]
    hidden = np.array([np.abs(W[group]).max() for group in groups])
    linear = np.array([np.linalg.norm(theta[group]) for group in groups])
    return hidden.astype(float), linear.astype(float)


def assert_holds(W, theta, labels, bound, *, rounding=4):
    """|W_0| <= bound ||theta|| in every group, to rounding; zeros are exact."""
    hidden, linear = lengths(W, theta, labels)
    assert np.all(hidden <= bound * linear * (1 + rounding * np.finfo(W.dtype).eps))
    assert not np.signbit(W[W == 0]).any()
    return hidden, linear


@every_solver
@both_estimators
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
def test_the_bound_holds_after_every_epoch(Estimator, solver, dtype, csr):
    bound = 0.3
    model = Estimator(
        (8, 5),
        skip=True,
        hierarchy=bound,
        group_l1=0.05,
        batch_size=16,
        random_state=0,
        dtype=dtype,
        **SOLVERS[solver],
    )
    X, y = data_for(model)
    y = y if Estimator is RegularizedMLPClassifier else (y - y.mean()) / y.std()
    labels = np.arange(X.shape[1]) // 2
    model.set_params(feature_groups=labels)
    given = sparse.csr_array(X) if csr else X
    reached = []
    for _ in range(8):
        if Estimator is RegularizedMLPClassifier:
            model.partial_fit(given, y, classes=[0, 1, 2])
        else:
            model.partial_fit(given, y)
        hidden, linear = assert_holds(model.coefs_[0], model.skip_coef_, labels, bound)
        reached.append(np.isclose(hidden, bound * linear, rtol=1e-5) & (hidden > 0))
    # neither is the bound out of reach, nor is it all that there is
    assert np.any(reached)
    assert linear.any()
    kept = model.feature_importances_ > 0
    assert_array_equal(kept, model.skip_coef_.any(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_of_rate_zero_keep_within_the_bound(nesterov, dtype):
    """The weights still move then, on what is left of the velocity."""
    network = reference.Network([6, 5, 2], ["tanh"], "squared_error", skip=True)
    rng = np.random.default_rng(0)
    params = random_params(network, rng).astype(dtype)
    X = random_inputs(rng, 40, 6)
    data = data_of(X, X[:, :2] * [1, -2], dtype=dtype)
    loops = engine_of(network, dtype, capacity=20)
    optimizer = Optimizer("sgd", params.size, np.dtype(dtype), nesterov=nesterov)
    for epoch in range(9):
        before = params.copy()
        loops.run_epoch(
            params,
            data,
            optimizer=optimizer,
            segments=loops.segments([0.0] * 3, [0.0] * 3, group_l1=0.02, hierarchy=0.3),
            key=None,
            epoch=epoch,
            order=None,
            learning_rates=np.array([0.1 * (epoch % 2), 0.0]),
            batch_size=20,
        )
        iterate = params - nesterov * optimizer.momentum * optimizer.first
        W, theta = network.matrices(iterate)[0], network.theta(iterate)
        assert_holds(W, theta, np.arange(6), 0.3, rounding=50)
    assert np.abs(before - params).max() > 1e-4


@every_solver
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_with_a_bound_that_leaves_nothing_hidden_it_is_the_lasso(solver, n_outputs):
    """With several outputs the one that keeps and drops features for all of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 10))
    W = rng.normal(size=(10, n_outputs)) * (np.arange(10) % 3 == 0)[:, None]
    Y = X @ W + 0.5 * rng.normal(size=(80, n_outputs)) + 1
    lasso = MultiTaskLasso(alpha=0.4, tol=1e-12).fit(X, Y)
    model = RegularizedMLPRegressor(
        (3,),
        skip=True,
        hierarchy=1e-12,
        group_l1=0.4 / np.sqrt(n_outputs),
        l2=0.0,
        standardize_target=False,
        dtype="float64",
        batch_size=80,
        learning_rate="cosine",
        max_iter=800,
        random_state=0,
        **SOLVERS[solver],
    ).fit(X, np.squeeze(Y))
    assert_allclose(model.skip_coef_, lasso.coef_.T, atol=1e-7)
    assert_array_equal(model.skip_coef_ == 0, lasso.coef_.T == 0)
    assert_array_equal(model.coefs_[0].any(axis=1), lasso.coef_.any(axis=0))


@both_estimators
@every_solver
def test_without_bound_the_hidden_weights_are_free(Estimator, solver):
    """Where the penalty keeps theta at zero, the network trains as without it."""
    model = Estimator((6,), max_iter=4, random_state=0, **SOLVERS[solver])
    model.set_params(dtype="float64")
    X, y = data_for(model)
    linear = clone(model).set_params(skip=True, hierarchy=np.inf, group_l1=1e3)
    linear.fit(X, y)
    model.fit(X, y)
    assert not linear.skip_coef_.any()
    for got, expected in zip(linear.coefs_, model.coefs_, strict=True):
        assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@both_estimators
@every_solver
def test_without_bound_and_penalty_no_bit_changes(Estimator, solver):
    model = Estimator((6,), skip=True, max_iter=4, random_state=0, **SOLVERS[solver])
    X, y = data_for(model)
    unbounded = clone(model).set_params(hierarchy=np.inf).fit(X, y)
    assert_same_fit(unbounded, model.fit(X, y))


@pytest.mark.parametrize("solver", ["adam", "nesterov"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_training_ends_where_the_prox_of_a_gradient_step_stays(solver, n_outputs):
    """In a metric that neither optimizer had: the fixed points are the same."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    Y = np.transpose([X[:, 0] + np.tanh(2 * X[:, 1]), X[:, 2] - X[:, 0]])[:, :n_outputs]
    group_l1, bound, l2 = 0.05, 0.8, 0.01
    labels = np.array([0, 0, 1, 2, 3, 3])
    model = RegularizedMLPRegressor(
        (4,),
        "tanh",
        skip=True,
        hierarchy=bound,
        group_l1=group_l1,
        feature_groups=labels,
        l2=l2,
        standardize_target=False,
        dtype="float64",
        batch_size=60,
        learning_rate="cosine",
        max_iter=4000,
        random_state=0,
        **SOLVERS[solver],
    ).fit(X, np.squeeze(Y))
    network = model._network
    gradient = np.empty_like(network.params)
    Y = np.ascontiguousarray(Y)
    network.engine().loss_and_gradient(network.params, network.data(X, Y), gradient)
    by_W, *_, by_theta = network.matrices(gradient)
    W, *_, theta = network.matrices()
    rate = np.exp(rng.normal(size=network.params.size) - 3)
    rate_W, *_, rate_theta = network.matrices(rate)
    active = []
    for label in range(4):
        group = labels == label
        T, V = units.hierarchy_prox(
            (theta - rate_theta * (by_theta + l2 * theta))[group].ravel(),
            rate_theta[group].ravel(),
            (W - rate_W * (by_W + l2 * W))[group].ravel(),
            rate_W[group].ravel(),
            group_l1 * np.sqrt(theta[group].size),
            bound,
        )
        assert_allclose(T, theta[group].ravel(), rtol=1e-5, atol=1e-7)
        assert_allclose(V, W[group].ravel(), rtol=1e-5, atol=1e-7)
        active.append(np.any(np.abs(V) > bound * np.linalg.norm(T) * (1 - 1e-9)))
    assert any(active)


def linear_and_squared():
    """Of six features the second has a linear effect, the first only a squared one."""
    X = np.random.default_rng(0).normal(size=(500, 6))
    return X, X[:, 0] ** 2 + X[:, 1]


def test_features_drop_out_as_the_strength_grows():
    X, y = linear_and_squared()
    kept = {}
    for group_l1 in [3e-3, 0.1, 10.0]:
        model = RegularizedMLPRegressor(
            (20,),
            skip=True,
            hierarchy=1.0,
            group_l1=group_l1,
            batch_size=50,
            learning_rate="cosine",
            learning_rate_init=0.02,
            max_iter=60,
            random_state=0,
        ).fit(X, y)
        kept[group_l1] = model.feature_importances_ > 0
        if group_l1 == 0.1:
            assert model.score(X, y) > 0.95
    assert kept[3e-3].all()
    assert_array_equal(kept[0.1], np.arange(6) < 2)
    assert not kept[10.0].any()


def test_a_path_goes_on_until_no_feature_is_left():
    X, y = linear_and_squared()
    model = RegularizedMLPRegressor(
        (8,),
        skip=True,
        hierarchy=1.0,
        batch_size=50,
        learning_rate_init=0.02,
        max_iter=30,
        random_state=0,
    )
    path = regularization_path(model, X, y, param="group_l1", alphas=8, eps=0.01)
    kept = path.n_nonzero_features
    assert kept[0] == 0
    assert kept[-1] == 6
    assert 2 in kept
    assert_refused(
        lambda: regularization_path(model, X, y, param="l1"),
        ValueError,
        "hierarchy=1.0",
        "exclude each other",
    )


@pytest.mark.parametrize("bound", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_trains_with_bounds_of_all_sizes(bound, nesterov):
    X, y = linear_and_squared()
    model = RegularizedMLPRegressor(
        (20,),
        skip=True,
        hierarchy=bound,
        group_l1=0.1,
        batch_size=50,
        solver="sgd",
        nesterovs_momentum=nesterov,
        learning_rate="cosine",
        learning_rate_init=0.02,
        max_iter=60,
        random_state=0,
    ).fit(X, y)
    assert model.score(X, y) > 0.9
    assert_holds(model.coefs_[0], model.skip_coef_, np.arange(6), bound)


def test_between_epochs_the_weights_are_iterates_and_keep_their_velocity():
    """Under a bound that is never reached, those of a training without it."""
    X, y = linear_and_squared()
    plain = RegularizedMLPRegressor(
        (5,),
        "tanh",
        skip=True,
        solver="sgd",
        learning_rate_init=0.05,
        batch_size=500,
        max_iter=10,
        random_state=0,
        dtype="float64",
    )
    bounded = clone(plain).set_params(hierarchy=1e6).fit(X, y)
    plain.fit(X, y)
    velocity = plain._network.matrices(plain._state.optimizer.first)
    points = plain._network.matrices()
    for k in [0, 2]:
        iterate = points[k] - 0.9 * velocity[k]
        assert np.abs(velocity[k]).max() > 1e-3
        assert_allclose(bounded._network.matrices()[k], iterate, rtol=1e-4, atol=1e-5)


def test_max_norm_of_the_hidden_weights_keeps_within_the_bound():
    X, y = iris()
    model = RegularizedMLPClassifier(
        (6,),
        skip=True,
        hierarchy=0.5,
        group_l1=0.01,
        max_norm=[0.3, np.inf, np.inf],
        learning_rate_init=0.05,
        max_iter=20,
        random_state=0,
    ).fit(X, y)
    assert_holds(model.coefs_[0], model.skip_coef_, np.arange(4), 0.5)
    assert_allclose(np.linalg.norm(model.coefs_[0], axis=0).max(), 0.3, rtol=1e-5)


def test_averages_begin_with_what_the_prox_gave():
    """With a decay of zero they are the weights themselves."""
    X, y = iris()
    model = RegularizedMLPClassifier(
        (6,), skip=True, hierarchy=0.5, group_l1=0.05, max_iter=5, random_state=0
    )
    averaged = clone(model).set_params(weight_averaging=ExponentialMovingAverage(0.0))
    assert_array_equal(
        all_weights(averaged.fit(X, y)), all_weights(model.fit(X, y)), strict=True
    )


# --------------------------------------------------------------------------- refusals


def test_the_engine_needs_linear_weights():
    loops = engine_of(reference.Network([2, 3, 1], ["relu"], "squared_error"))
    with pytest.raises(ValueError, match="hierarchy"):
        loops.segments([0.0] * 2, [0.0] * 2, hierarchy=1.0)


@both_estimators
@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"skip": False}, ["skip=False exclude each other", "Set skip=True"]),
        (
            {"l1": 0.1},
            ["l1=0.1 exclude each other", "proximal step", "l1=[0, a, 0]"],
        ),
        ({"l1": [0.1, 0.1, 0.0]}, ["l1=[0.1, 0.1, 0.0] exclude each other"]),
        ({"l1": [0.0, 0.1, 0.1]}, ["l1=[0.0, 0.1, 0.1] exclude each other"]),
        ({"l1": "auto", "early_stopping": True}, ["l1='auto' exclude each other"]),
        ({"max_norm": 2.0}, ["max_norm=2.0 exclude", "max_norm=[a, a, inf]"]),
        ({"solver": "lbfgs"}, ["'lbfgs' does not support hierarchy=10.0", "'adam'"]),
    ],
)
def test_what_a_hierarchy_excludes(Estimator, parameters, parts):
    model = Estimator((5,), hierarchy=10.0, **{"skip": True} | parameters)
    X, y = data_for(model)
    assert_refused(lambda: model.fit(X, y), ValueError, "hierarchy=10.0", *parts)


@both_estimators
def test_what_the_bound_does_not_concern_is_taken(Estimator):
    model = Estimator(
        (5,),
        skip=True,
        hierarchy=10.0,
        l1=[0.0, 0.1, 0.0],
        max_norm=[1.0, 2.0, np.inf],
        max_iter=1,
    )
    model.fit(*data_for(model))
    model.set_params(hierarchy=np.inf, l1=0.1, max_norm=1.0).fit(*data_for(model))
