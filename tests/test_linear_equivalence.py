"""Without a hidden layer the estimators are scikit-learn's linear models.

l1 = a is Lasso(alpha=a); l2 = a / n is Ridge(alpha=a); l1 = a r, l2 = a (1 - r) is
ElasticNet(alpha=a, l1_ratio=r); l2 = 1 / (C n) is LogisticRegression(C=C).
"""

import numpy as np
import pytest
import sklearn
from common import breast_cancer, diabetes, iris
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.datasets import make_regression
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.utils.fixes import parse_version

# Rounding can end a search above a tol of 1e-11 where columns go together. lbfgs says
# so; whether the solution is the right one is what is tested.
pytestmark = pytest.mark.filterwarnings(
    "ignore:lbfgs has not converged .* finds no lower loss"
)

LINEAR = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "tol": 1e-11,
    "max_iter": 50_000,
    "max_fun": 100_000,
    "dtype": "float64",
    "l2": 0.0,
}


def regressor(**given):
    return RegularizedMLPRegressor(**LINEAR | given, standardize_target=False)


def classifier(**given):
    return RegularizedMLPClassifier(**LINEAR | given)


def more_columns_than_rows():
    X, y = make_regression(
        60, 200, n_informative=10, noise=5.0, effective_rank=None, random_state=0
    )
    return X, y


def columns_that_go_together():
    X, y = breast_cancer()
    return X, 100.0 * y


PROBLEMS = pytest.mark.parametrize(
    "load", [diabetes, columns_that_go_together, more_columns_than_rows]
)


def assert_same_coefficients(ours, theirs, rtol=1e-5):
    """Weights and bias agree, relative to the largest weight."""
    W, b = ours.coefs_[0].T.squeeze(), ours.intercepts_[0].squeeze()
    coef = theirs.coef_.squeeze()
    scale = np.abs(coef).max()
    assert_allclose(W, coef, rtol=0, atol=rtol * scale)
    assert_allclose(b, np.squeeze(theirs.intercept_), rtol=rtol, atol=rtol * scale)


def assert_same_zeros(ours, theirs):
    W = ours.coefs_[0].T.squeeze()
    assert (W == 0).any()
    assert_array_equal(W == 0, theirs.coef_.squeeze() == 0)


@PROBLEMS
@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_lasso(load, alpha, weighted):
    X, y = load()
    weights = np.linspace(0.5, 2.0, len(y)) if weighted else None
    theirs = Lasso(alpha=alpha, tol=1e-13, max_iter=1_000_000)
    theirs.fit(X, y, sample_weight=weights)
    ours = regressor(l1=alpha).fit(X, y, sample_weight=weights)
    assert_same_coefficients(ours, theirs)
    if (theirs.coef_ == 0).any():
        assert_same_zeros(ours, theirs)


def test_lasso_beyond_the_largest_useful_strength():
    """At max |X^T (y - mean)| / n all weights are zero, just below one is not."""
    X, y = diabetes()
    largest = np.abs(X.T @ (y - y.mean())).max() / len(y)
    assert (regressor(l1=largest * 1.0001).fit(X, y).coefs_[0] == 0).all()
    assert (regressor(l1=largest * 0.999).fit(X, y).coefs_[0] != 0).sum() == 1


@PROBLEMS
@pytest.mark.parametrize("l1_ratio", [0.2, 0.9])
def test_elastic_net(load, l1_ratio):
    X, y = load()
    alpha = 2.0
    theirs = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-13, max_iter=1_000_000)
    theirs.fit(X, y)
    ours = regressor(l1=alpha * l1_ratio, l2=alpha * (1 - l1_ratio)).fit(X, y)
    assert_same_coefficients(ours, theirs)
    if (theirs.coef_ == 0).any():
        assert_same_zeros(ours, theirs)


