"""The group lasso on features: its prox, its optima, its groups."""

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
    learns_nothing,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import make_friedman1
from sklearn.linear_model import Lasso, MultiTaskLasso
from sklearn.preprocessing import scale

from skreg._kernels import units
from skreg._problem.feature_groups import FeatureGroups
from skreg._problem.optimizers import Optimizer

# ------------------------------------------------------------------------------- prox


@st.composite
def groups(draw):
    """Weights, metric and strength of one group."""
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    w = rng.normal(size=n) * np.exp(
        draw(st.sampled_from([0, 2, 8])) * rng.normal(size=n)
    )
    w[1:][rng.random(n - 1) < draw(st.sampled_from([0.0, 0.5]))] = 0
    metric = np.exp(draw(st.sampled_from([0, 1, 8])) * rng.normal(size=n))
    # around the strength at which all is zero
    threshold = np.linalg.norm(w / metric)
    strength = threshold * draw(
        st.sampled_from([1e-6, 0.1, 0.9, 1 - 1e-9, 1 + 1e-9, 5])
    )
    return w, metric, strength


@given(groups())
def test_prox_fulfils_the_conditions_of_its_minimum(group):
    w, metric, strength = group
    u = units.group_prox(w, metric, strength)
    length = np.linalg.norm(u)
    if np.linalg.norm(w / metric) <= strength:
        assert not u.any()
        return
    assert length > 0
    # (u - w) / metric + strength u / ||u|| = 0, each relative to its largest term
    a = strength * metric
    assert_allclose(u * (1 + a / length), w, rtol=1e-10, atol=0)


@given(groups())
def test_prox_equals_a_root_found_by_bisection(group):
    w, metric, strength = group
    u = units.group_prox(*group)
    # just below the threshold the length is a difference of almost equal numbers
    gap = abs(1 - strength / np.linalg.norm(w / metric))
    assert_allclose(u, reference.group_prox(*group), rtol=1e-9 + 1e-14 / gap, atol=0)


@settings(max_examples=30, deadline=None)
@given(groups(), st.sampled_from([0.0, 0.3]))
def test_no_search_finds_less(group, l1):
    """Also for the sum with an L1 penalty: first its soft threshold, then the group."""
    w, metric, strength = (part[:5] if np.ndim(part) else part for part in group)
    metric = np.clip(metric, 0.1, 10)
    w = np.clip(w, -5, 5)

    def value(u):
        distance = np.sum((u - w) ** 2 / (2 * metric))
        return distance + l1 * np.abs(u).sum() + strength * np.linalg.norm(u)

    thresholded = reference.soft_threshold(w, l1 * metric)
    u = units.group_prox(thresholded, metric, strength)
    rng = np.random.default_rng(0)
    starts = [w, u, u + 0.1 * rng.normal(size=len(w))]
    found = [minimize(value, start, method="Nelder-Mead").fun for start in starts]
    assert value(u) <= min(*found, value(0 * w)) + 1e-12 * (1 + value(0 * w))


@given(groups())
def test_equal_metrics_have_the_closed_form(group):
    w, _, strength = group
    length = np.linalg.norm(w)
    u = units.group_prox(w, np.full(len(w), 0.3), strength)
    shrunk = max(length - 0.3 * strength, 0) / length if length else 0.0
    assert_allclose(u, shrunk * w, rtol=1e-9, atol=1e-12 * length)


def test_prox_survives_metrics_of_all_sizes():
    w = np.array([1.0, 1e-3, 2.0, 0.0])
    metric = np.array([1e-320, 1e300, 1e-5, 1e-320])
    u = units.group_prox(w, metric, 1e-3)
    assert_allclose(u, [1.0, 0.0, 2.0, 0.0], rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("metric", [[1.0, 1.0], [1.0, 2.0]])
def test_prox_keeps_what_is_not_a_number(metric):
    u = units.group_prox(np.array([np.nan, 1.0]), np.array(metric), 0.1)
    assert np.isnan(u).any()


# ----------------------------------------------------------------------------- optima

SOLVERS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.02},
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.2},
    "heavy ball": {
        "solver": "sgd",
        "nesterovs_momentum": False,
        "learning_rate_init": 0.05,
    },
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
}
every_solver = pytest.mark.parametrize("solver", SOLVERS)


