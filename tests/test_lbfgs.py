"""lbfgs on features as they come: far from zero, of any scale, sparse or weighted.

Its optimum is that of the objective in the user's terms. What it reaches, and what it
says where it does not reach `tol`, is held against scikit-learn's linear models.
"""

import warnings

import numpy as np
import pytest
from common import breast_cancer, diabetes, iris, learns_nothing
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
)

from skreg import RegularizedMLPRegressorCV, regularization_path
from skreg._kernels import engine
from skreg._problem.moments import Moments

BOTH_DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def regressor(hidden=(), **given):
    given = {"solver": "lbfgs", "random_state": 0} | given
    return RegularizedMLPRegressor(hidden, **given)


def classifier(hidden=(), **given):
    given = {"solver": "lbfgs", "random_state": 0} | given
    return RegularizedMLPClassifier(hidden, **given)


# ------------------------------------------------------------------- data as they come


def years(seed=0, n=300):
    rng = np.random.default_rng(seed)
    X = rng.integers(1990, 2021, size=(n, 1)).astype(float)
    return X, 0.1 * (X[:, 0] - 2000) + 0.1 * rng.normal(size=n)


def scales(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 3)) * [1, 1e3, 1e6]
    return X, X @ [1, -1e-3, 1e-6] + 0.1 * rng.normal(size=300)


def small_scales():
    X, y = scales()
    return X * 1e-9, y


def far_by(spreads, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 3))
    y = X @ [1, -2, 0.5] + 0.1 * rng.normal(size=200)
    return X + spreads, y


def with_constant():
    """A year that is always the same beside two features."""
    X, y = far_by(0)
    return np.column_stack([np.full(len(y), 2020.0), X]), y


def raw_diabetes():
    return load_diabetes(return_X_y=True, scaled=False)


def raw_wine():
    return load_wine(return_X_y=True)


def raw_breast_cancer():
    return load_breast_cancer(return_X_y=True)


RAW = pytest.mark.parametrize(
    "load",
    [years, scales, small_scales, with_constant, raw_diabetes, lambda: far_by(1e4)],
    ids=["years", "scales", "small", "constant", "diabetes", "far"],
)


def some_weights(n):
    return np.linspace(0.5, 2.0, n)


def sums_of(model, X, y, weights=None):
    """F's gradient by W and by b, without penalties, in float64."""
    weights = np.ones(len(y)) if weights is None else weights
    z = X @ model.coefs_[0].astype(float) + model.intercepts_[0].astype(float)
    if is_classifier(model) and z.shape[1] == 1:
        D = 1 / (1 + np.exp(-z)) - (y == model.classes_[1])[:, None]
    elif is_classifier(model):
        p = np.exp(z - z.max(axis=1, keepdims=True))
        D = p / p.sum(axis=1, keepdims=True) - (y[:, None] == model.classes_)
    else:
        D = z - y.reshape(len(y), -1)
    D = D * (weights / weights.sum())[:, None]
    return X.T @ D, D.sum(axis=0)


def largest_gradient(model, X, y, weights=None):
    """The largest element of F's least subgradient by the weights and the bias."""
    G, g = sums_of(model, X, y, weights)
    W = model.coefs_[0].astype(float)
    G = G + model.l2 * W
    shrunk = np.sign(G) * np.maximum(np.abs(G) - model.l1, 0)
    G = np.where(W == 0, shrunk, G + model.l1 * np.sign(W))
    return max(np.abs(G).max(), np.abs(g).max())


# ------------------------------------------------------------------ the same optimum


@RAW
@BOTH_DTYPES
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
# of tiny features the penalty leaves next to nothing
@learns_nothing
def test_ridge_at_the_default_tol(load, dtype, weighted, container):
    X, y = load()
    weights = some_weights(len(y)) if weighted else None
    n = len(y) if weights is None else weights.sum()
    theirs = make_pipeline(StandardScaler(with_std=False), Ridge(1e-3 * n))
    theirs.fit(X, y, ridge__sample_weight=weights)
    ours = regressor(l2=1e-3, dtype=dtype, standardize_target=False)
    ours.fit(container(X), y, sample_weight=weights)
    # far by 1e4 spreads float32 has three digits of a spread
    atol = {"float32": 3e-3, "float64": 1e-3}[dtype] * y.std()
    assert_allclose(ours.predict(container(X)), theirs.predict(X), rtol=0, atol=atol)