@PROBLEMS
@pytest.mark.parametrize("alpha", [0.1, 10.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_ridge(load, alpha, weighted, container):
    X, y = load()
    weights = np.linspace(0.5, 2.0, len(y)) if weighted else np.ones(len(y))
    theirs = Ridge(alpha=alpha, solver="svd").fit(X, y, sample_weight=weights)
    ours = regressor(l2=alpha / weights.sum())
    ours.fit(container(X), y, sample_weight=weights)
    assert_same_coefficients(ours, theirs)


def test_ridge_of_several_outputs():
    X, y = diabetes()
    Y = np.stack([y, X[:, 0] * 100 - y], axis=1)
    theirs = Ridge(alpha=5.0, solver="svd").fit(X, Y)
    ours = regressor(l2=5.0 / len(y)).fit(X, Y)
    assert_allclose(ours.coefs_[0].T, theirs.coef_, atol=1e-5 * np.abs(Y).max())
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-3)


def logistic(C, l1_ratio, **given):
    """LogisticRegression in the spelling of the installed scikit-learn."""
    if parse_version(sklearn.__version__) < parse_version("1.8"):
        penalty = {0.0: "l2", 1.0: "l1"}.get(l1_ratio, "elasticnet")
        given["penalty"] = penalty
        if penalty == "elasticnet":
            given["l1_ratio"] = l1_ratio
    else:
        given["l1_ratio"] = l1_ratio
    solver = "lbfgs" if l1_ratio == 0 else "saga"
    return LogisticRegression(
        C=C, solver=solver, tol=1e-12, max_iter=1_000_000, random_state=0, **given
    )


# Weaker penalties are left out, for saga takes forever with columns that go together.
@pytest.mark.parametrize(
    ("load", "C"), [(columns_that_go_together, 0.05), (more_columns_than_rows, 1.0)]
)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_of_two_classes(load, C, l1_ratio, weighted):
    X, y = load()
    y = y > 0
    weights = np.linspace(0.5, 2.0, len(y)) if weighted else np.ones(len(y))
    theirs = logistic(C, l1_ratio).fit(X, y, sample_weight=weights)
    strength = 1 / (C * weights.sum())
    ours = classifier(l1=strength * l1_ratio, l2=strength * (1 - l1_ratio))
    ours.fit(X, y, sample_weight=weights)
    assert_same_coefficients(ours, theirs)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    if l1_ratio > 0:
        assert_same_zeros(ours, theirs)


@pytest.mark.parametrize("given", ["balanced", {0: 3.0, 1: 0.5}])
def test_logistic_regression_with_class_weight(given):
    X, y = breast_cancer()
    theirs = logistic(1.0, 0.0, class_weight=given).fit(X, y)
    # scikit-learn's strength is against the sum of the weights, ours the mean
    by_class = np.bincount(y)
    if given == "balanced":
        total = len(y)
    else:
        total = sum(given[c] * by_class[c] for c in (0, 1))
    ours = classifier(l2=1 / total, class_weight=given).fit(X, y)
    assert_same_coefficients(ours, theirs)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_logistic_regression_of_three_classes(l1_ratio):
    """With l2 the optimum is unique; with l1 objective and predictions are."""
    X, y = iris()
    C = 0.5
    theirs = logistic(C, l1_ratio).fit(X, y)
    strength = 1 / (C * len(y))
    ours = classifier(l1=strength * l1_ratio, l2=strength * (1 - l1_ratio)).fit(X, y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    if l1_ratio == 0:
        assert_allclose(ours.coefs_[0].T, theirs.coef_, atol=1e-5)
    p = theirs.predict_proba(X)[np.arange(len(y)), y]
    penalty = np.abs(theirs.coef_).sum() if l1_ratio else (theirs.coef_**2).sum() / 2
    objective = -np.log(p).mean() + strength * penalty
    assert ours.loss_ == pytest.approx(objective, rel=1e-7)


@pytest.mark.parametrize("load", [iris, breast_cancer])
@pytest.mark.parametrize("l1", [0.0, 1e-3])
def test_single_precision_finds_the_same_optimum(load, l1):
    X, y = load()
    given = {"l1": l1, "l2": 1e-3, "tol": 1e-4, "max_iter": 200}
    single = classifier(**given, dtype="float32").fit(X, y)
    assert single.loss_ == pytest.approx(
        classifier(l1=l1, l2=1e-3).fit(X, y).loss_, rel=1e-4
    )


@PROBLEMS
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_poisson_regressor(load, alpha):
    X, y = load()
    y = np.abs(y) / y.std()
    theirs = PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-12)
    theirs.fit(X, y)
    ours = regressor(loss="poisson", l2=alpha).fit(X, y)
    assert_same_coefficients(ours, theirs)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5)