def linear(solver, **parameters):
    """A network without hidden layers, trained to the optimum."""
    return RegularizedMLPRegressor(
        (),
        l2=0.0,
        standardize_target=False,
        dtype="float64",
        batch_size=10**6,
        learning_rate="cosine",
        max_iter=2000,
        random_state=0,
        **SOLVERS[solver],
        **parameters,
    )


def regression(n_outputs):
    rng = np.random.default_rng(0)
    X = scale(
        rng.normal(size=(80, 10)) @ (np.eye(10) + 0.2 * rng.normal(size=(10, 10)))
    )
    W = rng.normal(size=(10, n_outputs)) * (np.arange(10) % 3 == 0)[:, None]
    return X, X @ W + 0.5 * rng.normal(size=(80, n_outputs)) + 1


@every_solver
def test_with_one_output_it_is_the_lasso(solver):
    X, y = regression(1)
    expected = Lasso(alpha=0.2, tol=1e-12).fit(X, y[:, 0]).coef_
    model = linear(solver, group_l1=0.2).fit(X, y[:, 0])
    assert_allclose(model.coefs_[0][:, 0], expected, atol=1e-7)
    assert_array_equal(model.feature_importances_ == 0, expected == 0)
    assert 0 < np.count_nonzero(expected) < 10


@every_solver
def test_with_several_outputs_it_is_the_multi_task_lasso(solver):
    X, Y = regression(3)
    expected = MultiTaskLasso(alpha=0.4, tol=1e-12).fit(X, Y).coef_.T
    model = linear(solver, group_l1=0.4 / np.sqrt(3)).fit(X, Y)
    assert_allclose(model.coefs_[0], expected, atol=1e-7)
    assert_array_equal(model.coefs_[0] == 0, expected == 0)
    assert 0 < np.count_nonzero(expected.any(axis=1)) < 10


@every_solver
def test_optima_with_l1_and_groups_are_stationary(solver):
    """The sparse group lasso: the gradient is minus a subgradient of the penalties."""
    X, Y = regression(2)
    labels = np.arange(10) // 2
    l1, group_l1 = 0.05, 0.1
    model = linear(solver, l1=l1, group_l1=group_l1, feature_groups=labels).fit(X, Y)
    W = model.coefs_[0]
    gradient = X.T @ (X @ W + model.intercepts_[0] - Y) / len(X)
    strength = group_l1 * 2.0
    dropped = 0
    for label in range(5):
        w, g = W[labels == label], gradient[labels == label]
        # what is left of it after the L1 penalty has taken its part
        left = reference.soft_threshold(g, l1)
        if not w.any():
            dropped += 1
            assert np.linalg.norm(left) <= strength + 1e-9
            continue
        pull = g + strength * w / np.linalg.norm(w)
        assert_allclose(pull[w != 0], -l1 * np.sign(w[w != 0]), atol=1e-6)
        assert np.all(np.abs(pull[w == 0]) <= l1 + 1e-9)
    assert 0 < dropped < 5


# ------------------------------------------------------------------- loops of training


# name: (whether inputs are connected to outputs, the bound of the hierarchy)
CONNECTIONS = {"none": (False, None), "joint": (True, None), "hierarchy": (True, 0.3)}
every_connection = pytest.mark.parametrize("connection", CONNECTIONS)


def trained(dtype, connection, *, threads=1, csr=False, bounded=False, solver="adam"):
    """Parameters and moving average after epochs of a network with scattered groups."""
    skip, hierarchy = CONNECTIONS[connection]
    network = reference.Network([40, 300, 2], ["tanh"], "squared_error", skip=skip)
    n = len(network.matrices(np.zeros(network.n_parameters)))
    max_norm = ([0.5, np.inf, 0.1] if bounded else [np.inf] * 3)[:n]
    rng = np.random.default_rng(3)
    X = random_inputs(rng, 60, 40, density=0.2)
    params = random_params(network, rng).astype(dtype)
    labels = rng.integers(9, size=40)
    loops = engine_of(
        network,
        dtype,
        capacity=16,
        threads=threads,
        groups=FeatureGroups.of(labels, 40),
    )
    optimizer = Optimizer(solver, params.size, np.dtype(dtype))
    optimizer.average, optimizer.average_decay = params.copy(), 0.9
    for epoch in range(4):
        loops.run_epoch(
            params,
            data_of(X, np.sin(X[:, :2]), dtype=dtype, csr=csr),
            optimizer=optimizer,
            segments=loops.segments(
                [0.0] * n, [0.0] * n, 0.0, max_norm, 0.02, hierarchy
            ),
            key=(1, 2),
            epoch=epoch,
            order=np.empty(60, np.intp),
            learning_rates=np.full(4, 0.01),
            batch_size=16,
            threads=threads,
        )
    outgoing = [W for W in network.matrices(params) if len(W) == 40]
    lengths = np.linalg.norm(np.hstack(outgoing), axis=1)
    kept = np.unique(labels[lengths > 0])
    assert_array_equal(lengths > 0, np.isin(labels, kept))
    return params, optimizer.average


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@every_connection
def test_threads_do_not_change_a_bit(dtype, bounded, solver, connection):
    settings = {"bounded": bounded, "solver": solver}
    alone = trained(dtype, connection, **settings)
    for threads in [2, 3]:
        together = trained(dtype, connection, threads=threads, **settings)
        for result, expected in zip(together, alone, strict=True):
            assert_array_equal(result, expected, strict=True)