@pytest.mark.parametrize("load", [years, with_constant, raw_diabetes])
@pytest.mark.parametrize(("l1", "l2"), [(0.02, 0.0), (0.01, 0.01)])
@pytest.mark.parametrize("weighted", [False, True])
def test_lasso_and_elastic_net(load, l1, l2, weighted):
    """The same weights and the same zeros: l1 is in the user's terms."""
    X, y = load()
    weights = some_weights(len(y)) if weighted else None
    theirs = ElasticNet(l1 + l2, l1_ratio=l1 / (l1 + l2), tol=1e-14, max_iter=10**6)
    theirs.fit(X, y, sample_weight=weights)
    ours = regressor(
        l1=l1,
        l2=l2,
        dtype="float64",
        tol=1e-10,
        max_iter=5000,
        standardize_target=False,
    ).fit(X, y, sample_weight=weights)
    spread = np.maximum(X.std(axis=0), 1e-30)
    assert_allclose(
        ours.coefs_[0][:, 0] * spread, theirs.coef_ * spread, atol=1e-5 * y.std()
    )
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5 * y.std())


def test_zeros_of_raw_features_are_exact():
    X, y = raw_diabetes()
    theirs = Lasso(3.0, tol=1e-14, max_iter=10**6).fit(X, y)
    ours = regressor(
        l1=3.0, l2=0.0, dtype="float64", tol=1e-9, standardize_target=False
    ).fit(X, y)
    assert 0 < (theirs.coef_ == 0).sum() < X.shape[1]
    assert_array_equal(ours.coefs_[0][:, 0] == 0, theirs.coef_ == 0)


def test_constant_features_have_no_weight():
    X, y = with_constant()
    for dtype in ("float32", "float64"):
        for given in ({"l1": 0.01, "l2": 0.0}, {"l2": 0.01}, {"l2": 0.0}):
            model = regressor(dtype=dtype, **given).fit(X, y)
            assert model.coefs_[0][0] == 0
            assert model.score(X, y) > 0.98


@BOTH_DTYPES
def test_several_outputs_of_raw_features(dtype):
    X, y = raw_diabetes()
    Y = np.stack([y, X[:, 3] * 2 - y, np.full(len(y), 7.0)], axis=1)
    theirs = make_pipeline(StandardScaler(with_std=False), Ridge(5.0)).fit(X, Y)
    ours = regressor(l2=5.0 / len(y), dtype=dtype, standardize_target=False).fit(X, Y)
    assert_allclose(
        ours.predict(X), theirs.predict(X), rtol=0, atol=2e-3 * Y.std(axis=0).max()
    )


def log_loss_of(model, X, y):
    p = model.predict_proba(X)
    return -np.log(p[np.arange(len(y)), y]).mean()


@BOTH_DTYPES
@pytest.mark.parametrize("load", [raw_breast_cancer, raw_wine])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_of_raw_features(load, dtype, weighted):
    X, y = load()
    weights = some_weights(len(y)) if weighted else np.ones(len(y))
    theirs = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10)
    if len(np.unique(y)) > 2:
        theirs = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-8, max_iter=5000)
    theirs.fit(X, y, sample_weight=weights)
    ours = classifier(l2=1 / weights.sum(), dtype=dtype, max_iter=3000)
    ours.fit(X, y, sample_weight=weights)

    def objective(coef, p):
        loss = np.average(-np.log(p[np.arange(len(y)), y]), weights=weights)
        return loss + (coef.astype(float) ** 2).sum() / 2 / weights.sum()

    best = objective(theirs.coef_, theirs.predict_proba(X))
    reached = objective(ours.coefs_[0], ours.predict_proba(X))
    assert reached == pytest.approx(best, rel=5e-4)


@BOTH_DTYPES
def test_log_loss_of_raw_breast_cancer_within_the_default_iterations(dtype):
    """It was 0.139, where LogisticRegression has 0.088; warnings are errors."""
    X, y = raw_breast_cancer()
    theirs = LogisticRegression(solver="newton-cholesky").fit(X, y)
    ours = classifier(l2=1 / len(y), dtype=dtype).fit(X, y)
    expected = log_loss_of(theirs, X, y)
    assert log_loss_of(ours, X, y) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("load", [years, raw_diabetes, with_constant])
