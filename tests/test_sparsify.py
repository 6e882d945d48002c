"""Sparse weights: the same predictions, less memory, and the way back."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from cases import both_dtypes
from common import (
    all_weights,
    assert_refused,
    assert_same_fit,
    both_estimators,
    data_for,
    few_epochs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from plain import RegularizedMLPClassifier, RegularizedMLPRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from thinned import KINDS, raw_predictions, remove, thinned

from skreg._kernels import sparse_weights, units
from skreg._problem import cores
from skreg._problem.activations import ACTIVATIONS
from skreg._problem.losses import REGRESSION_LOSSES

pytestmark = few_epochs

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_are_the_same_to_rounding(kind, dtype):
    model, X = thinned(kind, dtype=dtype)
    expected = raw_predictions(model, X)
    classes = model.predict(X)
    model.sparsify_weights()
    tolerance = TOLERANCE[dtype]
    for rows in [X, sparse.csr_array(X), X.astype(np.float32)]:
        actual = raw_predictions(model, rows)
        assert actual.dtype == expected.dtype
        if rows.dtype == np.float32 and dtype == "float64":
            tolerance = 1e-4
        assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    if hasattr(model, "classes_"):
        assert_array_equal(model.predict(X), classes)


def reference(coefs, intercepts, activations, residual, skip, X):
    """The raw outputs, in plain NumPy."""
    h, outputs = X, []
    for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = h @ W + b
        if l < len(activations):
            a = units.activate(activations[l], z.ravel())[0].reshape(z.shape)
            z = a + outputs[l - residual[l]] if residual[l] else a
            outputs.append(z)
        h = z
    return h if skip is None else h + X @ skip


@given(st.data())
@settings(max_examples=60)
def test_kernel_against_plain_numpy(data):
    """Any shape, share of zeros, empty columns, rows and layers, CSR or dense X."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_hidden = data.draw(st.integers(0, 3))
    width = data.draw(st.integers(1, 20))
    sizes = [data.draw(st.integers(1, 40)), *[width] * n_hidden]
    if n_hidden and data.draw(st.booleans()):
        sizes[-1] = data.draw(st.integers(1, 20))
    sizes.append(data.draw(st.integers(1, 5)))
    share = data.draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))
    dtype = data.draw(st.sampled_from(both_dtypes))
    n = data.draw(st.integers(1, 200))

    def thin(shape, zeros):
        return (rng.normal(size=shape) * (rng.random(shape) >= zeros)).astype(dtype)

    coefs = [thin(shape, share) for shape in pairwise(sizes)]
    intercepts = [thin(size, 0) for size in sizes[1:]]
    activations = [int(rng.integers(len(ACTIVATIONS))) for _ in range(n_hidden)]
    widths = sizes[1:-1]
    residual = [
        int(rng.choice([0, *(k for k in (1, 2) if k <= l and widths[l - k] == width)]))
        for l, width in enumerate(widths)
    ]
    skip = thin((sizes[0], sizes[-1]), share) if data.draw(st.booleans()) else None
    X = thin((n, sizes[0]), 0.5)
    exact = [[a.astype(np.float64) for a in arrays] for arrays in (coefs, intercepts)]
    expected = reference(
        *exact, activations, residual, None if skip is None else skip.astype(float), X
    )
    predictor = sparse_weights.SparsePredictor(
        [sparse.csc_array(W) for W in coefs],
        intercepts,
        activations,
        REGRESSION_LOSSES["squared_error"].kernel,
        residual=residual,
        skip=None if skip is None else sparse.csc_array(skip),
    )
    out = np.full((n, sizes[-1]), np.nan, dtype)
    tolerance = 1e-3 if dtype == np.float32 else 1e-11
    for given_X in [X, sparse.csr_array(X)]:
        predictor.predict(given_X, out)
        scale = 1 + np.abs(expected).max()
        assert_allclose(out, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("kind", ["multiclass", "residual", "skip norm"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
def test_a_row_has_the_same_bits_in_any_batch(kind, dtype, as_X):
    model, X = thinned(kind, dtype=dtype)
    model.sparsify_weights()
    X = X.astype(dtype)
    together = raw_predictions(model, as_X(X))
    for first, last in [(0, 1), (7, 8), (3, 20), (5, 38), (1, 100)]:
        assert_array_equal(
            raw_predictions(model, as_X(X[first:last])), together[first:last]
        )


def test_a_wide_layer_takes_fewer_rows_at_a_time_with_the_same_bits():
    """Chunks of all sizes, for there is no end to the width."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3000))
    W = np.zeros((3000, 2))
    W[::7] = rng.normal(size=W[::7].shape)
    b = np.zeros(2)
    outputs = []
    # zeros below leave the sums as they are
    for below in [0, 6000, 20_000]:
        more = np.pad(W, [(0, below), (0, 0)])
        predictor = sparse_weights.SparsePredictor(
            [sparse.csc_array(more)], [b], [], 0, residual=[]
        )
        out = np.empty((100, 2))
        outputs.append(predictor.predict(np.pad(X, [(0, 0), (0, below)]), out))
    assert_array_equal(outputs[0], outputs[1])
    assert_array_equal(outputs[0], outputs[2])


@pytest.mark.parametrize("kind", ["multiclass", "skip norm"])
@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
def test_threads_give_the_same_bits(monkeypatch, as_X, kind):
    model, X = thinned(kind)
    model.sparsify_weights()
    X = as_X(np.tile(X, (20, 1)))
    alone = model.predict_proba(X)
    monkeypatch.setattr(cores, "OPERATIONS_PER_THREAD", 1.0)
    monkeypatch.setattr(cores, "limit", lambda: 3)
    monkeypatch.setattr(cores, "_cores", lambda: 3)
    assert_array_equal(model.predict_proba(X), alone)


def test_many_threads_predict_at_once():
    model, X = thinned("norm before")
    model.sparsify_weights()
    expected = raw_predictions(model, X)
    with ThreadPoolExecutor(4) as pool:
        for actual in pool.map(lambda _: raw_predictions(model, X), range(20)):
            assert_array_equal(actual, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_densify_brings_the_same_bits_back(kind):
    model, X = thinned(kind)
    weights, predictions = all_weights(model), raw_predictions(model, X)
    figures = [model.sparsity_, model.zero_share_, model.feature_importances_.tolist()]
    selected = model.selected_features_
    assert model.sparsify_weights() is model
    matrices = model._network.matrices()
    assert len(matrices) == len(model.coefs_) + bool(model.skip)
    assert all(sparse.issparse(W) and W.format == "csc" for W in matrices)
    assert (model.skip_coef_ is None) == (not model.skip)
    assert [model.sparsity_, model.zero_share_] == figures[:2]
    assert_allclose(model.feature_importances_, figures[2], rtol=1e-12)
    assert_array_equal(model.selected_features_, selected)
    for W, b in zip(model.folded_coefs_, model.folded_intercepts_, strict=True):
        assert W.shape[1] == len(b)
    assert model.densify() is model
    assert_array_equal(all_weights(model), weights)
    assert_array_equal(raw_predictions(model, X), predictions)


def test_both_are_no_ops_the_second_time():
    model, _ = thinned("regression")
    network = model._network
    assert model.densify()._network is network
    network = model.sparsify_weights()._network
    assert model.sparsify_weights()._network is network


@both_estimators
def test_unfitted(Estimator):
    for name in ["sparsify_weights", "densify", "prune"]:
        with pytest.raises(NotFittedError):
            getattr(Estimator(), name)()


def size(model):
    return len(pickle.dumps(model))


def test_memory_and_pickles_are_small():
    X, y = data_for(RegularizedMLPRegressor())
    model = RegularizedMLPRegressor((300, 300), max_iter=1, random_state=0)
    model.fit(X, y)
    dense = size(model)
    remove(model, 0.99, np.random.default_rng(0))
    expected = model.predict(X)
    model.sparsify_weights()
    # the weights and Adam's two means; 1 % of the weights, at two numbers each
    assert dense > 3 * model._network.dense().params.nbytes
    assert size(model) < dense / 20
    arrays = [a for W in model.coefs_ for a in (W.data, W.indices, W.indptr)]
    assert sum(a.nbytes for a in arrays) < dense / 20
    copied = pickle.loads(pickle.dumps(model))
    assert_array_equal(copied.predict(X), model.predict(X))
    assert_allclose(model.predict(X), expected, rtol=1e-4, atol=1e-3)


@both_estimators
@pytest.mark.parametrize("skip", [False, True])
def test_training_goes_on_after_densify_only(Estimator, skip):
    model = Estimator(
        (8,), skip=skip, max_iter=2, warm_start=True, random_state=0, l1=1e-3
    )
    X, y = data_for(model)
    model.fit(X, y).sparsify_weights()
    before = raw_predictions(model, X)
    for call in [model.fit, model.partial_fit]:
        assert_refused(lambda call=call: call(X, y), ValueError, "densify()")
    # nothing is lost
    assert_array_equal(raw_predictions(model, X), before)
    weights = all_weights(model.densify())
    model.partial_fit(X, y)
    assert not np.array_equal(all_weights(model), weights)
    assert model.t_ == 3 * len(X)
    # random numbers go on: those of the first fit do not come again
    assert model._state.optimizer.starts == 1


@both_estimators
def test_a_new_fit_after_sparsify_is_as_any(Estimator):
    model = Estimator((8,), max_iter=2, random_state=0, l1=1e-3)
    X, y = data_for(model)
    expected = clone(model).fit(X, y)
    model.fit(X, y).sparsify_weights()
    assert_same_fit(model.fit(X, y), expected)


@pytest.mark.parametrize("kind", ["multiclass", "skip norm"])
def test_input_gradients_as_of_dense_weights(kind):
    model, X = thinned(kind)
    y = np.zeros(len(X), int)
    expected = model.input_gradient(X, y)
    assert_array_equal(model.sparsify_weights().input_gradient(X, y), expected)


def test_the_kernel_refuses_what_does_not_fit():
    W = sparse.csc_array(np.eye(3))
    b = np.zeros(3)

    def predictor(coefs=(W,), intercepts=(b,), activations=(), residual=(), **given):
        return sparse_weights.SparsePredictor(
            list(coefs), list(intercepts), activations, 0, residual=residual, **given
        )

    for settings_, part in [
        ({"coefs": [W.tocsr()]}, "csc"),
        ({"intercepts": [b[:2]]}, "(3,)"),
        ({"intercepts": [b.astype(np.float32)]}, "float64"),
        ({"activations": [99]}, "unknown activation"),
        ({"skip": W[:, :2]}, "(3, 2)"),
        ({"coefs": [W.astype(int)]}, "float32 or float64"),
        (
            {
                "coefs": [W, W[:, :2], W[:2]],
                "intercepts": [b, b[:2], b],
                "activations": [0, 0],
                "residual": [0, 1],
            },
            "residual",
        ),
        (
            {
                "coefs": [W, W],
                "intercepts": [b, b],
                "activations": [0],
                "residual": [1],
            },
            "reaches 1 below 0",
        ),
    ]:
        assert_refused(lambda s=settings_: predictor(**s), ValueError, part)
    out = np.empty((2, 3))
    for X, part in [
        (np.ones((2, 4)), "features"),
        (np.ones((2, 3), np.float32), "float32"),
        (np.ones((3, 2)).T, "C-contiguous"),
        (np.ones((3, 3)), "(3, 3)"),
    ]:
        assert_refused(lambda X=X: predictor().predict(X, out), ValueError, part)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        predictor().predict(np.ones((2, 3)), out)


def test_bad_X_is_refused_as_ever():
    model, X = thinned("multiclass")
    model.sparsify_weights()
    X = X.copy()
    X[3, 1] = np.nan
    assert_refused(lambda: model.predict(X), ValueError, "NaN")
    assert_refused(lambda: model.predict(X[:, :2]), ValueError, "features")


def test_classifier_without_hidden_layer_and_lbfgs():
    model = RegularizedMLPClassifier((), solver="lbfgs", l1=0.05)
    X, y = data_for(model)
    expected = model.fit(X, y).predict_proba(X)
    assert_allclose(
        model.sparsify_weights().predict_proba(X), expected, rtol=1e-4, atol=1e-6
    )
    assert 0 < model.zero_share_ < 1
