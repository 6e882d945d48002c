"""Steps of Adam and SGD with penalties: the formulas, and where they come to rest."""

import platform
from dataclasses import replace

import numpy as np
import pytest
import reference
from cases import both_dtypes, data_of, engine_of, random_params
from hypothesis import given
from hypothesis import strategies as st
from plain import RegularizedMLPRegressor
from sklearn.linear_model import Lasso

from skreg._kernels import units
from skreg._problem.optimizers import Optimizer

# The four ways of taking a step.
SOLVERS = {
    "adam": {"solver": "adam"},
    "plain sgd": {"solver": "sgd", "momentum": 0.0, "nesterov": False},
    "heavy ball": {"solver": "sgd", "momentum": 0.9, "nesterov": False},
    "nesterov": {"solver": "sgd", "momentum": 0.9, "nesterov": True},
}
every_solver = pytest.mark.parametrize("solver", SOLVERS)
LINEAR = reference.Network([12, 1], [], "squared_error")


class Run:
    """Full-batch steps of the kernels on a linear network with the squared loss."""

    def __init__(self, X, y, params, solver, dtype=np.float64, **strengths):
        self.network = replace(LINEAR, layer_sizes=[X.shape[1], 1])
        self.params = params.astype(dtype)
        self.optimizer = Optimizer(
            size=params.size, dtype=np.dtype(dtype), **SOLVERS[solver]
        )
        self.loops = engine_of(self.network, dtype, capacity=len(X))
        self.data = data_of(X, y, dtype=dtype)
        self.l1 = strengths.get("l1", 0.0)
        self.l2 = strengths.get("l2", 0.0)
        self.weight_decay = strengths.get("weight_decay", 0.0)

    @property
    def weights(self):
        return self.params[:-1]

    def step(self, rate, n_steps=1):
        """Take some steps; return the weights."""
        for _ in range(n_steps):
            self.loops.run_epoch(
                self.params,
                self.data,
                optimizer=self.optimizer,
                segments=self.loops.segments([self.l1], [self.l2], self.weight_decay),
                key=(0, 0),
                epoch=0,
                order=None,
                learning_rates=np.array([rate]),
                batch_size=len(self.data),
            )
        return self.weights

    def strengths(self):
        """The penalties per parameter, for the oracle."""
        spread = self.network.per_parameter
        return reference.Strengths(
            l1=spread([self.l1]),
            l2=spread([self.l2]),
            weight_decay=spread([self.weight_decay]),
        )


