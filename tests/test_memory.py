"""A fit holds X once, and of the weights no more copies than it needs."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
from common import both_estimators, few_epochs
from scipy import sparse
from sklearn.base import is_classifier

pytestmark = few_epochs


def allocated_by_fit(model, X, y, *given):
    """The most bytes that the fit had allocated at once."""
    tracemalloc.start()
    try:
        model.fit(X, y, *given)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@cache
def wide(n=60_000, p=220):
    """X of 53 MB, and y. Read-only: tests share them."""
    X = np.random.default_rng(0).standard_normal((n, p), dtype=np.float32)
    X.flags.writeable = False
    return X, (X[:, 0] > 0).astype(int)


@cache
def wide_csr():
    """The same as CSR, with zeros in the second half of the columns."""
    X, y = wide()
    X = X.copy()
    X[:, X.shape[1] // 2 :] = 0
    return sparse.csr_array(X), y


FITS = {
    "adam": {},
    "sgd": {"solver": "sgd", "shuffle": False},
    "lbfgs": {"solver": "lbfgs"},
    "early stopping": {"early_stopping": True},
    "early stopping by a scorer": {"early_stopping": True, "validation_fraction": 0.05},
}


@both_estimators
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", ["dense", "CSR"])
def test_X_is_held_once(Estimator, fit, kind):
    model = Estimator((8,), max_iter=1, random_state=0, **FITS[fit])
    if "scorer" in fit:
        model.set_params(scoring="accuracy" if is_classifier(model) else "r2")
    X, y = wide() if kind == "dense" else wide_csr()
    size = X.nbytes if kind == "dense" else X.data.nbytes + X.indices.nbytes
    assert size > 50e6
    assert allocated_by_fit(model, X, y) < 0.2 * size


@both_estimators
def test_X_is_held_once_with_weights_and_rows_left_out(Estimator):
    model = Estimator((8,), max_iter=1, random_state=0)
    X, y = wide()
    weights = np.arange(len(y)) % 3.0
    assert allocated_by_fit(model, X, y, weights) < 0.2 * X.nbytes


@both_estimators
@pytest.mark.parametrize(("solver", "moments"), [("adam", 2), ("sgd", 1)])
def test_copies_of_the_weights(Estimator, solver, moments):
    """Weights, gradient, moments, a copy to go back to, and a matrix squared."""
    model = Estimator((1000, 1000), solver=solver, max_iter=2, batch_size=10)
    X, y = wide(50, 20)
    size = 4 * (21 * 1000 + 1001 * 1000 + 1001)
    assert allocated_by_fit(model, X, y) < (4.2 + moments) * size