@every_connection
def test_sparse_rows_have_the_steps_of_dense_ones(connection):
    dense = trained(np.float64, connection)
    sparse = trained(np.float64, connection, csr=True)
    for result, expected in zip(sparse, dense, strict=True):
        assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("starts", "features"),
    [([0, 2], [0, 0]), ([0, 1], [0, 1]), ([0, 0, 2], [0, 1]), ([0, 2], [0, 1, 2])],
)
def test_the_engine_refuses_tables_that_would_lead_it_astray(starts, features):
    network = reference.Network([2, 1], [], "squared_error")
    groups = FeatureGroups(np.array(starts), np.array(features))
    loops = engine_of(network, groups=groups)
    params = np.zeros(3)
    with pytest.raises(ValueError, match="group"):
        loops.run_epoch(
            params,
            data_of(np.ones((3, 2)), np.ones((3, 1))),
            optimizer=Optimizer("adam", 3, np.dtype(float)),
            segments=loops.segments([0.0], [0.0], group_l1=0.1),
            key=None,
            epoch=0,
            order=None,
            learning_rates=np.full(1, 0.01),
            batch_size=3,
        )


# ------------------------------------------------------------------------- estimators


def friedman():
    """Ten uniform features, of which five matter."""
    X, y = make_friedman1(300, noise=0.1, random_state=0)
    return scale(X), scale(y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["adam", "nesterov"])
def test_features_without_effect_drop_out(dtype, solver):
    X = np.random.default_rng(0).normal(size=(400, 8))
    y = np.sin(1.5 * X[:, 0]) + 1.5 * np.maximum(X[:, 1], 0) + X[:, 2] * (X[:, 0] > 0)
    model = RegularizedMLPRegressor(
        (16,),
        group_l1=0.03,
        batch_size=400,
        learning_rate="cosine",
        max_iter=400,
        random_state=0,
        dtype=dtype,
        **SOLVERS[solver],
    ).fit(X, y)
    kept = model.feature_importances_ > 0
    # chance may tie a feature without effect to y, but not two of five in this sample
    assert kept[:3].all()
    assert np.count_nonzero(kept[3:]) <= 1
    zeros = model.coefs_[0][~kept]
    assert not zeros.any()
    assert not np.signbit(zeros).any()


@both_estimators
def test_features_of_one_label_stay_together(Estimator):
    X, y = data_for(Estimator())
    labels = np.array(list("abab") + list("cccccc"))[: X.shape[1]]
    lengths = {}
    for strength in np.geomspace(3e-3, 1, 6):
        model = Estimator(
            (8,),
            group_l1=strength,
            feature_groups=labels,
            learning_rate_init=0.02,
            max_iter=30,
            random_state=0,
            n_iter_no_change=np.inf,
            learning_rate="cosine",
        ).fit(X, y)
        kept = model.feature_importances_ > 0
        for label in np.unique(labels):
            assert len(set(kept[labels == label])) == 1
        lengths[strength] = kept.sum()
    assert lengths[1.0] == 0
    assert lengths[3e-3] > 0


@learns_nothing
def test_only_the_grouping_counts_not_the_labels():
    X, y = friedman()
    models = [
        RegularizedMLPRegressor(
            (5,),
            group_l1=0.01,
            feature_groups=labels,
            learning_rate="cosine",
            max_iter=5,
            random_state=0,
        ).fit(X, y)
        for labels in [[*"aabbccddee"], np.repeat([9, 7, 5, 3, 1], 2)]
    ]
    assert_same_fit(*models)
    alone = [
        RegularizedMLPRegressor(
            (5,),
            group_l1=0.01,
            feature_groups=labels,
            learning_rate="cosine",
            max_iter=5,
            random_state=0,
        ).fit(X, y)
        for labels in [None, range(10)]
    ]
    assert_same_fit(*alone)
    assert not np.array_equal(all_weights(alone[0]), all_weights(models[0]))