@pytest.mark.parametrize(
    ("solver", "rate"), [("adam", 0.05), ("sgd", 0.02)], ids=["adam", "sgd"]
)
@pytest.mark.parametrize("l1", [0.0, 0.05])
def test_stochastic_solvers_come_close(solver, rate, l1):
    """The objective within 1e-3 of the optimum; batches leave noise where it is 0."""
    X, y = diabetes()
    given = {"l1": l1, "l2": 0.01, "standardize_target": True}
    best = RegularizedMLPRegressor(**LINEAR | given).fit(X, y)
    close = RegularizedMLPRegressor(
        **LINEAR
        | given
        | {
            "solver": solver,
            "learning_rate": "cosine",
            "learning_rate_init": rate,
            "max_iter": 300,
            "batch_size": 32,
            "random_state": 0,
        }
    ).fit(X, y)
    assert objective(close, X, y) == pytest.approx(best.loss_, rel=1e-3)
    assert best.loss_ == pytest.approx(objective(best, X, y), rel=1e-9)
    assert_allclose(close.coefs_[0], best.coefs_[0], atol=0.05)


@pytest.mark.parametrize("l1", [0.0, 0.005])
def test_stochastic_solvers_come_close_for_classes(l1):
    X, y = breast_cancer()
    given = {"l1": l1, "l2": 0.01}
    best = classifier(**given).fit(X, y)
    stochastic = {
        "solver": "adam",
        "learning_rate": "cosine",
        "learning_rate_init": 0.02,
        "max_iter": 200,
        "batch_size": 32,
        "random_state": 0,
    }
    close = classifier(**given | stochastic).fit(X, y)
    W = close.coefs_[0]
    p = close.predict_proba(X)[np.arange(len(y)), y]
    reached = -np.log(p).mean() + l1 * np.abs(W).sum() + 0.01 / 2 * (W**2).sum()
    assert reached == pytest.approx(best.loss_, rel=1e-3)


def objective(model, X, y):
    """F of a linear model, on the standardized target."""
    t = (y - y.mean()) / y.std()
    W = model.coefs_[0]
    residual = t - (X @ W + model.intercepts_[0]).ravel()
    penalty = model.l1 * np.abs(W).sum() + model.l2 / 2 * (W**2).sum()
    return (residual**2).mean() / 2 + penalty


@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPRegressor, RegularizedMLPClassifier]
)
@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_optimality_with_one_hidden_layer(Estimator, activation):
    """At the end |gradient| <= l1 where w = 0, gradient = -l1 sign(w) elsewhere."""
    l1 = 0.01
    model = Estimator(
        (6,),
        activation,
        solver="lbfgs",
        l1=l1,
        l2=0.0,
        tol=1e-7,
        max_iter=20_000,
        max_fun=50_000,
        dtype="float64",
        random_state=0,
    )
    X, y = diabetes() if Estimator is RegularizedMLPRegressor else breast_cancer()
    t = (y - y.mean()) / y.std() if Estimator is RegularizedMLPRegressor else y
    model.fit(X, y)
    network = model._network
    data = network.data(np.ascontiguousarray(X), t.astype(float).reshape(-1, 1))
    gradient = np.empty_like(network.params)
    network.engine().loss_and_gradient(network.params, data, gradient)
    by_layer = type(network)(
        network.layer_sizes, network.activations, network.loss, 0.0, network.dtype
    )
    by_layer.params[:] = gradient
    zeros = 0
    for W, G in zip(network.coefs, by_layer.coefs, strict=True):
        assert (np.abs(G[W == 0]) <= l1 + 1e-6).all()
        assert_allclose(G[W != 0], -l1 * np.sign(W[W != 0]), atol=1e-6)
        zeros += (W == 0).sum()
    for g in by_layer.intercepts:
        assert_allclose(g, 0, atol=1e-6)
    assert zeros > 5


@pytest.mark.parametrize("hidden", [(), (5,)])
@pytest.mark.parametrize(
    "Estimator", [RegularizedMLPRegressor, RegularizedMLPClassifier]
)
def test_weights_are_repetitions(Estimator, hidden):
    """Weight 2 is a row twice and weight 0 a row left out, to solver precision."""
    X, y = diabetes() if Estimator is RegularizedMLPRegressor else breast_cancer()
    repeats = np.arange(len(y)) % 3
    settings = LINEAR | {
        "hidden_layer_sizes": hidden,
        "activation": "tanh",
        "l2": 0.05,
        "l1": 0.002,
        "tol": 1e-9,
        "random_state": 0,
    }
    weighted = Estimator(**settings).fit(X, y, sample_weight=repeats)
    repeated = Estimator(**settings).fit(X.repeat(repeats, axis=0), y.repeat(repeats))
    scale = np.abs(repeated.predict(X)).max()
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)
    assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-5 * scale)
    for W, V in zip(weighted.coefs_, repeated.coefs_, strict=True):
        assert_allclose(W, V, atol=1e-5)