def test_poisson_regression_of_raw_features(load):
    X, y = load()
    y = np.exp((y - y.mean()) / y.std())
    Z = StandardScaler().fit_transform(X[:, X.std(axis=0) > 0])
    theirs = PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-12).fit(Z, y)
    ours = regressor(loss="poisson", l2=0.0, dtype="float64", tol=1e-7).fit(X, y)
    assert_allclose(ours.predict(X), theirs.predict(Z), rtol=1e-4)


@pytest.mark.parametrize(
    "check",
    [
        check_sample_weight_equivalence_on_dense_data,
        check_sample_weight_equivalence_on_sparse_data,
    ],
)
@pytest.mark.parametrize("make", [regressor, classifier])
@pytest.mark.parametrize("l1", [0.0, 1e-3])
def test_weights_equal_repeated_rows_at_the_default_tol(check, make, l1):
    """Predictions differed by 0.029 under l1."""
    with warnings.catch_warnings():
        # max_iter
        warnings.simplefilter("ignore", ConvergenceWarning)
        check("model", make(l1=l1, dtype="float64"))


# ------------------------------------------------------------------------- the end


@RAW
@pytest.mark.parametrize("tol", [1e-4, 1e-7])
@pytest.mark.parametrize("l1", [0.0, 1e-3])
def test_a_silent_end_is_within_tol(load, tol, l1):
    """The gradient by the weights was 17 at tol=1e-4."""
    X, y = load()
    y = (y - y.mean()) / y.std()
    model = regressor(
        l1=l1 * 1e-9 if load is small_scales else l1,
        l2=0.0,
        tol=tol,
        dtype="float64",
        max_iter=2000,
        standardize_target=False,
    ).fit(X, y)
    # the loss is at its minimum to rounding where X^T D, which has X's size, is not 0
    rounding = 1e-8 * np.abs(X).max()
    assert largest_gradient(model, X, y) <= tol * (1 + 1e-3) + rounding


def test_small_features_are_no_convergence():
    """The gradient by their weights is within tol from the start."""
    X, y = small_scales()
    for dtype in ("float32", "float64"):
        assert regressor(l2=0.0, dtype=dtype).fit(X, y).score(X, y) > 0.99


def test_years_in_single_precision():
    """R2 was 0.10 at tol=1e-8, without a word."""
    X, y = years()
    expected = LinearRegression().fit(X, y).score(X, y)
    for container in (np.asarray, sparse.csr_matrix):
        model = regressor(tol=1e-8).fit(container(X), y)
        assert model.score(container(X), y) == pytest.approx(expected, abs=1e-4)


def test_max_iter_is_said_with_the_gradient():
    X, y = breast_cancer()
    with pytest.warns(ConvergenceWarning, match=r"largest element is .* above tol"):
        classifier(max_iter=3).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="max_fun=5"):
        classifier(max_fun=5).fit(X, y)


def test_what_single_precision_cannot_reach_is_said():
    """Ten million spreads from zero its numbers hold nothing of the feature."""
    X, y = far_by(0)
    X = np.float32(X) + np.float32(3e6)
    X[:, 0] += np.float32(1e6)
    assert len(np.unique(X[:, 0])) > 5
    with pytest.warns(ConvergenceWarning, match="standard deviations from zero"):
        regressor().fit(X, y)


def test_no_false_alarm_in_single_precision():
    """Where only the rounding of the loss is left; warnings are errors."""
    for load in (years, scales, raw_diabetes, lambda: far_by(1e3)):
        X, y = load()
        for tol in (1e-4, 1e-12):
            model = regressor(tol=tol, l2=0.0).fit(X, y)
            exact = LinearRegression().fit(X, y).score(X, y)
            assert model.score(X, y) == pytest.approx(exact, abs=1e-4)


# ---------------------------------------------------------------------- hidden layers


@BOTH_DTYPES
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("given", [{}, {"skip": True}, {"batch_norm": "before"}])
@pytest.mark.parametrize("load", [years, scales, with_constant, lambda: far_by(70)])
@pytest.mark.filterwarnings("ignore:.*has not converged")
def test_hidden_layers_on_raw_features(load, dtype, activation, given):
    """Columns of scales 1, 1e3, 1e6 had R2 0.32."""
    X, y = load()
    if "batch_norm" in given and load is with_constant:
        pytest.skip("its running averages round")
    model = regressor((16,), activation=activation, dtype=dtype, max_iter=100, **given)
    assert model.fit(X, y).score(X, y) > 0.97