def regression(seed=0, rows=60, features=12):
    """Correlated features, of which a third matters."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features)) @ rng.normal(size=(features, features))
    X /= X.std(axis=0)
    w = np.where(np.arange(features) % 3 == 0, rng.normal(size=features), 0)
    return X, (X @ w + 0.5 + 0.3 * rng.normal(size=rows))[:, None]


def start(X, seed=0):
    rng = np.random.default_rng(seed)
    return random_params(replace(LINEAR, layer_sizes=[X.shape[1], 1]), rng)


@given(
    solver=st.sampled_from(list(SOLVERS)),
    l1=st.sampled_from([0.0, 0.05, 0.5]),
    l2=st.sampled_from([0.0, 0.3]),
    weight_decay=st.sampled_from([0.0, 0.2]),
    dtype=st.sampled_from(both_dtypes),
    seed=st.integers(0, 1000),
)
def test_steps_equal_the_oracle(solver, l1, l2, weight_decay, dtype, seed):
    X, y = regression(seed)
    run = Run(
        X, y, start(X, seed), solver, dtype, l1=l1, l2=l2, weight_decay=weight_decay
    )
    oracle = replace(run.optimizer)
    expected = run.params.astype(np.float64)
    tolerance = 2e-4 if dtype == np.float32 else 1e-11
    for rate in [0.05, 0.03, 0.02, 0.04, 0.01, 0.05]:
        _, g = run.network.loss_and_gradient(expected, X, y)
        expected = reference.optimizer_step(oracle, expected, g, rate, run.strengths())
        run.step(rate)
        np.testing.assert_allclose(run.params, expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            run.optimizer.first, oracle.first, rtol=tolerance, atol=tolerance
        )
    assert run.optimizer.step == oracle.step == 6


@pytest.mark.parametrize("dtype", both_dtypes)
def test_soft_threshold(dtype):
    w = np.array([-3, -1, -0.5, -0.0, 0, 0.25, 1, 2.5, np.inf], dtype=dtype)
    got = units.soft_threshold(w, 1.0)
    np.testing.assert_array_equal(got, reference.soft_threshold(w, 1.0))
    # zeros are +0.0, so that equal weights have equal bytes
    assert not np.signbit(got[got == 0]).any()
    assert np.isnan(units.soft_threshold(np.array([np.nan], dtype=dtype), 1.0)).all()


@pytest.mark.parametrize("dtype", both_dtypes)
def test_soft_threshold_by_zero_changes_nothing(dtype):
    w = np.random.default_rng(0).normal(size=999).astype(dtype)
    assert units.soft_threshold(w, 0.0).tobytes() == w.tobytes()


def test_prox_of_next_to_nothing_changes_no_bit_of_adam():
    X, y = regression()
    tiny, none = (Run(X, y, start(X), "adam", l1=l1) for l1 in [5e-324, 0.0])
    assert tiny.step(0.01, 50).tobytes() == none.step(0.01, 50).tobytes()


@every_solver
def test_prox_of_next_to_nothing_is_none(solver):
    # with momentum the proximal form is written differently from the familiar one
    X, y = regression()
    settings = {"l2": 0.1, "weight_decay": 0.1}
    tiny, none = (
        Run(X, y, start(X), solver, l1=l1, **settings) for l1 in [1e-300, 0.0]
    )
    np.testing.assert_allclose(
        tiny.step(0.01, 50), none.step(0.01, 50), rtol=0, atol=1e-13
    )


def orthonormal_problem(l1, l2, rows=64, features=12):
    """X^T X / rows = I, centred: the optimum is in closed form.

    Returns X, y and the flat parameters that minimise
    mean (f - y)^2 / 2 + l1 ||w||_1 + l2 / 2 ||w||^2.
    """
    rng = np.random.default_rng(1)
    basis = np.column_stack([np.ones(rows), rng.normal(size=(rows, features))])
    X = np.sqrt(rows) * np.linalg.qr(basis)[0][:, 1:]
    y = X @ np.linspace(-1, 1, features) + 0.7
    correlation = X.T @ y / rows
    w = reference.soft_threshold(correlation, l1) / (1 + l2)
    assert 0 < (w == 0).sum() < features
    return X, y[:, None], np.append(w, y.mean())


@pytest.mark.parametrize("steps_before", [0, 1, 30, 5000])
@pytest.mark.parametrize("l2", [0.0, 0.4])
@every_solver
def test_at_rest_where_the_penalised_objective_is_stationary(solver, l2, steps_before):
    X, y, optimum = orthonormal_problem(l1=0.3, l2=l2)
    run = Run(X, y, optimum, solver, l1=0.3, l2=l2)
    if run.optimizer.adam and steps_before:
        # mean gradients as so many steps here have left them; any curvature will do
        _, g = run.network.loss_and_gradient(optimum, X, y)
        g += run.strengths().l2 * optimum
        run.optimizer.first = (1 - 0.9**steps_before) * g
        run.optimizer.second = np.linspace(0.01, 1, optimum.size)
    run.optimizer.step = steps_before
    run.step(0.05)
    np.testing.assert_allclose(run.params, optimum, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(run.weights == 0, optimum[:-1] == 0)


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "adam"])
def test_sgd_reaches_the_lasso_from_anywhere(solver):
    X, y = regression()
    l1 = 0.1
    lasso = Lasso(alpha=l1, tol=1e-14, max_iter=100_000).fit(X, y.ravel())
    assert 0 < (lasso.coef_ == 0).sum() < lasso.coef_.size
    run = Run(X, y, start(X), solver, l1=l1)
    curvature = np.linalg.eigvalsh(X.T @ X / len(X)).max()
    run.step(0.5 / curvature, 30_000)
    np.testing.assert_allclose(run.weights, lasso.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.params[-1], lasso.intercept_, atol=1e-9)
    np.testing.assert_array_equal(run.weights == 0, lasso.coef_ == 0)


def test_adam_reaches_the_lasso_as_its_rate_falls():
    X, y = regression()
    lasso = Lasso(alpha=0.1, tol=1e-14, max_iter=100_000).fit(X, y.ravel())
    run = Run(X, y, start(X), "adam", l1=0.1)
    for rate in np.geomspace(0.03, 1e-6, 40):
        run.step(rate, 250)
    np.testing.assert_allclose(run.weights, lasso.coef_, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(run.weights == 0, lasso.coef_ == 0)


@pytest.mark.parametrize("dtype", both_dtypes)
@every_solver
def test_weights_held_at_zero_are_positive_zero(solver, dtype):
    X, y = regression()
    run = Run(X, y, start(X), solver, dtype, l1=100.0, weight_decay=0.1)
    run.step(0.01, 300)
    assert run.weights.tobytes() == bytes(run.weights.nbytes)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", both_dtypes)
def test_nesterov_zeroes_a_weight_in_two_steps(dtype, weight_decay):
    """One step for the iterate, one for the point that runs ahead of it.

    A rounding error of the iterate would live on as velocity.
    """
    X, y = regression()
    run = Run(X, y, start(X), "nesterov", dtype, l1=100.0, weight_decay=weight_decay)
    run.step(0.01, 3)
    run.step(1.0)  # every iterate is zero now
    run.step(1.0)
    assert not run.weights.any()


@every_solver
def test_biases_carry_no_penalty(solver):
    X, y = regression()
    strong = Run(X, y, np.zeros(13), solver, l1=1e3, l2=1e3, weight_decay=10.0)
    strong.params[-1] = 2.0
    # with weights at zero the bias alone is fitted: its optimum is the mean
    strong.step(0.05, 3000)
    np.testing.assert_allclose(strong.params[-1], y.mean(), atol=1e-6)
    assert not strong.weights.any()


@every_solver
def test_decay_is_decoupled_from_the_gradient(solver):
    # no gradient at all: y is met exactly; what is left is the decay alone
    X = np.random.default_rng(0).normal(size=(20, 12))
    params = start(X)
    y = LINEAR.forward(params, X)[0]
    run = Run(X, y, params, solver, weight_decay=0.5)
    run.step(0.1)
    np.testing.assert_allclose(run.weights, (1 - 0.1 * 0.5) * params[:-1], rtol=1e-7)
    assert run.params[-1] == pytest.approx(params[-1])


def test_each_weight_matrix_has_its_own_strengths():
    network = reference.Network([3, 2, 2], ["tanh"], "squared_error")
    loops = engine_of(network)
    segments = loops.segments([0.1, 0.2], [0.3, 0.4], 0.5, [3.0, np.inf])
    # W_0, b_0, W_1, b_1 in the flat buffer; no norms
    assert segments["start"].tolist() == [[0, 6, 8], [8, 12, 14]]
    assert segments["size"].tolist() == [[6, 2, 0], [4, 2, 0]]
    assert segments["l1"].tolist() == [[0.1, 0, 0], [0.2, 0, 0]]
    assert segments["l2"].tolist() == [[0.3, 0, 0], [0.4, 0, 0]]
    assert segments["weight_decay"].tolist() == [[0.5, 0, 0], [0.5, 0, 0]]
    assert segments["max_norm"].tolist() == [[3.0, np.inf, np.inf], [np.inf] * 3]


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="the kernels know only x86's way to count subnormal numbers as zero",
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_of_what_gets_no_gradient_any_more_become_zero(dtype):
    """A subnormal number times 0.9 would be rounded to itself, and slow for ever."""
    X = np.random.default_rng(0).normal(size=(8, 3))
    y = X.sum(axis=1)
    model = RegularizedMLPRegressor((4,), l2=0.0, dtype=dtype, random_state=0)
    model.partial_fit(X, y)
    X[:, 0] = 0
    steps = 1200 if dtype == "float32" else 8000
    rounds = -(-steps // 100)
    many = np.tile(X, (100, 1)), np.tile(y, 100)
    model.set_params(batch_size=8)
    for _ in range(rounds):
        model.partial_fit(*many)
    assert not model._state.optimizer.first[:4].any()