@learns_nothing
@every_connection
def test_the_loss_curve_contains_the_penalty(connection):
    X, y = friedman()
    y = np.transpose([y, 2 * y])
    labels = np.arange(10) // 2
    skip, hierarchy = CONNECTIONS[connection]
    model = RegularizedMLPRegressor(
        (5,),
        group_l1=0.03,
        feature_groups=labels,
        skip=skip,
        hierarchy=hierarchy,
        l2=0.0,
        max_iter=3,
        learning_rate="cosine",
        random_state=0,
        dtype="float64",
        standardize_target=False,
        warm_start=True,
    ).fit(X, y)
    # an epoch without steps: its loss is that of the weights
    model.set_params(learning_rate_init=1e-300, max_iter=1, momentum=0.0, solver="sgd")
    model.fit(X, y)
    groups = [np.flatnonzero(labels == label) for label in range(5)]
    outgoing = [] if connection == "hierarchy" else [model.coefs_[0]]
    if skip:
        assert model.skip_coef_.any()
        outgoing.append(model.skip_coef_)
    expected = np.mean(((y - model.predict(X)) ** 2).sum(axis=1)) / 2
    expected += reference.penalty([], [], [], 0.03, groups, np.hstack(outgoing))
    assert model.loss_ == pytest.approx(expected, rel=1e-9)


@both_estimators
@pytest.mark.parametrize("solver", ["adam", "nesterov"])
def test_a_feature_drops_out_of_both_ways_to_the_outputs(Estimator, solver):
    model = Estimator(
        (8,),
        skip=True,
        group_l1=0.1,
        learning_rate="cosine",
        max_iter=60,
        random_state=0,
        **SOLVERS[solver],
    )
    X, y = data_for(model)
    X = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 3))])
    model.fit(X, y)
    hidden, linear = model.coefs_[0].any(axis=1), model.skip_coef_.any(axis=1)
    assert_array_equal(hidden, linear)
    assert_array_equal(hidden, model.feature_importances_ > 0)
    assert 0 < hidden.sum() < len(hidden)


@learns_nothing
def test_groups_may_change_between_warm_starts():
    X, y = friedman()
    model = RegularizedMLPRegressor(
        (5,), warm_start=True, learning_rate="cosine", max_iter=10, random_state=0
    ).fit(X, y)
    model.set_params(
        group_l1=0.1, feature_groups=np.arange(10) // 5, learning_rate_init=0.02
    )
    kept = model.fit(X, y).feature_importances_ > 0
    assert_array_equal(kept, np.repeat(kept[::5], 5))


def test_sparse_input_drops_features():
    X, y = friedman()
    X = np.where(np.abs(X) > 0.5, X, 0)
    fits = [
        RegularizedMLPRegressor(
            (7,),
            group_l1=0.03,
            learning_rate="cosine",
            max_iter=60,
            learning_rate_init=0.01,
            random_state=0,
            dtype="float64",
        ).fit(rows, y)
        for rows in [X, sparse.csr_array(X)]
    ]
    assert_allclose(*map(all_weights, fits), rtol=1e-6, atol=1e-9)
    assert 0 < np.count_nonzero(fits[1].feature_importances_) < 10


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ([0, 1], ["one label per feature", "(4,)", "(2,)"]),
        (np.zeros((4, 1)), ["(4, 1)"]),
        ([0.0, 1.0, np.nan, 2.0], ["label for every feature", "nan"]),
        (["a", "b", None, "b"], ["label for every feature", "None"]),
        (np.array(["a", 1, "b", 2], dtype=object), ["labels of one kind"]),
    ],
)
def test_bad_labels(labels, parts):
    X, y = data_for(RegularizedMLPClassifier())
    model = RegularizedMLPClassifier(feature_groups=labels, group_l1=0.1)
    assert_refused(lambda: model.fit(X, y), ValueError, "feature_groups", *parts)
    assert not hasattr(model, "n_iter_")


@both_estimators
def test_lbfgs_refuses_it(Estimator):
    model = Estimator(solver="lbfgs", group_l1=0.1)
    assert_refused(
        lambda: model.fit(*data_for(model)), ValueError, "group_l1=0.1", "'adam'"
    )