def test_standardized_features_change_nothing_but_rounding():
    """The objective is the same function, whatever the inputs' scales."""
    X, y = diabetes()
    model = regressor(
        (5,),
        activation="tanh",
        l1=0.01,
        l2=0.02,
        dtype="float64",
        tol=1e-7,
        max_iter=5000,
    ).fit(X, y)
    t = (y - y.mean()) / y.std()
    W, V = model.coefs_
    b, c = model.intercepts_
    z = np.tanh(X @ W + b) @ V + c
    F = ((z[:, 0] - t) ** 2).mean() / 2
    for M in (W, V):
        F += 0.01 * np.abs(M).sum() + 0.01 * (M**2).sum()
    assert model.loss_ == pytest.approx(F, rel=1e-12)


# ------------------------------------------------------------------- warm starts, paths


@BOTH_DTYPES
def test_warm_start_goes_on_from_the_optimum(dtype):
    X, y = years()
    model = regressor(dtype=dtype, warm_start=True).fit(X, y)
    before = model.predict(X)
    model.fit(X, y)
    assert_allclose(model.predict(X), before, atol=1e-3)
    assert model.n_iter_ <= 2


def test_path_of_raw_features_is_the_lasso_path():
    X, y = raw_diabetes()
    model = regressor(l2=0.0, tol=1e-8, standardize_target=False, dtype="float64")
    path = regularization_path(model, X, y, alphas=10)
    for i, alpha in enumerate(path.alphas):
        lasso = Lasso(alpha, tol=1e-12, max_iter=10**6).fit(X, y)
        assert_allclose(
            path.estimator(i).predict(X), lasso.predict(X), atol=1e-4 * y.std()
        )


def test_cross_validation_of_raw_features():
    X, y = years()
    model = RegularizedMLPRegressorCV((), solver="lbfgs", l2=0.0, alphas=8).fit(X, y)
    assert model.score(X, y) > 0.98


@pytest.mark.parametrize("method", ["head", "bias", "full", "adapter"])
@pytest.mark.parametrize("hidden", [(), (6,)])
@pytest.mark.filterwarnings("ignore:.*has not converged")
def test_fine_tuning_leaves_the_rest_as_it_is(method, hidden):
    if method == "adapter" and not hidden:
        pytest.skip("needs a hidden layer")
    X, y = years()
    base = regressor(hidden, dtype="float64", skip=bool(hidden)).fit(X, y)
    adapted = base.fine_tune(X, y + 1, method=method, l2_sp=1e-6)
    assert adapted.score(X, y + 1) > 0.95
    if method in ("head", "bias", "adapter") and hidden:
        assert_array_equal(adapted.coefs_[0], base.coefs_[0])
    if method == "head" and hidden:
        assert_array_equal(adapted.intercepts_[0], base.intercepts_[0])


def test_the_pull_towards_the_start_is_of_the_user_s_weights():
    """l2_sp on W and b: held against the closed form."""
    X, y = far_by(5)
    base = regressor(dtype="float64", standardize_target=False, l2=0.0).fit(X, y)
    target = 2 * y + 3
    a = 0.1
    adapted = base.fine_tune(
        X, target, method="full", l2_sp=a, tol=1e-10, max_iter=2000
    )
    Z = np.column_stack([X, np.ones(len(y))])
    start = np.append(base.coefs_[0], base.intercepts_[0])
    n = len(y)
    A = Z.T @ Z / n + a * np.eye(4)
    expected = np.linalg.solve(A, Z.T @ target / n + a * start)
    assert_allclose(
        np.append(adapted.coefs_[0], adapted.intercepts_[0]), expected, rtol=1e-6
    )


# ------------------------------------------------------------- means and spreads


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments(container, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, size=(3000, 5)) * (rng.random((3000, 5)) < 0.5)
    X[:, 3] = 2020
    X[:, 4] += 1e4
    X = X.astype(dtype)
    weights = rng.uniform(0, 2, 3000).astype(dtype)
    rows = np.flatnonzero(rng.random(3000) < 0.8).astype(np.intp)
    data = engine.Data(container(X), None, weights, 1, rows)
    moments = Moments.of(data)
    X, weights = X[rows].astype(float), weights[rows].astype(float)
    mean = np.average(X, axis=0, weights=weights)
    spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    assert_allclose(moments.mean, mean, rtol=1e-12)
    assert_allclose(moments.spread[[0, 1, 2, 4]], spread[[0, 1, 2, 4]], rtol=1e-9)
    assert moments.spread[3] == 0
    expected = np.ones(5, bool) if container is np.asarray else [0, 0, 0, 1, 1]
    assert_array_equal(moments.stored, expected)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_moments_of_tiny_and_huge_features(size):
    X = np.random.default_rng(0).normal(size=(50, 2)) * size
    for container in (np.asarray, sparse.csr_matrix):
        moments = Moments.of(engine.Data(container(X), None, None, 1))
        assert_allclose(moments.spread, (X / size).std(axis=0) * size)


def test_an_entry_given_twice_is_not_centred():
    """A column with as many entries as rows may still lack one."""
    X = sparse.csr_matrix(
        (np.full(4, 2020.0), np.zeros(4, np.int32), [0, 2, 3, 4, 4]), shape=(4, 1)
    )
    assert not Moments.of(engine.Data(X, None, None, 1)).stored.any()


# ------------------------------------------------------------- one row under a norm


@pytest.mark.parametrize("batch_norm", ["before", "after"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@BOTH_DTYPES
@pytest.mark.filterwarnings("ignore:.*has not converged")
def test_one_row_under_batch_norm(batch_norm, container, dtype):
    """A NULL was read: one row is normalised by the running averages."""
    given = {"batch_norm": batch_norm, "dtype": dtype}
    model = regressor((8,), **given).fit(container(np.ones((1, 3))), [1.0])
    assert_allclose(model.predict(container(np.ones((1, 3)))), [1.0], atol=1e-3)
    X, y = diabetes()
    for positive in (0, 5):
        weights = np.zeros(len(y))
        weights[positive] = 2.0
        model = regressor((8,), **given).fit(container(X), y, sample_weight=weights)
        assert np.isfinite(model.predict(container(X))).all()
        assert_allclose(model.predict(container(X))[positive], y[positive], rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*has not converged")
def test_one_row_after_many_under_batch_norm():
    """It is normalised by what the rows before have left."""
    X, y = diabetes()
    model = regressor((8,), batch_norm="before", warm_start=True, max_iter=20)
    model.fit(X, y).fit(X[:1], y[:1])
    assert_allclose(model.predict(X[:1]), y[:1], rtol=1e-2)
    X, y = iris()
    weights = np.zeros(len(y))
    weights[[0, 60]] = 1
    model = classifier((8,), batch_norm="before").fit(X, y, sample_weight=weights)
    assert np.isfinite(model.predict_proba(X)).all()


def test_the_kernels_refuse_one_row_without_running_averages():
    network = regressor((4,), batch_norm="before", max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = network.fit(*diabetes())._network
    X = np.zeros((1, 10), np.float32)
    data = network.data(X, np.zeros((1, 1), np.float32))
    from skreg._problem.parameters import read_settings

    settings = read_settings(regressor((4,), batch_norm="before"))
    with pytest.raises(ValueError, match="pass statistics"):
        network.engine(settings, capacity=1).loss_and_gradient(network.params, data)


@BOTH_DTYPES
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_the_kernels_centre_what_they_read(dtype, container):
    """Loss and gradient are those of X - centre; X stays as it is."""
    rng = np.random.default_rng(0)
    X = np.asarray(rng.normal(size=(600, 5)) + 3, dtype)
    y = np.asarray(rng.normal(size=(600, 2)), dtype)
    model = regressor((4,), dtype=dtype, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = model.fit(X, y)._network
    centre = np.arange(5).astype(dtype)
    gradients = np.empty((2, network.params.size), dtype)
    before = X.copy()
    rows = np.arange(0, 600, 2, dtype=np.intp)
    losses = [
        network.engine().loss_and_gradient(
            network.params, network.data(A, y, None, rows), g, centre=c
        )
        for A, g, c in [
            (container(X), gradients[0], centre),
            (container(X - centre), gradients[1], None),
        ]
    ]
    assert_array_equal(X, before)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert_allclose(gradients[0], gradients[1], atol=1e-6)


@pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
@BOTH_DTYPES
def test_losses_with_kinks_end_without_a_warning(loss, dtype):
    """Their gradient is not small at a minimum."""
    X, y = raw_diabetes()
    model = regressor(loss=loss, dtype=dtype, max_iter=1000, l2=0.0).fit(X, y)
    best = QuantileRegressor(alpha=0.0).fit(X, y).predict(X)
    least = np.abs(y - best).mean()
    assert np.abs(y - model.predict(X)).mean() == pytest.approx(least, rel=5e-3)
